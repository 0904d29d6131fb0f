package statuslist_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/statuslist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a keeper with a fake host and a book, in a bubble of its own time.
type world struct {
	*testing.T
	*statuslist.Keeper
	host *host
	book *keys.Book

	mu      sync.Mutex
	fetches []statuslist.Reason // what came of each
}

// inBubble runs a test of one keeper. options may set more than the defaults.
func inBubble(t *testing.T, options func(*statuslist.Options), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, host: &host{t: t}, book: newBook(t)}
		w.host.give(func() *draft { return newList(time.Now(), 2, 0b10_01_00_00, 0b11) })
		o := statuslist.Options{Fetch: w.host, Trust: w.book, OnFetch: func(iss keys.Issuer, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fetches = append(w.fetches, reasonOf(err))
		}}
		if options != nil {
			options(&o)
		}
		w.Keeper = statuslist.New(o)
		defer w.Close()
		test(w)
	})
}

func (w *world) ask(index int64) verifiers.StatusEvidence {
	w.Helper()
	return w.askAt(listURI, index)
}

func (w *world) askAt(uri string, index int64) verifiers.StatusEvidence {
	w.Helper()
	got := w.Lookup(w.Context(), shanghai, verifiers.StatusRef{URI: uri, Index: index}, w.book.Current(), time.Now())
	if !got.Sought {
		w.Error("not marked as sought")
	}
	if !got.Had && got != (verifiers.StatusEvidence{Sought: true}) {
		w.Errorf("no list, yet it says %+v", got)
	}
	return got
}

func (w *world) lastFetch() statuslist.Reason {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.fetches) == 0 {
		return "none"
	}
	return w.fetches[len(w.fetches)-1]
}

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

// expired returns a context that allows no waiting.
func expired(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
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
		if n := w.host.count(); n < 40 || n > 80 {
			t.Errorf("%d fetches in an hour of outage", n)
		}
		w.host.give(func() *draft { return newList(time.Now(), 2, 0) })
		time.Sleep(75 * time.Second)
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
		for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute} {
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

// No wrong list is ever believed, and none takes the place of a good one.
func TestNeverBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		edit   func(*draft)
		reason statuslist.Reason
	}{
		"signed by another province": {func(d *draft) { d.key = jsKey }, statuslist.BadSignature},
		"of another address":         {func(d *draft) { d.claims["sub"] = "https://ebl.sh.example/status/2" }, statuslist.WrongSubject},
		"expired":                    {func(d *draft) { d.claims["exp"] = time.Now().Unix() - 1 }, statuslist.NotCurrent},
		"older than one seen":        {func(d *draft) { d.claims["iat"] = time.Now().Unix() - 250 }, statuslist.RolledBack},
		"of a wrong stream":          {func(d *draft) { d.list()["lst"] = "AAAA" }, statuslist.BadStream},
	} {
		inBubble(t, nil, func(w *world) {
			w.ask(0)
			wrong := func() *draft {
				d := newList(time.Now(), 2, 0xff)
				tc.edit(d)
				return d
			}
			w.host.give(wrong)
			time.Sleep(4 * time.Minute)
			if w.lastFetch() != tc.reason {
				t.Errorf("%s: last fetch: %s, want %s", name, w.lastFetch(), tc.reason)
			}
			if e := w.ask(0); !e.Had || e.Value != 0 {
				t.Errorf("%s: before the good list's end: %+v", name, e)
			}
			time.Sleep(time.Minute)
			if e := w.ask(0); tc.reason != statuslist.RolledBack && e.Had {
				t.Errorf("%s: after the good list's end: %+v", name, e)
			}
		})
	}
}

// A key that is revoked takes its lists with it at the next question, and a
// list signed with another key takes their place.
func TestRevokedKey(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		if !w.ask(0).Had {
			t.Fatal("no list")
		}
		w.book.SetList(trustList(t, func(l *keys.List) {
			l.Version = 2
			l.Revoked[l.Provinces[0].Issuers[0].Inline.Key("k1").Thumbprint()] = keys.Revocation{Reason: "compromised"}
		}))
		if e := w.ask(0); e.Had {
			t.Errorf("a list of a revoked key: %+v", e)
		}
		w.host.give(func() *draft {
			d := newList(time.Now(), 2, 1)
			d.header["kid"], d.key = "k2", shNewKey
			return d
		})
		time.Sleep(10 * time.Second)
		if e := w.ask(0); !e.Had || e.Value != 1 {
			t.Errorf("a list of the new key: %+v", e)
		}
	})
}

