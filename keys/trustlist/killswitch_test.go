package trustlist_test

import (
	"testing"
	"testing/synctest"
	"time"

	"tongyan/keys"
	"tongyan/keys/trustlist"
)

// The kill switch, from the list to what a request sees: within one refresh on
// the gateway that polls, within a second on its peer that gets a hint, and for
// ever after, restarts and forgetful lists included.
func TestKillSwitch(t *testing.T) {
	root, stolen := rootKeys()[0], rootKeys()[2].Public()
	kill := func(version int64, reason string, at int64) []byte {
		return signed(t, encode(t, listOf(version, object{"revoked_keys": []any{
			object{"thumbprint": string(stolen.Thumbprint()), "revoked_at": at, "reason": reason}}})), root)
	}
	synctest.Test(t, func(t *testing.T) {
		const refresh = 30 * time.Second
		s := &server{token: signed(t, encode(t, listOf(7, nil)), root)}
		type gateway struct {
			keeper *trustlist.Keeper
			book   *keys.Book
		}
		start := func(dir string, refresh time.Duration, told func(*keys.List)) gateway {
			var g gateway
			g.keeper = open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: dir, Refresh: refresh,
				OnList: func(l *keys.List) {
					g.book.SetList(l)
					if told != nil {
						told(l)
					}
				}})
			g.book = keys.NewBook(g.keeper.Remembered(), keys.Terms{})
			if err := g.keeper.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			return g
		}
		ends := func(g gateway, iat int64) bool {
			r, ok := g.book.Current().Revocation(stolen)
			return ok && r.Ends(iat)
		}
		dir := t.TempDir()
		peer := start(t.TempDir(), time.Hour, nil)
		var heard time.Time
		first := start(dir, refresh, func(l *keys.List) { // what pub/sub would carry
			heard = time.Now()
			peer.keeper.OnHint(l.Version)
		})
		run(t, peer.keeper)
		run(t, first.keeper)
		now := time.Now().Unix()
		if ends(first, now) || ends(peer, now) {
			t.Fatal("dead before it was revoked")
		}

		// Superseded: what was issued before stays good.
		s.serve(kill(8, "superseded", now-100), nil)
		published := time.Now()
		time.Sleep(refresh + 100*time.Millisecond)
		synctest.Wait()
		if !ends(first, now-100) || ends(first, now-101) {
			t.Error("superseded: not from revoked_at on")
		}
		if heard.Sub(published) > refresh+100*time.Millisecond {
			t.Errorf("loaded after %v", heard.Sub(published))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !ends(peer, now) || peer.keeper.Status().Version != 8 {
			t.Error("the peer did not follow the hint within a second")
		}

		// Compromised: nothing of it is good any more, whenever issued.
		s.serve(kill(9, "compromised", now), nil)
		time.Sleep(refresh + 100*time.Millisecond)
		synctest.Wait()
		if !ends(first, 0) {
			t.Error("compromised: an old credential lives on")
		}

		// Later lists forget it, or say less; the gateways do not.
		s.serve(signed(t, encode(t, listOf(10, nil)), root), nil)
		time.Sleep(refresh + 100*time.Millisecond)
		s.serve(kill(11, "superseded", now), nil)
		time.Sleep(refresh + time.Second)
		synctest.Wait()
		if v := first.keeper.Status().Version; v != 11 || !ends(first, 0) || !ends(peer, 0) {
			t.Errorf("version %d brought the key back", v)
		}
		again := start(dir, refresh, nil)
		if !ends(again, 0) {
			t.Error("a restart brought the key back")
		}
	})
}
