package jwks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/keys/jwks"
)

func TestRemovedAndMovedIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		dir := t.TempDir()
		w.set(shanghai, func(p *page) { p.body = setOf(0) })
		w.set(jiangsu, func(p *page) { p.body = setOf(1) })
		c := log.config(w)
		c.Dir = dir
		k := open(t, c)
		k.Follow(sourcesOf(shanghai, jiangsu))
		k.WaitFirst(t.Context())
		synctest.Wait()
		if n := len(files(t, dir)); n != 2 {
			t.Fatalf("%d files on disk", n)
		}
		// A fetch of the dropped issuer is under way, and must come to nothing.
		w.set(jiangsu, func(p *page) { p.slow = time.Second })
		go k.Refetch(t.Context(), jiangsu)
		synctest.Wait()
		k.Follow(sourcesOf(shanghai))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if log.has(jiangsu, "k1") || !slices.Equal(log.gone, []keys.Issuer{jiangsu}) {
			t.Error("a dropped issuer keeps its keys")
		}
		if _, ok := k.Status(jiangsu); ok || len(files(t, dir)) != 1 {
			t.Error("a dropped issuer is remembered")
		}
		// Another address: what came from the old one counts no more.
		k.Follow([]jwks.Source{{Issuer: shanghai, URL: "https://elsewhere.example/jwks.json"}})
		synctest.Wait()
		if log.has(shanghai, "k0") {
			t.Error("keys from an address that the list does not name any more")
		}
	})
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.keys"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLastGoodSetOnDisk(t *testing.T) {
	dir := t.TempDir()
	down := func(p *page) { p.err = &fetch.Error{Reason: fetch.Dial} }
	// start follows Shanghai in a new process, with its server up or down.
	start := func(t *testing.T, w *web) (*told, jwks.Status) {
		log := &told{}
		c := log.config(w)
		c.Dir = dir
		k := open(t, c)
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		synctest.Wait()
		s, _ := k.Status(shanghai)
		return log, s
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWeb()
		w.set(shanghai, func(p *page) { p.body = setOf(0) })
		start(t, w)
		w.set(shanghai, down)
		time.Sleep(23 * time.Hour)
		log, s := start(t, w)
		if !log.has(shanghai, "k0") || !s.FromDisk || time.Since(s.Renewed) < 23*time.Hour {
			t.Errorf("after 23 hours: %+v", s)
		}
		time.Sleep(2 * time.Hour)
		if log, _ := start(t, w); log.has(shanghai, "k0") {
			t.Error("a set beyond max_stale came back")
		}
	})
	// The bubble's clock began in 2000 again: its file is from the past of this one.
	synctest.Test(t, func(t *testing.T) {
		w := newWeb()
		w.set(shanghai, func(p *page) { p.body = setOf(0) })
		start(t, w)
		w.set(shanghai, down)
		all := files(t, dir)
		good, err := os.ReadFile(all[0])
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]string{
			"cut":      string(good[:len(good)/2]),
			"empty":    "",
			"one byte": strings.Replace(string(good), "tongyan key set 1", "tongyan key set 2", 1),
		} {
			if err := os.WriteFile(all[0], []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if log, _ := start(t, w); log.has(shanghai, "k0") {
				t.Errorf("%s: a damaged file was used", name)
			}
		}
	})
}
