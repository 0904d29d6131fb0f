package statuslist_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/statuslist"
)

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