// A list signed with a key that is new to us has the issuer's set renewed.
func TestUnknownKey(t *testing.T) {
	var w *world
	asked := 0
	inBubble(t, func(o *statuslist.Options) {
		o.Refetch = func(_ context.Context, iss keys.Issuer) bool {
			asked++
			w.book.SetList(trustList(t, func(l *keys.List) {
				l.Provinces[0].Issuers[0].Inline = set(t, jwk("k1", shKey), jwk("k3", key(9)))
			}))
			return iss == shanghai
		}
	}, func(in *world) {
		w = in
		w.host.give(func() *draft {
			d := newList(time.Now(), 2, 1)
			d.header["kid"], d.key = "k3", key(9)
			return d
		})
		// The first answer is worked out from the snapshot before.
		w.ask(0)
		if e := w.ask(0); !e.Had || e.Value != 1 || asked != 1 || w.host.count() != 1 {
			t.Errorf("%+v, key set asked for %d times", e, asked)
		}
	})
}

// Nothing is fetched because a credential names it, only because the trust list
// allows it.
func TestAddresses(t *testing.T) {
	// One place, which the list at hand has: who names another address does not
	// get it.
	inBubble(t, func(o *statuslist.Options) { o.MaxListsPerIssuer = 1 }, func(w *world) {
		w.ask(0)
		for _, uri := range []string{
			"", "https://ebl.sh.example/status", "https://ebl.sh.example/status.evil/1", "https://ebl.sh.example/statusx",
			"https://ebl.sh.example.evil.example/status/1", "https://ebl.sh.example@evil.example/status/1",
			"https://user@ebl.sh.example/status/1", "http://ebl.sh.example/status/1", "https://ebl.sh.example:444/status/1",
			"https://ebl.sh.example/status/../admin", "https://ebl.sh.example/status/%2e%2e/admin", "https://ebl.sh.example/status/./1",
			"https://ebl.sh.example/status/..%2fadmin", "https://ebl.sh.example/status//1", `https://ebl.sh.example/status/\..\1`,
			"https://ebl.sh.example/status/1#x", "https://ebl.sh.example/status/1\n", "HTTPS://ebl.sh.example/status/1",
			"https://EBL.sh.example/status/1", "https://ebl.js.example/status/1", "file:///etc/passwd", "https://ebl.sh.example/status/é",
		} {
			if e := w.askAt(uri, 0); e.Had {
				t.Errorf("%q: %+v", uri, e)
			}
		}
		// A stranger's, a malformed one, and one of a kind we do not know.
		for _, iss := range []keys.Issuer{"https://evil.example", ""} {
			w.Lookup(w.Context(), iss, verifiers.StatusRef{URI: listURI}, w.book.Current(), time.Now())
		}
		w.Lookup(w.Context(), shanghai, verifiers.StatusRef{URI: listURI, Malformed: true}, w.book.Current(), time.Now())
		w.Lookup(w.Context(), shanghai, verifiers.StatusRef{}, w.book.Current(), time.Now())
		w.Lookup(w.Context(), shanghai, verifiers.StatusRef{URI: listURI}, new(keys.Snapshot), time.Now())
		if !w.ask(0).Had || w.host.count() != 1 {
			t.Errorf("fetched %q", w.host.calls)
		}
		// A list at hand no longer counts where the trust list takes the prefix back.
		w.book.SetList(trustList(t, func(l *keys.List) {
			l.Provinces[0].Issuers[0].StatusLists = []string{"https://ebl.sh.example/other/"}
		}))
		if w.ask(0).Had {
			t.Error("a list from an address that is no longer allowed")
		}
		// One issuer's list does not answer for another, although the other's
		// prefix covers it.
		w.book.SetList(trustList(t, func(l *keys.List) {
			l.Provinces[1].Issuers[0].StatusLists = []string{"https://ebl.sh.example/status/"}
		}))
		if e := w.Lookup(w.Context(), jiangsu, verifiers.StatusRef{URI: listURI}, w.book.Current(), time.Now()); e.Had {
			t.Errorf("Shanghai's list answers for Jiangsu: %+v", e)
		}
		if !w.ask(0).Had {
			t.Error("Shanghai's own is gone")
		}
	})
}

