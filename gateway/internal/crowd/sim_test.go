package crowd_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/gateway/internal/crowd"
)

// A world plays a machine in virtual time: cores that work on one thing at a
// time, and whoever was let in queues for one. A unit takes a millisecond, ten
// times as long as a real one, so a wait of 8 ms stands for the 800 µs that are
// the default.
type world struct {
	gate  *crowd.Gate
	cores chan struct{}
	all   sync.WaitGroup

	mu    sync.Mutex
	rnd   *rand.Rand
	seen  [3]tally // by lane
	since time.Time
}

type tally struct {
	offered, refused, units int64
	lastRefused             time.Time
	took                    []time.Duration
}

const (
	simCores = 2
	simUnit  = time.Millisecond
	capacity = float64(simCores) * float64(time.Second) / float64(simUnit) // units a second
)

func newWorld() *world {
	w := &world{cores: make(chan struct{}, simCores), rnd: rand.New(rand.NewPCG(3, 5)), since: time.Now()}
	w.gate = crowd.NewQueueing(crowd.Options{Cores: simCores, Wait: 8 * simUnit}, simUnit, func(bool) time.Duration {
		start := time.Now()
		w.cores <- struct{}{}
		return time.Since(start)
	})
	return w
}

// work does what a ticket allows.
func (w *world) work(t *crowd.Ticket, lane crowd.Lane, cost int64, arrived time.Time) {
	time.Sleep(time.Duration(cost) * simUnit)
	<-w.cores
	t.Leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[lane].units += cost
	w.seen[lane].took = append(w.seen[lane].took, time.Since(arrived))
}

func (w *world) arrive(lane crowd.Lane, cost int64) {
	w.mu.Lock()
	w.seen[lane].offered++
	w.mu.Unlock()
	arrived := time.Now()
	t, err := w.gate.Enter(lane, cost)
	if err == nil {
		w.work(t, lane, cost, arrived)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[lane].refused++
	w.seen[lane].lastRefused = time.Now()
}

// crowd has work arrive at random for a while: load times the capacity in a
// lane, a share of it (in requests) ten times as dear.
func (w *world) crowd(lane crowd.Lane, load, dear float64, during time.Duration) {
	w.all.Go(func() {
		w.mu.Lock()
		rnd := rand.New(rand.NewPCG(w.rnd.Uint64(), 7))
		w.mu.Unlock()
		rate := load * capacity / (1 + 9*dear)
		next, end := time.Now(), time.Now().Add(during)
		for {
			next = next.Add(time.Duration(rnd.ExpFloat64() / rate * float64(time.Second)))
			if next.After(end) {
				return
			}
			time.Sleep(time.Until(next))
			cost := int64(1)
			if rnd.Float64() < dear {
				cost = 10
			}
			w.all.Go(func() { w.arrive(lane, cost) })
		}
	})
}

// settle waits for the end of all work and returns what was seen since the last
// time.
func (w *world) settle() (seen [3]tally, took time.Duration) {
	w.all.Wait()
	seen, took = w.seen, time.Since(w.since)
	w.seen, w.since = [3]tally{}, time.Now()
	return seen, took
}

func p99(t ...tally) time.Duration {
	var all []time.Duration
	for _, x := range t {
		all = append(all, x.took...)
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

func (t tally) refusedShare() float64 { return float64(t.refused) / float64(max(1, t.offered)) }

// Ten times the capacity for a minute: the numbers.
func TestTenTimesTheCapacity(t *testing.T) {
	during := time.Minute
	if testing.Short() {
		during = 30 * time.Second
	}
	for name, dear := range map[string]float64{"all ES256": 0, "one in fifty ES384": 0.02} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := newWorld()
				go w.gate.Run(ctx)

				// Normal is what a machine is planned for: busy to four fifths.
				w.crowd(crowd.Hall, 0.4, dear, 20*time.Second)
				w.crowd(crowd.Bank, 0.4, dear, 20*time.Second)
				seen, _ := w.settle()
				normal := p99(seen[:]...)
				if seen[crowd.Hall].refused > 0 || seen[crowd.Bank].refusedShare() > 0.005 {
					t.Errorf("normal: refused %d and %d", seen[crowd.Hall].refused, seen[crowd.Bank].refused)
				}

				w.crowd(crowd.Hall, 0.45, dear, during)
				w.crowd(crowd.Bank, 9.55, dear, during)
				seen, took := w.settle()
				hall, bank := seen[crowd.Hall], seen[crowd.Bank]
				goodput := float64(hall.units+bank.units) / took.Seconds() / capacity
				crowded := p99(hall, bank)
				t.Logf("p99 %v normal, %v crowded; goodput %.3f; refused: hall %.4f, bank %.3f; limit %d", normal, crowded, goodput, hall.refusedShare(), bank.refusedShare(), w.gate.State().Limit)
				if goodput < 0.9 || crowded > 2*normal || hall.refusedShare() > 0.01 {
					t.Error("not as promised")
				}

				// Normal again.
				end := time.Now()
				w.crowd(crowd.Hall, 0.4, dear, 20*time.Second)
				w.crowd(crowd.Bank, 0.4, dear, 20*time.Second)
				time.Sleep(5 * time.Second)
				w.mu.Lock()
				early := w.seen
				w.seen = [3]tally{}
				w.mu.Unlock()
				seen, _ = w.settle()
				t.Logf("afterwards: %d refused in the first 5 s, then %d; p99 %v", early[crowd.Hall].refused+early[crowd.Bank].refused, seen[crowd.Hall].refused+seen[crowd.Bank].refused, p99(seen[:]...))
				if again := p99(seen[:]...); again > normal*3/2 || seen[crowd.Hall].refused > 0 || seen[crowd.Bank].refusedShare() > 0.001 {
					t.Errorf("p99 %v, refused %+v %+v after %v", again, seen[crowd.Hall].refused, seen[crowd.Bank].refused, time.Since(end))
				}
			})
		})
	}
}

