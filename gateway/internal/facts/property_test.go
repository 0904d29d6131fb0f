package facts_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

// Whatever two gateways keep, look up and ask in whatever order: neither ever
// goes back to an older standing, and nor does Redis.
func TestOlderNeverReplacesNewer(t *testing.T) {
	s := redistest.Start(t)
	caches := []*facts.Cache{open(t, options(s)), open(t, options(s))}
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		key := keyOf(fmt.Sprint("run ", run))
		now := time.Now().Round(time.Microsecond)
		var newest time.Time
		last := make([]time.Time, len(caches))
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "gateway")
			c := caches[i]
			asked := now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Second)
			switch rapid.SampledFrom([]string{"keep", "lookup", "ask"}).Draw(t, "do") {
			case "keep":
				c.KeepStanding(standingAt(key, asked))
				newest = later(newest, asked)
			case "lookup":
				c.Lookup(context.Background(), key)
			case "ask":
				ask := func(context.Context) (verifiers.Standing, error) { return standingAt(key, asked), nil }
				if _, live, err := c.Standing(context.Background(), key, never, ask, time.Second); err != nil || !live {
					t.Fatal(live, err)
				}
				newest = later(newest, asked)
			}
			if got, ok := c.Recall(key); ok {
				if got.AskedAt.Before(last[i]) {
					t.Fatalf("gateway %d went back from %v to %v", i, last[i], got.AskedAt)
				}
				last[i] = got.AskedAt
			}
			eventually(t, "written", func() bool { return c.Status().Queued == 0 })
		}
		if newest.IsZero() {
			return
		}
		third := caches[0]
		for _, c := range caches {
			if got, ok := c.Lookup(context.Background(), key); !ok || !got.AskedAt.Equal(newest) {
				t.Fatalf("the newest is of %v, found %t: %v", newest, ok, got.AskedAt)
			}
		}
		_, name, _ := third.Names(verifiers.Digest{}, key)
		if stamp := s.Client().GetRange(context.Background(), name, 0, 15).Val(); stamp != fmt.Sprint(newest.UnixMicro()) {
			t.Fatalf("Redis keeps %s, want %d", stamp, newest.UnixMicro())
		}
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
