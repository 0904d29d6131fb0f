package e2e

import (
	"net/http"
	"testing"
	"time"

	"tongyan/sandbox"
)

// One registry hangs, one fails, one lies: each only its own province's licences
// feel it, and none of it reads as "revoked" or "valid".
func TestRegistriesFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{timeout: "600ms"})
	warm := map[string]string{}
	for _, p := range w.box.Provinces() {
		warm[p.Code] = w.good(p.Code)
		// The first call to a registry pays for the connection.
		eventually(t, 10*time.Second, p.Code+" answers", func() bool { return g.verify(warm[p.Code]).is("VALID", "OK") })
	}
	broken := map[string]sandbox.Fault{
		shanghai: {Mode: sandbox.Hang}, jiangsu: {Mode: sandbox.Error}, zhejiang: {Mode: sandbox.WrongLicence},
	}
	for code, fault := range broken {
		w.set(w.box.Province(code).Registry.Endpoint, fault)
	}
	for code := range broken {
		// Nothing kept, nothing old enough allowed, something old allowed.
		got := g.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", w.good(code))
		if got.outcome("signature") != "passed" || got.outcome("registry") != "inconclusive" || got.Licence == nil {
			t.Errorf("%s: %v", code, got)
		}
		if got.Took > 2*time.Second {
			t.Errorf("%s: answered in %v, the time-out is 600 ms", code, got.Took)
		}
		got = g.request(object{"credential": warm[code], "freshness": object{"max_age": "0s"}})
		want(t, got, "INDETERMINATE", "REGISTRY_UNAVAILABLE")
		got = g.request(object{"credential": warm[code], "freshness": object{"max_age": "0s", "stale_if_error": "1h"}})
		want(t, got, "VALID", "OK")
		if got.source() != "stale" || !got.warned("STANDING_STALE") {
			t.Errorf("%s: a stale standing: %v", code, got)
		}
		got = g.expect("VALID", "OK", warm[code], "Cache-Control", "max-age=0, stale-if-error=3600")
		if got.source() != "stale" || !got.warned("STANDING_STALE") || got.Header.Get("Age") == "" {
			t.Errorf("%s: a stale standing by header: %v", code, got)
		}
		// What needs no registry is not touched, and no attacker's word softens.
		if got := g.expect("VALID", "OK", warm[code]); got.source() != "cache" {
			t.Errorf("%s: %v", code, got)
		}
		g.expect("INVALID", "SIGNATURE_INVALID", forge(w.good(code)))
		ended, _ := w.mint(code, sandbox.LicenceSpec{Expires: time.Now().Add(-time.Hour)})
		g.expect("INVALID", "EXPIRED", ended)
	}
	g.expect("VALID", "OK", w.good(anhui), "Cache-Control", "no-cache")
	for code := range broken {
		g.opens(code)
	}
	if got := g.province(anhui).Registry.Breaker; got != "closed" {
		t.Errorf("Anhui's breaker is %s", got)
	}
	for _, token := range []string{w.good(anhui), w.good(anhui)} {
		g.expect("VALID", "OK", token)
	}
	if status := g.page("/readyz").status; status != http.StatusOK {
		t.Errorf("readyz is %d: a province that is down is no reason", status)
	}
	for code := range broken {
		w.set(w.box.Province(code).Registry.Endpoint, sandbox.Fault{})
	}
	for code := range broken {
		g.becomes(30*time.Second, "VALID", "OK", w.good(code), "Cache-Control", "no-cache")
		eventually(t, 10*time.Second, code+"'s breaker closes", func() bool { return g.province(code).Registry.Breaker == "closed" })
	}
}

// opens asks until the breaker is open, and what follows is answered at once.
func (g *gateway) opens(code string) {
	g.t.Helper()
	for range 30 {
		if g.province(code).Registry.Breaker == "open" {
			break
		}
		g.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", g.w.good(code))
	}
	view := g.province(code)
	if view.Registry.Breaker != "open" || view.Registry.RetryAfter == nil {
		g.t.Fatalf("%s: after thirty faults the breaker is %+v", code, view.Registry)
	}
	best := time.Minute
	for range 5 {
		got := g.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", g.w.good(code))
		best = min(best, got.Took)
		if got.RetryAfter == nil || *got.RetryAfter < 1 || *got.RetryAfter > 60 {
			g.t.Errorf("%s: retry_after_seconds: %v", code, got)
		}
	}
	if best > 50*time.Millisecond {
		g.t.Errorf("%s: with the breaker open the quickest of five answers took %v", code, best)
	}
	if g.part("registry of " + code).OK {
		g.t.Errorf("%s: readyz?verbose says that all is well", code)
	}
	if g.metric("tongyan_registry_breaker_moves_total", `province="`+code+`"`, `state="open"`) == 0 {
		g.t.Errorf("%s: no metric says that the breaker opened", code)
	}
}

