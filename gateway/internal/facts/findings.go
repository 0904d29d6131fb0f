package facts

import (
	"context"
	"time"

	"tongyan/verifiers"
)

// maxFindingTTL bounds how long Redis keeps a finding. A finding stays true for
// ever; the bound is against Redis filling up with licences nobody shows.
const maxFindingTTL = 24 * time.Hour

// Finding returns the proven finding about the credential with digest d, nil if
// there is none: from memory, else from Redis. The finding is shared and must
// not be changed.
//
// hint names the standing that will likely be wanted next; it is called, if at
// all, when memory does not know the credential, and may be nil or return the
// zero key. That standing comes along in the same round trip and lands in
// memory. It is only a hint, taken from bytes that nobody has proven.
func (c *Cache) Finding(ctx context.Context, d verifiers.Digest, hint func() verifiers.StandingKey) *verifiers.Finding {
	if f, ok := c.findings.GetIfPresent(d); ok {
		c.looked(KindFinding, Memory)
		return &f.Finding
	}
	f := c.fetchFinding(ctx, d, hint)
	if f == nil {
		c.looked(KindFinding, Nowhere)
		return nil
	}
	c.looked(KindFinding, Redis)
	c.findings.Set(d, f)
	return &f.Finding
}

// fetchFinding looks into Redis.
func (c *Cache) fetchFinding(ctx context.Context, d verifiers.Digest, hint func() verifiers.StandingKey) *keptFinding {
	if c.shared == nil || !c.shared.health.up() {
		return nil
	}
	q := &question{finding: c.shared.seal.name(KindFinding, d[:])}
	var likely verifiers.StandingKey
	if hint != nil {
		likely = hint()
	}
	if likely != (verifiers.StandingKey{}) {
		if known, ok := c.standings.GetIfPresent(likely); !ok || c.doubts(known) {
			q.standing = c.shared.seal.standingName(likely)
		}
	}
	if !c.shared.put(ctx, q) {
		return nil
	}
	if q.standingValue != nil {
		c.openStanding(likely, q.standing, q.standingValue, time.Now())
	}
	if q.findingValue == nil {
		return nil
	}
	f, err := c.shared.seal.finding(d, q.finding, q.findingValue)
	if err != nil {
		c.unsealed(KindFinding)
		return nil
	}
	return f
}

// KeepFinding keeps a proven finding about the credential with digest d: in
// memory at once, in Redis soon. One that is not proven is not kept, so bad
// input fills neither. The finding is copied.
func (c *Cache) KeepFinding(d verifiers.Digest, f *verifiers.Finding) {
	if f == nil || f.Key == "" {
		return
	}
	plain := appendFinding(make([]byte, 0, findingSize(f)), d, f)
	_, kept, err := readFinding(plain)
	if err != nil {
		return // nothing that a verifier makes; a fact that cannot be read back is none
	}
	c.findings.Set(d, kept)
	if c.shared == nil {
		return
	}
	// An expired credential's finding is cheap to keep near and not worth sharing.
	ttl := min(maxFindingTTL, time.Until(time.Unix(f.Expires, 0)))
	if ttl < time.Second {
		return
	}
	c.shared.write(&write{
		kind: KindFinding, name: c.shared.seal.name(KindFinding, d[:]), plain: plain, ttl: ttl,
	})
}
