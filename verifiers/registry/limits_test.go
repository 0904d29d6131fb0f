package registry_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/registry"
)

// many asks n times at once and counts the outcomes by reason, "" for an answer.
func many(t *testing.T, c *registry.Client, n int) map[registry.Reason]int {
	t.Helper()
	reasons := make(chan registry.Reason)
	for range n {
		go func() {
			standing, err := c.Ask(context.Background(), code)
			if err == nil {
				reasons <- ""
				return
			}
			reasons <- registry.Reason(unavailable(t, standing, err).Reason)
		}()
	}
	count := map[registry.Reason]int{}
	for range n {
		count[<-reasons]++
	}
	return count
}

// No more calls are under way than there are places; who finds none waits half
// the time-out at most and counts for nothing.
func TestPlaces(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.MaxInFlight = 4; c.Rate = 10_000 }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		var now, most atomic.Int32
		s.answer = func(r *http.Request) (*http.Response, error) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			time.Sleep(150 * time.Millisecond)
			return right(r)
		}
		began := time.Now()
		got := many(t, c, 100)
		// Places free themselves at 0, 150 and 300 ms; the rest left at 400.
		if got[""] != 12 || got[registry.ReasonNoPlace] != 88 || most.Load() != 4 {
			t.Errorf("%v, %d at most", got, most.Load())
		}
		if took := time.Since(began); took != 450*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if s := state(t, c, registry.Closed); s.InFlight != 0 {
			t.Errorf("%d in flight", s.InFlight)
		}
	})
}

func TestWaitIsHalfTheTimeout(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.MaxInFlight = 1 }, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
		s.answer = hanging
		go func() { _, _ = c.Ask(context.Background(), code) }()
		synctest.Wait()
		if n := c.State().InFlight; n != 1 {
			t.Errorf("%d in flight", n)
		}
		began := time.Now()
		want(t, c, registry.ReasonNoPlace)
		if took := time.Since(began); took != 400*time.Millisecond || w.last().Waited != took || w.last().Calls != 0 {
			t.Errorf("took %v, %+v", took, w.last())
		}
	})
}

// A question that waited has only the rest of its time.
func TestWaitCountsTowardsTheTimeout(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.MaxInFlight = 1 }, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
		s.answer = func(r *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			s.answer = hanging
			return right(r)
		}
		go func() { _, _ = c.Ask(context.Background(), code) }()
		synctest.Wait()
		began := time.Now()
		want(t, c, registry.ReasonTimeout)
		if took := time.Since(began); took != 800*time.Millisecond || w.last().Waited != 300*time.Millisecond || w.last().Took != 500*time.Millisecond {
			t.Errorf("took %v, %+v", took, w.last())
		}
	})
}

// In no second are there more calls than the budget and its tenth.
func TestBudget(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.Rate = 100; c.MaxInFlight = 1000 }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		time.Sleep(time.Hour) // saves nothing up
		s.calls.Store(0)
		got := many(t, c, 500)
		// 10 at once, 40 in 400 ms, the last of them in the instant in which the wait ends.
		if n := got[""]; n < 49 || n > 50 || got[registry.ReasonNoBudget] != 500-n || int(s.calls.Load()) != n {
			t.Errorf("%v, %d calls", got, s.calls.Load())
		}
		state(t, c, registry.Closed)
		// Over ten seconds of more questions than the budget allows.
		time.Sleep(time.Second)
		s.calls.Store(0)
		stop := time.Now().Add(10 * time.Second)
		for time.Now().Before(stop) {
			many(t, c, 200)
			time.Sleep(100 * time.Millisecond)
		}
		if calls := s.calls.Load(); calls < 900 || calls > 1060 {
			t.Errorf("%d calls in 10 s of a budget of 1000", calls)
		}
	})
}

// Our own limits never open the breaker, and hide no fault either.
func TestLimitsDoNotTrip(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.Rate = 1; c.MaxInFlight = 1000 }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		if got := many(t, c, 500); got[registry.ReasonNoBudget] != 499 {
			t.Error(got)
		}
		state(t, c, registry.Closed)
		s.answer = failing
		for range 10 {
			time.Sleep(time.Second)
			many(t, c, 50)
		}
		state(t, c, registry.Open)
	})
}

// Whoever waits when the breaker opens, or silence is asked for, does not go on.
func TestWaitersHearOfTrouble(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		reason registry.Reason
		calls  int32
	}{
		"breaker": {failing, registry.ReasonBreakerOpen, 10},
		"silence": {func(*http.Request) (*http.Response, error) { return reply(429, "", "Retry-After", "30") }, registry.ReasonBackedOff, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(c *registry.Config) { c.MaxInFlight = 1; c.Timeout = 10 * time.Second; c.Rate = 10_000 },
				func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
					s.answer = func(r *http.Request) (*http.Response, error) {
						time.Sleep(10 * time.Millisecond)
						return tc.answer(r)
					}
					got := many(t, c, 100)
					if s.calls.Load() != tc.calls || got[tc.reason] < 90 {
						t.Errorf("%v, %d calls", got, s.calls.Load())
					}
				})
		})
	}
}

