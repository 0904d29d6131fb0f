package statuslist

import (
	"errors"
	"math/rand/v2"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
)

// run renews, retries and forgets lists as they fall due, until Close.
func (k *Keeper) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-ticker.C:
			k.due(time.Now())
		}
	}
}

func (k *Keeper) due(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	for at, e := range k.entries {
		idle := now.Sub(time.Unix(0, e.used.Load()))
		if e.list != nil && !now.Before(e.list.ends) {
			e.list = nil
		}
		switch {
		case idle > idleTime && e.flight == nil:
			delete(k.entries, at)
		case e.list != nil && !now.Before(e.renew):
			k.launch(e, now)
		case e.list == nil && e.failures > 0 && idle < retryIdle:
			k.launch(e, now)
		}
	}
}

// land takes what a flight brought.
func (k *Keeper) land(e *entry, list *List, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	e.flight = nil
	if k.closed {
		return
	}
	if err != nil {
		e.failures++
		e.next = now.Add(retryAfter(e.failures, err))
		return
	}
	e.failures = 0
	e.list, e.floor = list, list.issued
	e.next = now.Add(minInterval)
	e.renew = now.Add(ahead(list.ends.Sub(now)))
	k.shed(e)
}

// ahead is when, in what is left of a list's life, it is fetched again: early
// enough for some more attempts, and not by all gateways at once.
func ahead(left time.Duration) time.Duration {
	if left < 2*minInterval {
		return minInterval
	}
	return left/2 + rand.N(left/4)
}

// retryAfter is how long a list is left alone after so many failures.
func retryAfter(failures int, err error) time.Duration {
	wait := lastRetry
	if failures <= 4 {
		wait = min(firstRetry<<(failures-1), lastRetry)
	}
	wait += rand.N(wait / 4)
	var failed *fetch.Error
	if errors.As(err, &failed) {
		wait = max(wait, failed.RetryAfter)
	}
	return wait
}

// makeRoom makes room for one more address of an issuer: the one least used
// goes, but none that is being fetched. k.mu is held.
func (k *Keeper) makeRoom(issuer keys.Issuer) bool {
	known := 0
	var least *entry
	for _, e := range k.entries {
		if e.at.issuer != issuer {
			continue
		}
		known++
		if e.flight == nil && (least == nil || e.used.Load() < least.used.Load()) {
			least = e
		}
	}
	if known < k.options.MaxListsPerIssuer {
		return true
	}
	if least == nil {
		return false
	}
	delete(k.entries, least.at)
	return true
}

// shed drops the lists least used until the bounds hold, of the issuer whose
// list has just come first. The newcomer stays. k.mu is held.
func (k *Keeper) shed(newcomer *entry) {
	for {
		total, own := 0, 0
		var least, leastOwn *entry
		for _, e := range k.entries {
			if e.list == nil {
				continue
			}
			total += e.list.Size()
			mine := e.at.issuer == newcomer.at.issuer
			if mine {
				own += e.list.Size()
			}
			if e == newcomer {
				continue
			}
			if least == nil || e.used.Load() < least.used.Load() {
				least = e
			}
			if mine && (leastOwn == nil || e.used.Load() < leastOwn.used.Load()) {
				leastOwn = e
			}
		}
		switch {
		case own > k.options.MaxBytesPerIssuer && leastOwn != nil:
			leastOwn.list = nil
		case total > k.options.MaxBytes && least != nil:
			least.list = nil
		default:
			return
		}
	}
}
