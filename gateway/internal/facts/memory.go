package facts

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/maypok86/otter/v2"

	"tongyan/verifiers"
)

// keptFinding and keptStanding are facts whose strings all lie in one string
// of text bytes. What a reader of credentials or of registry answers made may
// hold on to everything that it was cut from, which no weigher could count.
type keptFinding struct {
	verifiers.Finding
	text int
}

type keptStanding struct {
	verifiers.Standing
	text  int
	epoch uint64 // of the cache when it was learned; inDoubt: there is news of it
}

const (
	// entryCost is what the cache itself spends on an entry, measured generously.
	entryCost = 256

	findingCost  = int(unsafe.Sizeof(keptFinding{})+unsafe.Sizeof(verifiers.StatusRef{})+unsafe.Sizeof(verifiers.Digest{})) + entryCost
	standingCost = int(unsafe.Sizeof(keptStanding{})+unsafe.Sizeof(verifiers.StandingKey{})) + entryCost

	// standingsShare is the standings' part of the memory, one in so many: they
	// are smaller than findings, and several findings may share one.
	standingsShare = 4
)

func (c *Cache) openMemory(bytes uint64) (err error) {
	ofStandings := bytes / standingsShare
	c.findings, err = otter.New(&otter.Options[verifiers.Digest, *keptFinding]{
		MaximumWeight: bytes - ofStandings,
		Weigher: func(_ verifiers.Digest, f *keptFinding) uint32 {
			return uint32(findingCost + f.text)
		},
		Logger: &otter.NoopLogger{},
	})
	if err != nil {
		return fmt.Errorf("facts: memory for findings: %w", err)
	}
	c.standings, err = otter.New(&otter.Options[verifiers.StandingKey, *keptStanding]{
		MaximumWeight: ofStandings,
		Weigher: func(_ verifiers.StandingKey, s *keptStanding) uint32 {
			return uint32(standingCost + s.text)
		},
		Logger: &otter.NoopLogger{},
	})
	if err != nil {
		return fmt.Errorf("facts: memory for standings: %w", err)
	}
	return nil
}

// remember keeps a standing in memory unless a newer one is there, and reports
// whether it did. before is what stood there, nil if nothing did.
func (c *Cache) remember(s *keptStanding, now time.Time) (before *keptStanding, kept bool) {
	s.epoch = c.epoch.Load()
	c.standings.Compute(s.Key, func(old *keptStanding, found bool) (*keptStanding, otter.ComputeOp) {
		// Runs under a lock of the cache: no call of it in here.
		before, kept = old, !found || supersedes(&s.Standing, &old.Standing, now)
		if !kept {
			return old, otter.CancelOp
		}
		return s, otter.WriteOp
	})
	return before, kept
}

// supersedes reports whether s may take old's place: only if it is newer. One
// from the future counts as older than any, or a clock gone wrong somewhere
// would keep all later answers out.
func supersedes(s, old *verifiers.Standing, now time.Time) bool {
	if fromFuture(s, now) {
		return false
	}
	return s.AskedAt.After(old.AskedAt) || fromFuture(old, now)
}

// clockError is how far the clocks of two gateways may differ, the same as in
// the ages of package verifiers.
const clockError = 5 * time.Second

func fromFuture(s *verifiers.Standing, now time.Time) bool {
	return s.AskedAt.Sub(now) > clockError
}
