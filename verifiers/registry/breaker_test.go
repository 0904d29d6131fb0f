package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/registry"
)

// A stand-in for the registry that lives in the test's own time.
type standIn struct {
	calls  atomic.Int32
	answer func(r *http.Request) (*http.Response, error)
}

func (s *standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	return s.answer(r)
}

func reply(status int, body string, header ...string) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func right(*http.Request) (*http.Response, error)   { return reply(200, plainBody) }
func failing(*http.Request) (*http.Response, error) { return reply(500, "") }

func hanging(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// inTime runs a test in a bubble of its own time, with a client of the usual
// settings.
func inTime(t *testing.T, change func(*registry.Config), test func(t *testing.T, c *registry.Client, s *standIn, w *watcher)) {
	synctest.Test(t, func(t *testing.T) {
		s, w := &standIn{answer: right}, new(watcher)
		config := registry.Config{Province: "310000", URL: "https://registry.example", Observer: w}
		if change != nil {
			change(&config)
		}
		c, err := registry.NewOver(config, s)
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, s, w)
		c.Close()
	})
}

func answered(t *testing.T, c *registry.Client) {
	t.Helper()
	if _, err := c.Ask(context.Background(), code); err != nil {
		t.Fatal(err)
	}
}

// ask asks n times in turn, slowly enough for any budget.
func ask(c *registry.Client, n int) {
	for range n {
		_, _ = c.Ask(context.Background(), code)
		time.Sleep(10 * time.Millisecond)
	}
}

func state(t *testing.T, c *registry.Client, want registry.Breaker) registry.State {
	t.Helper()
	s := c.State()
	if s.Breaker != want {
		t.Fatalf("the breaker is %s, want %s", s.Breaker, want)
	}
	return s
}

func TestOpensAfterTenInARow(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
		ask(c, 5)
		s.answer = failing
		ask(c, 9)
		state(t, c, registry.Closed)
		s.answer = right
		ask(c, 30) // keeps the share of faults below one half
		s.answer = failing
		ask(c, 9)
		state(t, c, registry.Closed)
		e := want(t, c, registry.ReasonStatus)
		if e.RetryAfter < 5*time.Second || e.RetryAfter > 6*time.Second {
			t.Errorf("the fault that opened it: retry after %v", e.RetryAfter)
		}
		state(t, c, registry.Open)
		calls := s.calls.Load()
		before := time.Now()
		e = want(t, c, registry.ReasonBreakerOpen)
		if time.Since(before) != 0 || s.calls.Load() != calls || e.RetryAfter <= 0 {
			t.Errorf("open, and it took %v, %d calls, retry after %v", time.Since(before), s.calls.Load()-calls, e.RetryAfter)
		}
		if !slices.Equal(w.moves, []string{"310000 closed open"}) {
			t.Errorf("moves %v", w.moves)
		}
	})
}

// Ten in a row are ten in a row, however slowly they come.
func TestOpensAfterTenSlowOnes(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		s.answer = failing
		for range 9 {
			ask(c, 1)
			time.Sleep(time.Minute)
		}
		state(t, c, registry.Closed)
		ask(c, 1)
		state(t, c, registry.Open)
	})
}

func TestOpensAtHalf(t *testing.T) {
	for name, tc := range map[string]struct {
		rights, faults int // in each round of two
		gap            time.Duration
		opensAfter     int // calls; 0: never
	}{
		"half":                       {1, 1, 0, 20},
		"third":                      {2, 1, 0, 0},
		"half, below 20 in a window": {1, 1, 2 * time.Second, 0}, // 10 in 10 s
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
				n := 0
				for n < 300 {
					for i := range tc.rights + tc.faults {
						s.answer = right
						if i >= tc.rights {
							s.answer = failing
						}
						ask(c, 1)
						n++
						if c.State().Breaker == registry.Open {
							if n != tc.opensAfter {
								t.Fatalf("opened after %d calls", n)
							}
							return
						}
						time.Sleep(tc.gap / 2)
					}
				}
				if tc.opensAfter != 0 {
					t.Fatal("never opened")
				}
			})
		})
	}
}

