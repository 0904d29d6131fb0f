package stats

import (
	"math"
	"slices"
	"strings"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"tongyan/loadtest/internal/verdict"
)

// Totals are a whole run, the warm-up left out.
type Totals struct {
	Seconds   float64          `json:"seconds"`
	Offered   int64            `json:"offered"`
	Completed int64            `json:"completed"`
	Correct   int64            `json:"correct"`
	Abandoned int64            `json:"abandoned"` // still under way when the run was cut short
	Outcomes  map[string]int64 `json:"outcomes"`

	OfferedRate   float64 `json:"offered_rate"`
	CompletedRate float64 `json:"completed_rate"`
	Goodput       float64 `json:"goodput"` // correct per second
	ErrorShare    float64 `json:"error_share"`

	Corrected Percentiles `json:"corrected"` // from the planned moment
	Raw       Percentiles `json:"raw"`       // from the moment of sending
	Refusals  Percentiles `json:"refusals"`
	Lag       Percentiles `json:"lag"` // of the generator

	Histogram []Bin                       `json:"histogram"`
	Answers   []Row                       `json:"answers"`
	Classes   map[string]map[string]int64 `json:"classes"`
	WrongOnes []WrongAnswer               `json:"wrong_examples,omitempty"`
}

// A Bin counts latencies from From up to To, in milliseconds.
type Bin struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Corrected int64   `json:"corrected"`
	Raw       int64   `json:"raw"`
}

// A Row of the table expected × got.
type Row struct {
	Want    string `json:"want"`
	Got     string `json:"got"`
	Outcome string `json:"outcome"`
	Count   int64  `json:"count"`
}

// Count returns how often an outcome was had.
func (t *Totals) Count(o verdict.Outcome) int64 { return t.Outcomes[o.String()] }

// Totals returns what has been counted so far.
func (r *Recorder) Totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.totals
	t := Totals{
		Offered: c.offered, Correct: c.outcomes[verdict.Correct], Outcomes: map[string]int64{},
		Corrected: quantiles(r.hist.corrected), Raw: quantiles(r.hist.raw),
		Refusals: quantiles(r.hist.refused), Lag: quantiles(r.hist.lag),
		Histogram: bins(r.hist.corrected, r.hist.raw),
		Classes:   map[string]map[string]int64{},
		WrongOnes: slices.Clone(r.wrong),
	}
	ended := int64(0)
	for o, n := range c.outcomes {
		t.Outcomes[verdict.Outcome(o).String()] = n
		ended += n
		if verdict.Outcome(o).Answered() {
			t.Completed += n
		}
	}
	t.Abandoned = max(t.Offered-ended, 0)
	t.Seconds = (r.ticked - r.opts.Warmup).Seconds()
	if t.Seconds > 0 {
		t.OfferedRate = float64(t.Offered) / t.Seconds
		t.CompletedRate = float64(t.Completed) / t.Seconds
		t.Goodput = float64(t.Correct) / t.Seconds
	}
	// What the generator itself was late with says nothing of the target; past a
	// trace of it the run is inconclusive anyway.
	if counted := t.Offered - t.Abandoned - c.outcomes[verdict.Late]; counted > 0 {
		t.ErrorShare = 1 - float64(t.Correct)/float64(counted)
	}
	for a, n := range r.table {
		t.Answers = append(t.Answers, Row{
			Want: wanted(a.Want), Got: strings.TrimSpace(a.Verdict + " " + a.Code),
			Outcome: a.Outcome.String(), Count: n,
		})
	}
	slices.SortFunc(t.Answers, func(a, b Row) int {
		if a.Count != b.Count {
			return int(math.Copysign(1, float64(b.Count-a.Count)))
		}
		return strings.Compare(a.Want+a.Got+a.Outcome, b.Want+b.Got+b.Outcome)
	})
	for _, name := range sortedKeys(r.classes) {
		m := map[string]int64{}
		for o, n := range r.classes[name] {
			if n > 0 {
				m[verdict.Outcome(o).String()] = n
			}
		}
		t.Classes[name] = m
	}
	return t
}

func wanted(w verdict.Want) string {
	if w.Verdict == "" {
		return "HTTP 413"
	}
	return w.Verdict + " " + w.Code
}

// bins lays both histograms into bins that grow by a tenth of a decade.
func bins(corrected, raw *hdr.Histogram) []Bin {
	const perDecade = 10
	byIndex := map[int]*Bin{}
	index := func(us int64) int { return int(math.Floor(math.Log10(float64(max(us, 1))) * perDecade)) }
	edge := func(i int) float64 { return math.Pow(10, float64(i)/perDecade) / 1000 }
	fill := func(h *hdr.Histogram, add func(b *Bin, n int64)) {
		for _, bar := range h.Distribution() {
			if bar.Count == 0 {
				continue
			}
			i := index(bar.From)
			if byIndex[i] == nil {
				byIndex[i] = &Bin{From: edge(i), To: edge(i + 1)}
			}
			add(byIndex[i], bar.Count)
		}
	}
	fill(corrected, func(b *Bin, n int64) { b.Corrected += n })
	fill(raw, func(b *Bin, n int64) { b.Raw += n })
	var out []Bin
	for _, b := range byIndex {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Bin) int { return int(math.Copysign(1, a.From-b.From)) })
	return out
}
