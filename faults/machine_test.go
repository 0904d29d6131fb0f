package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tongyan/sandbox"
)

// machineRows are what goes wrong with the machine itself; see table columns.
var machineRows = []struct{ what, fault, may string }{
	{"disk", "full, with state_dir on it", ""},
	{"disk", "full, audit file with on_full: continue", ""},
	{"disk", "full, audit file with on_full: refuse", "refused with 503"},
	{"descriptors", "256, usual load", ""},
	{"descriptors", "256, and 400 idle connections", "REGISTRY_UNAVAILABLE, or no connection"},
	{"clock", "ten minutes ahead", ""},
	{"clock", "eight days ahead: the trust list has ended", "TRUST_LIST_EXPIRED"},
	{"clock", "two hours behind, before the trust list was issued", "TRUST_LIST_EXPIRED"},
}

// A hardship is one of them, made real.
type hardship struct {
	g         *gateway
	mix       *questions
	set, mend func()
	bitten    func() bool
	recovered func() bool
	codes     []string // that it explains
	refusals  bool     // and answers without a verdict
}

func TestMachine(t *testing.T) {
	half(t, true)
	var rows []string
	build := []func(*testing.T) hardship{fullState, auditContinues, auditRefuses, fewFiles, hoggedFiles,
		stepped(10 * time.Minute), stepped(8 * 24 * time.Hour), stepped(-2 * time.Hour)}
	for i, m := range machineRows {
		t.Run(strings.ReplaceAll(m.what+" "+m.fault, " ", "-"), func(t *testing.T) {
			h := build[i](t)
			r := h.play(t, row{what: m.what, fault: m.fault, may: m.may})
			r.judge(t)
			t.Log(r)
			rows = append(rows, r.String())
		})
	}
	writeAll(t, "machine", machineWords+rowHead, rows, len(machineRows))
}

const machineWords = `A full disk is a tmpfs of 256 KiB, filled to the last byte. Descriptors are bounded by ` + "`prlimit`" + `. The clock is stepped where nobody
else sees it: no namespace has a wall clock, and this machine's is not the suite's to change, so the gateway is built once more from the same
sources with ` + "`go build -overlay`" + `, with a standard library whose ` + "`time.Now`" + ` adds what stands in a file. Monotonic time goes on, as it does when a
clock is stepped. The clock ahead by less than a credential's life changes no verdict; one that shows a time before its own trust list's is not believed.

`

func (h hardship) play(t *testing.T, r row) row {
	t.Helper()
	l := begin(t, rate(), h.mix.next, h.g.target)
	start := time.Now()
	time.Sleep(stretch(3 * time.Second))
	before := time.Now()
	h.set()
	from := time.Now()
	time.Sleep(stretch(5 * time.Second))
	if h.bitten != nil {
		eventually(t, "the fault is noticed", h.bitten)
	}
	r.lasted = time.Since(from)
	h.mend()
	r.recovered = eventually(t, "recovered", h.recovered)
	well := time.Now()
	time.Sleep(stretch(time.Second))
	l.end()
	l.explain(before, well, h.codes, h.refusals)
	r.before = l.between(start, before, nil).p99
	r.tally = l.between(from, well, h.codes)
	whole := l.between(start, time.Now(), h.codes)
	r.wrong, r.failed, r.unexplained, r.examples = whole.wrong, whole.failed, whole.unexplained, whole.examples
	return r
}

// explain marks what a hardship of the whole machine explains: everything that
// was under way meanwhile is touched.
func (l *load) explain(from, to time.Time, codes []string, refusals bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		o := &l.all[i]
		if o.ended.Before(from) || o.sent.After(to) {
			continue
		}
		o.touched = len(codes) > 0
		if refusals && o.failed != "" && len(codes) > 0 {
			o.failed, o.Verdict, o.Code = "", "INDETERMINATE", codes[0]
		}
	}
}

// smallDisk mounts a file system of 256 KiB, and returns what fills it and what
// makes room again.
func smallDisk(t *testing.T) (dir string, fill, free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount: %v: this needs root", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		f, err := os.Create(ballast)
		must(t, err)
		defer f.Close()
		for _, size := range []int{4096, 1} {
			for {
				if _, err := f.Write(make([]byte, size)); err != nil {
					break // full
				}
			}
		}
	}
	return dir, fill, func() { must(t, os.Remove(ballast)) }
}