// Calls under way do not hide the faults of those that have ended.
func TestHangingCallsDoNotDilute(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.Timeout = 10 * time.Second; c.Rate = 1000 }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		s.answer = hanging
		done := make(chan struct{})
		for range 40 {
			go func() {
				_, _ = c.Ask(context.Background(), code)
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		for range 10 {
			s.answer = right
			ask(c, 1)
			s.answer = failing
			ask(c, 1)
		}
		state(t, c, registry.Open)
		for range 40 {
			<-done
		}
	})
}

// The open time grows from 5 s to 60 s with jitter, and is back once it closed.
func TestOpenTimeGrows(t *testing.T) {
	const most = 60 * time.Second
	different := map[time.Duration]bool{}
	for range 8 {
		inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
			s.answer = failing
			ask(c, 9)
			for i, least := range []time.Duration{5, 10, 20, 40, 50, 50, 50} {
				least *= time.Second
				before := s.calls.Load()
				want(t, c, registry.ReasonStatus) // the tenth, then one probe each
				left := state(t, c, registry.Open).RetryAfter
				if left < least || left > min(least*6/5, most) {
					t.Errorf("open %d: for %v", i, left)
				}
				different[left] = true
				time.Sleep(left - time.Millisecond)
				if e := want(t, c, registry.ReasonBreakerOpen); e.RetryAfter != time.Millisecond {
					t.Errorf("retry after %v", e.RetryAfter)
				}
				if calls := s.calls.Load() - before; calls != 1 {
					t.Errorf("open %d: %d calls", i, calls)
				}
				time.Sleep(2 * time.Millisecond)
				state(t, c, registry.HalfOpen)
			}
			s.answer = right
			answered(t, c)
			state(t, c, registry.Closed)
			s.answer = failing
			ask(c, 10)
			if left := state(t, c, registry.Open).RetryAfter; left > 6*time.Second {
				t.Errorf("after it closed: open for %v", left)
			}
			wanted := []string{"310000 closed open"}
			for range 6 {
				wanted = append(wanted, "310000 open half-open", "310000 half-open open")
			}
			wanted = append(wanted, "310000 open half-open", "310000 half-open closed", "310000 closed open")
			if !slices.Equal(w.moves, wanted) {
				t.Errorf("moves %v", w.moves)
			}
		})
	}
	if len(different) < 20 {
		t.Errorf("only %d different times of 56: no jitter", len(different))
	}
}

// opened returns with the breaker about to let a probe through.
func opened(t *testing.T, c *registry.Client, s *standIn) {
	t.Helper()
	s.answer = failing
	ask(c, 10)
	time.Sleep(state(t, c, registry.Open).RetryAfter + time.Millisecond)
	state(t, c, registry.HalfOpen)
	s.calls.Store(0)
}

// Of all who come while a probe is under way one is let through; the others
// neither wait for it nor for a place.
func TestOneProbeAtATime(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		opened(t, c, s)
		s.answer = hanging
		var refused, timedOut atomic.Int32
		done := make(chan struct{})
		began := time.Now()
		for range 500 {
			go func() {
				defer func() { done <- struct{}{} }()
				standing, err := c.Ask(context.Background(), code)
				switch e := unavailable(t, standing, err); registry.Reason(e.Reason) {
				case registry.ReasonBreakerOpen:
					refused.Add(1)
					if time.Since(began) != 0 || e.RetryAfter <= 0 {
						t.Errorf("refused after %v, retry after %v", time.Since(began), e.RetryAfter)
					}
				case registry.ReasonTimeout:
					timedOut.Add(1)
				default:
					t.Error(e)
				}
			}()
		}
		for range 500 {
			<-done
		}
		if refused.Load() != 499 || timedOut.Load() != 1 || s.calls.Load() != 1 {
			t.Errorf("%d refused, %d timed out, %d calls", refused.Load(), timedOut.Load(), s.calls.Load())
		}
		state(t, c, registry.Open)
	})
}

