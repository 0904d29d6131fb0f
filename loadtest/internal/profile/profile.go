// Package profile reads the YAML files that say what a load run is: how work
// arrives, what it is, over which connections, which dependencies break when,
// and what counts as good enough.
//
// The fields of [Profile] are the manual. A key that is not described is an
// error with its line. Rates are written 840/s or 50/min, shares 0.1% or
// 0.001, durations 800ms, 30s, 5m, 24h.
package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Version is the only value of the key version.
const Version = 1

// A Profile is one file, checked. See [Parse] and [Load].
type Profile struct {
	Version       int    `yaml:"version"`        // must be 1
	Name          string `yaml:"name"`           // lower case and dashes; names the run's files
	Description   string `yaml:"description"`    // one line, English
	DescriptionZh string `yaml:"description_zh"` // the same in Chinese

	// Seed makes arrivals and the choice of work repeatable. Default 1.
	Seed uint64 `yaml:"seed"`

	// Targets are host names or addresses that may be loaded beside loopback
	// ones. Name only what is yours: nothing else guards it.
	Targets []string `yaml:"targets"`

	// Warmup is left out of every total; it stays in the series. Default 0.
	Warmup Duration `yaml:"warmup"`

	Arrivals    Arrivals    `yaml:"arrivals"`
	Workload    Workload    `yaml:"workload"`
	Connections Connections `yaml:"connections"`
	SLO         SLO         `yaml:"slo"`
	Limits      Limits      `yaml:"limits"`
	Rig         Rig         `yaml:"rig"`
	Faults      []Fault     `yaml:"faults"`
}

// Arrivals say when work comes, whatever the target does: an open model.
type Arrivals struct {
	// Process is poisson (default) or uniform. The third, closed, is no model
	// of people: every connection asks again as soon as it is answered, and no
	// rate is planned. It is for comparing with tools that know nothing else.
	Process string `yaml:"process"`

	// Stages follow each other; the run ends with the last.
	Stages []Stage `yaml:"stages"`

	// Bursts come on top of the stages.
	Bursts []Burst `yaml:"bursts"`
}

// A Stage lasts For; its rate goes in a straight line from Rate to To. Without
// To it stays.
type Stage struct {
	For  Duration `yaml:"for"`
	Rate Rate     `yaml:"rate"`
	To   *Rate    `yaml:"to"`
	Note string   `yaml:"note"` // shown in the panel
}

// A Burst is Size pieces of work spread over Over, at At and then every Every
// (0: once).
type Burst struct {
	At    Duration `yaml:"at"`
	Every Duration `yaml:"every"`
	Size  int      `yaml:"size"`
	Over  Duration `yaml:"over"`
}

// Workload says what is sent. Weights of a mix are relative to each other; an
// empty mix is the default in the comment.
type Workload struct {
	// Population is how many different credentials are asked about again and
	// again (hot). Default 2000. A samples folder brings its own.
	Population int `yaml:"population"`

	// Zipf is how unevenly: the nth credential comes with a weight of n^-Zipf.
	// Default 1.0; 0 is even.
	Zipf *float64 `yaml:"zipf"`

	// Cold is the share of the valid ones that were never sent before. Default 0.05.
	Cold *Share `yaml:"cold"`

	Provinces  map[string]float64 `yaml:"provinces"`  // by code; default all alike
	Formats    map[string]float64 `yaml:"formats"`    // by typ; default ebl+jwt only
	Algorithms map[string]float64 `yaml:"algorithms"` // of a province that has several; default its first
	Status     Share              `yaml:"status"`     // minted credentials with a status list; default 0

	// Verdicts mixes what is expected: VALID, INVALID, INDETERMINATE. Default
	// VALID 94, INVALID 6. Those that are not VALID are the sandbox's samples.
	Verdicts map[string]float64 `yaml:"verdicts"`

	Oversized Share `yaml:"oversized"` // tokens beyond 64 KiB
	Hostile   Share `yaml:"hostile"`   // samples refused for form, issuer, key or signature

	// Prime sends every hot credential once before the run, unmeasured, at
	// this rate. Default 300/s; 0 leaves the caches cold.
	Prime *Rate `yaml:"prime"`
}

