package facts_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// recalls reports what memory offers without asking anybody.
func recalls(c *facts.Cache, key verifiers.StandingKey, want verifiers.Standing) bool {
	got, ok := c.Recall(key)
	return ok && got == want
}

// informed opens gateways that all have heard of the same standing.
func informed(t *testing.T, s *redistest.Server, key verifiers.StandingKey) (a, b *facts.Cache, old verifiers.Standing) {
	t.Helper()
	a, b = openHearing(t, options(s)), openHearing(t, options(s))
	old = standingAt(key, time.Now().Add(-time.Minute))
	a.KeepStanding(old)
	settled(t, a, s, 1)
	if got, ok := b.Lookup(context.Background(), key); !ok || got != old || !recalls(b, key, old) {
		t.Fatal("the other does not know")
	}
	return a, b, old
}

// One gateway learns of a change: the other does not answer from its own older
// memory any more, whatever its callers' bounds.
func TestNewsReachesTheOthers(t *testing.T) {
	for name, change := range map[string]func(*verifiers.Standing){
		"state":    func(s *verifiers.Standing) { s.State = licence.RegRevoked },
		"approved": func(s *verifiers.Standing) { s.Apprdate = "2025-01-02" },
		"name":     func(s *verifiers.Standing) { s.Entname = "另一名称" },
		"gone":     func(s *verifiers.Standing) { s.Answer, s.State = verifiers.NotRegistered, "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			key := keyOf(someUSCC)
			a, b, _ := informed(t, s, key)
			changed := standingAt(key, time.Now())
			change(&changed)
			a.KeepStanding(changed)
			eventually(t, "the other doubts", func() bool { _, ok := b.Recall(key); return !ok })
			if !recalls(a, key, changed) {
				t.Fatal("who told it doubts too")
			}
			r := newRegistry(key)
			close(r.release)
			got, live, err := b.Standing(context.Background(), key, withinMinutes, r.ask, time.Second)
			if err != nil || live || got != changed || r.asked.Load() != 0 {
				t.Fatalf("got %+v, live %t, error %v, asked %d times", got, live, err, r.asked.Load())
			}
			if !recalls(b, key, changed) {
				t.Fatal("the other still doubts")
			}
		})
	}
}

// What says the same again is no news: it would cost all gateways a look.
func TestTheSameIsNoNews(t *testing.T) {
	s := redistest.Start(t)
	key, next := keyOf(someUSCC), keyOf("next")
	a, b, old := informed(t, s, key)
	heard := s.Client().Subscribe(context.Background(), a.NewsChannel())
	defer heard.Close()
	if _, err := heard.Receive(context.Background()); err != nil {
		t.Fatal(err)
	}
	a.KeepStanding(standingAt(key, time.Now())) // the same answer, newer
	a.KeepStanding(standingAt(next, time.Now()))
	revoked := standingAt(next, time.Now().Add(time.Second))
	revoked.State = licence.RegRevoked
	a.KeepStanding(revoked)
	message, err := heard.ReceiveMessage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if told, err := a.OpenNews(message.Payload); err != nil || told != next {
		t.Fatalf("told of %v, %v", told, err)
	}
	if !recalls(b, key, old) {
		t.Fatal("the other doubts what did not change")
	}
}

// Bad news about a licence that this gateway never heard of is news all the same.
func TestFirstBadNews(t *testing.T) {
	s := redistest.Start(t)
	key := keyOf(someUSCC)
	_, b, _ := informed(t, s, key)
	s.Flush() // and nobody can look up what was known
	stranger := openHearing(t, options(s))
	revoked := standingAt(key, time.Now())
	revoked.State = licence.RegRevoked
	stranger.KeepStanding(revoked)
	eventually(t, "the other doubts", func() bool { _, ok := b.Recall(key); return !ok })
}