func fullState(t *testing.T) hardship {
	dir, fill, free := smallDisk(t)
	w := newWorld(t)
	g := w.prepare(setup{})
	g.state = filepath.Join(dir, "state")
	must(t, os.WriteFile(g.config, []byte(w.yaml(g, setup{})), 0o600))
	g.start()
	var version int64
	known := w.good("320000", sandbox.LicenceSpec{})
	inForce := func() bool { return g.target.ask(known.token).Version >= version }
	return hardship{g: g, mix: w.newQuestions(nil, g.target),
		set: func() {
			fill()
			version = w.publish(nil)
		},
		// A list counts once it is on disk, or it could come back in its older form.
		bitten: func() bool {
			return g.metric("tongyan_trust_list_refused_total")+g.metric("tongyan_trust_list_unsaved") > 0
		},
		mend:      free,
		recovered: func() bool { return inForce() && g.metric("tongyan_trust_list_unsaved") == 0 },
	}
}

// audited has the audit file on a small disk.
func audited(t *testing.T, onFull string) (g *gateway, mix *questions, fill, room func()) {
	dir, fill, free := smallDisk(t)
	w := newWorld(t)
	g = w.gateway(setup{more: fmt.Sprintf("audit: { file: %q, max_size: 64KiB, on_full: %s }\n", filepath.Join(dir, "audit.jsonl"), onFull)})
	empty := func() { // the oldest files are taken elsewhere, as docs/fleet.md says
		all, err := filepath.Glob(filepath.Join(dir, "audit.jsonl.*"))
		must(t, err)
		for _, file := range all {
			must(t, os.Remove(file))
		}
	}
	mix = w.newQuestions(nil, g.target)
	return g, mix, fill, func() {
		free()
		empty()
	}
}

func auditContinues(t *testing.T) hardship {
	g, mix, fill, free := audited(t, "continue")
	lost := 0.0
	return hardship{g: g, mix: mix, set: fill, mend: func() {
		free()
		lost = g.metric("tongyan_audit_lines")
	},
		bitten:    func() bool { return g.metric("tongyan_audit_lost") > 0 },
		recovered: func() bool { return g.metric("tongyan_audit_lines") > lost },
	}
}

func auditRefuses(t *testing.T) hardship {
	g, mix, fill, free := audited(t, "refuse")
	known := mix.known[0]
	return hardship{g: g, mix: mix, set: fill, mend: free, codes: []string{"refused"}, refusals: true,
		bitten:    func() bool { return strings.HasPrefix(g.target.ask(known.token).failed, "503") },
		recovered: func() bool { return g.target.ask(known.token).is(known.verdict, known.code) },
	}
}

// limited is a gateway with 256 descriptors.
func limited(t *testing.T) (*gateway, *questions) {
	w := newWorld(t)
	g := w.prepare(setup{})
	g.command = append([]string{needs(t, "prlimit"), "--nofile=256:256"}, g.command...)
	g.start()
	return g, w.newQuestions(nil, g.target)
}

func fewFiles(t *testing.T) hardship {
	g, mix := limited(t)
	return hardship{g: g, mix: mix, set: func() {}, mend: func() {},
		recovered: func() bool { return g.ready() == http.StatusOK }}
}

func hoggedFiles(t *testing.T) hardship {
	g, mix := limited(t)
	hog := newHog(t, g.listen)
	known := mix.w.good("320000", sandbox.LicenceSpec{})
	return hardship{g: g, mix: mix, codes: []string{"REGISTRY_UNAVAILABLE", "KEYS_UNAVAILABLE"}, refusals: true,
		set: func() { hog.take(400) }, mend: hog.leave,
		bitten: func() bool { // nobody new is let in
			stranger := newTarget(t, g.target.url, g.target.key, mix.w.servers.pool(), false)
			stranger.client.Timeout = time.Second
			return stranger.ask(known.token).failed != ""
		},
		recovered: func() bool {
			fresh := newTarget(t, g.target.url, g.target.key, mix.w.servers.pool(), false)
			return fresh.ask(known.token).is(known.verdict, known.code) && g.ready() == http.StatusOK
		}}
}
