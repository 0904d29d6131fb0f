package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

// short is a status list that ends four seconds after it was signed.
var short = sandbox.StatusSpec{Bits: 2, TTL: 2 * time.Second, Life: 4 * time.Second}

func (w *world) list(province string, number int, spec sandbox.StatusSpec) *sandbox.StatusList {
	w.t.Helper()
	list, err := w.box.Province(province).Status.Publish(number, spec)
	w.ok(err)
	return list
}

func (w *world) listed(province string, list *sandbox.StatusList, index int) string {
	w.t.Helper()
	token, _ := w.mint(province, sandbox.LicenceSpec{Status: list.Entry(index)})
	return token
}

// A bit that is set reaches credentials that are known already, in all gateways,
// within the list's life; and so does one that is cleared.
func TestStatusChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	list := w.list(jiangsu, 1, short)
	one, other := w.listed(jiangsu, list, 5), w.listed(jiangsu, list, 6)
	sd, _ := w.mint(jiangsu, sandbox.LicenceSpec{Status: list.Entry(5), Format: sandbox.SDJWTVC})
	for _, g := range []*gateway{a, b} {
		for _, token := range []string{one, other, sd} {
			got := g.expect("VALID", "OK", token)
			if got.outcome("status") != "passed" || got.ValidUntil.After(time.Now().Add(4*time.Second)) {
				t.Errorf("status %s, valid until %v", got.outcome("status"), got.ValidUntil)
			}
		}
	}
	for value, code := range map[byte]string{1: "STATUS_REVOKED", 2: "STATUS_SUSPENDED", 3: "STATUS_NOT_VALID"} {
		w.ok(list.Set(5, value))
		for _, g := range []*gateway{a, b} {
			// The life of a list, and what a busy machine adds.
			if took := g.becomes(10*time.Second, "INVALID", code, one); took > 5500*time.Millisecond {
				t.Errorf("%s only after %v, the list's life is 4 s", code, took)
			}
			g.expect("INVALID", code, sd)
			g.expect("VALID", "OK", other)
		}
	}
	w.ok(list.Set(5, 0))
	a.becomes(10*time.Second, "VALID", "OK", one)
}

// What cannot be had, or is wrong, says nothing: neither "revoked" nor "valid".
func TestStatusUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	hosts := w.box.Province(shanghai).Status
	list := w.list(shanghai, 1, short)
	token := w.listed(shanghai, list, 9)
	g.expect("VALID", "OK", token)
	w.set(hosts.Endpoint, sandbox.Fault{Mode: sandbox.Gone})
	eventually(t, 15*time.Second, "the last good list has ended", func() bool {
		got := g.verify(token)
		if !got.is("VALID", "OK") && !got.is("INDETERMINATE", "STATUS_UNAVAILABLE") {
			t.Fatalf("the list's host is gone: %v", got)
		}
		return got.Verdict != "VALID"
	})
	got := g.expect("INDETERMINATE", "STATUS_UNAVAILABLE", token)
	if got.outcome("registry") != "passed" {
		t.Errorf("registry %s: an inconclusive status does not end the work", got.outcome("registry"))
	}
	revoked, business := w.mint(shanghai, sandbox.LicenceSpec{Status: list.Entry(10)})
	w.box.Province(shanghai).Registry.SetState(business.USCC, "2")
	g.expect("INVALID", "REGISTRATION_REVOKED", revoked)
	g.expect("INVALID", "SIGNATURE_INVALID", forge(token))
	if status := g.page("/readyz").status; status != http.StatusOK {
		t.Errorf("readyz is %d", status)
	}
	w.set(hosts.Endpoint, sandbox.Fault{})
	g.becomes(20*time.Second, "VALID", "OK", token)
}

