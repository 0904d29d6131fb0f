package facts_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

// TestAlike runs one suite against every kind of cache: what is behind the
// memory must make no difference.
func TestAlike(t *testing.T) {
	suite := []struct {
		name string
		test func(t *testing.T, open func() *facts.Cache)
	}{
		{"a finding is kept", findingIsKept},
		{"an unproven finding is not kept", unprovenFindingIsNotKept},
		{"a standing is asked for once", standingIsAskedForOnce},
		{"many callers are one question", manyCallersAreOneQuestion},
		{"an error is shared and not kept", errorIsSharedAndNotKept},
		{"a caller who goes away ends nothing", callerWhoGoesAwayEndsNothing},
		{"bad answers are errors", badAnswersAreErrors},
		{"the newer standing wins", newerStandingWins},
		{"a closed cache answers from memory", closedCacheAnswersFromMemory},
		{"a nonce is spent once", nonceIsSpentOnce},
		{"the first answer under a key counts", firstAnswerCounts},
	}
	run := func(t *testing.T, s *redistest.Server, o facts.Options) {
		for _, tt := range suite {
			t.Run(tt.name, func(t *testing.T) {
				if s != nil {
					s.Flush()
				}
				tt.test(t, func() *facts.Cache { return openHearing(t, o) })
			})
		}
	}
	t.Run("memory", func(t *testing.T) { run(t, nil, options(nil)) })
	t.Run("redis", func(t *testing.T) {
		s := redistest.Start(t)
		run(t, s, options(s))
	})
	t.Run("cluster", func(t *testing.T) {
		s := redistest.StartCluster(t)
		o := options(s)
		o.Redis.Cluster = true
		run(t, s, o)
	})
}

func findingIsKept(t *testing.T, open func() *facts.Cache) {
	c, ctx, d := open(), context.Background(), someDigest()
	if f := c.Finding(ctx, d, nil); f != nil {
		t.Fatal("a credential never seen has a finding")
	}
	f, want := someFinding(d), someFinding(d)
	c.KeepFinding(d, f)
	f.Licence.Entname, f.Status.Index = "changed", 1 // what is kept is a copy
	if diff := cmp.Diff(want, c.Finding(ctx, d, nil)); diff != "" {
		t.Fatal(diff)
	}
	if f := c.Finding(ctx, someDigest(), func() verifiers.StandingKey { return keyOf(someUSCC) }); f != nil {
		t.Fatal("another credential got this one's finding")
	}
}

func unprovenFindingIsNotKept(t *testing.T, open func() *facts.Cache) {
	c, d := open(), someDigest()
	f := someFinding(d)
	f.Key = ""
	c.KeepFinding(d, f)
	c.KeepFinding(d, nil)
	if c.Finding(context.Background(), d, nil) != nil {
		t.Fatal("an unproven finding was kept")
	}
}

func standingIsAskedForOnce(t *testing.T, open func() *facts.Cache) {
	c, key := open(), keyOf(someUSCC)
	r := newRegistry(key)
	close(r.release)
	first, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second)
	if err != nil || !live {
		t.Fatalf("live %t, error %v", live, err)
	}
	second, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second)
	if err != nil || live || !cmp.Equal(first, second) || r.asked.Load() != 1 {
		t.Fatalf("live %t, error %v, asked %d times, %s", live, err, r.asked.Load(), cmp.Diff(first, second))
	}
	if recalled, ok := c.Recall(key); !ok || !cmp.Equal(first, recalled) {
		t.Fatal("not recalled")
	}
	if found, ok := c.Lookup(context.Background(), key); !ok || !cmp.Equal(first, found) {
		t.Fatal("not looked up")
	}
	if _, live, err = c.Standing(context.Background(), key, never, r.ask, time.Second); err != nil || !live || r.asked.Load() != 2 {
		t.Fatalf("live %t, error %v: a live answer was wanted and must be asked for", live, err)
	}
	if _, ok := c.Lookup(context.Background(), keyOf("another")); ok {
		t.Fatal("another licence got this one's standing")
	}
}

func manyCallersAreOneQuestion(t *testing.T, open func() *facts.Cache) {
	for name, fresh := range map[string]func(*verifiers.Standing) bool{"fresh": withinMinutes, "live only": never} {
		t.Run(name, func(t *testing.T) {
			c, key := open(), keyOf("of "+name)
			r := newRegistry(key)
			wait := together(200, []*facts.Cache{c}, key, fresh, r)
			<-r.begun
			eventually(t, "all wait", func() bool { return c.Status().Waiting == 200 })
			close(r.release)
			for _, a := range wait() {
				if a.err != nil || !a.live || a.s.Key != key {
					t.Fatalf("live %t, error %v", a.live, a.err)
				}
			}
			if n := r.asked.Load(); n != 1 {
				t.Fatalf("asked %d times", n)
			}
		})
	}
}

