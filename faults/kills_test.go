package faults

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const killHead = `| killed with -9, at 200 requests a second | wrong | failed beyond what is said | INDETERMINATE | requests | failed | p99 before | p99 during | recovered after |
|---|---|---|---|---|---|---|---|---|
`

// A kill is a row of that table.
type kill struct {
	what    string
	beyond  int // failures where none may be
	before  time.Duration
	back    time.Duration
	figures tally
}

func (k kill) verdicts() string {
	return killVerdicts(k.what, k.figures.wrong, k.beyond, k.figures.indeterminate)
}

func killVerdicts(what string, wrong, beyond, indeterminate int) string {
	return fmt.Sprintf("| %s | %d | %d | %d |", what, wrong, beyond, indeterminate)
}

func (k kill) judge(t *testing.T) string {
	t.Helper()
	if k.figures.wrong > 0 || k.beyond > 0 || *record && k.figures.indeterminate > 0 {
		t.Errorf("%s: %d wrong, %d failed beyond what is said, %d INDETERMINATE: %s", k.what, k.figures.wrong, k.beyond, k.figures.indeterminate, strings.Join(k.figures.examples, "\n"))
	}
	f := k.figures
	line := k.verdicts() + fmt.Sprintf(" %d | %d | %s | %s | %s |\n", f.requests, f.failed, millis(k.before), millis(f.p99), seconds(k.back))
	t.Log(line)
	return line
}

// kills are the rows, by what is killed.
var kills = []string{
	"a gateway of three behind the edge: failed are questions sent more than a second after, or that fail again when repeated",
	"the edge: failed are questions put to the gateways themselves, and to the edge once it runs again",
	"the Redis master, replaced by Sentinel: failed are any; recovered: the shared memory is used again",
}

const killRate = 200

func TestKills(t *testing.T) {
	half(t, true)
	var rows []string
	for i, play := range []func(t *testing.T, what string) kill{killGateway, killEdge, killMaster} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { rows = append(rows, play(t, kills[i]).judge(t)) })
	}
	writeAll(t, "kills", killHead, rows, len(kills))
}

// A gateway is killed in the short half as well: nothing wrong, and it comes
// back with the state that it left.
func TestKilledGateway(t *testing.T) {
	half(t, false)
	w := newWorld(t)
	g := w.gateway(setup{})
	mix := w.newQuestions(nil, g.target)
	l := begin(t, rate(), mix.next, g.target)
	start := time.Now()
	enough := func() bool {
		return l.count(func(o observation) bool { return o.failed == "" && o.sent.After(start) }) > rate()
	}
	eventually(t, "answers", enough)
	g.end(os.Kill)
	g.start()
	start = time.Now()
	eventually(t, "answers after the restart", enough)
	l.end()
	if got := l.between(time.Time{}, time.Now(), nil); got.wrong > 0 {
		t.Errorf("%d wrong: %v", got.wrong, got.examples)
	}
}

func killGateway(t *testing.T, what string) kill {
	f := newFleet(t, `url: "redis://`+startRedis(t).addr+`"`)
	mix := f.newQuestions(nil, f.target)
	again := &repeated{to: f.target}
	l := begin(t, killRate, mix.next, f.target)
	start := time.Now()
	time.Sleep(3 * time.Second)
	killed := time.Now()
	f.gateways[1].end(os.Kill)
	time.Sleep(3 * time.Second)
	begun := time.Now()
	f.gateways[1].start()
	k := kill{what: what, back: time.Since(begun)}
	time.Sleep(time.Second)
	l.end()
	k.before = l.between(start, killed, nil).p99
	k.figures = l.between(start, time.Now(), nil)
	k.beyond = l.count(func(o observation) bool { return o.failed != "" && o.sent.Sub(killed) > time.Second }) + again.failures(l)
	return k
}

// repeated asks again what failed.
type repeated struct{ to *target }

func (r *repeated) failures(l *load) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.all {
		if o.failed != "" && r.to.ask(o.token).failed != "" {
			n++
		}
	}
	return n
}

func killEdge(t *testing.T, what string) kill {
	f := newFleet(t, `url: "redis://`+startRedis(t).addr+`"`)
	mix := f.newQuestions(nil, f.target)
	through := begin(t, killRate, mix.next, f.target)
	direct := begin(t, killRate/2, mix.next, f.targets()...)
	start := time.Now()
	time.Sleep(3 * time.Second)
	killed := time.Now()
	f.edge.end(os.Kill)
	time.Sleep(2 * time.Second)
	begun := time.Now()
	f.startEdge()
	back := time.Now()
	time.Sleep(3 * time.Second)
	through.end()
	direct.end()
	k := kill{what: what, back: back.Sub(begun), before: through.between(start, killed, nil).p99}
	k.figures = through.between(start, time.Now(), nil)
	beside := direct.between(start, time.Now(), nil)
	k.figures.wrong += beside.wrong
	k.figures.indeterminate += beside.indeterminate
	k.figures.examples = append(k.figures.examples, beside.examples...)
	k.beyond = beside.failed + through.count(func(o observation) bool { return o.failed != "" && o.sent.After(back) })
	return k
}

// mostWithout is how long gateways may be without their shared memory.
const mostWithout = 2 * time.Second

func killMaster(t *testing.T, what string) kill {
	servers, sentinels := startSentinels(t)
	var addresses []string
	for _, s := range sentinels {
		addresses = append(addresses, s.addr)
	}
	f := newFleet(t, fmt.Sprintf(`url: "redis+sentinel://%s/%s"`, strings.Join(addresses, ","), masterName))
	for _, g := range f.gateways {
		eventually(t, "Redis is used", func() bool { return g.part("redis") })
	}
	mix := f.newQuestions(nil, f.target)
	l := begin(t, killRate, mix.next, f.target)
	start := time.Now()
	time.Sleep(3 * time.Second)
	killed := time.Now()
	servers[0].end(os.Kill)
	for _, g := range f.gateways {
		eventually(t, "its absence is noticed", func() bool { return !g.part("redis") })
	}
	for _, g := range f.gateways {
		eventually(t, "the new master is used", func() bool { return g.part("redis") })
	}
	k := kill{what: what, back: time.Since(killed)}
	if k.back > mostWithout {
		t.Errorf("%v without the shared memory, want %v at most", k.back, mostWithout)
	}
	time.Sleep(2 * time.Second)
	l.end()
	k.before = l.between(start, killed, nil).p99
	k.figures = l.between(start, time.Now(), nil)
	k.beyond = k.figures.failed
	for _, g := range f.gateways {
		if g.ready() != http.StatusOK {
			t.Error("a gateway is not ready")
		}
	}
	return k
}
