package profile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed shipped/*.yaml
var shipped embed.FS

const maxFile = 1 << 20

// Names returns the names of the shipped profiles.
func Names() []string {
	entries, err := fs.ReadDir(shipped, "shipped")
	if err != nil { // embedded: there since the build
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Source returns a shipped profile's text.
func Source(name string) ([]byte, error) {
	return shipped.ReadFile("shipped/" + name + ".yaml")
}

// Load reads a shipped profile by its name, or a file by its path.
func Load(name string) (*Profile, error) {
	if slices.Contains(Names(), name) {
		raw, err := Source(name)
		if err != nil {
			return nil, err
		}
		return Parse(raw, name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a file nor a shipped profile (%s)", name, strings.Join(Names(), ", "))
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a regular file of at most 1 MiB", name)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(raw, name)
}

// Parse reads a profile; file names it in errors. All mistakes of meaning are
// told at once, mistakes of form one at a time.
func Parse(raw []byte, file string) (*Profile, error) {
	p := new(Profile)
	if err := yaml.UnmarshalWithOptions(raw, p, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.defaults()
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (p *Profile) defaults() {
	orDuration := func(d *Duration, def time.Duration) {
		if d.Duration == 0 {
			d.Duration = def
		}
	}
	if p.Seed == 0 {
		p.Seed = 1
	}
	if p.Arrivals.Process == "" {
		p.Arrivals.Process = "poisson"
	}
	w := &p.Workload
	if w.Population == 0 {
		w.Population = 2000
	}
	if w.Zipf == nil {
		w.Zipf = ptr(1.0)
	}
	if w.Cold == nil {
		w.Cold = ptr(Share(0.05))
	}
	if w.Prime == nil {
		w.Prime = ptr(Rate(300))
	}
	if len(w.Verdicts) == 0 {
		w.Verdicts = map[string]float64{"VALID": 94, "INVALID": 6}
	}
	if len(w.Formats) == 0 {
		w.Formats = map[string]float64{"ebl+jwt": 1}
	}
	if p.Connections.Max == 0 {
		p.Connections.Max = 256
	}
	orDuration(&p.Connections.Timeout, 5*time.Second)
	orDuration(&p.Connections.Patience, 5*time.Second)
	if p.Limits.Rate == 0 {
		p.Limits.Rate = 20000
	}
	orDuration(&p.Limits.Duration, 25*time.Hour)
	if p.Limits.Bytes == 0 {
		p.Limits.Bytes = 64 << 30
	}
	if p.Rig.Gateways == 0 {
		p.Rig.Gateways = 1
	}
	if p.Rig.RegistryRate == 0 {
		p.Rig.RegistryRate = 200
	}
}

func ptr[T any](v T) *T { return &v }

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Check says everything that is wrong with the profile, defaults filled in. It
// is called again after rates or times were changed from outside.
func (p *Profile) Check() error {
	var all []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	bad(p.Version != Version, "version: is %d; this loadtest reads version %d", p.Version, Version)
	bad(!nameForm.MatchString(p.Name), "name: %q; write lower-case letters, digits and dashes", p.Name)
	process := p.Arrivals.Process
	bad(process != "poisson" && process != "uniform" && process != "closed", "arrivals.process: %q is not poisson, uniform or closed", process)
	bad(p.Closed() && p.Peak() > 0, "arrivals: closed has no rates and no bursts")
	bad(len(p.Arrivals.Stages) == 0, "arrivals.stages: there are none")
	for i, s := range p.Arrivals.Stages {
		bad(s.For.Duration <= 0, "arrivals.stages[%d].for: must be above 0", i)
	}
	for i, b := range p.Arrivals.Bursts {
		bad(b.Size <= 0 || b.Over.Duration <= 0, "arrivals.bursts[%d]: size and over must be above 0", i)
		bad(b.Every.Duration > 0 && b.Every.Duration < b.Over.Duration, "arrivals.bursts[%d]: every is shorter than over", i)
	}
	bad(p.Peak() <= 0 && !p.Closed(), "arrivals: nothing ever arrives")
	bad(p.Peak() > float64(p.Limits.Rate), "arrivals: the peak of %.0f/s is beyond limits.rate, %.0f/s", p.Peak(), p.Limits.Rate)
	bad(p.Length() > p.Limits.Duration.Duration, "arrivals: %s is beyond limits.duration, %s", p.Length(), p.Limits.Duration)
	bad(p.Warmup.Duration >= p.Length(), "warmup: takes the whole run")
	w := p.Workload
	bad(w.Population < 1 || w.Population > 200_000, "workload.population: want 1 to 200000")
	bad(*w.Zipf < 0 || *w.Zipf > 5 || math.IsNaN(*w.Zipf), "workload.zipf: want 0 to 5")
	for name, mix := range map[string]map[string]float64{
		"provinces": w.Provinces, "formats": w.Formats, "algorithms": w.Algorithms, "verdicts": w.Verdicts,
	} {
		sum := 0.0
		for key, weight := range mix {
			bad(weight < 0 || math.IsNaN(weight), "workload.%s: %s has a negative weight", name, key)
			sum += weight
		}
		bad(len(mix) > 0 && sum <= 0, "workload.%s: weighs nothing", name)
	}
	for v := range w.Verdicts {
		bad(v != "VALID" && v != "INVALID" && v != "INDETERMINATE", "workload.verdicts: %q is no verdict", v)
	}
	bad(w.Oversized+w.Hostile > 1, "workload: oversized and hostile are more than everything")
	c := p.Connections
	bad(c.Max < 1 || c.Max > 10_000, "connections.max: want 1 to 10000")
	bad(c.New+c.Resumed+c.HTTP2 > 1, "connections: new, resumed and http2 are more than everything")
	bad(p.Limits.Rate > 100_000 || p.Limits.Duration.Duration > 25*time.Hour, "limits: at most 100000/s and 25h")
	bad(p.Rig.Gateways < 1 || p.Rig.Gateways > 8, "rig.gateways: want 1 to 8")
	for i, f := range p.Faults {
		_, err := f.Action()
		bad(err != nil, "faults[%d]: %v", i, err)
		bad(f.For.Duration <= 0, "faults[%d].for: must be above 0", i)
		bad(f.At.Duration >= p.Length(), "faults[%d].at: is after the end", i)
	}
	return errors.Join(all...)
}