// A probe that ends without word of the registry, because its caller left or
// because the registry asked for silence, leaves the breaker where it is and the
// next one takes its place.
func TestProbeWithoutOutcome(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		opened(t, c, s)
		for range 30 {
			s.answer = hanging
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			if e := refused(t, c, ctx); e.Reason != string(registry.ReasonCallerGone) {
				t.Fatal(e)
			}
			cancel()
			state(t, c, registry.HalfOpen)
			time.Sleep(10 * time.Millisecond) // for the budget
		}
		s.answer = func(*http.Request) (*http.Response, error) { return reply(503, "", "Retry-After", "7") }
		want(t, c, registry.ReasonBackedOff)
		want(t, c, registry.ReasonBackedOff)
		time.Sleep(7*time.Second + time.Millisecond)
		state(t, c, registry.HalfOpen)
		s.answer = func(*http.Request) (*http.Response, error) { return reply(404, `{"code":"not_found"}`) }
		answered(t, c)
		state(t, c, registry.Closed)
	})
}

// Not found and revoked are answers.
func TestAnswersDoNotTrip(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
		s.answer = func(*http.Request) (*http.Response, error) { return reply(404, `{"code":"not_found"}`) }
		ask(c, 50)
		s.answer = func(*http.Request) (*http.Response, error) {
			return reply(200, strings.Replace(plainBody, `"regstate":"1"`, `"regstate":"2"`, 1))
		}
		ask(c, 50)
		state(t, c, registry.Closed)
		if s.calls.Load() != 100 || w.last().Reason != "" {
			t.Errorf("%d calls, %+v", s.calls.Load(), w.last())
		}
	})
}

// Callers who went away count for nothing: neither as faults, nor as calls that
// would hide faults.
func TestCallersWhoLeaveDoNotTrip(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, w *watcher) {
		leave := func(n int) {
			s.answer = hanging
			for range n {
				ctx, cancel := context.WithCancelCause(context.Background())
				time.AfterFunc(5*time.Millisecond, func() { cancel(errors.New("gone")) })
				if e := refused(t, c, ctx); e.Reason != string(registry.ReasonCallerGone) {
					t.Fatal(e)
				}
			}
		}
		leave(100)
		state(t, c, registry.Closed)
		if l := c.State().Latency; l.Calls != 0 {
			t.Errorf("latency of calls nobody waited for: %+v", l)
		}
		s.answer = failing
		ask(c, 5)
		leave(100)
		s.answer = failing
		ask(c, 5)
		state(t, c, registry.Open)

		// Nor is anything asked for one who was gone before.
		calls := s.calls.Load()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if e := refused(t, c, ctx); e.Reason != string(registry.ReasonCallerGone) || s.calls.Load() != calls || w.last().Calls != 0 {
			t.Errorf("%v, %+v", e, w.last())
		}
	})
}

// A call that began before the breaker opened says nothing about what came after.
func TestLateOutcome(t *testing.T) {
	inTime(t, func(c *registry.Config) { c.Timeout = 30 * time.Second }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		release := make(chan struct{})
		s.answer = func(r *http.Request) (*http.Response, error) {
			<-release
			return right(r)
		}
		late := make(chan error)
		go func() {
			_, err := c.Ask(context.Background(), code)
			late <- err
		}()
		synctest.Wait()
		opened(t, c, s)
		close(release)
		if err := <-late; err != nil {
			t.Error(err)
		}
		state(t, c, registry.HalfOpen)
	})
}

// The clock of another machine, or none: a standing's time is ours.
func TestAskedAtIsBeforeTheCall(t *testing.T) {
	inTime(t, nil, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
		s.answer = func(r *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			return reply(200, `{"uniscid":"91310000MA1FL0000X","regstate":"1"}`)
		}
		before := time.Now()
		standing, err := c.Ask(context.Background(), code)
		if err != nil || !standing.AskedAt.Equal(before) || !standing.AsOf.Equal(before) || standing.Answer != verifiers.Registered {
			t.Errorf("%+v, %v", standing, err)
		}
		if l := c.State().Latency; l.Calls != 1 || l.P50 != 300*time.Millisecond || l.P99 != 300*time.Millisecond {
			t.Errorf("latency %+v", l)
		}
	})
}
