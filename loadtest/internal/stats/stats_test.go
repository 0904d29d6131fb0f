package stats_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
)

var valid = verdict.Want{Verdict: "VALID", Code: "OK"}

func sample(planned, sent, done time.Duration, o verdict.Outcome) stats.Sample {
	return stats.Sample{Planned: planned, Sent: sent, Done: done, Outcome: o, Want: valid, Verdict: "VALID", Code: "OK", Class: "310000"}
}

func TestCorrectedAndRaw(t *testing.T) {
	r := stats.NewRecorder(stats.Options{})
	for i := range 100 {
		at := time.Duration(i) * time.Millisecond
		r.Offer(at)
		wait := time.Duration(0)
		if i >= 90 {
			wait = 2 * time.Second // waited for a connection
		}
		r.Done(sample(at, at+wait, at+wait+10*time.Millisecond, verdict.Correct))
	}
	p := r.Tick(4 * time.Second)
	tot := r.Totals()
	near := func(got, want float64) bool { return math.Abs(got-want) < want/100 }
	if !near(tot.Corrected.P99, 2010) || !near(tot.Raw.P99, 10) || !near(tot.Corrected.P50, 10) {
		t.Errorf("corrected %v, raw %v", tot.Corrected, tot.Raw)
	}
	if !near(p.P99, 2010) || !near(p.RawP99, 10) || p.Correct != 25 {
		t.Errorf("point %+v", p)
	}
	if q := r.Tick(5 * time.Second); q.P99 != 0 || q.Correct != 0 {
		t.Errorf("the next interval is not empty: %+v", q)
	}
	n := int64(0)
	for _, b := range tot.Histogram {
		n += b.Corrected
	}
	if n != 100 {
		t.Errorf("the bins hold %d of 100", n)
	}
}

func TestWarmupIsInNoTotal(t *testing.T) {
	r := stats.NewRecorder(stats.Options{Warmup: time.Second})
	for _, at := range []time.Duration{0, 999 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		r.Offer(at)
		r.Lag(at, time.Millisecond)
		r.Done(sample(at, at, at+time.Millisecond, verdict.Correct))
	}
	if p := r.Tick(2 * time.Second); p.Offered != 2 { // 4 in 2 s
		t.Errorf("the point counts %v/s", p.Offered)
	}
	tot := r.Totals()
	if tot.Offered != 2 || tot.Correct != 2 || tot.Corrected.Count != 2 || tot.Lag.Count != 2 || tot.Goodput != 2 {
		t.Errorf("%+v", tot)
	}
}

func TestOutcomesAddUp(t *testing.T) {
	r := stats.NewRecorder(stats.Options{})
	for o := range verdict.Outcome(verdict.Outcomes) {
		r.Offer(0)
		r.Done(sample(0, 0, time.Millisecond, o))
	}
	r.Offer(0) // never ends
	r.Tick(time.Second)
	tot := r.Totals()
	if tot.Offered != verdict.Outcomes+1 || tot.Abandoned != 1 || tot.Correct != 1 || tot.Completed != 6 {
		t.Errorf("%+v", tot)
	}
	if want := 1 - 1.0/(verdict.Outcomes-1); math.Abs(tot.ErrorShare-want) > 1e-9 {
		t.Errorf("error share %v, want %v", tot.ErrorShare, want)
	}
	if tot.Corrected.Count != 4 || tot.Refusals.Count != 1 {
		t.Errorf("latencies of %d, refusals %d", tot.Corrected.Count, tot.Refusals.Count)
	}
	if len(tot.WrongOnes) != 1 {
		t.Errorf("wrong ones: %v", tot.WrongOnes)
	}
}

// What a hostile target answers cannot make the recorder grow.
func TestBounds(t *testing.T) {
	r := stats.NewRecorder(stats.Options{})
	for i := range 5000 {
		s := sample(0, 0, 1, verdict.Wrong)
		s.Code, s.Verdict, s.Class = fmt.Sprint("CODE_", i), fmt.Sprint(i), fmt.Sprint("class", i)
		r.Done(s)
	}
	tot := r.Totals()
	if len(tot.Answers) != 1 || len(tot.Classes) > 256 || len(tot.WrongOnes) > 20 {
		t.Errorf("%d rows, %d classes, %d examples", len(tot.Answers), len(tot.Classes), len(tot.WrongOnes))
	}
}

func TestLogSeesEveryInterval(t *testing.T) {
	var seen []int64
	r := stats.NewRecorder(stats.Options{Log: func(h *hdr.Histogram, _, _ time.Duration) { seen = append(seen, h.TotalCount()) }})
	r.Done(sample(0, 0, 1, verdict.Correct))
	r.Tick(time.Second)
	r.Tick(2 * time.Second)
	if len(seen) != 2 || seen[0] != 1 || seen[1] != 0 {
		t.Errorf("logged %v", seen)
	}
}
