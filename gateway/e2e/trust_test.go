package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

const refusedLists = "tongyan_trust_list_refused_total"

// A list that is not good is refused, the good one stays, and log, metric and
// readyz say which and why.
func TestTrustListsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(nil)
	good := w.publish(nil)
	g := w.gateway(setup{})
	token := w.good(shanghai)
	stranger, err := sandbox.NewKey("ES256", "a-stranger")
	w.ok(err)
	signed := func(key *sandbox.Key, edit func(*sandbox.List)) []byte {
		l, err := w.box.Trust.List()
		w.ok(err)
		edit(&l)
		made, err := sandbox.SignList(l, key)
		w.ok(err)
		return made
	}
	root := w.box.Trust.Roots()[0]
	broken, err := w.box.Trust.Broken(nil)
	w.ok(err)
	flipped := bytes.Clone(w.box.Trust.Token())
	flipped[len(flipped)/2] ^= 1
	for name, tc := range map[string]struct {
		serve  []byte
		fault  sandbox.Mode
		reason string
	}{
		"older":                   {serve: signed(root, func(l *sandbox.List) { l.Version-- }), reason: "ROLLBACK"},
		"same version, other":     {serve: signed(root, func(l *sandbox.List) { l.Province(anhui).State = "suspended" }), reason: "ROLLBACK"},
		"broken signature":        {serve: broken, reason: "SIGNATURE"},
		"a byte flipped":          {serve: flipped, reason: "?"},
		"expired":                 {serve: signed(root, func(l *sandbox.List) { l.Version++; l.Iat -= 1000; l.Exp = time.Now().Unix() - 90 }), reason: "EXPIRED"},
		"of tomorrow":             {serve: signed(root, func(l *sandbox.List) { l.Version++; l.Iat = time.Now().Unix() + 86400 }), reason: "NOT_YET"},
		"unknown root":            {serve: signed(stranger, func(l *sandbox.List) { l.Version++ }), reason: "UNKNOWN_ROOT"},
		"root's kid, other's key": {serve: signed(stranger.As("ES256", root.KID), func(l *sandbox.List) { l.Version++ }), reason: "SIGNATURE"},
		"one iss twice": {serve: signed(root, func(l *sandbox.List) {
			l.Version++
			l.Province(anhui).Issuers[0].Iss = l.Province(jiangsu).Issuers[0].Iss
		}), reason: "DUPLICATE_ISSUER"},
		"garbage":                  {serve: []byte("eyJ.what?."), reason: "MALFORMED"},
		"empty":                    {serve: []byte{}, reason: "?"},
		"unsigned JSON":            {serve: []byte(`{"version":99,"provinces":[]}`), reason: "MALFORMED"},
		"an HTML page":             {fault: sandbox.ContentType, reason: "MALFORMED"},
		"huge":                     {fault: sandbox.Oversized, reason: "TOO_LARGE"},
		"torn":                     {fault: sandbox.Truncated, reason: "FETCH"},
		"elsewhere":                {fault: sandbox.Redirect, reason: "FETCH"},
		"another host's":           {fault: sandbox.WrongName, reason: "FETCH"},
		"500":                      {fault: sandbox.Error, reason: "FETCH"},
		"nobody there":             {fault: sandbox.Gone, reason: "FETCH"},
		"so far ahead that no end": {serve: signed(root, func(l *sandbox.List) { l.Version = 9007199254740991 }), reason: "FAST_FORWARD"},
	} {
		labels := []string{`reason="` + tc.reason + `"`}
		if tc.reason == "?" {
			labels = nil
		}
		before := g.metric(refusedLists, labels...)
		if tc.serve != nil {
			w.box.Trust.Serve(tc.serve)
		}
		if tc.fault == sandbox.WrongName {
			// The name shows at the handshake: end the connections there are.
			w.set(w.box.Trust.Endpoint, sandbox.Fault{Mode: sandbox.Gone})
		}
		w.set(w.box.Trust.Endpoint, sandbox.Fault{Mode: tc.fault})
		eventually(t, 10*time.Second, name+": the metric says "+tc.reason, func() bool { return g.metric(refusedLists, labels...) > before })
		part := g.part("trust list")
		if !part.OK || part.Problem == "" || part.Detail["version"] != float64(good) || labels != nil && part.Detail["refused"] != tc.reason {
			t.Errorf("%s: readyz says %+v", name, part)
		}
		if labels != nil && !strings.Contains(g.log.String(), `"reason":"`+tc.reason+`"`) {
			t.Errorf("%s: the log does not say so", name)
		}
		if got := g.expect("VALID", "OK", token); got.Version != good {
			t.Errorf("%s: version %d counts", name, got.Version)
		}
		if status := g.page("/readyz").status; status != http.StatusOK {
			t.Errorf("%s: readyz is %d", name, status)
		}
		w.set(w.box.Trust.Endpoint, sandbox.Fault{})
		w.ok(w.box.Trust.ServeVersion(good))
		eventually(t, 10*time.Second, name+": all is well again", func() bool { return g.part("trust list").Problem == "" })
	}
}

