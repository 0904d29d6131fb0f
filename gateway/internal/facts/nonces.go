package facts

import (
	"context"
	"errors"
	"sync"
	"time"

	"tongyan/verifiers"
)

// ErrNotKept is returned where it cannot be known whether a nonce was spent.
// It must be read as "perhaps": a proof that may serve twice is worth nothing.
var ErrNotKept = errors.New("facts: the store of nonces cannot be had")

// maxNonces are remembered at most in memory. A proof lives for minutes, so
// this is some thousand holders a second; past it nothing more passes.
const maxNonces = 1 << 20

// Spend marks a nonce as spent until a time, and reports whether this was the
// first time: for all gateways that share the Redis, where there is one. Redis
// is asked itself and nothing else, because only it knows of the others; if it
// forgets (restarted empty, or emptied by others) a proof can serve again
// within its few minutes.
func (c *Cache) Spend(ctx context.Context, nonce verifiers.Digest, until time.Time) (first bool, err error) {
	life := time.Until(until)
	if life <= 0 {
		return false, nil // its proof counts no more either
	}
	if c.shared == nil {
		return c.nonces.spend(nonce, until, time.Now())
	}
	name := c.shared.seal.name(KindNonce, nonce[:])
	q := &question{lease: name, leaseValue: c.shared.seal.seal(name, "", nonce[:]), leaseLife: life}
	if !c.shared.put(ctx, q) {
		return false, ErrNotKept
	}
	return q.leased, nil
}

// nonces is the memory of a gateway that stands alone.
type nonces struct {
	mu    sync.Mutex // guards the rest; held for one look, or one sweep
	until map[verifiers.Digest]time.Time
	sweep int // how many make a sweep worth it
}

func (n *nonces) spend(nonce verifiers.Digest, until, now time.Time) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if end, spent := n.until[nonce]; spent && now.Before(end) {
		return false, nil
	}
	if len(n.until) >= max(n.sweep, 1024) {
		for old, end := range n.until {
			if !now.Before(end) {
				delete(n.until, old)
			}
		}
		// The next sweep comes after as many again: each costs little by and by.
		n.sweep = min(2*len(n.until), maxNonces)
		if len(n.until) >= maxNonces {
			return false, ErrNotKept
		}
	}
	if n.until == nil {
		n.until = make(map[verifiers.Digest]time.Time)
	}
	n.until[nonce] = until
	return true, nil
}
