package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

// A Difference of one figure between two runs.
type Difference struct {
	Name     words.Text `json:"name"`
	Unit     string     `json:"unit"`
	A        float64    `json:"a"`
	B        float64    `json:"b"`
	Low      float64    `json:"low"` // interval of B-A, 95 %
	High     float64    `json:"high"`
	Judgment string     `json:"judgment"` // better, worse or noise
}

// Bounds of a judgement.
const (
	// blocks of so many intervals are drawn together: seconds that follow each
	// other resemble each other, and drawn singly they would look like more
	// evidence than they are.
	block   = 5
	draws   = 2000
	fewest  = 4 * block
	matters = 0.05 // a difference below this share is noise, however sure
)

// Compare holds B against A. It refuses runs that cannot be compared, and
// says why.
func Compare(a, b *Run) ([]Difference, error) {
	if why := unlike(a, b); len(why) > 0 {
		return nil, fmt.Errorf("these runs cannot be compared: %s", strings.Join(why, "; "))
	}
	pa, pb := measured(a), measured(b)
	if len(pa) < fewest || len(pb) < fewest {
		return nil, fmt.Errorf("these runs cannot be compared: %d and %d intervals after the warm-up; at least %d are needed", len(pa), len(pb), fewest)
	}
	rng := rand.New(rand.NewPCG(1, 2)) // the same two files, the same words
	var out []Difference
	for _, f := range []struct {
		name   words.Text
		unit   string
		get    func(stats.Point) float64
		higher bool // is better
	}{
		{words.T("correct verdicts", "正确结论"), "/s", func(p stats.Point) float64 { return p.Correct }, true},
		{words.T("latency p50", "延迟 p50"), "ms", func(p stats.Point) float64 { return p.P50 }, false},
		{words.T("latency p99", "延迟 p99"), "ms", func(p stats.Point) float64 { return p.P99 }, false},
		{words.T("latency p99.9", "延迟 p99.9"), "ms", func(p stats.Point) float64 { return p.P999 }, false},
		{words.T("not correct", "非正确"), "/s", func(p stats.Point) float64 { return max(p.Offered-p.Correct, 0) }, false},
	} {
		d := Difference{Name: f.name, Unit: f.unit, Judgment: "noise"}
		xa, xb := column(pa, f.get), column(pb, f.get)
		d.A, d.B = mean(xa), mean(xb)
		d.Low, d.High = interval(rng, xa, xb)
		small := math.Abs(d.B-d.A) < matters*max(math.Abs(d.A), 1e-9) || f.unit == "/s" && !f.higher && math.Abs(d.B-d.A) < 0.5
		if (d.Low > 0 || d.High < 0) && !small {
			d.Judgment = "worse"
			if (d.B > d.A) == f.higher {
				d.Judgment = "better"
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// unlike lists why not.
func unlike(a, b *Run) (why []string) {
	say := func(differs bool, format string, args ...any) {
		if differs {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	sa, sb := a.Settings, b.Settings
	say(sa.Digest != sb.Digest, "the profiles differ (%s %s, %s %s)", sa.Profile, sa.Digest, sb.Profile, sb.Digest)
	say(sa.Source != sb.Source, "the work comes from %s and from %s", sa.Source, sb.Source)
	say(sa.Gateways != sb.Gateways, "%d gateways and %d", sa.Gateways, sb.Gateways)
	say(sa.Rig != sb.Rig, "one target was started by loadtest, the other was not")
	ma, mb := a.Machine, b.Machine
	say(ma.Cores != mb.Cores || ma.Arch != mb.Arch || ma.OS != mb.OS, "the machines differ (%s/%s with %d cores, %s/%s with %d)",
		ma.OS, ma.Arch, ma.Cores, mb.OS, mb.Arch, mb.Cores)
	for name, r := range map[string]*Run{"first": a, "second": b} {
		say(r.Interrupted || r.Stopped != "", "the %s was cut short", name)
		say(r.Generator.Limited, "the %s is inconclusive: the generator was its limit", name)
	}
	slices.Sort(why)
	return why
}

// measured leaves the warm-up out, and what follows the end of the plan.
func measured(r *Run) []stats.Point {
	var out []stats.Point
	for _, p := range r.Series {
		if !p.Warmup && (p.Planned > 0 || p.Offered > 0) {
			out = append(out, p)
		}
	}
	return out
}

func column(points []stats.Point, get func(stats.Point) float64) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = get(p)
	}
	return out
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}

// interval is the bootstrap's 95 % for mean(b)-mean(a).
func interval(rng *rand.Rand, a, b []float64) (low, high float64) {
	diffs := make([]float64, draws)
	for i := range diffs {
		diffs[i] = redraw(rng, b) - redraw(rng, a)
	}
	slices.Sort(diffs)
	return diffs[draws*25/1000], diffs[draws*975/1000]
}

// redraw is the mean of as many values, drawn in circular blocks.
func redraw(rng *rand.Rand, x []float64) float64 {
	sum := 0.0
	for i := 0; i < len(x); i += block {
		from := rng.IntN(len(x))
		for j := range min(block, len(x)-i) {
			sum += x[(from+j)%len(x)]
		}
	}
	return sum / float64(len(x))
}