// A caller who leaves while waiting frees what he waited for.
func TestCallersWhoLeaveTheQueue(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.Rate = 1; c.MaxInFlight = 1; c.Timeout = 20 * time.Second }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		answered(t, c) // the budget of this second
		for range 50 { // each would wait a second
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			e := refused(t, c, ctx)
			if r := registry.Reason(e.Reason); r != registry.ReasonCallerGone && r != registry.ReasonNoBudget {
				t.Fatal(e)
			}
			cancel()
		}
		began := time.Now()
		answered(t, c)
		if took := time.Since(began); took > time.Second || s.calls.Load() != 2 {
			t.Errorf("waited %v, %d calls", took, s.calls.Load())
		}
	})
}

// 429 and 503 with Retry-After silence the whole province for that long, 60 s at
// most, and count for nothing.
func TestRetryAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		value  func(now time.Time) string
		want   time.Duration
	}{
		"429, seconds":         {429, func(time.Time) string { return "7" }, 7 * time.Second},
		"503, seconds":         {503, func(time.Time) string { return "7" }, 7 * time.Second},
		"60 s":                 {503, func(time.Time) string { return "60" }, time.Minute},
		"an hour":              {503, func(time.Time) string { return "3600" }, time.Minute},
		"more than any number": {429, func(time.Time) string { return "99999999999999999999999" }, time.Minute},
		"at once":              {429, func(time.Time) string { return "0" }, 0},
		"a date":               {503, func(now time.Time) string { return now.Add(9 * time.Second).UTC().Format(http.TimeFormat) }, 9 * time.Second},
		"a far date":           {503, func(time.Time) string { return "Fri, 31 Dec 9999 23:59:59 GMT" }, time.Minute},
		"a past date":          {429, func(time.Time) string { return "Sun, 06 Nov 1994 08:49:37 GMT" }, 0},
		"an old form of date":  {429, func(time.Time) string { return "Sunday, 06-Nov-94 08:49:37 GMT" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
				ask(c, 3)
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // dates have whole seconds
				for range 12 {                                                            // more than a breaker would stand
					s.answer = func(*http.Request) (*http.Response, error) {
						return reply(tc.status, "", "Retry-After", tc.value(time.Now()))
					}
					e := want(t, c, registry.ReasonBackedOff)
					if e.RetryAfter != tc.want {
						t.Fatalf("retry after %v", e.RetryAfter)
					}
					s.answer = right
					if tc.want > 0 {
						calls := s.calls.Load()
						time.Sleep(tc.want - time.Millisecond)
						standing, err := c.Ask(context.Background(), other) // the whole province
						if e := unavailable(t, standing, err); e.Reason != string(registry.ReasonBackedOff) || e.RetryAfter != time.Millisecond {
							t.Fatalf("%v, retry after %v", e, e.RetryAfter)
						}
						if st := state(t, c, registry.Closed); !st.BackingOff || st.RetryAfter != time.Millisecond || s.calls.Load() != calls {
							t.Fatalf("%+v", st)
						}
						time.Sleep(time.Millisecond)
					}
					if st := state(t, c, registry.Closed); st.BackingOff || st.RetryAfter != 0 {
						t.Fatalf("%+v", st)
					}
				}
				answered(t, c)
			})
		})
	}
}

// A shorter word does not end a longer silence.
func TestLongestSilenceCounts(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		var n atomic.Int32
		s.answer = func(*http.Request) (*http.Response, error) {
			first := n.Add(1) == 1
			time.Sleep(10 * time.Millisecond)
			if first {
				return reply(429, "", "Retry-After", "30")
			}
			time.Sleep(10 * time.Millisecond)
			return reply(429, "", "Retry-After", "1")
		}
		many(t, c, 2)
		if left := c.State().RetryAfter; left < 29*time.Second {
			t.Errorf("silent for %v", left)
		}
	})
}

// A province's troubles are its own.
func TestProvincesAreApart(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		healthy, err := registry.NewOver(registry.Config{Province: "320000", URL: "https://registry.example"}, &standIn{answer: right})
		if err != nil {
			t.Fatal(err)
		}
		defer healthy.Close()
		s.answer = hanging
		done := make(chan map[registry.Reason]int)
		go func() { done <- many(t, c, 500) }()
		synctest.Wait()
		for range 50 {
			began := time.Now()
			standing, err := healthy.Ask(context.Background(), code)
			if err != nil || time.Since(began) != 0 || standing.Key != (verifiers.StandingKey{Province: "320000", USCC: code}) {
				t.Fatalf("%+v, %v, after %v", standing, err, time.Since(began))
			}
			time.Sleep(10 * time.Millisecond)
		}
		<-done
		state(t, c, registry.Open)
		state(t, healthy, registry.Closed)
	})
}

// A panic in a call leaves neither a place taken nor a probe awaited for ever.
func TestPanic(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.MaxInFlight = 1 }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		opened(t, c, s)
		s.answer = func(*http.Request) (*http.Response, error) { panic("on purpose") }
		func() {
			defer func() { _ = recover() }()
			_, _ = c.Ask(context.Background(), code)
			t.Error("the panic was swallowed")
		}()
		if st := state(t, c, registry.HalfOpen); st.InFlight != 0 {
			t.Errorf("%d in flight", st.InFlight)
		}
		s.answer = right
		answered(t, c)
		state(t, c, registry.Closed)
	})
}

// What an open breaker costs those who ask.
func BenchmarkRefused(b *testing.B) {
	c, err := registry.NewOver(registry.Config{Province: "310000", URL: "https://registry.example"}, &standIn{answer: failing})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ask(c, 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Ask(context.Background(), code); err == nil {
			b.Fatal("an answer")
		}
	}
}
