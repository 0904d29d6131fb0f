package faults

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/sandbox"
)

// promises are the rows about three gateways, with what must hold.
var promises = []struct{ what, found string }{
	{"rolling restart by SIGTERM of three gateways behind Caddy, 500 requests a second", "0 wrong, 0 failed, 0 INDETERMINATE"},
	{"a licence verified on one of three gateways, asked of the two others", "0 registry calls"},
	{"1,000 equal requests over three gateways, just when the standing has expired", "1 registry call"},
}

const promiseHead = `| what | found | figures |
|---|---|---|
`

func promised(what, found string) string { return fmt.Sprintf("| %s | %s |", what, found) }

func TestFleet(t *testing.T) {
	half(t, true)
	var rows []string
	for i, play := range []func(*testing.T) (found, figures string){rolling, once, together} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			found, figures := play(t)
			if found != promises[i].found {
				t.Errorf("%s: %s, want %s", promises[i].what, found, promises[i].found)
			}
			line := promised(promises[i].what, found) + " " + figures + " |\n"
			t.Log(line)
			rows = append(rows, line)
		})
	}
	writeAll(t, "fleet", promiseHead, rows, len(promises))
}

func rolling(t *testing.T) (found, figures string) {
	f := newFleet(t, `url: "redis://`+startRedis(t).addr+`"`)
	mix := f.newQuestions(nil, f.target)
	l := begin(t, 500, mix.next, f.target)
	start := time.Now()
	time.Sleep(2 * time.Second)
	for _, g := range f.gateways {
		g.restart()
		time.Sleep(2 * time.Second)
	}
	l.end()
	got := l.between(start, time.Now(), nil)
	if len(got.examples) > 0 {
		t.Log(strings.Join(got.examples, "\n"))
	}
	return fmt.Sprintf("%d wrong, %d failed, %d INDETERMINATE", got.wrong, got.failed, got.indeterminate),
		fmt.Sprintf("%d requests, p99 %s", got.requests, millis(got.p99))
}

// registryCalls sums what the provinces' registries were asked.
func (w *world) registryCalls() (n int64) {
	for _, p := range w.box.Provinces() {
		n += p.Registry.Calls()
	}
	return n
}

func calls(n int64) string {
	if n == 1 {
		return "1 registry call"
	}
	return fmt.Sprintf("%d registry calls", n)
}

func once(t *testing.T) (found, figures string) {
	w := newWorld(t)
	redis := startRedis(t)
	var gateways []*gateway
	for range 3 {
		gateways = append(gateways, w.gateway(setup{redis: `url: "redis://` + redis.addr + `"`}))
	}
	var all []question
	for range 25 {
		for _, p := range w.box.Provinces() {
			all = append(all, w.good(p.Code, sandbox.LicenceSpec{}))
		}
	}
	for _, q := range all {
		if a := gateways[0].target.ask(q.token); !a.is("VALID", "OK") {
			t.Fatalf("%+v", a)
		}
	}
	eventually(t, "all that was found is in Redis", func() bool {
		var keys int
		fmt.Sscan(redis.ask("DBSIZE"), &keys)
		return keys >= 2*len(all) && gateways[0].metric("tongyan_redis_queued") == 0
	})
	before := w.registryCalls()
	for _, g := range gateways[1:] {
		for _, q := range all {
			if a := g.target.ask(q.token); !a.is("VALID", "OK") || a.Freshness == nil || a.Freshness.Source != "cache" {
				t.Errorf("%+v", a)
			}
		}
	}
	return calls(w.registryCalls() - before), fmt.Sprintf("%d licences, %d questions to the others", len(all), 2*len(all))
}

func together(t *testing.T) (found, figures string) {
	w := newWorld(t)
	redis := startRedis(t)
	var gateways []*gateway
	const age = 3 * time.Second
	for range 3 {
		gateways = append(gateways, w.gateway(setup{redis: `url: "redis://` + redis.addr + `"`, freshness: "max_age: 3s, stale_if_error: 1h"}))
	}
	q := w.good(broken, sandbox.LicenceSpec{})
	// Every gateway has its connections, the finding and the standing.
	w.ask1000(t, gateways, q)
	if a := gateways[0].target.ask(q.token, "Cache-Control", "no-cache"); !a.is("VALID", "OK") {
		t.Fatalf("%+v", a)
	}
	asked := time.Now()
	registry := w.box.Province(broken).Registry
	must(t, registry.Set(sandbox.Fault{Latency: 300 * time.Millisecond})) // an ordinary registry, not a local one
	before := registry.Calls()
	time.Sleep(time.Until(asked.Add(age + 100*time.Millisecond)))
	took := w.ask1000(t, gateways, q)
	return calls(registry.Calls() - before), fmt.Sprintf("all VALID within %s", seconds(took))
}

// ask1000 asks a thousand times at once, over all gateways.
func (w *world) ask1000(t *testing.T, gateways []*gateway, q question) time.Duration {
	t.Helper()
	const many = 1000
	var wait sync.WaitGroup
	errs := make(chan error, many)
	begin := make(chan struct{})
	for i := range many {
		wait.Go(func() {
			<-begin
			if a := gateways[i%len(gateways)].target.ask(q.token); !a.is(q.verdict, q.code) {
				errs <- errors.New(a.failed + a.Verdict + a.Code)
			}
		})
	}
	start := time.Now()
	close(begin)
	wait.Wait()
	took := time.Since(start)
	select {
	case err := <-errs:
		t.Error(err)
	default:
	}
	return took
}
