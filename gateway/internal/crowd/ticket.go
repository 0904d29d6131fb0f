package crowd

import (
	"context"
	"time"
)

// A Ticket is the right to work. It belongs to one request and is used by one
// goroutine at a time.
type Ticket struct {
	gate    *Gate
	lane    *lane
	cost    int64
	working bool // neither paused nor left
	left    bool
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
	t.working = false
	t.gate.working.Add(-t.cost)
	t.lane.own.Add(-1)
	t.gate.wake(1)
}

// Resume says that the work goes on. It is never refused: what was let in is
// brought to its end.
func (t *Ticket) Resume() {
	if t.working || t.left {
		return
	}
	t.working = true
	t.gate.working.Add(t.cost)
	t.lane.own.Add(1)
}

// Leave gives the ticket back. Only the first call counts. That of a batch may
// take some microseconds longer, to leave a core idle.
func (t *Ticket) Leave() {
	if t.left {
		return
	}
	if t.lane.most > 0 && t.working {
		t.gate.breathe()
	}
	t.Pause()
	t.left = true
	t.gate.inside.Add(-1)
	t.gate.wake(1)
}

// breathe leaves a core idle for a moment, now and then, while a batch has
// company. Go looks for news from the network when a core has nothing to do, and
// else only every 10 ms: beside a batch that keeps all cores busy, a hall's
// request lies unseen that long (measured with 64 lines at once on two cores: 5 to
// 11 ms at the median without, below 1 ms with it).
func (g *Gate) breathe() {
	if !g.company.Load() {
		return
	}
	now, last := int64(time.Since(g.born)), g.breath.Load()
	if now-last >= int64(breathEvery) && g.breath.CompareAndSwap(last, now) {
		time.Sleep(breathFor)
	}
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