// Gateways that share a store fetch a list once, and verify what they find.
func TestStore(t *testing.T) {
	shared := &store{}
	sharing := func(o *statuslist.Options) { o.Store = shared }
	inBubble(t, sharing, func(w *world) {
		w.ask(0)
		second := statuslist.New(statuslist.Options{Fetch: w.host, Trust: w.book, Store: shared})
		defer second.Close()
		ref := verifiers.StatusRef{URI: listURI, Index: 3}
		if e := second.Lookup(w.Context(), shanghai, ref, w.book.Current(), time.Now()); !e.Had || e.Value != 2 {
			t.Errorf("from the store: %+v", e)
		}
		for range 12 * 60 {
			time.Sleep(5 * time.Second)
			for _, k := range []*statuslist.Keeper{w.Keeper, second} {
				if !k.Lookup(expired(w.Context()), shanghai, ref, w.book.Current(), time.Now()).Had {
					t.Fatal("a list was not renewed ahead of its end")
				}
			}
		}
		if n := w.host.count(); n < 12 || n > 26 || n != shared.saves {
			t.Errorf("two gateways made %d fetches in an hour, and %d saves", n, shared.saves)
		}
	})
	// Whoever writes to the store can make nobody believe anything.
	for name, lie := range map[string]func() []byte{
		"garbage":     func() []byte { return []byte("x") },
		"another key": func() []byte { d := newList(time.Now(), 2, 0xff); d.key = jsKey; return d.bytes() },
		"ended":       func() []byte { return newList(time.Now().Add(-time.Hour), 2, 0xff).bytes() },
	} {
		inBubble(t, sharing, func(w *world) {
			shared.mu.Lock()
			for k := range shared.tokens {
				shared.tokens[k] = lie()
			}
			shared.mu.Unlock()
			if e := w.ask(0); !e.Had || e.Value != 0 || w.host.count() != 1 {
				t.Errorf("%s: %+v", name, e)
			}
		})
	}
	// Nor put back what was seen to be replaced.
	inBubble(t, sharing, func(w *world) {
		old := newList(time.Now().Add(-10*time.Second), 2, 0xff).bytes()
		w.ask(0)
		w.host.fail(errors.New("down"))
		shared.mu.Lock()
		for k := range shared.tokens {
			shared.tokens[k] = old
		}
		shared.mu.Unlock()
		time.Sleep(4 * time.Minute)
		if e := w.ask(0); !e.Had || e.Value != 0 {
			t.Errorf("rolled back by the store: %+v", e)
		}
	})
}

// What was seen is remembered also of a list that had to make room, and lists
// that crowd each other out are not fetched at every question.
func TestMadeRoom(t *testing.T) {
	const first, second = "https://ebl.sh.example/status/1", "https://ebl.sh.example/status/2"
	anyList := func(uri string) ([]byte, error) {
		d := newList(time.Now(), 2, 1)
		d.claims["sub"] = uri
		return d.bytes(), nil
	}
	inBubble(t, func(o *statuslist.Options) { o.MaxBytesPerIssuer = 1 }, func(w *world) {
		w.host.set(anyList)
		for range 50 {
			w.askAt(first, 0)
			w.askAt(second, 0)
		}
		if n := w.host.count(); n != 2 {
			t.Errorf("%d fetches in no time", n)
		}
	})
	shared := &store{}
	inBubble(t, func(o *statuslist.Options) { o.Store, o.MaxBytesPerIssuer = shared, 1 }, func(w *world) {
		w.host.set(anyList)
		w.askAt(first, 0)
		time.Sleep(time.Minute)
		if e := w.askAt(second, 0); !e.Had || e.Value != 1 {
			t.Fatalf("second list: %+v", e)
		}
		if lists, _ := w.Status(); lists != 1 {
			t.Fatalf("%d lists in the place of one", lists)
		}
		w.host.fail(errors.New("down"))
		old := newList(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-10*time.Second), 2, 0)
		shared.mu.Lock()
		for k := range shared.tokens {
			if strings.HasSuffix(k, first) {
				shared.tokens[k] = old.bytes()
			}
		}
		shared.mu.Unlock()
		if e := w.askAt(first, 0); e.Had {
			t.Errorf("an older list than one seen: %+v", e)
		}
	})
}

