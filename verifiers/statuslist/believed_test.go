package statuslist_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/statuslist"
)

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
