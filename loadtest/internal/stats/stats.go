// Package stats counts what a run did, in memory that does not grow with it.
//
// Latency is kept twice: corrected, from the moment the work was planned, and
// raw, from the moment it was sent. They differ where work had to wait for a
// connection, which is where a closed loop would not have asked at all.
package stats

import (
	"slices"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"tongyan/loadtest/internal/verdict"
)

// Histograms hold microseconds from 1 µs to two minutes, three digits.
const (
	lowest  = 1
	highest = int64(2 * time.Minute / time.Microsecond)
	digits  = 3
)

func newHistogram() *hdr.Histogram { return hdr.New(lowest, highest, digits) }

func record(h *hdr.Histogram, d time.Duration) {
	// The only error is a value out of range, which the clamp excludes.
	_ = h.RecordValue(min(max(d.Microseconds(), lowest), highest))
}

// A Sample is one piece of work at its end. Times count from the run's start.
type Sample struct {
	Planned, Sent, Done time.Duration
	Outcome             verdict.Outcome
	Want                verdict.Want
	Verdict, Code       string // as answered; "" where nothing was
	Class               string // province, format and algorithm
	Name                string // of the work, for the list of wrong ones
}

// Options of a Recorder.
type Options struct {
	Warmup time.Duration // work planned before it is in no total

	// Log, if not nil, is given the corrected latencies of each interval (and
	// must not keep the histogram). Warm-up included.
	Log func(h *hdr.Histogram, from, to time.Duration)
}

// A Recorder takes samples from everywhere and gives points and totals. Safe
// for concurrent use.
type Recorder struct {
	opts Options

	mu       sync.Mutex // guards all that follows; held for a microsecond
	totals   counts
	now      counts // of the interval
	hist     histograms
	interval histograms
	spare    histograms // swapped with interval at a tick
	table    map[Answer]int64
	classes  map[string]*[verdict.Outcomes]int64
	wrong    []WrongAnswer
	ticked   time.Duration
	planned  int64 // work offered, warm-up included
}

type counts struct {
	offered  int64
	outcomes [verdict.Outcomes]int64
	verdicts [3]int64
}

type histograms struct{ corrected, raw, refused, lag *hdr.Histogram }

func newHistograms() histograms {
	return histograms{newHistogram(), newHistogram(), newHistogram(), newHistogram()}
}

func (h histograms) reset() {
	h.corrected.Reset()
	h.raw.Reset()
	h.refused.Reset()
	h.lag.Reset()
}

// An Answer is a row of the table expected × got.
type Answer struct {
	Want    verdict.Want
	Verdict string
	Code    string
	Outcome verdict.Outcome
}

// A WrongAnswer is one example; the credential itself is never kept.
type WrongAnswer struct {
	At      float64 `json:"at_s"`
	Name    string  `json:"name"`
	Want    string  `json:"want"`
	Got     string  `json:"got"`
	Comment string  `json:"comment,omitempty"`
}

// Bounds of what hostile or broken targets could make grow.
const (
	maxTable   = 512
	maxClasses = 256
	maxWrong   = 20
)

var verdictIndex = map[string]int{"VALID": 0, "INVALID": 1, "INDETERMINATE": 2}

// NewRecorder returns an empty recorder.
func NewRecorder(opts Options) *Recorder {
	return &Recorder{
		opts: opts, hist: newHistograms(), interval: newHistograms(), spare: newHistograms(),
		table: map[Answer]int64{}, classes: map[string]*[verdict.Outcomes]int64{},
	}
}

// Offer counts work that was planned for this moment.
func (r *Recorder) Offer(planned time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.offered++
	r.planned++
	if planned >= r.opts.Warmup {
		r.totals.offered++
	}
}

// All is how much work was offered, warm-up included.
func (r *Recorder) All() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.planned
}

// Lag records by how much the generator itself was behind with one piece.
func (r *Recorder) Lag(planned, lag time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record(r.interval.lag, lag)
	if planned >= r.opts.Warmup {
		record(r.hist.lag, lag)
	}
}

// Done counts the end of a piece of work.
func (r *Recorder) Done(s Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.add(s)
	r.interval.add(s)
	if s.Planned < r.opts.Warmup {
		return
	}
	r.totals.add(s)
	r.hist.add(s)
	if !verdict.Known(s.Code) && s.Code != "" {
		s.Code = "(other)"
	}
	if _, known := verdictIndex[s.Verdict]; !known && s.Verdict != "" {
		s.Verdict = "(other)"
	}
	row := Answer{s.Want, s.Verdict, s.Code, s.Outcome}
	if _, there := r.table[row]; there || len(r.table) < maxTable {
		r.table[row]++
	}
	class := r.classes[s.Class]
	if class == nil && len(r.classes) < maxClasses {
		class = new([verdict.Outcomes]int64)
		r.classes[s.Class] = class
	}
	if class != nil {
		class[s.Outcome]++
	}
	if s.Outcome == verdict.Wrong && len(r.wrong) < maxWrong {
		r.wrong = append(r.wrong, WrongAnswer{
			At: s.Done.Seconds(), Name: s.Name,
			Want: s.Want.Verdict + " " + s.Want.Code, Got: s.Verdict + " " + s.Code,
		})
	}
}