// No wrong list is ever believed.
func TestStatusListsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	g := w.gateway(setup{redis: redis.Addr})
	number := 0
	next := func(spec sandbox.StatusSpec) *sandbox.StatusList {
		number++
		return w.list(zhejiang, number, spec)
	}
	claim := func(name string, value any) sandbox.StatusSpec {
		return sandbox.StatusSpec{Edit: func(_, c map[string]any) { c[name] = value }}
	}
	header := func(name string, value any) sandbox.StatusSpec {
		return sandbox.StatusSpec{Edit: func(h, _ map[string]any) { h[name] = value }}
	}
	stream := func(bits int, lst string) sandbox.StatusSpec {
		return sandbox.StatusSpec{Edit: func(_, c map[string]any) { c["status_list"] = map[string]any{"bits": bits, "lst": lst} }}
	}
	others, err := sandbox.NewKey("EdDSA", w.box.Province(zhejiang).SigningKey("").KID)
	w.ok(err)
	raw := next(sandbox.StatusSpec{})
	w.ok(raw.Set(3, 1))
	revoked, err := raw.Token()
	w.ok(err)
	for name, list := range map[string]*sandbox.StatusList{
		"signed by another province":          next(sandbox.StatusSpec{Key: w.box.Province(anhui).SigningKey("")}),
		"signed by another, under our kid":    next(sandbox.StatusSpec{Key: others}),
		"of another address":                  next(claim("sub", raw.URI())),
		"without sub":                         next(claim("sub", nil)),
		"ended":                               next(sandbox.StatusSpec{Life: -time.Minute}),
		"of tomorrow":                         next(claim("iat", time.Now().Unix()+86400)),
		"without iat":                         next(claim("iat", nil)),
		"of another type":                     next(header("typ", "jwt")),
		"with a key in its header":            next(header("jwk", map[string]any{"kty": "EC"})),
		"a stream that is none":               next(stream(1, "AAAA")),
		"a stream and something behind it":    next(stream(1, "eNrbuRgAAhcBXQAA")),
		"of three bits":                       next(stream(3, "eNrbuRgAAhcBXQ")),
		"another list's token, served for it": serving(next(sandbox.StatusSpec{}), revoked),
		"garbage":                             serving(next(sandbox.StatusSpec{}), []byte("garbage")),
		"HTML":                                serving(next(sandbox.StatusSpec{}), []byte("<!doctype html>")),
	} {
		got := g.verify(w.listed(zhejiang, list, 3))
		if !got.is("INDETERMINATE", "STATUS_UNAVAILABLE") || got.outcome("registry") != "passed" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if g.metric("tongyan_status_list_fetches_total", `result="signature"`) == 0 {
		t.Error("no metric counts a list with a bad signature")
	}
	// What names no list that may be fetched is the credential's fault, and
	// nothing is fetched for it.
	before := w.calls("status")
	good := next(sandbox.StatusSpec{Size: 64})
	for name, entry := range map[string]any{
		"another province's list":   w.list(jiangsu, 1, sandbox.StatusSpec{}).Entry(1),
		"outside of the prefix":     map[string]any{"status_list": map[string]any{"idx": 1, "uri": w.box.Province(zhejiang).Status.URL() + "/other/1"}},
		"out of it by dots":         map[string]any{"status_list": map[string]any{"idx": 1, "uri": w.box.Province(zhejiang).Status.Prefix() + "../other/1"}},
		"a machine of the gateway":  map[string]any{"status_list": map[string]any{"idx": 1, "uri": "http://169.254.169.254/"}},
		"no index":                  map[string]any{"status_list": map[string]any{"uri": good.URI()}},
		"an index that is a word":   map[string]any{"status_list": map[string]any{"idx": "1", "uri": good.URI()}},
		"a negative index":          map[string]any{"status_list": map[string]any{"idx": -1, "uri": good.URI()}},
		"a status that is a number": 7,
	} {
		token, _ := w.mint(zhejiang, sandbox.LicenceSpec{Status: entry})
		if got := g.verify(token); !got.is("INVALID", "STATUS_REFERENCE_INVALID") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if n := w.calls("status") - before; n != 0 {
		t.Errorf("%d fetches from where nothing may be fetched", n)
	}
	g.expect("INVALID", "STATUS_REFERENCE_INVALID", w.listed(zhejiang, good, 64))
	g.expect("VALID", "OK", w.listed(zhejiang, good, 63))
}

func serving(l *sandbox.StatusList, token []byte) *sandbox.StatusList {
	l.SetRaw(token)
	return l
}

// A list does not go back behind one that was seen, however long the old one
// would still run.
func TestStatusRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	var life atomic.Int64
	life.Store(60)
	list := w.list(anhui, 1, sandbox.StatusSpec{TTL: 2 * time.Second, Edit: func(_, c map[string]any) {
		c["exp"], c["ttl"] = time.Now().Unix()+life.Load(), 60
	}})
	token := w.listed(anhui, list, 1)
	old, err := list.Token()
	w.ok(err)
	signed := time.Now()
	eventually(t, 5*time.Second, "a later list is later", func() bool { return time.Since(signed) > 1100*time.Millisecond })
	life.Store(3)
	w.ok(list.Set(1, 1))
	g.expect("INVALID", "STATUS_REVOKED", token)
	list.SetRaw(old) // says "valid", and is good for a minute
	eventually(t, 15*time.Second, "the newer list has ended", func() bool {
		got := g.verify(token)
		if !got.is("INVALID", "STATUS_REVOKED") && !got.is("INDETERMINATE", "STATUS_UNAVAILABLE") {
			t.Fatalf("an older list is believed: %v", got)
		}
		return got.Code == "STATUS_UNAVAILABLE"
	})
	eventually(t, 10*time.Second, "a metric counts it", func() bool {
		return g.metric("tongyan_status_list_fetches_total", `result="rollback"`) > 0
	})
	for range 20 {
		g.expect("INDETERMINATE", "STATUS_UNAVAILABLE", token)
	}
}

