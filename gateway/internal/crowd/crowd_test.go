package crowd_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tongyan/gateway/internal/crowd"
	"tongyan/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still makes a gate of one core whose queue is always empty: the limit is 40
// units, of which banks fill 20 and batches 12.
func still(places int) *crowd.Gate {
	return crowd.NewQueueing(crowd.Options{Cores: 1, Places: places}, 0, func(bool) time.Duration { return 0 })
}

// fill enters until refused.
func fill(t *testing.T, g *crowd.Gate, lane crowd.Lane, cost int64) (got []*crowd.Ticket) {
	t.Helper()
	for len(got) < 10_000 {
		ticket, err := g.Enter(lane, cost)
		if err != nil {
			var no *crowd.Refused
			if !errors.Is(err, crowd.ErrRefused) || !errors.As(err, &no) || no.Lane != lane || no.RetryAfter <= 0 {
				t.Fatalf("%#v", err)
			}
			return got
		}
		got = append(got, ticket)
	}
	t.Fatal("never refused")
	return nil
}

func TestLanes(t *testing.T) {
	g := still(0)
	// Each lane fills what the one below it may not.
	batch := fill(t, g, crowd.Batch, 1)
	bank := fill(t, g, crowd.Bank, 1)
	hall := fill(t, g, crowd.Hall, 1)
	if len(batch) != 1 || len(bank) != 19 || len(hall) != 20 {
		t.Errorf("%d, %d, %d", len(batch), len(bank), len(hall))
	}
	if s := g.State(); s.Working != 40 || s.Limit != 40 || s.Inside != 40 || s.Lanes[crowd.Hall] != (crowd.LaneState{Admitted: 20, Refused: 1}) {
		t.Errorf("%+v", s)
	}
	for _, ticket := range append(append(batch, bank...), hall...) {
		ticket.Leave()
		ticket.Leave() // counts once
		ticket.Resume()
	}
	if s := g.State(); s.Working != 0 || s.Inside != 0 {
		t.Errorf("%+v", s)
	}
	// By cost: the last one in may overstep, so that dear work has its turn too.
	if n := len(fill(t, still(0), crowd.Bank, 10)); n != 2 {
		t.Errorf("%d dear ones of banks", n)
	}
	if n := len(fill(t, still(0), crowd.Bank, 3)); n != 7 {
		t.Errorf("%d of cost 3", n)
	}
	for name, want := range map[string]crowd.Lane{"hall": crowd.Hall, "bank": crowd.Bank, "batch": crowd.Batch, "": crowd.Batch, "Hall": crowd.Batch} {
		if got := crowd.ParseLane(name); got != want {
			t.Errorf("%q is %v", name, got)
		}
	}
}

func TestPlaces(t *testing.T) {
	g := still(100)
	paused := func(lane crowd.Lane) (n int) {
		for {
			ticket, err := g.Enter(lane, 1)
			if err != nil {
				return n
			}
			ticket.Pause()
			n++
		}
	}
	if batch, bank, hall := paused(crowd.Batch), paused(crowd.Bank), paused(crowd.Hall); batch != 50 || bank != 30 || hall != 20 {
		t.Errorf("%d, %d, %d", batch, bank, hall)
	}
	if s := g.State(); s.Working != 0 || s.Inside != 100 {
		t.Errorf("%+v", s)
	}
}

