package trustlist_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/keys/trustlist"
)

var errDown = &fetch.Error{Host: "trust.example", Reason: fetch.Dial}

func TestStartPutsTheListInForce(t *testing.T) {
	root := rootKeys()[0]
	s, log := &server{token: signed(t, encode(t, listOf(7, nil)), root)}, &told{}
	k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), OnList: log.list, OnRefused: log.refuse})
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := k.Status(); got.Version != 7 || !got.Reachable || got.FromDisk || got.Refused != "" {
		t.Errorf("status %+v", got)
	}
	if !slices.Equal(log.lists, []int64{7}) || log.last.Provinces[0].Issuers[0].Divisions[0] != "31" {
		t.Errorf("told of %v", log.lists)
	}
}

func TestStartWithoutAnyListFails(t *testing.T) {
	s := &server{err: errDown}
	k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, rootKeys()[0]), Dir: t.TempDir()})
	wantReason(t, k.Start(t.Context()), trustlist.Fetch)
}

// A restart with the source down finds the last good list, and the promise not
// to go back.
func TestRestart(t *testing.T) {
	root, dir := rootKeys()[0], t.TempDir()
	dead := object{"thumbprint": string(rootKeys()[3].Public().Thumbprint()), "revoked_at": 1, "reason": "compromised"}
	list7 := signed(t, encode(t, listOf(7, object{"revoked_keys": []any{dead}})), root)
	list8 := signed(t, encode(t, listOf(8, nil)), root)
	s := &server{token: list7}
	config := trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: dir}
	first := open(t, config)
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.serve(list8, nil)
	if err := first.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}

	s.serve(nil, errDown)
	second := open(t, config)
	if _, ok := second.Remembered()[rootKeys()[3].Public().Thumbprint()]; !ok {
		t.Error("a revoked key was forgotten because a later list does not name it")
	}
	if err := second.Start(t.Context()); err != nil {
		t.Fatalf("with a last good list on disk: %v", err)
	}
	if got := second.Status(); got.Version != 8 || !got.FromDisk || got.Reachable || got.Refused != trustlist.Fetch {
		t.Errorf("status %+v", got)
	}
	s.serve(list7, nil)
	wantReason(t, second.Reload(t.Context()), trustlist.Rollback)
	s.serve(list8, nil)
	if err := second.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if got := second.Status(); got.Version != 8 || got.FromDisk || !got.Reachable || got.Refused != "" {
		t.Errorf("status %+v", got)
	}
}

func TestDamagedStateStopsTheStart(t *testing.T) {
	root, dir := rootKeys()[0], t.TempDir()
	config := trustlist.Config{Source: address, Fetch: &server{token: signed(t, encode(t, listOf(7, nil)), root)}, Roots: pin(t, 1, root), Dir: dir}
	if err := open(t, config).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(stateOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"empty":     {},
		"cut short": good[:len(good)/2],
		"one byte":  bytes.Replace(good, []byte("version 7"), []byte("version 1"), 1),
		"garbage":   []byte("<html>disk</html>"),
		"longer":    append(slices.Clone(good), "x"...),
	} {
		if bytes.Equal(bad, good) {
			t.Fatalf("%s: nothing changed", name)
		}
		write(t, stateOf(dir), bad)
		_, err := trustlist.Open(config)
		if wantReason(t, err, trustlist.State); err == nil {
			t.Errorf("%s: an unreadable memory counts as an empty one", name)
		}
	}
	write(t, stateOf(dir), good)
	if _, err := trustlist.Open(config); err != nil {
		t.Error(err)
	}
}

// A list that cannot be written down is put in force all the same, is reported,
// and is written as soon as that is possible.
func TestStateThatCannotBeWritten(t *testing.T) {
	root, dir := rootKeys()[0], filepath.Join(t.TempDir(), "state")
	s, log := &server{token: signed(t, encode(t, listOf(7, nil)), root)}, &told{}
	config := trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: dir, OnList: log.list, OnRefused: log.refuse}
	k := open(t, config)
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.serve(signed(t, encode(t, listOf(8, nil)), root), nil)
	if err := k.Reload(t.Context()); err != nil {
		t.Fatalf("the kill switch waits for the disk: %v", err)
	}
	if got := k.Status(); got.Version != 8 || !got.Unsaved || !slices.Equal(log.refused, []trustlist.Reason{trustlist.State}) {
		t.Errorf("status %+v, counted %v", got, log.refused)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.Status().Unsaved {
		t.Error("still unsaved after the disk came back")
	}
	s.serve(nil, errDown)
	again := open(t, config)
	if err := again.Start(t.Context()); err != nil || again.Status().Version != 8 {
		t.Errorf("after a restart: version %d, %v", again.Status().Version, err)
	}
}