func errorIsSharedAndNotKept(t *testing.T, open func() *facts.Cache) {
	c, key := open(), keyOf(someUSCC)
	r := newRegistry(key)
	r.err = &verifiers.UnavailableError{Reason: "fault", RetryAfter: time.Second}
	wait := together(50, []*facts.Cache{c}, key, withinMinutes, r)
	<-r.begun
	eventually(t, "all wait", func() bool { return c.Status().Waiting == 50 })
	close(r.release)
	for _, a := range wait() {
		if a.live || !errors.Is(a.err, r.err) {
			t.Fatalf("live %t, error %v", a.live, a.err)
		}
	}
	if _, ok := c.Recall(key); ok || r.asked.Load() != 1 {
		t.Fatalf("kept %t, asked %d times", ok, r.asked.Load())
	}
	r.err = nil
	if _, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); err != nil || !live {
		t.Fatalf("live %t, error %v: the next question is a new one", live, err)
	}
}

func callerWhoGoesAwayEndsNothing(t *testing.T, open func() *facts.Cache) {
	c, key := open(), keyOf(someUSCC)
	r := newRegistry(key)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		_, _, err := c.Standing(ctx, key, withinMinutes, r.ask, 10*time.Second)
		gone <- err
	}()
	<-r.begun
	cancel()
	if err := <-gone; !errors.Is(err, verifiers.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(r.release)
	eventually(t, "the answer is kept", func() bool { _, ok := c.Recall(key); return ok })
}

func badAnswersAreErrors(t *testing.T, open func() *facts.Cache) {
	key := keyOf(someUSCC)
	asks := map[string]func(context.Context) (verifiers.Standing, error){
		"panic":           func(context.Context) (verifiers.Standing, error) { panic("a fault") },
		"another licence": func(context.Context) (verifiers.Standing, error) { return standingAt(keyOf("other"), time.Now()), nil },
		"no answer": func(context.Context) (verifiers.Standing, error) {
			return verifiers.Standing{Key: key, AskedAt: time.Now()}, nil
		},
	}
	c := open()
	for name, ask := range asks {
		s, live, err := c.Standing(context.Background(), key, withinMinutes, ask, time.Second)
		if !errors.Is(err, verifiers.ErrUnavailable) || live || s != (verifiers.Standing{}) {
			t.Errorf("%s: live %t, error %v", name, live, err)
		}
		if _, ok := c.Recall(key); ok {
			t.Errorf("%s: kept", name)
		}
	}
}

func newerStandingWins(t *testing.T, open func() *facts.Cache) {
	c, key, now := open(), keyOf(someUSCC), time.Now()
	unanswered := standingAt(key, now)
	unanswered.Answer = verifiers.NoAnswer
	for _, s := range []verifiers.Standing{
		standingAt(key, now.Add(-time.Minute)), standingAt(key, now), standingAt(key, now.Add(-time.Second)),
		standingAt(key, now.Add(time.Hour)), standingAt(key, time.Time{}), unanswered,
	} {
		c.KeepStanding(s)
	}
	if s, ok := c.Recall(key); !ok || !cmp.Equal(s, standingAt(key, now)) {
		t.Fatalf("kept %t, asked for %v, want %v", ok, s.AskedAt, now)
	}
}

func closedCacheAnswersFromMemory(t *testing.T, open func() *facts.Cache) {
	c, key, d := open(), keyOf(someUSCC), someDigest()
	r := newRegistry(key)
	c.KeepFinding(d, someFinding(d))
	wait := together(1, []*facts.Cache{c}, key, withinMinutes, r)
	<-r.begun
	c.Close()
	if a := wait()[0]; !errors.Is(a.err, verifiers.ErrUnavailable) {
		t.Fatal(a.err)
	}
	if _, _, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); !errors.Is(err, verifiers.ErrUnavailable) || r.asked.Load() != 1 {
		t.Fatalf("asked %d times, error %v", r.asked.Load(), err)
	}
	if c.Finding(context.Background(), d, nil) == nil || c.Finding(context.Background(), someDigest(), nil) != nil {
		t.Fatal("memory does not answer after the end")
	}
	c.KeepFinding(someDigest(), someFinding(d))
	c.KeepStanding(standingAt(key, time.Now()))
}

func TestMemoryIsBoundedByBytes(t *testing.T) {
	o := options(nil)
	o.MemoryBytes = 1 << 20
	c := open(t, o)
	for i := range 5000 {
		d := someDigest()
		f := someFinding(d)
		c.KeepFinding(d, f)
		key := keyOf(string(rune('A'+i%26)) + d.String())
		c.KeepStanding(standingAt(key, time.Now()))
	}
	eventually(t, "the memory shrinks to its bound", func() bool { return c.Status().Bytes <= 1<<20 })
	if s := c.Status(); s.Findings < 100 || s.Standings < 100 {
		t.Fatalf("%d findings and %d standings: next to nothing is kept", s.Findings, s.Standings)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, spoil := range map[string]func(*facts.Options){
		"memory too small": func(o *facts.Options) { o.MemoryBytes = 1 },
		"negative ttl":     func(o *facts.Options) { o.NegativeTTL = -1 },
		"negative ceiling": func(o *facts.Options) { o.Ceiling.MaxAge = -1 },
		"no address":       func(o *facts.Options) { o.Redis.Addrs = nil },
		"short seal key":   func(o *facts.Options) { o.Redis.SealKey = sealKey[:31] },
		"no seal key":      func(o *facts.Options) { o.Redis.SealKey = nil },
		"no patience":      func(o *facts.Options) { o.Redis.Patience = -1 },
	} {
		o := options(&redistest.Server{Addr: "127.0.0.1:1"})
		spoil(&o)
		if c, err := facts.New(o); err == nil {
			c.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