// A batch takes what is left and leaves a hall its time.
func TestBatchBesideAHall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld()
		go w.gate.Run(ctx)
		w.crowd(crowd.Hall, 0.1, 0, 20*time.Second)
		seen, _ := w.settle()
		alone := p99(seen[crowd.Hall])

		end := time.Now().Add(20 * time.Second)
		for range 64 {
			w.all.Go(func() {
				for time.Now().Before(end) {
					start := time.Now()
					ticket, err := w.gate.Await(ctx, crowd.Batch, 1)
					if err != nil {
						t.Error(err)
						return
					}
					w.work(ticket, crowd.Batch, 1, start)
				}
			})
		}
		w.crowd(crowd.Hall, 0.1, 0, 20*time.Second)
		seen, took := w.settle()
		beside := p99(seen[crowd.Hall])
		used := float64(seen[crowd.Hall].units+seen[crowd.Batch].units) / took.Seconds() / capacity
		t.Logf("hall p99 %v alone, %v beside; %.3f of the cores used", alone, beside, used)
		if beside > 2*alone+simUnit || used < 0.95 || seen[crowd.Hall].refused > 0 {
			t.Error("not as promised")
		}
	})
}

// Banks that wait for a registry need no core: nobody is refused for them.
func TestSlowRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld()
		go w.gate.Run(ctx)
		// Crowded first, so that the limit is at its tightest.
		w.crowd(crowd.Bank, 10, 0, 3*time.Second)
		w.settle()
		if limit := w.gate.State().Limit; limit > 64 {
			t.Fatalf("the limit is %d", limit)
		}
		for range 300 {
			w.all.Go(func() {
				ticket, err := w.gate.Enter(crowd.Bank, 1)
				if err != nil {
					t.Error(err)
					return
				}
				<-w.cores // the queue gave one
				ctx := crowd.With(ctx, ticket)
				back := crowd.Outside(ctx)
				time.Sleep(800 * time.Millisecond)
				back()
				ticket.Leave()
			})
			time.Sleep(time.Millisecond)
		}
		if s := w.gate.State(); s.Inside < 290 || s.Working > 4 {
			t.Errorf("%+v", s)
		}
		w.settle()
		if s := w.gate.State(); s.Inside != 0 || s.Working != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever waits as he is told finds room: few are refused twice.
func TestHonestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld()
		go w.gate.Run(ctx)
		var mu sync.Mutex
		tries, served := 0, 0
		end := time.Now().Add(20 * time.Second)
		// 20,000 clients who come once in 10 s, three times what can be served,
		// for 20 s: later they need the time that the refusals told them.
		const clients = 20_000
		rate := capacity * 3
		for i := range clients {
			w.all.Go(func() {
				time.Sleep(time.Duration(float64(i) / rate * float64(time.Second)))
				for {
					mu.Lock()
					tries++
					mu.Unlock()
					ticket, err := w.gate.Enter(crowd.Bank, 1)
					var no *crowd.Refused
					if errors.As(err, &no) {
						if no.RetryAfter < 750*time.Millisecond || no.RetryAfter > 40*time.Second || no.Lane != crowd.Bank {
							t.Errorf("%+v", no)
						}
						time.Sleep(no.RetryAfter)
						continue
					}
					w.work(ticket, crowd.Bank, 1, time.Now())
					mu.Lock()
					served++
					mu.Unlock()
					return
				}
			})
		}
		w.settle()
		t.Logf("%d served after %d tries, %v past the ideal end", served, tries, time.Since(end))
		if served != clients || tries > 3*clients {
			t.Errorf("%d served after %d tries", served, tries)
		}
	})
}
