package registry

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"tongyan/verifiers"
)

// A Breaker is the state of a province's breaker.
type Breaker string

// The states. Half-open lets one question through as a probe.
const (
	Closed   Breaker = "closed"
	Open     Breaker = "open"
	HalfOpen Breaker = "half-open"
)

const (
	window    = 10 * time.Second // over which faults are counted
	bucket    = time.Second      // by which the window rolls
	enough    = 20               // calls in the window, below which a share means nothing
	inARow    = 10               // faults in a row that open it whatever the share
	openFirst = 5 * time.Second  // how long it stays open the first time
	openMost  = 50 * time.Second // the longest, before jitter
	jitter    = 5                // up to a fifth is added: 60 s at most
)

// breaker is gobreaker's with what that lacks: an open time that grows, with
// jitter, and back once it has closed; a row of faults that does not fall out
// of the window; how long it stays open yet; and word of its moves.
type breaker struct {
	cb *gobreaker.TwoStepCircuitBreaker[struct{}]

	// Touched only by gobreaker's callbacks, which run under its mutex.
	row  int           // faults since the last success, whatever the time between them
	open time.Duration // how long it was opened last, before jitter; 0 once it has closed

	// mu guards what follows. It may be taken under gobreaker's mutex, so
	// gobreaker is never called while it is held.
	mu      sync.Mutex
	until   time.Time // it is open until then
	epoch   uint64    // how often it has opened
	pending []move    // not yet told
}

type move struct{ from, to Breaker }

func newBreaker() *breaker {
	b := new(breaker)
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1, // one probe at a time
		Interval:     window,
		BucketPeriod: bucket,
		// gobreaker's own open time cannot grow. It is the least; ours, which is
		// never shorter, stands in front of it.
		Timeout:       openFirst,
		IsExcluded:    excluded,
		IsSuccessful:  b.succeeded,
		ReadyToTrip:   b.tripped,
		OnStateChange: b.moved,
	})
	return b
}

// allow lets a question through, or says that it is refused and for how long.
// Whoever is let through calls done with the outcome, always, and asks opened
// with epoch after any wait.
func (b *breaker) allow(now time.Time) (done func(error), epoch uint64, retryAfter time.Duration, ok bool) {
	b.mu.Lock()
	left, epoch := b.until.Sub(now), b.epoch
	b.mu.Unlock()
	if left > 0 {
		return nil, 0, left, false
	}
	done, err := b.cb.Allow()
	if err != nil {
		return nil, 0, b.left(now), false
	}
	return done, epoch, 0, true
}

// opened reports whether the breaker has opened since epoch.
func (b *breaker) opened(epoch uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.epoch != epoch
}

// left returns for how long the breaker stays open.
func (b *breaker) left(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.until.Sub(now))
}

func (b *breaker) state(now time.Time) (Breaker, time.Duration) {
	if left := b.left(now); left > 0 {
		return Open, left
	}
	return named(b.cb.State()), 0
}

// moves returns the moves not yet told.
func (b *breaker) moves() []move {
	b.mu.Lock()
	defer b.mu.Unlock()
	moves := b.pending
	b.pending = nil
	return moves
}

// The callbacks: under gobreaker's mutex, so that nothing here may wait.

func excluded(err error) bool {
	var e *verifiers.UnavailableError
	return errors.As(err, &e) && !Reason(e.Reason).Fault()
}

func (b *breaker) succeeded(err error) bool {
	if err == nil {
		b.row = 0
		return true
	}
	b.row++
	return false
}

// tripped counts the calls that have ended. gobreaker's Requests holds those
// under way too, which would hide a registry that hangs behind its own queue.
func (b *breaker) tripped(c gobreaker.Counts) bool {
	ended := c.TotalSuccesses + c.TotalFailures
	return b.row >= inARow || ended >= enough && 2*c.TotalFailures >= ended
}

func (b *breaker) moved(_ string, from, to gobreaker.State) {
	b.row = 0
	b.mu.Lock()
	defer b.mu.Unlock()
	switch to {
	case gobreaker.StateOpen:
		b.open = min(max(openFirst, 2*b.open), openMost)
		b.epoch++
		// Jitter, so that gateways that lost a registry together do not all
		// come back to it in the same instant.
		b.until = time.Now().Add(b.open + rand.N(b.open/jitter))
	case gobreaker.StateClosed:
		b.open = 0
	}
	b.pending = append(b.pending, move{named(from), named(to)})
}

func named(s gobreaker.State) Breaker {
	switch s {
	case gobreaker.StateClosed:
		return Closed
	case gobreaker.StateHalfOpen:
		return HalfOpen
	}
	return Open
}

// pause is the silence a registry asked for.
type pause struct {
	mu    sync.Mutex // guards until
	until time.Time
}

// extend keeps the silence for d more; a shorter word does not end a longer one.
func (p *pause) extend(now time.Time, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end := now.Add(d); end.After(p.until) {
		p.until = end
	}
}

func (p *pause) left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.until.Sub(now))
}