// What a policy makes of a credential without a list.
func TestStatusPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{policy: `status: if-present, status_by_issuer: { "` + w.box.Province(shanghai).Issuer + `": required, "` +
		w.box.Province(jiangsu).Issuer + `": instead-of-registry }`})
	got := g.expect("INVALID", "STATUS_MISSING", w.good(shanghai))
	if got.outcome("registry") != "skipped" {
		t.Errorf("registry %s behind a failed check", got.outcome("registry"))
	}
	g.expect("VALID", "OK", w.listed(shanghai, w.list(shanghai, 1, sandbox.StatusSpec{}), 1))
	g.expect("VALID", "OK", w.good(zhejiang))
	// Instead of the registry: a fresh list spares it, no list does not.
	list := w.list(jiangsu, 1, sandbox.StatusSpec{})
	token, business := w.mint(jiangsu, sandbox.LicenceSpec{Status: list.Entry(1)})
	w.box.Province(jiangsu).Registry.SetState(business.USCC, "2")
	if got := g.expect("VALID", "OK", token); got.outcome("registry") != "skipped" || got.outcome("status") != "passed" {
		t.Errorf("status %s, registry %s", got.outcome("status"), got.outcome("registry"))
	}
	without, business := w.mint(jiangsu, sandbox.LicenceSpec{})
	w.box.Province(jiangsu).Registry.SetState(business.USCC, "2")
	g.expect("INVALID", "REGISTRATION_REVOKED", without)
	w.set(w.box.Province(jiangsu).Status.Endpoint, sandbox.Fault{Mode: sandbox.Error})
	unlisted, business := w.mint(jiangsu, sandbox.LicenceSpec{Status: w.list(jiangsu, 2, sandbox.StatusSpec{}).Entry(1)})
	if got := g.verify(unlisted); got.Verdict == "VALID" && got.outcome("status") == "passed" {
		t.Errorf("a list that was never had: %v", got)
	} else if got.outcome("registry") == "skipped" {
		t.Errorf("without a usable list the registry is asked: %v", got)
	}
	w.box.Province(jiangsu).Registry.SetState(business.USCC, "4")
	g.expect("INVALID", "REGISTRATION_CANCELLED", unlisted, "Cache-Control", "no-cache")
}

// Where lists stand in for registries the peak falls on nobody: thousands of
// verdicts cause a handful of calls.
func TestStatusInsteadOfRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{policy: "status: instead-of-registry"})
	const each, verdicts = 300, 5000
	var tokens []string
	for _, p := range w.box.Provinces() {
		list := w.list(p.Code, 1, sandbox.StatusSpec{Size: 1 << 20})
		made, err := p.MintMany(t.Context(), sandbox.LicenceSpec{Status: list.Entry(12345), Number: 1000}, each)
		w.ok(err)
		tokens = append(tokens, made...)
	}
	for _, e := range w.box.Endpoints() {
		e.ResetCounters()
	}
	const clients = 8
	w.ok(together(clients, func(i int) error {
		for n := i; n < verdicts; n += clients {
			if got, err := g.try(tokens[n%len(tokens)]); err != nil {
				return err
			} else if !got.is("VALID", "OK") || got.outcome("registry") != "skipped" {
				return errorOf(got)
			}
		}
		return nil
	}))
	if n := w.calls(""); n > 8 || n < 4 {
		t.Errorf("%d verdicts over four provinces caused %d calls", verdicts, n)
	} else {
		t.Logf("%d verdicts about %d licences of four provinces caused %d calls", verdicts, len(tokens), n)
	}
}
