package report

import (
	"time"

	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/words"
)

// A Plan says how many gateways are needed.
type Plan struct {
	Schema   string    `json:"schema"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Machine  Machine   `json:"machine"`
	Settings Settings  `json:"settings"`

	Peak  float64 `json:"peak"` // asked for, per second
	Spare int     `json:"spare"`
	Needs int     `json:"needs"` // gateways, spare included; 0: not known

	Answer   words.Text   `json:"answer"` // the one line
	Limits   words.Text   `json:"limits"`
	Sure     words.Text   `json:"sure"`
	Untested []words.Text `json:"untested"`

	Searches []Search     `json:"searches"` // by number of gateways
	Fit      *Fit         `json:"fit,omitempty"`
	Fits     []words.Text `json:"fit_notes,omitempty"`

	Conclusion Conclusion `json:"conclusion"`
}

// A Search is what one number of gateways holds.
type Search struct {
	Gateways int     `json:"gateways"`
	Steps    []Step  `json:"steps"`  // in the order taken
	Holds    float64 `json:"holds"`  // the highest rate that held, per second
	Breaks   float64 `json:"breaks"` // the lowest above it that did not; 0: none was found
	Limit    string  `json:"limit"`  // what broke: slo, wrong, generator, ceiling

	Collapse float64 `json:"collapse"`   // load at which goodput fell; 0: not seen
	Recovery float64 `json:"recovery_s"` // after the highest load; -1: not within the time watched; -2: not tried

	First []metricscrape.Finding `json:"what_breaks_first"`
}

// A Step is one rate, tried.
type Step struct {
	Phase     string  `json:"phase"` // baseline, up, bisect, again, beyond
	Rate      float64 `json:"rate"`
	Goodput   float64 `json:"goodput"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	RawP99    float64 `json:"raw_p99"`
	Error     float64 `json:"error"` // share
	Wrong     int64   `json:"wrong"`
	LagP99    float64 `json:"lag_p99"`
	HostIdle  float64 `json:"host_idle"`
	Generator float64 `json:"generator_cores"`
	Held      bool    `json:"held"`
	Limited   bool    `json:"generator_limited"`
}

// A Fit is the scaling law through what was measured: capacity of n gateways
// is one·n / (1 + contention·(n-1) + crosstalk·n·(n-1)).
type Fit struct {
	One        float64 `json:"one"`
	Contention float64 `json:"contention"`
	Crosstalk  float64 `json:"crosstalk"`
	Measured   int     `json:"measured"` // the most gateways measured; it is believed to twice that
}

// At is the capacity of n gateways by the fit.
func (f Fit) At(n int) float64 {
	x := float64(n)
	return f.One * x / (1 + f.Contention*(x-1) + f.Crosstalk*x*(x-1))
}

// Faults is the table of faults × load.
type Faults struct {
	Schema   string     `json:"schema"`
	Started  time.Time  `json:"started"`
	Seconds  float64    `json:"seconds"`
	Machine  Machine    `json:"machine"`
	Settings Settings   `json:"settings"`
	Command  string     `json:"command"`
	Rows     []FaultRow `json:"rows"`

	Conclusion Conclusion `json:"conclusion"`
}

// A FaultRow is one fault at one load, counted from its beginning to its end.
// Shares are of the work offered meanwhile.
type FaultRow struct {
	Fault    string  `json:"fault"`
	Load     float64 `json:"load"`
	Gateways int     `json:"gateways"`
	Correct  float64 `json:"correct"`
	Degraded float64 `json:"degraded"`
	Wrong    float64 `json:"wrong"`
	Refused  float64 `json:"refused"`
	Failed   float64 `json:"failed"` // faults, time-outs, broken connections, never sent
	P99      float64 `json:"p99"`    // the worst second's
	Before   float64 `json:"p99_before"`
	Recovery float64 `json:"recovery_s"` // from the fault's end; -1: not while watched
	Limited  bool    `json:"generator_limited"`
	Error    string  `json:"error,omitempty"`
}
