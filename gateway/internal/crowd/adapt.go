package crowd

import (
	"context"
	"sync"
	"time"
)

// Run adapts the limit until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	if b := newBell(); b != nil {
		var ringing sync.WaitGroup
		ringing.Go(func() { b.ring(ctx.Done()) })
		defer ringing.Wait()
		hear := b.listen
		g.hear.Store(&hear)
		defer g.hear.Store(nil)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.tick()
		case <-ctx.Done():
			return
		}
	}
}

// tick sets the limit by what the last interval saw.
func (g *Gate) tick() {
	held := g.held.Swap(0)
	waited, waits, hungry := g.waited.Swap(0), g.waits.Swap(0), g.hungry.Swap(false)
	gradient := 1.25
	if waited > 0 {
		mean := float64(waited) / float64(waits)
		gradient = min(max(float64(g.Wait)/mean, 0.5), 1.25)
	}
	// Where nobody was refused there is no reason to let in more than usual: a
	// limit that grew in quiet times would be no limit when the crowd comes. One
	// that stayed low would refuse who comes together after the crowd has gone.
	// For a burst there is room again when the crowd has not come back for a second.
	if g.calm++; gradient < 1 || hungry {
		g.calm = 0
	}
	g.busy.Store(g.calm < calmed || held > int64(interval)*int64(g.Cores)/2)
	top := g.fit
	if g.calm >= calmed {
		top = g.usual
	}
	switch {
	case g.calm == 0:
		g.setLimit(g.limit * gradient)
	case g.limit < top:
		g.setLimit(min(g.limit*gradient, top))
	}
	g.quiet++
	for l := range lanes {
		if g.lanes[l].forecast() && l != Batch {
			g.quiet = 0
		}
	}
	g.company.Store(g.quiet < alone)
	g.wake(int(g.waiting.Load()))
}

func (g *Gate) setLimit(limit float64) {
	g.limit = min(max(limit, g.floor), g.ceiling)
	for l := range lanes {
		g.lanes[l].bound.Store(int64(g.limit * shares[l]))
	}
}

// forecast works out how long those should wait who are refused next. Where r
// times as much was offered as could be let in, it fits again if everybody comes
// back r times as seldom as once a second. It reports whether anybody came since
// it last did.
func (l *lane) forecast() (came bool) {
	offered, admitted := l.offered.Load(), l.admitted.Load()
	l.demand = memory*l.demand + float64(offered-l.lastOffered)
	l.supply = memory*l.supply + float64(admitted-l.lastAdmitted)
	came = offered != l.lastOffered
	l.lastOffered, l.lastAdmitted = offered, admitted
	retry := minRetry
	if l.demand > l.supply {
		retry = time.Duration(min(float64(minRetry)*l.demand/max(l.supply, 1), float64(maxRetry)))
	}
	l.retry.Store(int64(retry))
	return came
}

// A State is how crowded it is.
type State struct {
	Limit   int64 // units
	Working int64 // units under way
	Inside  int64 // tickets, paused ones too
	Waiting int64 // in Await
	Lanes   [lanes]LaneState
}

// A LaneState counts since the start, by Lane.
type LaneState struct {
	Admitted int64 // units
	Refused  int64 // tickets
}

// State returns the counts as they are now.
func (g *Gate) State() State {
	s := State{Limit: g.lanes[Hall].bound.Load(), Working: g.working.Load(), Inside: g.inside.Load(), Waiting: g.waiting.Load()}
	for l := range lanes {
		s.Lanes[l] = LaneState{g.lanes[l].admitted.Load(), g.lanes[l].refused.Load()}
	}
	return s
}
