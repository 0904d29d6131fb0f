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

// What one gateway found out, the others know.
func TestAnotherGatewayKnows(t *testing.T) {
	s := redistest.Start(t)
	heard := newCounts()
	o := options(s)
	a := openHearing(t, o)
	o.Observer = heard.observer()
	b := openHearing(t, o)

	d, key := someDigest(), keyOf(someUSCC)
	want, standing := someFinding(d), standingAt(key, time.Now())
	a.KeepFinding(d, want)
	a.KeepStanding(standing)
	settled(t, a, s, 2)

	// One look brings both.
	f := b.Finding(context.Background(), d, func() verifiers.StandingKey { return key })
	if diff := cmp.Diff(want, f); diff != "" {
		t.Fatal(diff)
	}
	if got, ok := b.Recall(key); !ok || !cmp.Equal(got, standing) {
		t.Fatal("the standing did not come along")
	}
	b.Finding(context.Background(), d, nil)
	want2 := map[facts.Layer]int{facts.Redis: 1, facts.Memory: 1}
	if got := get(heard, func() map[facts.Layer]int { return heard.looked[facts.KindFinding] }); !cmp.Equal(got, want2) {
		t.Fatal(got)
	}

	// So does a gateway that only asks for the standing.
	c := open(t, o)
	r := newRegistry(key)
	got, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second)
	if err != nil || live || !cmp.Equal(got, standing) || r.asked.Load() != 0 {
		t.Fatalf("live %t, error %v, asked %d times", live, err, r.asked.Load())
	}
}

func TestTimeToLiveInRedis(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, options(s))
	d, short, expired := someDigest(), someDigest(), someDigest()
	c.KeepFinding(d, someFinding(d))
	f := someFinding(short)
	f.Expires = time.Now().Add(10 * time.Minute).Unix()
	c.KeepFinding(short, f)
	f.Expires = time.Now().Add(-time.Minute).Unix()
	c.KeepFinding(expired, f)
	present, absent, old := keyOf("present"), keyOf("absent"), keyOf("old")
	c.KeepStanding(standingAt(present, time.Now().Add(-5*time.Minute)))
	no := standingAt(absent, time.Now())
	no.Answer = verifiers.NotRegistered
	c.KeepStanding(no)
	c.KeepStanding(standingAt(old, time.Now().Add(-2*time.Hour)))
	settled(t, c, s, 4)

	for name, tt := range map[string]struct {
		d    verifiers.Digest
		k    verifiers.StandingKey
		want time.Duration // 0: not there
	}{
		"finding":              {d: d, want: 24 * time.Hour},
		"finding ending soon":  {d: short, want: 10 * time.Minute},
		"finding of the ended": {d: expired},
		"standing":             {k: present, want: time.Hour},
		"no such licence":      {k: absent, want: time.Minute},
		"standing too old":     {k: old},
	} {
		redisName, standingName, _ := c.Names(tt.d, tt.k)
		if tt.k != (verifiers.StandingKey{}) {
			redisName = standingName
		}
		ttl := s.Client().PTTL(context.Background(), redisName).Val()
		if tt.want == 0 && ttl != -2 || tt.want > 0 && (ttl > tt.want || ttl < tt.want-time.Minute/2) {
			t.Errorf("%s: lives %v, want %v", name, ttl, tt.want)
		}
	}
}

func TestThousandCallersOfThreeGatewaysAreOneQuestion(t *testing.T) {
	run := func(t *testing.T, s *redistest.Server, o facts.Options) {
		for name, fresh := range map[string]func(*verifiers.Standing) bool{"fresh": withinMinutes, "live only": never} {
			t.Run(name, func(t *testing.T) {
				s.Flush()
				a, b, c, key := open(t, o), open(t, o), open(t, o), keyOf(someUSCC)
				a.KeepStanding(standingAt(key, time.Now().Add(-30*time.Minute))) // known, and too old
				settled(t, a, s, 1)
				r, met := newRegistry(key), leases(t, s)
				wait := together(1000, []*facts.Cache{a, b, c}, key, fresh, r)
				<-r.begun
				eventually(t, "all wait", func() bool { return a.Status().Waiting+b.Status().Waiting+c.Status().Waiting == 1000 })
				eventually(t, "all gateways have met the lease", func() bool { return met() >= 3 })
				close(r.release)
				for _, answer := range wait() {
					if answer.err != nil || !answer.live || answer.s.Key != key {
						t.Fatalf("live %t, error %v", answer.live, answer.err)
					}
				}
				if n := r.asked.Load(); n != 1 {
					t.Fatalf("asked %d times", n)
				}
			})
		}
	}
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

// An answer of "no such licence" is shared among those who wait for it even
// where nothing may be kept at all.
func TestAnswerIsSharedWhereNothingIsKept(t *testing.T) {
	s := redistest.Start(t)
	o := options(s)
	o.Ceiling = verifiers.Bounds{}
	a, b, key := open(t, o), open(t, o), keyOf(someUSCC)
	r, met := newRegistry(key), leases(t, s)
	wait := together(2, []*facts.Cache{a, b}, key, never, r)
	<-r.begun
	eventually(t, "both gateways have met the lease", func() bool { return met() >= 2 })
	close(r.release)
	for _, answer := range wait() {
		if answer.err != nil || !answer.live {
			t.Fatalf("live %t, error %v", answer.live, answer.err)
		}
	}
	if n := r.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
}

// The holder of the lease fails: the next one asks, and need not wait for the
// lease to end by itself.
func TestHolderFails(t *testing.T) {
	for name, fail := range map[string]func(*facts.Cache, *registry){
		"its question fails": func(_ *facts.Cache, r *registry) { close(r.release) },
		"it is closed":       func(c *facts.Cache, _ *registry) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			o := options(s)
			a, b, key := open(t, o), open(t, o), keyOf(someUSCC)
			met := leases(t, s)
			broken, good := newRegistry(key), newRegistry(key)
			broken.err = verifiers.ErrUnavailable
			first := together(1, []*facts.Cache{a}, key, withinMinutes, broken)
			<-broken.begun
			second := together(1, []*facts.Cache{b}, key, withinMinutes, good)
			eventually(t, "the other has met the lease", func() bool { return met() >= 2 })
			if n := good.asked.Load(); n != 0 {
				t.Fatal("two ask at a time")
			}
			fail(a, broken)
			close(good.release)
			if answer := first()[0]; !errors.Is(answer.err, verifiers.ErrUnavailable) {
				t.Fatal(answer.err)
			}
			if answer := second()[0]; answer.err != nil || !answer.live || good.asked.Load() != 1 {
				t.Fatalf("live %t, error %v, asked %d times", answer.live, answer.err, good.asked.Load())
			}
		})
	}
}

