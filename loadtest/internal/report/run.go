// Package report holds what a run, a plan and a table of faults say, as JSON
// with a schema version, and draws them as one HTML file.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"tongyan/loadtest/internal/honest"
	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

// The schemas written and read. Another number means another meaning of some
// member; new members may come without one.
const (
	RunSchema    = "tongyan-loadtest/run/1"
	PlanSchema   = "tongyan-loadtest/plan/1"
	FaultsSchema = "tongyan-loadtest/faults/1"
)

// A Run is one shaped run.
type Run struct {
	Schema   string    `json:"schema"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Settings Settings  `json:"settings"`
	Machine  Machine   `json:"machine"`

	Interrupted bool    `json:"interrupted"`
	Stopped     string  `json:"stopped,omitempty"` // why it ended before its time, if not by a signal
	Interval    float64 `json:"interval_s"`

	Totals    stats.Totals           `json:"totals"`
	Series    []stats.Point          `json:"series"`
	Generator honest.Facts           `json:"generator"`
	First     []metricscrape.Finding `json:"what_breaks_first"`
	Moves     []metricscrape.Move    `json:"breaker_moves"`
	Scraped   string                 `json:"metrics_scraped"` // scrapes that worked / tried; "" for none
	Faults    []Fault                `json:"faults"`
	SLO       []Bound                `json:"slo"`
	Untested  []words.Text           `json:"untested,omitempty"`

	Conclusion Conclusion `json:"conclusion"`
}

// Settings are what two runs must share to be compared.
type Settings struct {
	Profile    string          `json:"profile"`
	Digest     string          `json:"digest"` // of the whole profile but seed and words
	Seed       uint64          `json:"seed"`
	Source     string          `json:"source"` // of the work: minted or samples
	Gateways   int             `json:"gateways"`
	Rig        bool            `json:"rig"` // started by loadtest
	SLO        string          `json:"slo"`
	Peak       float64         `json:"peak_rate"`
	Length     string          `json:"length"`
	Population int             `json:"population"`
	Cold       float64         `json:"cold"`
	Arrivals   json.RawMessage `json:"arrivals"`
}

// Machine is where the generator ran.
type Machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
}

// ThisMachine describes the present one.
func ThisMachine() Machine {
	return Machine{runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()}
}

// A Fault of the timeline and how it went.
type Fault struct {
	From     float64 `json:"from_s"`
	To       float64 `json:"to_s"`
	What     string  `json:"what"`
	Province string  `json:"province,omitempty"`
	Error    string  `json:"error,omitempty"` // it could not be brought about, or not ended
}

// A Bound of the SLO held against what was measured; both in its unit.
type Bound struct {
	Name     string  `json:"name"`
	Bound    float64 `json:"bound"`
	Measured float64 `json:"measured"`
	Unit     string  `json:"unit"` // ms or %
	Held     bool    `json:"held"`
}

// A Conclusion is the end of it all. Exit is the command's exit code.
type Conclusion struct {
	Exit    int          `json:"exit"`
	Word    string       `json:"word"` // pass, slo, inconclusive, unreachable, wrong or interrupted
	Line    words.Text   `json:"line"`
	Reasons []words.Text `json:"reasons,omitempty"`
}

// The exit codes of the loadtest command.
const (
	ExitPass         = 0
	ExitSLO          = 1
	ExitUsage        = 2
	ExitInconclusive = 3
	ExitUnreachable  = 4
	ExitWrong        = 5
	ExitInterrupted  = 130
)

// Check holds totals against an SLO. A run without verdicts holds no bound.
func Check(slo profile.SLO, t stats.Totals) []Bound {
	var out []Bound
	latency := func(name string, bound profile.Duration, measured float64) {
		if bound.Duration > 0 {
			b := float64(bound.Microseconds()) / 1000
			out = append(out, Bound{name, b, measured, "ms", t.Corrected.Count > 0 && measured <= b})
		}
	}
	latency("p50", slo.P50, t.Corrected.P50)
	latency("p99", slo.P99, t.Corrected.P99)
	latency("p99.9", slo.P999, t.Corrected.P999)
	if slo.Error != nil {
		b := float64(*slo.Error) * 100
		out = append(out, Bound{"error", b, t.ErrorShare * 100, "%", t.Offered > 0 && t.ErrorShare*100 <= b})
	}
	return out
}

// Held tells that every bound is.
func Held(bounds []Bound) bool {
	for _, b := range bounds {
		if !b.Held {
			return false
		}
	}
	return true
}

// maxReport bounds what is read back.
const maxReport = 256 << 20

// Write writes v as indented JSON beside its place and renames it there: what
// stands under that name is always whole.
func Write(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return WriteFile(path, append(raw, '\n'))
}

// WriteFile replaces the file at path at once.
func WriteFile(path string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".loadtest-*")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = tmp.Write(raw)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Read reads a report of any schema: a *Run, a *Plan or a *Faults.
func Read(path string) (any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if len(raw) > maxReport {
		return nil, fmt.Errorf("report: %s is longer than any report", path)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	var v any
	switch head.Schema {
	case RunSchema:
		v = new(Run)
	case PlanSchema:
		v = new(Plan)
	case FaultsSchema:
		v = new(Faults)
	default:
		known := strings.Join([]string{RunSchema, PlanSchema, FaultsSchema}, ", ")
		return nil, fmt.Errorf("report: %s: schema %q is not one of %s", path, head.Schema, known)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	return v, nil
}
