// Package crowd decides who may go on when there is more work than cores: hall
// before bank before batch, refused at once or let in for good.
//
// Work is counted in units of cost, one for an ES256 check. The limit on the
// units under way is steered by how long what was let in waits for a core: that
// wait grows in proportion to the units under way, so the limit times wanted
// wait by actual wait is the limit that gives the wanted one. It moves ten times
// a second, at most to a half or by a quarter at a time, and never below what
// keeps every core busy. Time spent waiting for others (a registry, Redis, a
// slow sender) is taken out by [Ticket.Pause]: a slow province makes nobody
// refuse work for cores that are idle.
//
// A lane may enter while the units under way, of all lanes, are fewer than its
// share of the limit. The shares are nested, so what banks may not fill is free
// for halls, and what batches may not fill for both.
package crowd

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Lane says how urgent work is. The zero Lane is the least urgent.
type Lane uint8

// The lanes.
const (
	Batch Lane = iota
	Bank
	Hall
	lanes // how many there are
)

var names = [lanes]string{"batch", "bank", "hall"}

func (l Lane) String() string { return names[l] }

// ParseLane returns the lane of a name; an unknown one is [Batch].
func ParseLane(name string) Lane {
	for l := range lanes {
		if names[l] == name {
			return l
		}
	}
	return Batch
}

// shares are the parts of the limit below which each lane may enter. Halls need
// room for a chance crowd of their own, of dear work too, while banks push from
// below: with half of a small limit less than one in a hundred finds none.
// Places are many, and lanes come less in each other's way.
var (
	shares      = [lanes]float64{Batch: 0.3, Bank: 0.5, Hall: 1}
	placeShares = [lanes]float64{Batch: 0.5, Bank: 0.8, Hall: 1}
)

const (
	interval   = 100 * time.Millisecond
	unit       = 70 * time.Microsecond // see cost.go
	floorUnits = 10                    // per core: enough to keep it busy, a millisecond of work
	minRetry   = time.Second
	maxRetry   = 30 * time.Second
	memory     = 0.9 // of the last second's traffic, kept from one interval to the next

	hearEvery   = 2 * time.Millisecond   // by those who work, for those who will be refused
	breathEvery = 500 * time.Microsecond // by batches, for halls
	alone       = 10                     // intervals without a hall or a bank
	calmed      = 10                     // intervals after which a crowd is over
)

// ErrRefused is every refusal by a Gate.
var ErrRefused = errors.New("more work than the gateway can take")

// A Refused is a refusal. After RetryAfter, if all who were refused did wait as
// long as they were told, what comes back can be taken.
type Refused struct {
	Lane       Lane
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return ErrRefused.Error() + " in the lane " + r.Lane.String() }

// Is reports whether target is [ErrRefused].
func (r *Refused) Is(target error) bool { return target == ErrRefused }

// Options are the bounds of a Gate.
type Options struct {
	// Cores is how many units are worked on at once. 0: GOMAXPROCS.
	Cores int
	// Places is how many tickets there may be, paused ones included: it bounds
	// memory. Banks get four fifths of it, batches half. 0: 512.
	Places int
	// Wait is how long what was let in should wait for a core when it is
	// crowded. 0: 800 µs, eight ES256 checks.
	Wait time.Duration
	// Burst is how many units are let in out of the quiet, where that is more
	// than Wait has room for: hundreds who come together once are done before
	// anybody could have come back. Only if it goes on are fewer let in.
	Burst int

	queue func(busy bool) time.Duration // for tests; nil: a core is waited for
	unit  time.Duration                 // for tests: what a unit takes; 0: see cost.go
}

// A Gate lets work in. It is safe for concurrent use. Counts may exceed their
// bounds by the requests that enter in the same instant, one for each core.
type Gate struct {
	Options
	floor, ceiling float64
	fit            float64 // the limit that Wait has room for
	usual          float64 // the limit at the start, and again after a quiet while

	working atomic.Int64 // units under way
	inside  atomic.Int64 // tickets, paused ones too
	lanes   [lanes]lane

	cores  chan struct{} // one for each ticket that has a core
	held   atomic.Int64  // nanoseconds that tickets of this interval held a core
	busy   atomic.Bool   // they held more than half of the cores, or it is not calm
	waited atomic.Int64  // nanoseconds that tickets of this interval waited for a core
	waits  atomic.Int64  // how many did
	hungry atomic.Bool   // somebody was refused for want of units

	born    time.Time
	company atomic.Bool            // a hall or a bank came within the last second
	heard   atomic.Int64           // when the network was last heard, nanoseconds since born; see listen
	hear    atomic.Pointer[func()] // has it heard; nil unless Run runs

	// mu guards line. It is held only to add to it or take from it.
	mu      sync.Mutex
	line    []chan struct{} // of those in Await
	waiting atomic.Int64    // its length

	// The business of tick alone.
	limit float64 // of units
	quiet int     // intervals since a hall or a bank came
	calm  int     // intervals since somebody was refused or waited too long
}

