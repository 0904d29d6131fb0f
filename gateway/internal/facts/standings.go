package facts

import (
	"context"
	"time"

	"tongyan/verifiers"
)

// Recall returns a standing from memory, however old, unless another gateway may
// know better by now: then the others are to be asked first, by Standing or
// Lookup. It waits for nothing.
func (c *Cache) Recall(key verifiers.StandingKey) (verifiers.Standing, bool) {
	s, ok := c.standings.GetIfPresent(key)
	if !ok || c.doubts(s) {
		return verifiers.Standing{}, false
	}
	return s.Standing, true
}

// Lookup returns the newest standing that memory or Redis has, however old, and
// even if there is news of it that cannot be had. It asks no registry.
func (c *Cache) Lookup(ctx context.Context, key verifiers.StandingKey) (verifiers.Standing, bool) {
	at := Memory
	if c.shared != nil && c.shared.health.up() {
		q := &question{standing: c.shared.seal.standingName(key)}
		if c.shared.put(ctx, q) && q.standingValue != nil {
			if s := c.openStanding(key, q.standing, q.standingValue, time.Now()); s != nil {
				at = Redis
			}
		}
	}
	s, ok := c.standings.GetIfPresent(key)
	if !ok {
		c.looked(KindStanding, Nowhere)
		return verifiers.Standing{}, false
	}
	c.looked(KindStanding, at)
	return s.Standing, true
}

// openStanding opens what Redis keeps, and remembers it if it is newer than what
// memory has. It returns nil if it is not what it should be.
func (c *Cache) openStanding(key verifiers.StandingKey, name string, value []byte, now time.Time) *keptStanding {
	s, err := c.shared.seal.standing(key, name, value)
	if err != nil || fromFuture(&s.Standing, now) {
		c.unsealed(KindStanding)
		return nil
	}
	if _, newer := c.remember(s, now); !newer {
		c.confirm(key)
	}
	return s
}

// KeepStanding keeps a standing: in memory at once, in Redis soon. Whichever was
// asked for later wins, there and here; one without an answer, or from the
// future, is not kept.
func (c *Cache) KeepStanding(s verifiers.Standing) {
	if kept, plain, news := c.keepNear(s); kept != nil {
		c.share(kept, plain, news, nil)
	}
}

// keepNear keeps a standing in memory, and returns it with its encoding; nil
// if it was not kept. news says that the other gateways should hear of it.
func (c *Cache) keepNear(s verifiers.Standing) (kept *keptStanding, plain []byte, news bool) {
	if !isAnswer(s.Answer) || s.AskedAt.Unix() <= 0 {
		return nil, nil, false
	}
	plain = appendStanding(make([]byte, 0, 96+len(s.Entname)), &s)
	kept, err := readStanding(plain)
	if err != nil {
		return nil, nil, false
	}
	before, newer := c.remember(kept, time.Now())
	if !newer {
		return nil, nil, false
	}
	return kept, plain, isNews(before, kept)
}

// share sends a standing to Redis, and the lease under which it was asked for
// back, if there is one.
func (c *Cache) share(s *keptStanding, plain []byte, news bool, under *grant) {
	if c.shared == nil {
		return
	}
	ttl := c.ceiling
	if s.Answer == verifiers.NotRegistered {
		ttl = min(ttl, c.negative)
	}
	ttl -= max(0, time.Since(s.AskedAt))
	w := &write{kind: KindStanding, name: c.shared.seal.standingName(s.Key), stamp: stampOf(s.AskedAt), plain: plain}
	if news {
		w.news = appendNews(nil, s.Key, s.AskedAt)
	}
	if under != nil {
		// Even where nothing may be reused, the others wait for this answer.
		ttl = max(ttl, under.life)
		w.lease, w.leaseValue = under.name, under.value
	}
	if ttl < time.Millisecond {
		return
	}
	w.ttl = ttl
	c.shared.write(w)
}
