package facts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"tongyan/verifiers"
)

// Reasons of an UnavailableError made here, for metrics.
const (
	ReasonGaveUp   = "gave_up"   // the caller's own time was over
	ReasonWaited   = "waited"    // another gateway asked, and its answer did not come in time
	ReasonClosed   = "closed"    // the cache is closed
	ReasonPanicked = "panicked"  // a fault in the program, which is logged
	ReasonOther    = "not_asked" // the answer was about another licence
)

// askGrace is what a flight may take beyond the wait: Redis's share before the
// question, and a moment for the asker's own time-out to come first.
const askGrace = 100 * time.Millisecond

// A flight is one question about one licence, with all who wait for its answer.
// It does not end with any of them.
type flight struct {
	done chan struct{} // closed when the rest is there, and stays as it is
	s    verifiers.Standing
	live bool
	err  error
}

// Standing returns a kept standing for which fresh is true: from memory, else
// from Redis. Otherwise it calls ask and keeps the answer. live says that the
// answer was asked for now, by this call or by the question that it joined, in
// this gateway or another; a joined question may have begun before the call.
//
// However many ask about one licence at the same time, one ask is called: in
// this process always, among gateways unless Redis gives trouble. ask must end
// by itself within wait; its context ends a little later, or when the cache is
// closed, but not with ctx. Where another gateway is asking, its answer is
// waited for no longer than wait.
//
// An error is an *[verifiers.UnavailableError] or ask's own; all who joined get
// it and it is not kept. A panic of ask is such an error.
func (c *Cache) Standing(ctx context.Context, key verifiers.StandingKey, fresh func(*verifiers.Standing) bool,
	ask func(context.Context) (verifiers.Standing, error), wait time.Duration) (s verifiers.Standing, live bool, err error) {
	if kept, ok := c.standings.GetIfPresent(key); ok && !c.doubts(kept) && fresh(&kept.Standing) {
		c.looked(KindStanding, Memory)
		return kept.Standing, false, nil
	}
	for {
		f := c.join(key, fresh, ask, wait)
		c.waiting.Add(1)
		select {
		case <-f.done:
			c.waiting.Add(-1)
		case <-ctx.Done():
			c.waiting.Add(-1)
			c.looked(KindStanding, Nowhere)
			return s, false, &verifiers.UnavailableError{Reason: ReasonGaveUp, Err: context.Cause(ctx)}
		}
		switch {
		case f.err != nil || f.live:
			c.looked(KindStanding, Nowhere)
			return f.s, f.live, f.err
		case fresh(&f.s):
			c.looked(KindStanding, Redis)
			return f.s, false, nil
		}
		// Who began this flight was content with an older standing than we are.
	}
}

// join returns the flight about a licence, and begins it if there is none.
func (c *Cache) join(key verifiers.StandingKey, fresh func(*verifiers.Standing) bool,
	ask func(context.Context) (verifiers.Standing, error), wait time.Duration) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok {
		return f
	}
	f := &flight{done: make(chan struct{})}
	if c.closed {
		f.err = &verifiers.UnavailableError{Reason: ReasonClosed}
		close(f.done)
		return f
	}
	c.flights[key] = f
	c.flying.Go(func() {
		ctx, cancel := context.WithTimeout(c.alive, wait+askGrace)
		defer cancel()
		q := inquiry{Cache: c, key: key, fresh: fresh, ask: ask, wait: wait}
		f.s, f.live, f.err = q.run(ctx)
		c.mu.Lock()
		delete(c.flights, key)
		c.mu.Unlock()
		close(f.done)
	})
	return f
}

// An inquiry is the work of one flight.
type inquiry struct {
	*Cache
	key   verifiers.StandingKey
	fresh func(*verifiers.Standing) bool
	ask   func(context.Context) (verifiers.Standing, error)
	wait  time.Duration
}

func (q *inquiry) run(ctx context.Context) (s verifiers.Standing, live bool, err error) {
	// The flight before this one may have ended just before it began.
	if kept, ok := q.standings.GetIfPresent(q.key); ok && !q.doubts(kept) && q.fresh(&kept.Standing) {
		return kept.Standing, false, nil
	}
	if q.shared == nil || !q.shared.health.up() {
		return q.askNow(ctx, nil)
	}
	return q.askTogether(ctx)
}

// askNow calls ask, keeps the answer and gives the lease back, if there is one.
func (q *inquiry) askNow(ctx context.Context, under *grant) (s verifiers.Standing, live bool, err error) {
	s, err = q.callAsk(ctx)
	if err == nil && s.Key != q.key {
		err = &verifiers.UnavailableError{Reason: ReasonOther}
	}
	if err != nil {
		q.giveBack(under)
		return verifiers.Standing{}, false, err
	}
	kept, plain, news := q.keepNear(s)
	if kept == nil {
		q.giveBack(under)
		return s, true, nil
	}
	q.share(kept, plain, news, under)
	return s, true, nil
}

// callAsk turns a panic into an error: nobody above this goroutine would catch
// it, and one registry's answer must not end the gateway.
func (q *inquiry) callAsk(ctx context.Context) (s verifiers.Standing, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			q.log.Error("asking a registry panicked", "fault", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
			err = &verifiers.UnavailableError{Reason: ReasonPanicked}
		}
	}()
	s, err = q.ask(ctx)
	if err == nil && !isAnswer(s.Answer) {
		err = &verifiers.UnavailableError{Reason: ReasonOther, Err: errors.New("a standing without an answer")}
	}
	return s, err
}
