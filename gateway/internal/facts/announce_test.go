package facts_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
)

// hears collects what a cache is told.
func hears(c *facts.Cache) <-chan int64 {
	heard := make(chan int64, 100)
	c.OnAnnounce(func(version int64) { heard <- version })
	return heard
}

// subscribed waits until n gateways listen.
func subscribed(t *testing.T, s *redistest.Server, c *facts.Cache, n int64) {
	t.Helper()
	client, channel := s.Client(), c.Channel()
	eventually(t, "all listen", func() bool {
		return client.PubSubNumSub(context.Background(), channel).Val()[channel] == n
	})
}

// next returns the next version announced; 0, "look for yourself", may come in
// front of it.
func next(heard <-chan int64) int64 {
	for version := range heard {
		if version != 0 {
			return version
		}
	}
	return -1
}

func TestAnnouncementsReachAll(t *testing.T) {
	s := redistest.Start(t)
	a, b := open(t, options(s)), open(t, options(s))
	ofA, ofB := hears(a), hears(b)
	subscribed(t, s, a, 2)
	if err := a.Announce(context.Background(), 8); err != nil {
		t.Fatal(err)
	}
	if v, w := next(ofA), next(ofB); v != 8 || w != 8 {
		t.Fatal(v, w)
	}
}

func TestForgedAnnouncementsAreNotHeard(t *testing.T) {
	s := redistest.Start(t)
	counted := newCounts()
	o := options(s)
	o.Observer = counted.observer()
	c := open(t, o)
	strange := o
	shared := *o.Redis
	shared.SealKey = bytes.Repeat([]byte{9}, 32)
	strange.Redis = &shared
	forger := open(t, strange)
	heard := hears(c)
	subscribed(t, s, c, 1)
	for _, message := range [][]byte{nil, []byte("9"), forger.SealedAnnouncement(c, 9), c.SealedAnnouncement(c, 0), c.SealedAnnouncement(c, -9)} {
		if err := s.Client().Publish(context.Background(), c.Channel(), message).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Announce(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	if v := next(heard); v != 10 {
		t.Fatal(v)
	}
	if n := get(counted, func() int { return counted.unsealed[facts.KindAnnouncement] }); n != 5 {
		t.Fatalf("%d forged ones counted", n)
	}
}

// Who was deaf for a while is told to look for itself.
func TestLostSubscription(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, options(s))
	heard := hears(c)
	subscribed(t, s, c, 1)
	for len(heard) > 0 {
		<-heard
	}
	s.Kill()
	s.Restart()
	if v := <-heard; v != 0 {
		t.Fatal(v)
	}
	subscribed(t, s, c, 1)
	eventually(t, "Redis is used again", func() bool { return c.Status().Up })
	if err := c.Announce(context.Background(), 11); err != nil {
		t.Fatal(err)
	}
	if v := next(heard); v != 11 {
		t.Fatal(v)
	}
}

func TestMemoryOnlyAnnouncesNothing(t *testing.T) {
	c := open(t, options(nil))
	c.OnAnnounce(func(int64) { t.Error("called") })
	if err := c.Announce(context.Background(), 1); !errors.Is(err, facts.ErrNotShared) {
		t.Fatal(err)
	}
}