func TestClockBehindAtStart(t *testing.T) {
	root := rootKeys()[0]
	ahead := listOf(7, object{"iat": time.Now().Add(time.Hour).Unix()})
	s := &server{token: signed(t, encode(t, ahead), root)}
	config := trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: t.TempDir(), Skew: time.Minute}
	wantReason(t, open(t, config).Start(t.Context()), trustlist.Clock)
	// Within the skew it is taken.
	config.Skew = 2 * time.Hour
	if err := open(t, config).Start(t.Context()); err != nil {
		t.Error(err)
	}
	// And what was accepted once shows a clock that was set back.
	config.Skew = time.Minute
	s.serve(nil, errDown)
	wantReason(t, open(t, config).Start(t.Context()), trustlist.Clock)
}

func TestRepin(t *testing.T) {
	a, b := rootKeys()[0], rootKeys()[1]
	s := &server{token: signed(t, encode(t, listOf(7, nil)), a), etags: true}
	k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, a)})
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantReason(t, k.Repin(t.Context(), pin(t, 1, b)), trustlist.UnknownRoot)
	if err := k.Reload(t.Context()); err != nil {
		t.Errorf("the old roots do not hold after a failed change: %v", err)
	}
	s.serve(signed(t, encode(t, listOf(8, nil)), a, b), nil)
	if err := k.Repin(t.Context(), pin(t, 1, b)); err != nil {
		t.Error(err)
	}
	s.serve(signed(t, encode(t, listOf(9, nil)), a), nil)
	wantReason(t, k.Reload(t.Context()), trustlist.UnknownRoot)
}

// run runs a keeper in the bubble until the test ends.
func run(t *testing.T, k *trustlist.Keeper) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
}

func TestRefreshAndRetry(t *testing.T) {
	root := rootKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		s := &server{token: signed(t, encode(t, listOf(7, nil)), root), etags: true}
		k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Refresh: 5 * time.Minute})
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, k)
		s.serve(signed(t, encode(t, listOf(8, nil)), root), nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := k.Status().Version; got != 8 {
			t.Fatalf("version %d after one refresh time", got)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := k.Status(); time.Since(got.LastSuccess) > 5*time.Minute || got.Refused != "" {
			t.Errorf("after an unchanged list: %+v", got)
		}

		s.serve(nil, errDown)
		before := s.count()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		// 5, 10, 20, 40, 80, 160 s and so on after the first failure, which comes
		// within five minutes.
		if n := s.count() - before; n < 5 || n > 9 {
			t.Errorf("%d fetches in ten minutes", n)
		}
		if got := k.Status(); got.Version != 8 || got.Reachable || got.Refused != trustlist.Fetch {
			t.Errorf("while the source is down: %+v", got)
		}
	})
}

func TestHints(t *testing.T) {
	root := rootKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		s := &server{token: signed(t, encode(t, listOf(7, nil)), root)}
		k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Refresh: time.Hour})
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, k)
		s.serve(signed(t, encode(t, listOf(8, nil)), root), nil)
		k.OnHint(8)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := k.Status().Version; got != 8 {
			t.Fatalf("version %d a second after the hint", got)
		}
		k.OnHint(8) // known
		before := s.count()
		// Lies, a thousand a second: whoever can write to Redis can tell them.
		for range 10_000 {
			k.OnHint(1 << 40)
			time.Sleep(time.Millisecond)
		}
		if n := s.count() - before; n > 6 {
			t.Errorf("%d fetches for ten seconds of false hints", n)
		}
		// Peace, then a true one.
		time.Sleep(2 * time.Minute)
		s.serve(signed(t, encode(t, listOf(9, nil)), root), nil)
		k.OnHint(9)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := k.Status().Version; got != 9 {
			t.Errorf("version %d a second after a true hint", got)
		}
	})
}