func (c *counts) add(s Sample) {
	c.outcomes[s.Outcome]++
	if i, ok := verdictIndex[s.Verdict]; ok {
		c.verdicts[i]++
	}
}

// add records the latency of verdicts, and of time-outs at what they took at
// least. Refusals have a histogram of their own: quick ones must not make the
// rest look fast.
func (h histograms) add(s Sample) {
	switch s.Outcome {
	case verdict.Correct, verdict.Degraded, verdict.Wrong, verdict.Timeout:
		record(h.corrected, s.Done-s.Planned)
		record(h.raw, s.Done-s.Sent)
	case verdict.Refused:
		record(h.refused, s.Done-s.Planned)
	}
}

// A Point is one interval of the run. Latencies are in milliseconds, rates
// per second.
type Point struct {
	T       float64 `json:"t"`       // its end, seconds from the start
	Planned float64 `json:"planned"` // rate by the profile

	Offered   float64 `json:"offered"`
	Completed float64 `json:"completed"`
	Correct   float64 `json:"correct"`
	Degraded  float64 `json:"degraded"`
	Wrong     float64 `json:"wrong"`
	Refused   float64 `json:"refused"`
	Failed    float64 `json:"failed"` // fault, malformed, timeout, broken
	Unsent    float64 `json:"unsent"` // no connection came free in time
	Late      float64 `json:"late"`   // given up by a generator that was late itself

	Valid         float64 `json:"valid"`
	Invalid       float64 `json:"invalid"`
	Indeterminate float64 `json:"indeterminate"`

	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	P999   float64 `json:"p999"`
	Max    float64 `json:"max"`
	RawP99 float64 `json:"raw_p99"`
	LagP99 float64 `json:"lag_p99"`

	CPU      float64 `json:"cpu"`       // of the generator, in cores
	HostIdle float64 `json:"host_idle"` // share of the machine's CPU that was idle; -1 unknown
	Sockets  int64   `json:"sockets"`
	InFlight int64   `json:"in_flight"`
	Warmup   bool    `json:"warmup,omitempty"`
}

// Tick ends the interval at now and returns it. One caller at a time.
func (r *Recorder) Tick(now time.Duration) Point {
	r.mu.Lock()
	c, h, from := r.now, r.interval, r.ticked
	r.now, r.ticked = counts{}, now
	r.interval = r.spare
	r.mu.Unlock()

	seconds := max((now - from).Seconds(), 1e-3)
	per := func(n int64) float64 { return float64(n) / seconds }
	p := Point{T: now.Seconds(), Offered: per(c.offered), HostIdle: -1, Warmup: now <= r.opts.Warmup}
	for o, n := range c.outcomes {
		switch o := verdict.Outcome(o); {
		case o == verdict.Correct:
			p.Correct = per(n)
		case o == verdict.Degraded:
			p.Degraded = per(n)
		case o == verdict.Wrong:
			p.Wrong = per(n)
		case o == verdict.Refused:
			p.Refused = per(n)
		case o == verdict.Unsent:
			p.Unsent = per(n)
		case o == verdict.Late:
			p.Late = per(n)
		default:
			p.Failed += per(n)
		}
		if verdict.Outcome(o).Answered() {
			p.Completed += per(n)
		}
	}
	p.Valid, p.Invalid, p.Indeterminate = per(c.verdicts[0]), per(c.verdicts[1]), per(c.verdicts[2])
	all := quantiles(h.corrected)
	p.P50, p.P90, p.P99, p.P999, p.Max = all.P50, all.P90, all.P99, all.P999, all.Max
	p.RawP99, p.LagP99 = quantiles(h.raw).P99, quantiles(h.lag).P99
	if r.opts.Log != nil {
		r.opts.Log(h.corrected, from, now)
	}
	h.reset()
	r.mu.Lock()
	r.spare = h
	r.mu.Unlock()
	return p
}

// Percentiles are in milliseconds.
type Percentiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
}

func quantiles(h *hdr.Histogram) Percentiles {
	if h.TotalCount() == 0 {
		return Percentiles{}
	}
	v := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return Percentiles{
		Count: h.TotalCount(), Mean: h.Mean() / 1000,
		P50: ms(v[0]), P90: ms(v[1]), P99: ms(v[2]), P999: ms(v[3]), Max: ms(h.Max()),
	}
}

// sortedKeys gives maps an order for output.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
