package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

// A pattern is a credential and the one answer that is right.
type pattern struct{ token, verdict, code string }

// patterns are right and wrong credentials of all provinces.
func (w *world) patterns() (all []pattern) {
	for _, p := range w.box.Provinces() {
		for state, code := range map[string]string{"2": "REGISTRATION_REVOKED", "4": "REGISTRATION_CANCELLED", "6": "REGISTRATION_MOVED"} {
			token, b := w.mint(p.Code, sandbox.LicenceSpec{})
			p.Registry.SetState(b.USCC, state)
			all = append(all, pattern{token, "INVALID", code})
		}
		unregistered, _ := w.mint(p.Code, sandbox.LicenceSpec{Unregistered: true})
		ended, _ := w.mint(p.Code, sandbox.LicenceSpec{Expires: time.Now().Add(-2 * time.Minute)})
		old, b := w.mint(p.Code, sandbox.LicenceSpec{})
		p.Registry.Edit(b.USCC, func(r *sandbox.Record) { r.ApprDate = time.Now().Format(time.DateOnly) })
		sd, _ := w.mint(p.Code, sandbox.LicenceSpec{Format: sandbox.SDJWTVC})
		vc, _ := w.mint(p.Code, sandbox.LicenceSpec{Format: sandbox.VCJWT})
		all = append(all,
			pattern{w.good(p.Code), "VALID", "OK"}, pattern{sd, "VALID", "OK"}, pattern{vc, "VALID", "OK"},
			pattern{unregistered, "INVALID", "REGISTRATION_NOT_FOUND"},
			pattern{ended, "INVALID", "EXPIRED"}, pattern{old, "INVALID", "LICENCE_SUPERSEDED"},
			pattern{forge(w.good(p.Code)), "INVALID", "SIGNATURE_INVALID"})
	}
	return all
}

// A loop asks gateways for known verdicts until it is ended, and keeps account
// of what was wrong.
type loop struct {
	stop    chan struct{}
	wait    sync.WaitGroup
	asked   atomic.Int64
	slowest atomic.Int64 // nanoseconds

	mu    sync.Mutex
	wrong []string
}

// loop starts some clients. Every fifth question allows no cached standing, so
// that the registries are never out of the play.
func (w *world) loop(all []pattern, gateways ...*gateway) *loop {
	l := &loop{stop: make(chan struct{})}
	for worker := range 4 {
		l.wait.Go(func() {
			for i := worker; ; i += 7 {
				select {
				case <-l.stop:
					return
				default:
				}
				p, headers := all[i%len(all)], []string(nil)
				if i%5 == 0 {
					headers = []string{"Cache-Control", "no-cache"}
				}
				l.judge(p, gateways[i%len(gateways)], headers)
			}
		})
	}
	return l
}

func (l *loop) judge(p pattern, g *gateway, headers []string) {
	got, err := g.try(p.token, headers...)
	l.asked.Add(1)
	if int64(got.Took) > l.slowest.Load() {
		l.slowest.Store(int64(got.Took))
	}
	if err == nil && got.is(p.verdict, p.code) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.wrong = append(l.wrong, err.Error())
	} else {
		l.wrong = append(l.wrong, fmt.Sprintf("want %s %s, got %v", p.verdict, p.code, got))
	}
}

// more waits until n more answers have come.
func (l *loop) more(t testing.TB, n int64) {
	t.Helper()
	target := l.asked.Load() + n
	eventually(t, 30*time.Second, fmt.Sprintf("%d more answers", n), func() bool { return l.asked.Load() >= target })
}

// end stops the clients and fails the test for every wrong answer.
func (l *loop) end(t testing.TB) {
	t.Helper()
	close(l.stop)
	l.wait.Wait()
	if len(l.wrong) > 0 {
		t.Errorf("%d of %d answers were wrong, such as %s", len(l.wrong), l.asked.Load(), l.wrong[0])
	}
	t.Logf("%d answers, the slowest in %v", l.asked.Load(), time.Duration(l.slowest.Load()))
}

// Whatever happens to Redis while requests run, no verdict is wrong and none is
// missing; and when it is back it is used again.
func TestRedisTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	up := func(yes bool) {
		t.Helper()
		for _, g := range []*gateway{a, b} {
			eventually(t, 20*time.Second, fmt.Sprintf("redis is used: %v", yes), func() bool { return g.part("redis").OK == yes })
			if status := g.page("/readyz").status; status != http.StatusOK {
				t.Errorf("readyz is %d: Redis is not essential", status)
			}
		}
	}
	l := w.loop(w.patterns(), a, b)
	l.more(t, 200)
	for _, trouble := range []struct {
		name      string
		down      bool
		begin, ok func()
	}{
		{"frozen", true, redis.Freeze, redis.Thaw},
		{"killed", true, redis.Kill, redis.Restart},
		{"frozen, then killed", true, func() { redis.Freeze(); redis.Kill() }, redis.Restart},
		{"emptied", false, redis.Flush, func() {}},
		{"full", false, func() {
			w.ok(redis.Client().ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
			w.ok(redis.Client().ConfigSet(t.Context(), "maxmemory", "1").Err())
		}, func() { w.ok(redis.Client().ConfigSet(t.Context(), "maxmemory", "0").Err()) }},
	} {
		before := len(l.failures())
		trouble.begin()
		if trouble.down {
			up(false)
		}
		l.more(t, 200)
		trouble.ok()
		up(true)
		l.more(t, 100)
		if now := l.failures(); len(now) > before {
			t.Errorf("%s: %s", trouble.name, now[before])
		}
	}
	l.end(t)
	shares(t, w, a, b)
}

func (l *loop) failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// shares checks that what a finds out b knows.
func shares(t *testing.T, w *world, a, b *gateway) {
	t.Helper()
	eventually(t, 10*time.Second, "a verdict of one gateway spares the other the registry", func() bool {
		token, registry := w.good(shanghai), w.box.Province(shanghai).Registry
		a.expect("VALID", "OK", token)
		time.Sleep(20 * time.Millisecond) // the write is off the request's path
		before := registry.Calls()
		b.expect("VALID", "OK", token)
		return registry.Calls() == before
	})
}

// A Redis that is not there at the start keeps nobody from serving, and is used
// once it comes.
func TestRedisComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	redis.Kill()
	a, b, alone := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr}), w.gateway(setup{})
	l := w.loop(w.patterns(), a, b, alone)
	l.more(t, 150)
	if a.part("redis").OK {
		t.Error("a Redis that is not there counts as one that is")
	}
	redis.Restart()
	for _, g := range []*gateway{a, b} {
		eventually(t, 20*time.Second, "redis is used", func() bool { return g.part("redis").OK })
	}
	l.more(t, 150)
	l.end(t)
	shares(t, w, a, b)
}