// Connections say how the work travels. Of each share the rest is kept-alive
// HTTP/1.1.
type Connections struct {
	Max     int      `yaml:"max"`     // at once, at most; default 256
	Timeout Duration `yaml:"timeout"` // from sending to the end of the answer; default 5s

	// Patience is how long a piece of work waits for a free connection before
	// it counts as never sent. Default 5s.
	Patience Duration `yaml:"patience"`

	New          Share `yaml:"new"`                 // each a connection and a full handshake of its own
	Resumed      Share `yaml:"resumed"`             // each a connection of its own, TLS resumed
	HTTP2        Share `yaml:"http2"`               // over a few shared HTTP/2 connections
	Certificates Share `yaml:"client_certificates"` // share of kept connections with a client certificate
}

// SLO is what the run must hold; an absent bound is not checked.
type SLO struct {
	P50   Duration `yaml:"p50"`
	P99   Duration `yaml:"p99"`
	P999  Duration `yaml:"p99.9"`
	Error *Share   `yaml:"error"` // 1 - correct/offered
}

// Limits bound the run, whatever else the file says.
type Limits struct {
	Rate     Rate     `yaml:"rate"`     // default 20000/s
	Duration Duration `yaml:"duration"` // default 25h
	Bytes    int64    `yaml:"bytes"`    // sent and received; default 64 GiB
}

// Rig describes what loadtest starts itself when it is given no target.
type Rig struct {
	Gateways     int  `yaml:"gateways"`      // default 1, at most 8
	Redis        bool `yaml:"redis"`         // a redis-server they share
	RegistryRate int  `yaml:"registry_rate"` // each gateway's budget per province and second; default 200
}

// Peak is the highest rate that can be planned: all bursts on top of the
// highest stage.
func (p *Profile) Peak() float64 {
	top := 0.0
	for _, s := range p.Arrivals.Stages {
		top = max(top, float64(s.Rate), s.End())
	}
	for _, b := range p.Arrivals.Bursts {
		top += float64(b.Size) / b.Over.Seconds()
	}
	return top
}

// Closed tells that nothing is planned: see Arrivals.Process.
func (p *Profile) Closed() bool { return p.Arrivals.Process == "closed" }

// End is the stage's rate at its end.
func (s Stage) End() float64 {
	if s.To == nil {
		return float64(s.Rate)
	}
	return float64(*s.To)
}

// Length is the planned duration.
func (p *Profile) Length() time.Duration {
	var d time.Duration
	for _, s := range p.Arrivals.Stages {
		d += s.For.Duration
	}
	return d
}

// Compress divides every planned time by factor: a day in minutes. Rates stay.
func (p *Profile) Compress(factor float64) {
	shrink := func(d *Duration) { d.Duration = time.Duration(float64(d.Duration) / factor) }
	for i := range p.Arrivals.Stages {
		shrink(&p.Arrivals.Stages[i].For)
	}
	for i := range p.Arrivals.Bursts {
		b := &p.Arrivals.Bursts[i]
		shrink(&b.At)
		shrink(&b.Every)
	}
	for i := range p.Faults {
		shrink(&p.Faults[i].At)
		shrink(&p.Faults[i].For)
	}
}

// ScaleTo multiplies every rate so that the highest becomes peak.
func (p *Profile) ScaleTo(peak float64) {
	top := p.Peak()
	if top <= 0 {
		return
	}
	f := peak / top
	for i := range p.Arrivals.Stages {
		s := &p.Arrivals.Stages[i]
		s.Rate *= Rate(f)
		if s.To != nil {
			to := *s.To * Rate(f)
			s.To = &to
		}
	}
	for i := range p.Arrivals.Bursts {
		p.Arrivals.Bursts[i].Size = int(float64(p.Arrivals.Bursts[i].Size) * f)
	}
}

// Digest identifies everything that two comparable runs must share; the seed,
// the name and the words are left out.
func (p *Profile) Digest() string {
	q := *p
	q.Name, q.Description, q.DescriptionZh, q.Seed, q.Targets = "", "", "", 0, nil
	raw, err := json.Marshal(q)
	if err != nil { // plain data: cannot happen, and must not compare as equal
		return "unknown-" + time.Now().String()
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