// A key that the list ends is dead at the next request, in all gateways, also
// for what they remember; and nothing brings it back.
func TestKillSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a := w.gateway(setup{redis: redis.Addr})
	b := w.gateway(setup{redis: redis.Addr, trust: "refresh: 1h"}) // it hears of new lists from the other
	key := w.box.Province(shanghai).SigningKey("")
	thumbprint, err := key.Thumbprint()
	w.ok(err)
	tokens := map[string]string{"plain": w.good(shanghai)}
	for _, f := range []sandbox.Format{sandbox.SDJWTVC, sandbox.VCJWT} {
		tokens[string(f)], _ = w.mint(shanghai, sandbox.LicenceSpec{Format: f})
	}
	other := w.good(jiangsu)
	for _, g := range []*gateway{a, b} {
		for _, token := range tokens {
			g.expect("VALID", "OK", token)
		}
		g.expect("VALID", "OK", other)
	}
	calls := w.box.Province(shanghai).Registry.Calls()
	old := w.box.Trust.Token()
	version := w.publish(func(l *sandbox.List) {
		l.RevokedKeys = []sandbox.RevokedKey{{Thumbprint: thumbprint, RevokedAt: time.Now().Unix(), Reason: "compromised"}}
	})
	began := time.Now()
	a.becomes(5*time.Second, "INVALID", "KEY_REVOKED", tokens["plain"])
	onA := time.Since(began)
	b.becomes(5*time.Second, "INVALID", "KEY_REVOKED", tokens["plain"])
	t.Logf("dead on the first gateway after %v, on the other after %v", onA, time.Since(began))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("dead everywhere only after %v", took)
	}
	dead := func(g *gateway) {
		t.Helper()
		for format, token := range tokens {
			got := g.expect("INVALID", "KEY_REVOKED", token)
			if got.Licence != nil {
				t.Errorf("%s: the licence is shown, which a stolen key may have signed", format)
			}
		}
		g.expect("INVALID", "KEY_REVOKED", w.good(shanghai))
		g.expect("VALID", "OK", other)
	}
	dead(a)
	dead(b)
	if n := w.box.Province(shanghai).Registry.Calls() - calls; n != 0 {
		t.Errorf("the registry was asked %d times about credentials of a revoked key", n)
	}
	// The old list, and a restart with it.
	w.box.Trust.Serve(old)
	eventually(t, 5*time.Second, "the old list is refused", func() bool { return a.metric(refusedLists, `reason="ROLLBACK"`) > 0 })
	dead(a)
	a.restart()
	dead(a)
	if got := a.verify(other).Version; got != version {
		t.Errorf("after a restart with the old list version %d counts, not %d", got, version)
	}
	// A later list that forgets the key.
	version = w.publish(func(l *sandbox.List) { l.RevokedKeys = nil })
	for _, g := range []*gateway{a, b} {
		eventually(t, 5*time.Second, "the later list is in force", func() bool { return g.verify(other).Version == version })
		dead(g)
	}
	a.restart()
	dead(a)
}