func TestTicket(t *testing.T) {
	g := still(0)
	ticket, err := g.Enter(crowd.Hall, 10)
	if err != nil {
		t.Fatal(err)
	}
	working := func(step string, want int64) {
		t.Helper()
		if s := g.State(); s.Working != want || s.Inside != 1 {
			t.Errorf("%s: %+v, want %d", step, s, want)
		}
	}
	working("entered", 10)
	ticket.Correct(1)
	working("corrected", 1)
	ctx := crowd.With(t.Context(), ticket)
	back := crowd.Outside(ctx)
	working("outside", 0)
	inner := crowd.Outside(ctx) // within another: only the outer one counts
	inner()
	working("outside still", 0)
	ticket.Correct(5)
	working("corrected outside", 0)
	back()
	working("back", 5)
	ticket.Leave()
	if s := g.State(); s.Working != 0 || s.Inside != 0 {
		t.Errorf("%+v", s)
	}
	crowd.Outside(t.Context())() // nobody's
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := still(8)
		first, err := g.Await(t.Context(), crowd.Batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		gone, leave := context.WithCancel(t.Context())
		served := 0
		for i := range 8 {
			ctx := t.Context()
			if i < 4 {
				ctx = gone
			}
			wg.Go(func() {
				ticket, err := g.Await(ctx, crowd.Batch, 1)
				if i < 4 {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				served++ // one core: one at a time
				time.Sleep(time.Millisecond)
				ticket.Leave()
			})
			synctest.Wait()
		}
		if _, err := g.Await(t.Context(), crowd.Batch, 1); !errors.Is(err, crowd.ErrRefused) {
			t.Errorf("a ninth waits where there are 8 places: %v", err)
		}
		if s := g.State(); s.Waiting != 8 || s.Working != 1 {
			t.Errorf("%+v", s)
		}
		leave()
		synctest.Wait()
		if s := g.State(); s.Waiting != 4 {
			t.Errorf("%+v", s)
		}
		start := time.Now()
		first.Pause() // a core is free
		wg.Wait()
		if took := time.Since(start); served != 4 || took != 4*time.Millisecond {
			t.Errorf("%d served in %v", served, took)
		}
		first.Leave()
		if s := g.State(); s.Waiting+s.Working+s.Inside != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The limit follows the wait, within its bounds.
func TestLimit(t *testing.T) {
	wait := time.Duration(0)
	g := crowd.NewQueueing(crowd.Options{Cores: 1, Places: 100, Wait: time.Millisecond}, 0, func(bool) time.Duration { return wait })
	turn := func(w time.Duration, crowded bool) int64 {
		wait = w
		ticket, err := g.Enter(crowd.Hall, 1)
		if err != nil {
			t.Fatal(err)
		}
		ticket.Leave()
		if crowded {
			wait = 0
			full, _ := g.Enter(crowd.Hall, 1000)
			g.Enter(crowd.Bank, 1)
			full.Leave()
			wait = w
		}
		g.Tick()
		return g.State().Limit
	}
	for i, step := range []struct {
		wait    time.Duration
		crowded bool
		want    int64
	}{
		{0, false, 40}, {0, true, 50}, {0, true, 62}, {0, true, 78}, {0, true, 97}, {0, true, 100}, {0, true, 100},
		{time.Second, false, 50}, {1250 * time.Microsecond, false, 40}, {time.Millisecond, true, 50},
		{4 * time.Millisecond, false, 25}, {time.Second, false, 12}, {time.Second, false, 10}, {time.Second, true, 10},
		{time.Millisecond / 2, false, 12}, {0, false, 15}, {0, false, 19}, {0, false, 24}, {0, false, 30}, {0, false, 38}, {0, false, 40}, {0, false, 40},
	} {
		if got := turn(step.wait, step.crowded); got != step.want {
			t.Errorf("step %d, %+v: the limit is %d", i, step, got)
		}
	}
}

// As many as there are cores work; the others wait until one of them leaves, or
// waits for something else, and that wait lowers the limit.
func TestCores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := crowd.New(crowd.Options{Cores: 2, Places: 100, Wait: time.Millisecond})
		before := g.State().Limit
		working := make(chan *crowd.Ticket, 6)
		for range 6 {
			go func() {
				ticket, err := g.Enter(crowd.Hall, 1)
				if err != nil {
					t.Error(err)
				}
				working <- ticket
			}()
		}
		synctest.Wait()
		if n := len(working); n != 2 {
			t.Fatalf("%d work on two cores", n)
		}
		time.Sleep(10 * time.Millisecond)
		first, second := <-working, <-working
		first.Leave()
		first.Leave() // counts once
		second.Pause()
		synctest.Wait()
		if n := len(working); n != 2 {
			t.Errorf("%d work, when one left and one waits for others", n)
		}
		second.Resume() // at once, whoever works
		second.Leave()
		for range 4 {
			(<-working).Leave()
		}
		if g.Tick(); g.State().Limit >= before {
			t.Errorf("the limit is %d, and was %d", g.State().Limit, before)
		}
		if s := g.State(); s.Working != 0 || s.Inside != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Out of the quiet a burst is let in; when it goes on, as few as otherwise, and
// after it as many as before.
func TestBurst(t *testing.T) {
	wait := time.Duration(0)
	g := crowd.NewQueueing(crowd.Options{Cores: 1, Places: 500, Wait: time.Millisecond, Burst: 1000}, 0, func(bool) time.Duration { return wait })
	all := fill(t, g, crowd.Bank, 1)
	if len(all) != 400 { // of the places
		t.Errorf("%d of banks", len(all))
	}
	for _, ticket := range all {
		ticket.Leave()
	}
	for _, step := range []struct {
		wait  time.Duration
		ticks int
		want  int64
	}{{time.Second, 40, 10}, {0, 9, 40}, {0, 40, 1000}} {
		wait = step.wait
		for range step.ticks {
			ticket, err := g.Enter(crowd.Hall, 1)
			if err != nil {
				t.Fatal(err)
			}
			ticket.Leave()
			g.Tick()
		}
		if got := g.State().Limit; got != step.want {
			t.Errorf("%d intervals with a wait of %v: the limit is %d, not %d", step.ticks, wait, got, step.want)
		}
	}
}

// However long the wait is, as many may enter as do not cause half of it.
func TestLimitIsNotToBlame(t *testing.T) {
	g := crowd.NewQueueing(crowd.Options{Cores: 1, Wait: 10 * time.Millisecond}, 100*time.Microsecond, func(bool) time.Duration { return time.Second })
	if limit := g.State().Limit; limit != 100 {
		t.Errorf("the limit is %d at the start", limit)
	}
	for range 10 {
		ticket, err := g.Enter(crowd.Hall, 1)
		if err != nil {
			t.Fatal(err)
		}
		ticket.Leave()
		g.Tick()
	}
	if limit := g.State().Limit; limit != 50 {
		t.Errorf("the limit is %d while others keep the core", limit)
	}
}

func TestCost(t *testing.T) {
	for _, alg := range keys.Algorithms {
		header := `{"alg":"` + string(alg) + `","kid":"x","typ":"ebl+jwt"}`
		for _, credential := range []string{jws(header), jws(strings.ReplaceAll(header, ":", " : "))} {
			if got, want := crowd.Peek([]byte(credential)), crowd.Cost(alg); got != want {
				t.Errorf("%s: peeked %d, costs %d", alg, got, want)
			}
		}
	}
	if crowd.Cost(keys.ES384) != 10*crowd.Cost(keys.ES256) || crowd.Cost("") != crowd.Cost(keys.ES384) {
		t.Error("an ES384 check costs ten ES256 ones, an unknown one as much")
	}
	for name, credential := range map[string]string{
		"no header": ".x.y", "no alg": jws(`{}`), "escaped": jws(`{"alg":"ES38\u0034"}`), "both": jws(`{"x":"ES256","alg":"ES384"}`),
	} {
		if crowd.Peek([]byte(credential)) != crowd.Cost(keys.ES384) {
			t.Errorf("%s is taken for cheap", name)
		}
	}
	// No signature is ever looked at here.
	for name, credential := range map[string]string{
		"nothing": "", "no part": "abc", "no base64": "!!!.x.y", "huge": strings.Repeat("A", 1<<20) + ".x.y",
	} {
		if crowd.Peek([]byte(credential)) != crowd.Cost(keys.ES256) {
			t.Errorf("%s is taken for dear", name)
		}
	}
}

func jws(header string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.AAAA"
}

// Many at once, on real cores: the counts come out even.
func TestEven(t *testing.T) {
	g := crowd.New(crowd.Options{Places: 64})
	ctx, cancel := context.WithCancel(t.Context())
	var run, all sync.WaitGroup
	run.Go(func() { g.Run(ctx) })
	for i := range 32 {
		all.Go(func() {
			for n := range 500 {
				var ticket *crowd.Ticket
				var err error
				if i%2 == 0 {
					ticket, err = g.Await(ctx, crowd.Batch, 1)
				} else {
					ticket, err = g.Enter(crowd.Lane(1+i/2%2), int64(1+n%10))
				}
				if err != nil {
					if !errors.Is(err, crowd.ErrRefused) {
						t.Error(err)
					}
					continue
				}
				if n%3 == 0 {
					ticket.Correct(3)
				}
				if n%2 == 0 {
					ticket.Pause()
					ticket.Resume()
				}
				ticket.Leave()
			}
		})
	}
	all.Wait()
	cancel()
	run.Wait()
	if s := g.State(); s.Working != 0 || s.Inside != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkEnter(b *testing.B) {
	for name, work := range map[string]func(*crowd.Gate){
		"leave": func(g *crowd.Gate) {
			if ticket, err := g.Enter(crowd.Hall, 1); err == nil {
				ticket.Leave()
			}
		},
		"refused": func(g *crowd.Gate) { g.Enter(crowd.Bank, 1) },
	} {
		for _, parallel := range []bool{false, true} {
			b.Run(name+map[bool]string{true: "/parallel"}[parallel], func(b *testing.B) {
				g := crowd.New(crowd.Options{})
				if name == "refused" {
					g.Enter(crowd.Hall, 1<<40)
				}
				b.ReportAllocs()
				if !parallel {
					for b.Loop() {
						work(g)
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						work(g)
					}
				})
			})
		}
	}
}
