package crowd

import (
	"context"
	"math"
	"runtime"
	"time"
)

// A Ticket is the right to work. It belongs to one request and is used by one
// goroutine at a time.
type Ticket struct {
	gate    *Gate
	lane    *lane
	cost    int64
	working bool          // neither paused nor left
	core    bool          // has one of the gate's cores
	began   time.Duration // when it got the core, since the gate was born
	left    bool
}

// start waits for a core. As many as there are cores work, and no more: whoever
// else was let in stands apart, so that those who just arrive are looked at, and
// refused, before work that can wait its turn goes on; among all that is ready
// to run they would stand unseen in front of the gate.
func (t *Ticket) start() {
	g := t.gate
	wait := time.Duration(0)
	if g.queue != nil {
		wait = g.queue(g.working.Load() > int64(g.Cores))
	} else {
		select {
		case g.cores <- struct{}{}:
		default:
			began := time.Now()
			g.cores <- struct{}{}
			wait = time.Since(began)
		}
		t.core = true
		if g.busy.Load() {
			g.listen(hearEvery)
		}
		t.began = time.Since(g.born)
	}
	g.waited.Add(int64(wait))
	g.waits.Add(1)
}

// rest gives the core back.
func (t *Ticket) rest() {
	if t.core {
		t.core = false
		t.gate.held.Add(int64(time.Since(t.gate.born) - t.began))
		<-t.gate.cores
	}
}

// listen has the network heard, if it was not for a while: all who have arrived
// come as far as the gate. Who listens keeps his core, so none of them begins to
// work; and what listening took is worked at least before the next time, so that
// a crowd which never stops leaves half of the time: heard lies that much ahead.
// While somebody listens it lies beyond all time, and nobody else does.
func (g *Gate) listen(every time.Duration) {
	hear, now, last := g.hear.Load(), time.Since(g.born), g.heard.Load()
	if hear == nil || int64(now)-last < int64(every) || !g.heard.CompareAndSwap(last, math.MaxInt64) {
		return
	}
	(*hear)()
	end := time.Since(g.born)
	g.heard.Store(int64(end + max(0, end-now-every)))
}

// Correct says what the work really costs, once that is known.
func (t *Ticket) Correct(cost int64) {
	if t.working {
		t.gate.working.Add(cost - t.cost)
	}
	t.cost = cost
}

// Pause says that the work now waits for others and needs no core.
func (t *Ticket) Pause() {
	if !t.working {
		return
	}
	t.rest()
	t.working = false
	t.gate.working.Add(-t.cost)
	t.lane.own.Add(-1)
	t.gate.wake(1)
}

// Resume says that the work goes on. It is never refused, and waits for no core:
// what was let in is brought to its end.
func (t *Ticket) Resume() {
	if t.working || t.left {
		return
	}
	t.working = true
	t.gate.working.Add(t.cost)
	t.lane.own.Add(1)
}

// Leave gives the ticket back. Only the first call counts. That of a batch lets
// others go first.
func (t *Ticket) Leave() {
	if t.left {
		return
	}
	if t.lane.most > 0 && t.working {
		t.breathe()
	}
	t.Pause()
	t.left = true
	t.gate.inside.Add(-1)
	t.gate.wake(1)
}

// breathe lets others go first between two lines of a batch that has company,
// and now and then has the network heard for them (measured with 64 lines at once
// on two cores: a hall waited 5 to 11 ms at the median without, below 1 ms with
// it). Whoever comes meanwhile finds the core free; another line does not.
func (t *Ticket) breathe() {
	g := t.gate
	if !g.company.Load() {
		return
	}
	t.rest()
	g.working.Add(-t.cost)
	g.listen(breathEvery)
	runtime.Gosched()
	g.working.Add(t.cost)
}

type ticketKey struct{}

// With returns a context that carries a ticket to where its work waits.
func With(ctx context.Context, t *Ticket) context.Context {
	return context.WithValue(ctx, ticketKey{}, t)
}

// Outside pauses the ticket that ctx carries, if any, until the function that it
// returns is called.
func Outside(ctx context.Context) (back func()) {
	t, ok := ctx.Value(ticketKey{}).(*Ticket)
	if !ok || !t.working {
		return func() {}
	}
	t.Pause()
	return t.Resume
}