// superseded ends what was issued since, and only that.
func TestSupersededKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	thumbprint, err := w.box.Province(jiangsu).SigningKey("").Thumbprint()
	w.ok(err)
	before, _ := w.mint(jiangsu, sandbox.LicenceSpec{IssuedAt: time.Now().Add(-2 * time.Hour)})
	since, _ := w.mint(jiangsu, sandbox.LicenceSpec{IssuedAt: time.Now().Add(-time.Minute)})
	g.expect("VALID", "OK", before)
	g.expect("VALID", "OK", since)
	w.publish(func(l *sandbox.List) {
		l.RevokedKeys = []sandbox.RevokedKey{{Thumbprint: thumbprint, RevokedAt: time.Now().Add(-time.Hour).Unix(), Reason: "superseded"}}
	})
	g.becomes(5*time.Second, "INVALID", "KEY_REVOKED", since)
	g.expect("VALID", "OK", before)
}

// Who is suspended, who may no longer issue, and what an ended list is worth.
func TestTrustListChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	token, other := w.good(anhui), w.good(jiangsu)
	for _, x := range []string{token, other} {
		g.expect("VALID", "OK", x)
	}
	change := func(edit func(*sandbox.ListProvince), verdict, code string) {
		t.Helper()
		w.publish(func(l *sandbox.List) { edit(l.Province(anhui)) })
		g.becomes(5*time.Second, verdict, code, token)
		g.expect("VALID", "OK", other)
	}
	day := int64(86400)
	now := time.Now().Unix()
	yesterday := now - day
	change(func(p *sandbox.ListProvince) { p.State = "suspended" }, "INVALID", "ISSUER_SUSPENDED")
	if got := g.province(anhui).State; got != "suspended" {
		t.Errorf("/v1/provinces says %s", got)
	}
	change(func(p *sandbox.ListProvince) { p.State = "active" }, "VALID", "OK")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Divisions = []string{"32"} }, "INVALID", "ISSUER_NOT_AUTHORISED")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Divisions = nil }, "VALID", "OK") // its province's own
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Types = []string{"food-licence"} }, "INVALID", "ISSUER_NOT_AUTHORISED")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Types = []string{"business-licence"} }, "VALID", "OK")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].ValidUntil = &yesterday }, "INVALID", "ISSUER_NOT_AUTHORISED")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].ValidUntil = nil }, "VALID", "OK")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Algs = []string{"ES256"} }, "INVALID", "ALGORITHM_NOT_ALLOWED")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Algs = []string{"PS256"} }, "VALID", "OK")
	change(func(p *sandbox.ListProvince) { p.Issuers[0].Iss += "/" }, "INVALID", "ISSUER_NOT_RECOGNISED")
	w.publish(func(l *sandbox.List) {
		l.Province(anhui).Issuers = []sandbox.ListIssuer{{Iss: w.box.Province(anhui).Issuer, Types: []string{"business-licence"}, Algs: []string{"PS256"},
			JWKSURI: w.box.Province(anhui).Keys.URI(), ValidFrom: 1577808000}}
		l.Exp = time.Now().Unix() + 4
	})
	g.becomes(4*time.Second, "VALID", "OK", token)
	g.becomes(8*time.Second, "INDETERMINATE", "TRUST_LIST_EXPIRED", token)
	g.expect("INDETERMINATE", "TRUST_LIST_EXPIRED", w.good(jiangsu))
	if status := g.page("/readyz").status; status != http.StatusServiceUnavailable {
		t.Errorf("readyz is %d although the trust list has ended", status)
	}
	if status := g.page("/livez").status; status != http.StatusOK {
		t.Errorf("livez is %d", status)
	}
	g.expect("INVALID", "FORMAT_MALFORMED", "nonsense")
	w.publish(nil)
	g.becomes(5*time.Second, "VALID", "OK", token)
	if status := g.page("/readyz").status; status != http.StatusOK {
		t.Errorf("readyz is %d", status)
	}
}