// Each way of answering badly is a fault, and none is an answer.
func TestRegistryFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{timeout: "500ms"})
	for _, code := range []string{jiangsu, zhejiang} {
		registry := w.box.Province(code).Registry
		eventually(t, 10*time.Second, code+" answers", func() bool { return g.verify(w.good(code)).is("VALID", "OK") })
		for _, mode := range []sandbox.Mode{
			sandbox.Error, sandbox.Hang, sandbox.Reset, sandbox.ContentType, sandbox.NotFoundPage, sandbox.WrongLicence,
			sandbox.Garbage, sandbox.Duplicate, sandbox.Truncated, sandbox.Oversized, sandbox.Redirect,
		} {
			token, business := w.mint(code, sandbox.LicenceSpec{})
			w.ok(registry.SetLicence(business.USCC, sandbox.Fault{Mode: mode}))
			if got := g.verify(token); !got.is("INDETERMINATE", "REGISTRY_UNAVAILABLE") {
				t.Errorf("%s, %s: %v", code, mode, got)
			}
			w.ok(registry.SetLicence(business.USCC, sandbox.Fault{}))
			// A fault is not remembered as an answer; and the good ones in
			// between keep the breaker from opening.
			for _, good := range []string{token, w.good(code), w.good(code)} {
				if got := g.verify(good); !got.is("VALID", "OK") {
					t.Errorf("%s, after %s: %v", code, mode, got)
				}
			}
		}
		for state, want := range map[string]string{"2": "REGISTRATION_REVOKED", "3": "REGISTRATION_REVOKED", "4": "REGISTRATION_CANCELLED",
			"5": "REGISTRATION_ANNULLED", "6": "REGISTRATION_MOVED"} {
			token, business := w.mint(code, sandbox.LicenceSpec{})
			registry.SetState(business.USCC, state)
			g.expect("INVALID", want, token)
		}
		token, business := w.mint(code, sandbox.LicenceSpec{})
		registry.SetState(business.USCC, "9")
		g.expect("INDETERMINATE", "REGISTRATION_STATE_UNKNOWN", token)
		token, business = w.mint(code, sandbox.LicenceSpec{})
		registry.Edit(business.USCC, func(r *sandbox.Record) { r.EntName = "另一家有限公司" })
		if got := g.expect("VALID", "OK", token); !got.warned("NAME_DIFFERS") {
			t.Errorf("%s: another name in the register: %v", code, got)
		}
	}
}

// "Come again in seven seconds" is obeyed for the whole province, and passed on.
func TestRegistryAsksForPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	for code, mode := range map[string]sandbox.Mode{jiangsu: sandbox.TooMany, anhui: sandbox.Unavailable} {
		registry := w.box.Province(code).Registry
		w.set(registry.Endpoint, sandbox.Fault{Mode: mode, RetryAfter: "7"})
		g.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", w.good(code))
		before := registry.Calls()
		for range 5 {
			got := g.expect("INDETERMINATE", "REGISTRY_UNAVAILABLE", w.good(code))
			if got.RetryAfter == nil || *got.RetryAfter < 1 || *got.RetryAfter > 7 {
				t.Errorf("%s: retry_after_seconds: %v", mode, got)
			}
		}
		if n := registry.Calls() - before; n != 0 {
			t.Errorf("%s: %d calls although silence was asked for", mode, n)
		}
	}
	g.expect("VALID", "OK", w.good(shanghai))
}

// "No such licence" is an answer, kept for a while and no longer.
func TestNoSuchLicence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{more: "registry: { negative_ttl: 1s }\n"})
	for _, code := range []string{shanghai, zhejiang} {
		token, business := w.mint(code, sandbox.LicenceSpec{Unregistered: true})
		registry := w.box.Province(code).Registry
		g.expect("INVALID", "REGISTRATION_NOT_FOUND", token)
		before := registry.Calls()
		g.expect("INVALID", "REGISTRATION_NOT_FOUND", token)
		if registry.Calls() != before {
			t.Errorf("%s: asked again at once", code)
		}
		registry.Put(business.Record())
		g.becomes(5*time.Second, "VALID", "OK", token)
	}
}
