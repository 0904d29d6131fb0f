package registry

import (
	"context"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// Ask asks how the licence with this code stands. It ends within the time-out,
// waiting and retry included, and while the breaker is open or the registry has
// asked for silence, at once.
//
// Every error is a *[verifiers.UnavailableError] whose Reason is one of
// [Reasons]; the Standing beside it is zero. Neither holds nor says the code.
func (c *Client) Ask(ctx context.Context, code licence.USCC) (verifiers.Standing, error) {
	seen := Observation{Province: c.province}
	var standing verifiers.Standing
	err := unavailable(ReasonClosed, 0, nil)
	if c.under.enter() {
		defer c.under.leave()
		standing, err = c.guarded(ctx, code, &seen)
	}
	if err != nil {
		seen.Reason = Reason(err.Reason)
	}
	// Told only now, when no lock is held and no place taken.
	c.tellMoves()
	if c.observer != nil {
		c.observer.Asked(seen)
	}
	if err != nil {
		return verifiers.Standing{}, err
	}
	return standing, nil
}

// guarded asks if breaker, places and budget allow.
func (c *Client) guarded(parent context.Context, code licence.USCC, seen *Observation) (standing verifiers.Standing, err *verifiers.UnavailableError) {
	if !askable(code) {
		return standing, unavailable(ReasonNotACode, 0, nil)
	}
	if parent.Err() != nil {
		return standing, unavailable(ReasonCallerGone, 0, parent.Err())
	}
	now := time.Now()
	if left := c.pause.left(now); left > 0 {
		return standing, unavailable(ReasonBackedOff, left, nil)
	}
	// The breaker before the queue: a probe's place is its own, and those who
	// are refused neither wait nor spend.
	done, epoch, retryAfter, ok := c.breaker.allow(now)
	if !ok {
		return standing, c.refused(retryAfter)
	}
	reported := false
	report := func(err *verifiers.UnavailableError) {
		reported = true
		if err == nil {
			done(nil) // not err: a nil pointer in an error is an error
		} else {
			done(err)
		}
	}
	defer func() {
		if !reported { // a panic below: the breaker must not wait for ever for its probe
			report(unavailable(ReasonClosed, 0, nil))
		}
	}()

	ctx, cancel := context.WithTimeout(parent, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()

	err = c.admitted(ctx, parent, seen)
	if err == nil {
		defer c.release()
		switch left := c.pause.left(time.Now()); {
		case left > 0: // heard while waiting
			err = unavailable(ReasonBackedOff, left, nil)
		case c.breaker.opened(epoch):
			err = c.refused(c.breaker.left(time.Now()))
		default:
			standing, err = c.asked(ctx, parent, code, seen)
		}
	}
	report(err)
	if err != nil && err.RetryAfter == 0 && Reason(err.Reason).Fault() {
		err.RetryAfter = c.breaker.left(time.Now()) // the fault that opened it
	}
	return standing, err
}

// refused is the answer of the breaker. While a probe is under way nobody knows
// more than that it ends within the time-out.
func (c *Client) refused(left time.Duration) *verifiers.UnavailableError {
	if left <= 0 {
		left = c.timeout
	}
	return unavailable(ReasonBreakerOpen, left, nil)
}

// admitted waits for a place in flight, then for a call in the budget, for half
// the time-out together at most. Those who wait are requests that were let in
// elsewhere, so their number is bounded there. After an error no place is held.
//
// The place first: a call of the budget is then never spent on a question that
// finds no place.
func (c *Client) admitted(ctx, parent context.Context, seen *Observation) *verifiers.UnavailableError {
	began := time.Now()
	defer func() { seen.Waited = time.Since(began) }()
	ctx, cancel := context.WithTimeout(ctx, c.timeout/2)
	defer cancel()
	select {
	case c.places <- struct{}{}:
	default:
		select {
		case c.places <- struct{}{}:
		case <-ctx.Done():
			return c.unserved(parent, ReasonNoPlace)
		}
	}
	// Refuses at once where the wait would be too long.
	if c.budget.Wait(ctx) != nil {
		c.release()
		return c.unserved(parent, ReasonNoBudget)
	}
	return nil
}

func (c *Client) release() { <-c.places }

func (c *Client) unserved(parent context.Context, r Reason) *verifiers.UnavailableError {
	switch {
	case parent.Err() != nil:
		return unavailable(ReasonCallerGone, 0, parent.Err())
	case c.closing.Err() != nil:
		return unavailable(ReasonClosed, 0, nil)
	}
	return unavailable(r, 0, nil)
}

// asked calls the registry, and once more if the first call found no connection.
func (c *Client) asked(ctx, parent context.Context, code licence.USCC, seen *Observation) (verifiers.Standing, *verifiers.UnavailableError) {
	began := time.Now()
	key := verifiers.StandingKey{Province: c.province, USCC: code}
	for {
		seen.Calls++
		standing, failed := c.call(ctx, key)
		// A retry is a call like others: it comes out of the budget, or is not made.
		if failed != nil && failed.again && seen.Calls == 1 && !ended(ctx) && c.budget.Allow() {
			continue
		}
		seen.Took = time.Since(began)
		err := c.outcome(ctx, parent, failed)
		if r := reasonOf(err); r != ReasonCallerGone && r != ReasonClosed {
			c.latency.add(seen.Took)
		}
		if err != nil {
			return verifiers.Standing{}, err
		}
		return standing, nil
	}
}

func reasonOf(err *verifiers.UnavailableError) Reason {
	if err == nil {
		return ""
	}
	return Reason(err.Reason)
}

// outcome says whose doing a failed call was: the caller's, ours, the clock's,
// or the registry's.
func (c *Client) outcome(ctx, parent context.Context, failed *failure) *verifiers.UnavailableError {
	switch {
	case failed == nil:
		return nil
	case failed.reason == ReasonBackedOff:
		c.pause.extend(time.Now(), failed.retryAfter)
		return unavailable(ReasonBackedOff, failed.retryAfter, nil)
	case !failed.broke: // a whole answer came, and was wrong
		return unavailable(failed.reason, 0, failed)
	case parent.Err() != nil:
		return unavailable(ReasonCallerGone, 0, parent.Err())
	case c.closing.Err() != nil:
		return unavailable(ReasonClosed, 0, nil)
	case ended(ctx):
		return unavailable(ReasonTimeout, 0, context.DeadlineExceeded)
	}
	return unavailable(failed.reason, 0, failed)
}

// ended reports whether ctx has ended, or its time has come and its timer only
// lags behind: on a busy machine the dialer's may go off first.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// askable reports whether a code can stand in a path and in a JSON string as it
// is. ParseUSCC has seen to that; but a conversion from string is no check, and
// what gets past here is written into requests.
func askable(code licence.USCC) bool {
	if len(code) != 18 {
		return false
	}
	for i := range len(code) {
		if c := code[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
