package statuslist_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tongyan/fetch"
	"tongyan/verifiers"
	"tongyan/verifiers/statuslist"
)

func TestLookup(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for index, want := range map[int64]verifiers.StatusEvidence{
			0: {Value: 0}, 2: {Value: 1}, 3: {Value: 2}, 4: {Value: 3}, 7: {Value: 0}, 8: {Outside: true}, 1 << 40: {Outside: true},
		} {
			want.Sought, want.Had, want.Ends = true, true, time.Now().Add(5*time.Minute)
			got := w.ask(index)
			if !got.Ends.Equal(want.Ends) {
				t.Errorf("ends %v, want %v", got.Ends, want.Ends)
			}
			if got.Ends = want.Ends; got != want {
				t.Errorf("entry %d: %+v, want %+v", index, got, want)
			}
		}
		if n := w.host.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		if lists, bytes := w.Status(); lists != 1 || bytes < 2 {
			t.Errorf("%d lists, %d bytes", lists, bytes)
		}
	})
}

// Whatever the traffic, one fetch; and a caller waits no longer than it likes,
// while the fetch goes on for the others.
func TestOneFetch(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.host.hold = make(chan struct{})
		impatient, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		ref := verifiers.StatusRef{URI: listURI}
		var group sync.WaitGroup
		got := make([]verifiers.StatusEvidence, 200)
		for i := range got {
			group.Go(func() { got[i] = w.Lookup(w.Context(), shanghai, ref, w.book.Current(), time.Now()) })
		}
		start := time.Now()
		if e := w.Lookup(impatient, shanghai, ref, w.book.Current(), time.Now()); e.Had || time.Since(start) != time.Second {
			t.Errorf("waited %v: %+v", time.Since(start), e)
		}
		close(w.host.hold)
		group.Wait()
		for _, e := range got {
			if !e.Had {
				t.Fatal("somebody did not get the list")
			}
		}
		if n := w.host.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// A list in use is renewed ahead of its end, so that nobody waits; what has
// changed shows within its ttl.
func TestRenewal(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ask(0)
		w.host.give(func() *draft { return newList(time.Now(), 2, 1) })
		revoked := time.Duration(-1)
		start := time.Now()
		for range 12 * 60 {
			time.Sleep(5 * time.Second)
			e := w.Lookup(expired(w.Context()), shanghai, verifiers.StatusRef{URI: listURI}, w.book.Current(), time.Now())
			if !e.Had {
				t.Fatalf("no list after %v, and who cannot wait gets nothing", time.Since(start))
			}
			if e.Value == 1 && revoked < 0 {
				revoked = time.Since(start)
			}
		}
		if revoked < 0 || revoked > 5*time.Minute {
			t.Errorf("the change showed after %v", revoked)
		}
		// In an hour of lists of five minutes: one each 150 to 225 s.
		if n := w.host.count(); n < 15 || n > 26 {
			t.Errorf("%d fetches in an hour", n)
		}
		// Nobody asks any more: after another hour or so neither do we.
		time.Sleep(2 * time.Hour)
		n := w.host.count()
		time.Sleep(2 * time.Hour)
		if lists, _ := w.Status(); w.host.count() != n || lists != 0 {
			t.Errorf("an idle list is still kept (%d) or fetched", lists)
		}
	})
}

// The host is down: the last good list counts until its end, then nothing does;
// it is asked again ever less often, and the first good answer counts at once.
func TestOutage(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.ask(0)
		w.host.fail(&fetch.Error{Reason: fetch.Dial})
		time.Sleep(5*time.Minute - time.Second)
		if e := w.ask(3); !e.Had || e.Value != 2 {
			t.Fatalf("before its end: %+v", e)
		}
		time.Sleep(time.Second)
		for range 60 {
			if e := w.ask(3); e.Had {
				t.Fatalf("after its end: %+v", e)
			}
			time.Sleep(time.Minute)
		}
		if w.lastFetch() != statuslist.NotFetched {
			t.Errorf("last fetch: %s", w.lastFetch())
		}
		if n := w.host.count(); n < 140 || n > 185 {
			t.Errorf("%d fetches in an hour of outage", n)
		}
		w.host.give(func() *draft { return newList(time.Now(), 2, 0) })
		time.Sleep(26 * time.Second) // a try every 20 to 25 s, and a second
		if e := w.Lookup(expired(w.Context()), shanghai, verifiers.StatusRef{URI: listURI}, w.book.Current(), time.Now()); !e.Had {
			t.Error("the list is not back")
		}
	})
}

// Failed fetches are tried again after 5 s, doubling; between them nobody waits
// and nothing is asked.
func TestRetries(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.host.fail(errors.New("down"))
		start := time.Now()
		var at []time.Duration
		for seen := 0; len(at) < 6; {
			before := time.Now()
			w.ask(0)
			if waited := time.Since(before); waited != 0 {
				t.Fatalf("a caller waited %v for a host that is down", waited)
			}
			if n := w.host.count(); n > seen {
				seen, at = n, append(at, time.Since(start))
			}
			time.Sleep(500 * time.Millisecond)
		}
		for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second} {
			if gap := at[i+1] - at[i]; gap < want || gap > want*5/4+2*time.Second {
				t.Errorf("try %d came after %v, want about %v", i+2, gap, want)
			}
		}
	})
	inBubble(t, nil, func(w *world) {
		w.host.fail(&fetch.Error{Reason: fetch.Status, Status: 503, RetryAfter: 50 * time.Second})
		for w.ask(0); w.host.count() < 2; w.ask(0) {
			time.Sleep(time.Second)
		}
		if waited := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); waited < 50*time.Second {
			t.Errorf("asked again after %v, although told to wait 50 s", waited)
		}
	})
}

// A host that never answers costs callers their own patience and the keeper a
// bounded time; Close does not wait for it.
func TestHangingHost(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.host.hold = make(chan struct{})
		start := time.Now()
		if w.ask(0).Had || time.Since(start) > 15*time.Second {
			t.Errorf("waited %v", time.Since(start))
		}
		time.Sleep(10 * time.Second)
		before := time.Now()
		w.Close()
		if time.Since(before) > 0 {
			t.Errorf("Close took %v", time.Since(before))
		}
		if w.ask(0).Had {
			t.Error("a closed keeper has a list")
		}
	})
}

// The check of a status with its list in memory; the issue allows 1 µs.
func BenchmarkLookup(b *testing.B) {
	h, book := &host{t: b}, newBook(b)
	h.give(func() *draft {
		d := newList(time.Now(), 1, make([]byte, 1<<17)...)
		d.claims["ttl"] = 3600
		return d
	})
	k := statuslist.New(statuslist.Options{Fetch: h, Trust: book})
	defer k.Close()
	ref := verifiers.StatusRef{URI: listURI, Index: 777777}
	ctx, trust, now := b.Context(), book.Current(), time.Now()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e := k.Lookup(ctx, shanghai, ref, trust, now); !e.Had || e.Outside {
				b.Fatal(e)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if e := k.Lookup(ctx, shanghai, ref, trust, now); !e.Had {
					b.Error(e)
				}
			}
		})
	})
}