type lane struct {
	bound  atomic.Int64 // units of all lanes at which this one is full
	places int64        // tickets of all lanes at which this one is full
	most   int64        // tickets of this lane working at once; 0: any number
	own    atomic.Int64 // tickets of this lane working

	offered, admitted atomic.Int64 // units, ever
	refused           atomic.Int64 // tickets, ever
	retry             atomic.Int64 // nanoseconds to tell the next who is refused

	// Of tick alone: the totals at its last run, and what the last second saw.
	lastOffered, lastAdmitted int64
	demand, supply            float64
}

// New makes a gate whose limit is the usual one: at least four times the least.
// It adapts while Run runs.
func New(o Options) *Gate {
	if o.Cores <= 0 {
		o.Cores = runtime.GOMAXPROCS(0)
	}
	if o.Places <= 0 {
		o.Places = 512
	}
	if o.Wait <= 0 {
		o.Wait = 800 * time.Microsecond
	}
	if o.unit <= 0 {
		o.unit = unit
	}
	g := &Gate{Options: o, cores: make(chan struct{}, o.Cores), born: time.Now(), quiet: alone, calm: calmed}
	// As many as wait as long as wanted, if each takes a unit's time. Where the
	// wait is too long even with half of them, it is others who keep the cores
	// (refusals, other programs), and to let in fewer would not shorten it.
	fit := float64(o.Cores) * float64(o.Wait) / float64(o.unit)
	g.floor = max(float64(floorUnits*o.Cores), fit/2)
	g.ceiling = max(g.floor, float64(o.Places), float64(o.Burst))
	g.fit = min(max(4*float64(floorUnits*o.Cores), fit), g.ceiling)
	g.usual = min(max(g.fit, float64(o.Burst)), g.ceiling)
	g.setLimit(g.usual)
	for l := range lanes {
		g.lanes[l].places = max(1, int64(placeShares[l]*float64(o.Places)))
		g.lanes[l].retry.Store(int64(minRetry))
	}
	// A batch never holds more cores than there are: of all that it has to do,
	// no more than that should stand between a hall and its core.
	g.lanes[Batch].most = int64(o.Cores)
	return g
}

// Enter lets work of a cost in, or returns a *Refused at once. Whoever gets a
// ticket gives it back by Leave.
func (g *Gate) Enter(lane Lane, cost int64) (*Ticket, error) {
	g.lanes[lane].offered.Add(cost)
	t := g.try(lane, cost)
	if t == nil {
		return nil, g.refuse(lane)
	}
	t.start()
	return t, nil
}

// Await is Enter for work that can wait: it returns when there is room, or with
// ctx's error, or with a *Refused where more wait already than there are places.
func (g *Gate) Await(ctx context.Context, lane Lane, cost int64) (*Ticket, error) {
	if g.waiting.Load() >= int64(g.Places) {
		return nil, g.refuse(lane)
	}
	for {
		if t := g.try(lane, cost); t != nil {
			g.lanes[lane].offered.Add(cost)
			t.start()
			return t, nil
		}
		turn := make(chan struct{})
		g.mu.Lock()
		g.line = append(g.line, turn)
		g.waiting.Add(1)
		g.mu.Unlock()
		// Room that was made before it stood in line woke nobody.
		if g.roomFor(lane) {
			g.wake(1)
		}
		select {
		case <-turn:
		case <-ctx.Done():
			g.abandon(turn)
			return nil, ctx.Err()
		}
	}
}

// roomFor reports whether a lane may enter.
func (g *Gate) roomFor(l Lane) bool {
	lane := &g.lanes[l]
	return g.working.Load() < lane.bound.Load() && g.inside.Load() < lane.places &&
		(lane.most == 0 || lane.own.Load() < lane.most)
}

func (g *Gate) try(l Lane, cost int64) *Ticket {
	if !g.roomFor(l) {
		return nil
	}
	lane := &g.lanes[l]
	g.working.Add(cost)
	g.inside.Add(1)
	lane.own.Add(1)
	lane.admitted.Add(cost)
	return &Ticket{gate: g, lane: lane, cost: cost, working: true}
}

func (g *Gate) refuse(l Lane) error {
	lane := &g.lanes[l]
	lane.refused.Add(1)
	if g.working.Load() >= lane.bound.Load() && !g.hungry.Load() {
		g.hungry.Store(true)
	}
	// Not all at the same moment: within a quarter before and behind.
	retry := time.Duration(float64(lane.retry.Load()) * (0.75 + rand.Float64()/2))
	return &Refused{Lane: l, RetryAfter: retry}
}

// wake lets up to n of those who wait in line try again.
func (g *Gate) wake(n int) {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for ; n > 0 && len(g.line) > 0; n-- {
		close(g.line[0])
		g.line = g.line[1:]
		g.waiting.Add(-1)
	}
}

// abandon leaves the line. A turn that came meanwhile goes to the next.
func (g *Gate) abandon(turn chan struct{}) {
	g.mu.Lock()
	for i, c := range g.line {
		if c == turn {
			g.line = append(g.line[:i], g.line[i+1:]...)
			g.waiting.Add(-1)
			g.mu.Unlock()
			return
		}
	}
	g.mu.Unlock()
	g.wake(1)
}
