package faults

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// A load asks steadily, whatever the answers take.
type load struct {
	t    testing.TB
	stop chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex // guards all
	all  []observation
	late int // not asked: too many were under way
}

// An observation is one question and what came of it.
type observation struct {
	question
	answer
	sent, ended time.Time
}

// mostUnderWay bounds the questions that wait for an answer.
const mostUnderWay = 4000

// begin starts a load of so many questions a second, spread over the targets.
func begin(t testing.TB, perSecond int, next func(n int) question, targets ...*target) *load {
	l := &load{t: t, stop: make(chan struct{})}
	places := make(chan struct{}, mostUnderWay)
	l.done.Go(func() {
		start := time.Now()
		for n := 0; ; n++ {
			due := start.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
			select {
			case <-l.stop:
				return
			case <-time.After(time.Until(due)):
			}
			q, to := next(n), targets[n%len(targets)]
			select {
			case places <- struct{}{}:
			default:
				l.mu.Lock()
				l.late++
				l.mu.Unlock()
				continue
			}
			l.done.Go(func() {
				sent := time.Now()
				a := to.ask(q.token)
				o := observation{q, a, sent, time.Now()}
				if a.failed == "" {
					o.token = "" // what failed may be asked again; the others are many
				}
				<-places
				l.mu.Lock()
				defer l.mu.Unlock()
				l.all = append(l.all, o)
			})
		}
	})
	return l
}

// end stops the load and waits for its last answer.
func (l *load) end() {
	l.t.Helper()
	close(l.stop)
	l.done.Wait()
	if l.late > 0 {
		l.t.Errorf("%d questions were not asked, because %d waited for answers", l.late, mostUnderWay)
	}
}

// count returns how many answers there are that fit.
func (l *load) count(fits func(observation) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.all {
		if fits(o) {
			n++
		}
	}
	return n
}

// A tally is what an observation amounts to, over a stretch of time.
type tally struct {
	requests, wrong, failed, indeterminate int
	unexplained                            int // INDETERMINATE although the fault is no reason
	p99                                    time.Duration
	codes                                  map[string]int // of those INDETERMINATE
	examples                               []string       // of what should not be
}

// between tallies the questions whose life overlaps with a stretch. may are the
// codes that the fault explains where it touches.
func (l *load) between(from, to time.Time, may []string) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := tally{codes: map[string]int{}}
	var took []time.Duration
	for _, o := range l.all {
		if o.ended.Before(from) || o.sent.After(to) {
			continue
		}
		t.requests++
		took = append(took, o.ended.Sub(o.sent))
		switch {
		case o.failed != "":
			t.failed++
			t.example("failed: " + o.failed)
		case o.Verdict == "INDETERMINATE":
			t.indeterminate++
			t.codes[o.Code]++
			if !o.touched || !slices.Contains(may, o.Code) {
				t.unexplained++
				t.example("INDETERMINATE " + o.Code + " instead of " + o.question.verdict + " " + o.question.code)
			}
		case o.Verdict != o.question.verdict || o.Code != o.question.code:
			t.wrong++
			t.example(o.Verdict + " " + o.Code + " instead of " + o.question.verdict + " " + o.question.code)
		}
	}
	t.p99 = quantile(took, 0.99)
	return t
}

func (t *tally) example(what string) {
	if len(t.examples) < 5 {
		t.examples = append(t.examples, what)
	}
}

func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}
