package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

const signatures, failedRedis = "tongyan_check_seconds_count", "tongyan_redis_events_total"

// What one gateway found out costs the other no call and no signature.
func TestVerifiedOnceForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	steady(t, b, func() error {
		var tokens []string
		for _, p := range w.box.Provinces() {
			for range 5 {
				tokens = append(tokens, w.good(p.Code))
			}
		}
		before := redis.Client().DBSize(t.Context()).Val()
		for _, token := range tokens {
			a.expect("VALID", "OK", token)
		}
		eventually(t, 5*time.Second, "a finding and a standing each are in Redis", func() bool {
			return redis.Client().DBSize(t.Context()).Val() >= before+2*int64(len(tokens))
		})
		calls, proofs := w.calls("registry"), b.metric(signatures, `check="signature"`)
		for _, token := range tokens {
			if got := b.expect("VALID", "OK", token).source(); got != "cache" {
				return fmt.Errorf("the standing comes from %q", got)
			}
		}
		calls, proofs = w.calls("registry")-calls, b.metric(signatures, `check="signature"`)-proofs
		if calls != 0 || proofs != 0 {
			return fmt.Errorf("the second gateway made %d calls and %v signature checks", calls, proofs)
		}
		return nil
	})
}

// steady does what needs a Redis that answers in time. On a machine that is too
// busy for that the gateway is right to do without: only then it is done again.
func steady(t *testing.T, g *gateway, do func() error) {
	t.Helper()
	for try := 0; ; try++ {
		trouble := g.metric(failedRedis)
		err := do()
		switch {
		case err == nil:
			return
		case try == 3 || g.metric(failedRedis) == trouble:
			t.Fatal(err)
		}
		t.Logf("again, for Redis was slow: %v", err)
		eventually(t, 10*time.Second, "Redis is used again", func() bool { return g.part("redis").OK })
	}
}

// A standing is asked for again when, and only when, it is older than the bound.
func TestFreshness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	token := w.good(shanghai)
	calls := func() int64 { return w.box.Province(shanghai).Registry.Calls() }

	if got := a.expect("VALID", "OK", token); got.source() != "live" || got.Header.Get("Age") != "0" {
		t.Errorf("at first: %v, Age %q", got, got.Header.Get("Age"))
	}
	asked := time.Now()
	before := calls()
	a.expect("VALID", "OK", token, "Cache-Control", "max-age=2")
	for calls() == before {
		if time.Since(asked) > 10*time.Second {
			t.Fatal("a standing beyond max-age is never asked for again")
		}
		a.expect("VALID", "OK", token, "Cache-Control", "max-age=2")
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(asked); took < 2*time.Second-100*time.Millisecond {
		t.Errorf("asked again after %v, although two seconds were allowed", took)
	}
	before = calls()
	for _, g := range []*gateway{a, b} {
		for _, header := range []string{"no-cache", "max-age=0"} {
			if got := g.expect("VALID", "OK", token, "Cache-Control", header); got.source() != "live" {
				t.Errorf("%s: from %s", header, got.source())
			}
		}
		if got := g.request(object{"credential": token, "freshness": object{"max_age": "0s"}}); !got.is("VALID", "OK") || got.source() != "live" {
			t.Errorf("JSON: %v", got)
		}
	}
	if n := calls() - before; n != 6 {
		t.Errorf("six questions that allow no age: %d calls", n)
	}
	before = calls()
	a.expect("VALID", "OK", token, "Cache-Control", "only-if-cached")
	a.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", w.good(shanghai), "Cache-Control", "only-if-cached")
	if n := calls() - before; n != 0 {
		t.Errorf("only-if-cached: %d calls", n)
	}
	// The register's change is seen by who asks anew, and then by everybody.
	token, business := w.mint(zhejiang, sandbox.LicenceSpec{})
	a.expect("VALID", "OK", token)
	w.box.Province(zhejiang).Registry.SetState(business.USCC, "4")
	a.expect("VALID", "OK", token)
	b.expect("INVALID", "REGISTRATION_CANCELLED", token, "Cache-Control", "no-cache")
	a.expect("INVALID", "REGISTRATION_CANCELLED", token, "Cache-Control", "no-cache")
	a.expect("INVALID", "REGISTRATION_CANCELLED", token)
}

// However many ask about one licence at once, the registry is asked once: in
// one gateway, and across two.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	registry := w.box.Province(jiangsu).Registry
	w.set(registry.Endpoint, sandbox.Fault{Latency: 700 * time.Millisecond})
	for name, gateways := range map[string][]*gateway{"one gateway": {a, a}, "two gateways": {a, b}} {
		steady(t, b, func() error {
			token, before := w.good(jiangsu), registry.Calls()
			err := together(200, func(i int) error {
				got, err := gateways[i%2].try(token)
				if err == nil && !got.is("VALID", "OK") {
					err = errors.New(got.String())
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := registry.Calls() - before; n != 1 {
				return fmt.Errorf("%s: 200 requests at once: %d calls", name, n)
			}
			return nil
		})
	}
}

// A gateway that dies while it asks holds nobody up for longer than its own
// question could have taken: the other then asks.
func TestDeadAsker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	s := setup{redis: redis.Addr, timeout: "3s"}
	a, b := w.gateway(s), w.gateway(s)
	registry := w.box.Province(anhui).Registry
	token, business := w.mint(anhui, sandbox.LicenceSpec{})
	w.ok(registry.SetLicence(business.USCC, sandbox.Fault{Mode: sandbox.Hang}))
	asked := make(chan error, 1)
	go func() {
		_, err := a.try(token)
		asked <- err
	}()
	eventually(t, 5*time.Second, "the first gateway asks", func() bool { return registry.InFlight() == 1 })
	begun := time.Now()
	eventually(t, 5*time.Second, "a second has passed", func() bool { return time.Since(begun) > time.Second })
	a.kill()
	if <-asked == nil {
		t.Fatal("the first gateway has answered: it did not die in time")
	}
	w.ok(registry.SetLicence(business.USCC, sandbox.Fault{}))
	got := b.expect("VALID", "OK", token)
	t.Logf("answered in %v", got.Took)
	if got.Took > 3200*time.Millisecond {
		t.Errorf("answered in %v, beyond the time-out of the registry", got.Took)
	}
}