// The holder of the lease vanishes without a word: whoever waits ends
// unavailable in time, and when the lease has ended the next one asks.
func TestHolderVanishes(t *testing.T) {
	s := redistest.Start(t)
	c, key := open(t, options(s)), keyOf(someUSCC)
	r := newRegistry(key)
	close(r.release)
	_, _, leaseName := c.Names(verifiers.Digest{}, key)
	lease := c.SealedLease(key, time.Now(), time.Minute)
	if err := s.Client().Set(context.Background(), leaseName, lease, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, _, err := c.Standing(context.Background(), key, withinMinutes, r.ask, 100*time.Millisecond)
	var why *verifiers.UnavailableError
	if !errors.As(err, &why) || why.Reason != facts.ReasonWaited || r.asked.Load() != 0 {
		t.Fatalf("error %v, asked %d times", err, r.asked.Load())
	}
	if waited := time.Since(start); waited < 100*time.Millisecond || waited > 5*time.Second {
		t.Fatalf("waited %v", waited)
	}
	s.Client().Del(context.Background(), leaseName) // its time is over
	if _, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); err != nil || !live {
		t.Fatalf("live %t, error %v", live, err)
	}
}

// A lease that cannot be one of now holds nobody up: whoever writes to Redis
// could else silence every registry.
func TestFalseLeaseHoldsNobodyUp(t *testing.T) {
	s := redistest.Start(t)
	heard := newCounts()
	o := options(s)
	o.Observer = heard.observer()
	c, key := open(t, o), keyOf(someUSCC)
	_, _, leaseName := c.Names(verifiers.Digest{}, key)
	r := newRegistry(key)
	close(r.release)
	now := time.Now()
	for name, value := range map[string][]byte{
		"garbage":           []byte("held by nobody, for a long time to come, I promise"),
		"long over":         c.SealedLease(key, now.Add(-time.Hour), time.Minute),
		"from the future":   c.SealedLease(key, now.Add(time.Hour), time.Minute),
		"another licence's": c.SealedLease(keyOf("another"), now, time.Minute),
	} {
		if err := s.Client().Set(context.Background(), leaseName, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		before := r.asked.Load()
		if _, live, err := c.Standing(context.Background(), key, never, r.ask, time.Minute); err != nil || !live || r.asked.Load() != before+1 {
			t.Errorf("%s: live %t, error %v", name, live, err)
		}
	}
	if n := get(heard, func() int { return heard.unsealed[facts.KindLease] }); n != 2 {
		t.Errorf("%d leases did not open, want 2", n)
	}
}

func TestLeaseIsGivenBack(t *testing.T) {
	s := redistest.Start(t)
	c, key := open(t, options(s)), keyOf(someUSCC)
	_, standing, lease := c.Names(verifiers.Digest{}, key)
	r := newRegistry(key)
	close(r.release)
	for range 3 {
		if _, live, err := c.Standing(context.Background(), key, never, r.ask, time.Minute); err != nil || !live {
			t.Fatalf("live %t, error %v", live, err)
		}
		eventually(t, "the lease is given back", func() bool {
			return s.Client().Exists(context.Background(), standing).Val() == 1 && s.Client().Exists(context.Background(), lease).Val() == 0
		})
	}
}

// Who wants a live answer does not get that of a question that was over before
// they came, although its lease still stands.
func TestQuestionThatIsOverIsNotJoined(t *testing.T) {
	s := redistest.Start(t)
	c, key := open(t, options(s)), keyOf(someUSCC)
	_, name, leaseName := c.Names(verifiers.Digest{}, key)
	began := time.Now()
	over := standingAt(key, began.Add(time.Millisecond))
	ctx := context.Background()
	if err := s.Client().MSet(ctx, leaseName, c.SealedLease(key, began, time.Minute), name, c.SealedStanding(key, &over)).Err(); err != nil {
		t.Fatal(err)
	}
	r, met := newRegistry(key), leases(t, s)
	close(r.release)
	wait := together(1, []*facts.Cache{c}, key, never, r)
	eventually(t, "it has met the lease several times", func() bool { return met() >= 3 })
	s.Client().Del(ctx, leaseName) // given back
	if answer := wait()[0]; answer.err != nil || !answer.live || r.asked.Load() != 1 || answer.s.AskedAt.Equal(over.AskedAt) {
		t.Fatalf("live %t, error %v, asked %d times", answer.live, answer.err, r.asked.Load())
	}
}