// The trust list has the last word: also while a list waits for its turn.
func TestTrustChangesMeanwhile(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.host.hold = make(chan struct{})
		trust := w.book.Current()
		for i := range 5 { // one more than are fetched at a time
			w.Lookup(expired(w.Context()), shanghai, verifiers.StatusRef{URI: fmt.Sprintf("https://ebl.sh.example/status/%d", i)}, trust, time.Now())
		}
		synctest.Wait()
		w.book.SetList(trustList(t, func(l *keys.List) { l.Provinces[0].Issuers[0].StatusLists = nil }))
		close(w.host.hold)
		synctest.Wait()
		if n := w.host.count(); n != 4 {
			t.Errorf("%d fetches, one of them from where nothing may be fetched any more", n)
		}
	})
}

// One issuer can name any number of lists: what is kept stays bounded, and it
// is its own lists that go.
func TestBounds(t *testing.T) {
	const size = 64 << 10
	inBubble(t, func(o *statuslist.Options) {
		o.MaxBytes, o.MaxBytesPerIssuer, o.MaxListsPerIssuer = 8*size, 4*size+4<<10, 6
	}, func(w *world) {
		w.host.set(func(uri string) ([]byte, error) {
			d := newList(time.Now(), 8, make([]byte, size)...)
			d.claims["sub"] = uri
			if strings.Contains(uri, ".js.") {
				d.claims["iss"], d.key = jiangsu, jsKey
			}
			return d.bytes(), nil
		})
		js := verifiers.StatusRef{URI: "https://ebl.js.example/status/1"}
		if !w.Lookup(w.Context(), jiangsu, js, w.book.Current(), time.Now()).Had {
			t.Fatal("no list of Jiangsu")
		}
		for i := range 50 {
			time.Sleep(10 * time.Millisecond)
			if !w.askAt(fmt.Sprintf("https://ebl.sh.example/status/%d", i), 0).Had {
				t.Fatalf("list %d could not be had", i)
			}
			if lists, bytes := w.Status(); lists > 5 || bytes > 6*size {
				t.Fatalf("%d lists, %d bytes are kept", lists, bytes)
			}
		}
		calls := w.host.count()
		if !w.Lookup(w.Context(), jiangsu, js, w.book.Current(), time.Now()).Had || w.host.count() != calls {
			t.Error("Shanghai's lists crowded out Jiangsu's")
		}
		if !w.askAt("https://ebl.sh.example/status/49", 0).Had || w.host.count() != calls {
			t.Error("the newest list went")
		}
	})
	// Lists under way are bounded too, by number and by turns.
	inBubble(t, func(o *statuslist.Options) { o.MaxListsPerIssuer = 6 }, func(w *world) {
		w.host.hold = make(chan struct{})
		for i := range 20 {
			w.Lookup(expired(w.Context()), shanghai, verifiers.StatusRef{URI: fmt.Sprintf("https://ebl.sh.example/status/%d", i)}, w.book.Current(), time.Now())
		}
		synctest.Wait()
		if n := w.host.count(); n != 4 {
			t.Errorf("%d fetches at a time", n)
		}
		close(w.host.hold)
		synctest.Wait()
		if n := w.host.count(); n != 6 {
			t.Errorf("%d fetches for 6 places", n)
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

func BenchmarkLookup(b *testing.B) {
	h, book := &host{t: b}, newBook(b)
	h.give(func() *draft { d := newList(time.Now(), 1, make([]byte, 1<<17)...); d.claims["ttl"] = 3600; return d })
	k := statuslist.New(statuslist.Options{Fetch: h, Trust: book})
	defer k.Close()
	ref := verifiers.StatusRef{URI: listURI, Index: 777777}
	ctx, trust, now := b.Context(), book.Current(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if e := k.Lookup(ctx, shanghai, ref, trust, now); !e.Had || e.Outside {
			b.Fatal(e)
		}
	}
}

func BenchmarkLookupParallel(b *testing.B) {
	h, book := &host{t: b}, newBook(b)
	h.give(func() *draft { d := newList(time.Now(), 1, make([]byte, 1<<17)...); d.claims["ttl"] = 3600; return d })
	k := statuslist.New(statuslist.Options{Fetch: h, Trust: book})
	defer k.Close()
	ref := verifiers.StatusRef{URI: listURI, Index: 777777}
	ctx, trust, now := b.Context(), book.Current(), time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if e := k.Lookup(ctx, shanghai, ref, trust, now); !e.Had {
				b.Error(e)
			}
		}
	})
}
