package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/sandbox"
)

// With the list's source and every key set's host gone a gateway starts from
// what it kept; with that damaged it says so and does not start.
func TestStartWithoutSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	token := w.good(shanghai)
	g.expect("VALID", "OK", token)
	w.set(w.box.Trust.Endpoint, sandbox.Fault{Mode: sandbox.Gone})
	for _, p := range w.box.Provinces() {
		w.set(p.Keys.Endpoint, sandbox.Fault{Mode: sandbox.Gone})
	}
	g.restart()
	g.expect("VALID", "OK", token)
	if part := g.part("trust list"); part.Detail["from_disk"] != true || part.Detail["reachable"] != false {
		t.Errorf("readyz says %+v", part)
	}
	g.kill()

	// Whoever holds no state and no source trusts nobody.
	empty := &gateway{t: t, w: w, config: g.config, state: g.state}
	kept := g.state + ".kept"
	w.ok(os.Rename(g.state, kept))
	if empty.begin() {
		t.Error("it serves without any trust list")
	}
	empty.refuses("trust list")
	w.ok(os.RemoveAll(g.state))
	w.ok(os.Rename(kept, g.state))

	// Every file of the memory of lists, changed in every way.
	files, err := filepath.Glob(filepath.Join(g.state, "trust", "*"))
	w.ok(err)
	tries := 0
	for _, file := range files {
		whole, err := os.ReadFile(file)
		w.ok(err)
		if len(whole) == 0 {
			continue // a lock holds nothing
		}
		for name, content := range map[string][]byte{
			"a byte changed": flip(whole, len(whole)/2), "the end changed": flip(whole, len(whole)-2),
			"halved": whole[:len(whole)/2], "emptied": {}, "longer": append(bytes.Clone(whole), 'x'),
		} {
			w.ok(os.WriteFile(file, content, 0o600))
			tries++
			tried := &gateway{t: t, w: w, config: g.config, state: g.state}
			if tried.begin() {
				t.Errorf("%s, %s: it serves", filepath.Base(file), name)
				tried.kill()
			} else {
				tried.refuses(filepath.Base(file))
			}
		}
		w.ok(os.WriteFile(file, whole, 0o600))
	}
	if tries == 0 {
		t.Error("nothing was kept of the trust list")
	}
	g.start()
	g.expect("VALID", "OK", token)
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x20
	return b
}

// refuses checks how a gateway that did not start went: with a word, not with 0.
func (g *gateway) refuses(word string) {
	g.t.Helper()
	if g.code == 0 || g.code == -1 {
		g.t.Errorf("it did not serve and ended with %d", g.code)
	}
	if text := g.log.String(); !strings.Contains(text, word) || !strings.Contains(text, "gateway: ") {
		g.t.Errorf("it does not say what is wrong with %s:\n%s", word, text)
	}
	g.discreet("log", g.log.String())
}