func TestFileIsWatched(t *testing.T) {
	root := rootKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "list.jwt")
		write(t, file, append(signed(t, encode(t, listOf(7, nil)), root), '\n'))
		k := open(t, trustlist.Config{Source: file, Roots: pin(t, 1, root), Refresh: time.Hour})
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, k)
		notice := func(want int64, refused trustlist.Reason) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := k.Status(); got.Version != want || got.Refused != refused {
				t.Errorf("version %d, refused %q; want %d, %q", got.Version, got.Refused, want, refused)
			}
		}
		write(t, file, signed(t, encode(t, listOf(8, nil)), root))
		notice(8, "")
		write(t, file, []byte("<html>"))
		notice(8, trustlist.Malformed)
		write(t, file, signed(t, encode(t, listOf(7, nil)), root))
		notice(8, trustlist.Rollback)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		wantReason(t, k.Reload(t.Context()), trustlist.Fetch)
		write(t, file, signed(t, encode(t, listOf(9, nil)), root))
		notice(9, "")
	})
}

func TestExpiryInForce(t *testing.T) {
	root := rootKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		token := signed(t, encode(t, listOf(7, nil)), root)
		s, log := &server{token: token, etags: true}, &told{}
		dir := t.TempDir()
		config := trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: dir, Refresh: time.Hour, OnList: log.list}
		k := open(t, config)
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, k)
		book := keys.NewBook(k.Remembered(), keys.Terms{MaxStale: time.Hour})
		book.SetList(log.last)
		if life := k.Status().Life(time.Now().Add(84 * time.Hour)); life < 0.49 || life > 0.51 {
			t.Errorf("life %v half way", life)
		}
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if got := k.Status(); got.Version != 7 || got.Refused != trustlist.Expired || got.Life(time.Now()) != 1 {
			t.Errorf("frozen for a week: %+v", got)
		}
		if !book.Current().Expired(time.Now()) {
			t.Error("the snapshot has not expired")
		}
		// A restart knows it still, as expired, and waits for a newer one.
		again := open(t, config)
		if err := again.Start(t.Context()); err != nil {
			t.Errorf("a restart with an expired list: %v", err)
		}
		if got := again.Status(); got.Version != 7 || !got.FromDisk {
			t.Errorf("after the restart: %+v", got)
		}
	})
}

func TestReloadGivesUpWithItsCaller(t *testing.T) {
	root := rootKeys()[0]
	k := open(t, trustlist.Config{Source: address, Fetch: &server{token: signed(t, encode(t, listOf(7, nil)), root)}, Roots: pin(t, 1, root)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Reload(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Two processes may use one folder: neither loses what the other learned.
func TestSharedFolder(t *testing.T) {
	root, dir := rootKeys()[0], t.TempDir()
	dead := func(i int) object {
		return object{"revoked_keys": []any{object{"thumbprint": string(rootKeys()[i].Public().Thumbprint()), "revoked_at": 1, "reason": "compromised"}}}
	}
	s1, s2 := &server{token: signed(t, encode(t, listOf(7, dead(1))), root)}, &server{token: signed(t, encode(t, listOf(9, dead(2))), root)}
	first := open(t, trustlist.Config{Source: address, Fetch: s1, Roots: pin(t, 1, root), Dir: dir})
	second := open(t, trustlist.Config{Source: address, Fetch: s2, Roots: pin(t, 1, root), Dir: dir})
	for _, k := range []*trustlist.Keeper{second, first} { // 9 is written, then 7
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, trustlist.Config{Source: address, Fetch: &server{err: errDown}, Roots: pin(t, 1, root), Dir: dir})
	if err := again.Start(t.Context()); err != nil || again.Status().Version != 9 {
		t.Errorf("version %d after a restart, %v", again.Status().Version, err)
	}
	if n := len(again.Remembered()); n != 2 {
		t.Errorf("%d revoked keys are remembered, want 2", n)
	}
	// A process that holds the lock and does not let go costs a moment, not the list.
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s2.serve(signed(t, encode(t, listOf(10, nil)), root), nil)
	if err := second.Reload(t.Context()); err != nil || second.Status().Version != 10 || !second.Status().Unsaved {
		t.Errorf("%v, %+v", err, second.Status())
	}
}
