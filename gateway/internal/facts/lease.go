package facts

import (
	"context"
	"time"

	"tongyan/verifiers"
)

const (
	// leaseGrace is what a lease lives longer than its holder's question.
	leaseGrace = 250 * time.Millisecond

	// Between looks at whether another gateway has its answer.
	firstLook = 2 * time.Millisecond
	lastLook  = 50 * time.Millisecond
	// maxNobody is how often in a row a lease may be refused that nobody holds: it
	// may run out or be given back between the two commands of one look.
	maxNobody = 3
)

// A grant is a lease that this gateway holds: the right to ask about a licence.
type grant struct {
	name  string
	value []byte
	life  time.Duration
}

// giveBack lets the next one ask, without an answer to show.
func (c *Cache) giveBack(under *grant) {
	if under != nil {
		c.shared.write(&write{lease: under.name, leaseValue: under.value})
	}
}

// askTogether asks under a lease in Redis, or waits for the answer of whoever
// holds it. Any trouble with Redis, or with what stands there, makes it ask
// without: a lease saves calls, it guards nothing.
func (q *inquiry) askTogether(ctx context.Context) (s verifiers.Standing, live bool, err error) {
	name := q.shared.seal.standingName(q.key)
	mine := &grant{name: q.shared.seal.leaseName(q.key), life: q.wait + leaseGrace}
	end := time.Now().Add(q.wait)
	var met *lease // the first one we met whose question was still open
	nobody := 0
	for pause := firstLook; ; pause = min(pause*3/2, lastLook) {
		now := time.Now()
		mine.value = q.shared.seal.seal(mine.name, "", appendLease(nil, lease{began: now, life: mine.life}))
		look := &question{lease: mine.name, leaseValue: mine.value, leaseLife: mine.life, standing: name}
		if !q.shared.put(ctx, look) {
			// The lease may be ours all the same, only the word of it late.
			return q.askNow(ctx, mine)
		}
		if look.leased && q.shared.isCluster() {
			// The two keys lie on two servers: what the last holder wrote before
			// giving the lease back may have come after our look.
			again := &question{standing: name}
			if q.shared.put(ctx, again) {
				look.standingValue = again.standingValue
			}
		}
		var due *lease // whose answer we wait for
		var kept *keptStanding
		if look.standingValue != nil {
			kept = q.openStanding(q.key, name, look.standingValue, now)
		}
		if !look.leased && look.heldValue != nil {
			held := q.holder(look, mine.name, now)
			if held == nil {
				return q.askNow(ctx, nil)
			}
			due = held
			// A question may be joined while it is open. One that has its answer
			// is over, and its lease only about to be given back: who wants a
			// live answer asks next.
			if met == nil && !held.answeredBy(kept) && !held.answeredBy(q.remembered()) {
				met = held
			}
		}
		if kept != nil {
			live := met.answeredBy(kept)
			if best := q.remembered(); !live && best != nil {
				kept = best // newer, or the same; and there may be news of it
			}
			if live || !q.doubts(kept) && q.fresh(&kept.Standing) {
				if look.leased {
					q.giveBack(mine)
				}
				return kept.Standing, live, nil
			}
		}
		if look.leased {
			return q.askNow(ctx, mine)
		}
		rest := time.Until(end)
		if rest <= 0 {
			return s, false, &verifiers.UnavailableError{Reason: ReasonWaited}
		}
		if due != nil && !due.over().After(now) {
			// Its holder's time is up, and it gave nothing back: it died, or its
			// word was lost. What is left of our time is for asking ourselves.
			return q.askNow(ctx, nil)
		}
		if due != nil {
			nobody = 0
		} else if nobody++; nobody == maxNobody {
			return q.askNow(ctx, nil) // Redis lies, or is none
		}
		timer := time.NewTimer(min(pause, rest))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return s, false, &verifiers.UnavailableError{Reason: ReasonClosed, Err: context.Cause(ctx)}
		}
	}
}

// answeredBy reports whether s was asked for since the lease began, by its
// holder's clock: the answer to the question it was taken for.
func (l *lease) answeredBy(s *keptStanding) bool {
	return l != nil && s != nil && !s.AskedAt.Before(l.began)
}

// over is when the holder's own question has ended, with or without an answer.
func (l *lease) over() time.Time { return l.began.Add(l.life - leaseGrace/2) }

func (q *inquiry) remembered() *keptStanding {
	s, _ := q.standings.GetIfPresent(q.key)
	return s
}

// holder reads whose lease stands there. Nothing that cannot be one of now
// holds anybody up: who writes to Redis could else silence every registry.
func (q *inquiry) holder(look *question, name string, now time.Time) *lease {
	held, err := q.shared.seal.lease(name, look.heldValue)
	if err != nil {
		q.unsealed(KindLease)
		return nil
	}
	if age := now.Sub(held.began); age < -clockError || age > held.life+clockError {
		return nil
	}
	// Taken before Redis was gone for a while: whether it was given back
	// meanwhile nobody can know.
	if held.began.Before(q.shared.health.returned()) {
		return nil
	}
	return &held
}