// News of what could not be written, or was deleted: the registry is asked, and
// where it does not answer either, the old standing is still the best there is.
func TestNewsOfWhatCannotBeHad(t *testing.T) {
	s := redistest.Start(t)
	key := keyOf(someUSCC)
	a, b, old := informed(t, s, key)
	revoked := standingAt(key, time.Now())
	revoked.State = licence.RegRevoked
	channel := a.NewsChannel()
	if err := s.Client().Publish(context.Background(), channel, a.SealedNews(key, revoked.AskedAt)).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both doubt", func() bool {
		_, ofA := a.Recall(key)
		_, ofB := b.Recall(key)
		return !ofA && !ofB
	})
	if got, ok := b.Lookup(context.Background(), key); !ok || got != old {
		t.Fatal("the old standing is lost")
	}
	silent := newRegistry(key)
	silent.err = verifiers.ErrUnavailable
	close(silent.release)
	if _, _, err := b.Standing(context.Background(), key, withinMinutes, silent.ask, time.Second); !errors.Is(err, verifiers.ErrUnavailable) {
		t.Fatal(err)
	}
	if got, ok := b.Lookup(context.Background(), key); !ok || got != old {
		t.Fatal("the old standing is lost")
	}
	r := newRegistry(key)
	close(r.release)
	if _, live, err := b.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); err != nil || !live {
		t.Fatalf("live %t, error %v", live, err)
	}
	if _, ok := b.Recall(key); !ok {
		t.Fatal("still in doubt")
	}
}

// Forged, foreign, replayed and impossible news change nothing.
func TestFalseNews(t *testing.T) {
	s := redistest.Start(t)
	key := keyOf(someUSCC)
	a, b, old := informed(t, s, key)
	counted := newCounts()
	o := options(s)
	o.Observer = counted.observer()
	openHearing(t, o)
	strange := options(s)
	strange.Redis.SealKey = bytes.Repeat([]byte{9}, 32)
	forger := open(t, strange)
	channel := a.NewsChannel()
	now := time.Now()
	for _, message := range [][]byte{
		nil, []byte("news"), forger.SealedNewsFor(a, key, now), // do not open
		a.SealedNews(key, old.AskedAt), a.SealedNews(key, old.AskedAt.Add(-time.Hour)), // heard before
		a.SealedNews(key, now.Add(time.Hour)), a.SealedNews(keyOf("unknown"), now),
	} {
		if err := s.Client().Publish(context.Background(), channel, message).Err(); err != nil {
			t.Fatal(err)
		}
	}
	// What comes last has been heard by all after what came before it.
	last := keyOf("last")
	for _, gateway := range []*facts.Cache{a, b} {
		gateway.KeepStanding(standingAt(last, now.Add(-time.Minute)))
	}
	if err := s.Client().Publish(context.Background(), channel, a.SealedNews(last, now)).Err(); err != nil {
		t.Fatal(err)
	}
	for _, gateway := range []*facts.Cache{a, b} {
		eventually(t, "the last is heard", func() bool { _, ok := gateway.Recall(last); return !ok })
		if !recalls(gateway, key, old) {
			t.Fatal("false news was heeded")
		}
	}
	eventually(t, "those that do not open are counted", func() bool {
		return get(counted, func() int { return counted.unsealed[facts.KindNews] }) >= 3
	})
}

// Who was deaf for a while looks again before answering from memory; while there
// is nobody to ask, memory serves, and what Redis still has costs no registry call.
func TestDeafForAWhile(t *testing.T) {
	s := redistest.Start(t)
	key := keyOf(someUSCC)
	a, b, old := informed(t, s, key)
	s.Client().ClientKillByFilter(context.Background(), "TYPE", "pubsub")
	eventually(t, "both doubt", func() bool {
		_, ofA := a.Recall(key)
		_, ofB := b.Recall(key)
		return !ofA && !ofB
	})
	r := newRegistry(key)
	close(r.release)
	if got, live, err := b.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); err != nil || live || got != old || r.asked.Load() != 0 {
		t.Fatalf("live %t, error %v, asked %d times", live, err, r.asked.Load())
	}
	if !recalls(b, key, old) {
		t.Fatal("still in doubt")
	}

	// Redis gone: nothing better is to be had, and both answer from memory.
	s.Kill()
	for _, gateway := range []*facts.Cache{a, b} {
		eventually(t, "Redis is left alone", func() bool {
			gateway.Lookup(context.Background(), keyOf("other"))
			return !gateway.Status().Up
		})
		if !recalls(gateway, key, old) {
			t.Fatal("memory does not serve while Redis is gone")
		}
	}
	// Back, and empty: the registry is asked, once for both.
	s.Restart()
	for _, gateway := range []*facts.Cache{a, b} {
		eventually(t, "it doubts", func() bool { _, ok := gateway.Recall(key); return !ok })
	}
	for i, gateway := range []*facts.Cache{a, b} {
		if _, live, err := gateway.Standing(context.Background(), key, withinMinutes, r.ask, time.Second); err != nil || live != (i == 0) {
			t.Fatalf("live %t, error %v", live, err)
		}
		settled(t, gateway, s, 1)
	}
	if n := r.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
}
