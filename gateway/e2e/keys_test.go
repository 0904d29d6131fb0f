package e2e

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

// newKey adds a key to a province's set, after those that are there.
func (w *world) newKey(province, alg, kid string) *sandbox.Key {
	w.t.Helper()
	key, err := sandbox.NewKey(alg, kid)
	w.ok(err)
	w.ok(w.box.Province(province).Keys.Add(key))
	return key
}

// A province rotates without a ceremony: the first credential of a new key
// verifies, by one fetch; and no traffic makes that more than one an interval.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	g := w.gateway(setup{redis: redis.Addr, keys: "refresh: 15m, refetch_interval: 2s"})
	set := w.box.Province(jiangsu).Keys
	g.expect("VALID", "OK", w.good(jiangsu))
	if n := set.Calls(); n != 1 {
		t.Errorf("%d fetches at the start", n)
	}
	second := w.newKey(jiangsu, "ES256", "second")
	token, _ := w.mint(jiangsu, sandbox.LicenceSpec{Key: second})
	g.expect("VALID", "OK", token)
	if n := set.Calls(); n != 2 {
		t.Errorf("%d fetches for the first credential of a new key", n-1)
	}
	g.expect("VALID", "OK", w.good(jiangsu)) // the old key goes on

	// A flood of unknown kids, of the province that has just been asked and of
	// one that has not.
	began := time.Now()
	stranger, err := sandbox.NewKey("ES256", "")
	w.ok(err)
	before := map[string]int64{jiangsu: set.Calls(), shanghai: w.box.Province(shanghai).Keys.Calls()}
	err = together(16, func(int) error {
		for range 20 {
			for code := range before {
				token, _, err := w.box.Province(code).Mint(sandbox.LicenceSpec{Key: stranger.As("ES256", rand.Text()), Unregistered: true})
				if err != nil {
					return err
				}
				if got, err := g.try(token); err != nil || !got.is("INVALID", "KEY_NOT_FOUND") {
					return fmt.Errorf("%v: %w", got, errors.Join(err, errors.New("want INVALID KEY_NOT_FOUND")))
				}
			}
		}
		return nil
	})
	w.ok(err)
	allowed := 1 + int64(time.Since(began)/(2*time.Second))
	for code := range before {
		if n := w.box.Province(code).Keys.Calls() - before[code]; n > allowed {
			t.Errorf("%s: 320 unknown kids in %v caused %d fetches", code, time.Since(began), n)
		}
	}
	if n := w.box.Province(shanghai).Keys.Calls() - before[shanghai]; n == 0 {
		t.Error("an unknown kid causes no fetch at all")
	}
	if n := redis.Client().DBSize(t.Context()).Val(); n > 6 {
		t.Errorf("Redis holds %d values: unknown kids fill it", n)
	}
	// After the interval the next rotation is taken up again.
	third, _ := w.mint(jiangsu, sandbox.LicenceSpec{Key: w.newKey(jiangsu, "EdDSA", "third")})
	g.becomes(10*time.Second, "INVALID", "ALGORITHM_NOT_ALLOWED", third) // known now, but not allowed there
	fourth, _ := w.mint(jiangsu, sandbox.LicenceSpec{Key: w.newKey(jiangsu, "ES256", "fourth")})
	g.becomes(10*time.Second, "VALID", "OK", fourth)
}

// A key taken out of the set is dead within one refresh, and one that the set
// itself revokes too, for cached findings as well.
func TestKeyEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{keys: "refresh: 500ms, refetch_interval: 100ms"})
	keys := w.box.Province(anhui).Keys
	out, _ := w.mint(anhui, sandbox.LicenceSpec{Key: w.newKey(anhui, "PS256", "out")})
	gone, _ := w.mint(anhui, sandbox.LicenceSpec{Key: w.newKey(anhui, "PS256", "gone")})
	windowed, err := sandbox.NewKey("PS256", "windowed")
	w.ok(err)
	windowed.NotBefore, windowed.Expires = time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	w.ok(keys.Add(windowed))
	inside, _ := w.mint(anhui, sandbox.LicenceSpec{Key: windowed, IssuedAt: time.Now().Add(-time.Minute)})
	outside, _ := w.mint(anhui, sandbox.LicenceSpec{Key: windowed, IssuedAt: time.Now().Add(-2 * time.Hour)})
	other := w.good(anhui)
	g.becomes(5*time.Second, "VALID", "OK", out)
	g.becomes(5*time.Second, "VALID", "OK", gone)
	g.becomes(5*time.Second, "VALID", "OK", inside)
	g.expect("INVALID", "KEY_OUTSIDE_WINDOW", outside)
	g.expect("VALID", "OK", other)
	w.ok(keys.Remove("out"))
	if took := g.becomes(5*time.Second, "INVALID", "KEY_NOT_FOUND", out); took > 2*time.Second {
		t.Errorf("dead only after %v, the refresh is 500 ms", took)
	}
	w.ok(keys.Revoke("gone", time.Now().Unix(), "compromised"))
	g.becomes(5*time.Second, "INVALID", "KEY_REVOKED", gone)
	g.expect("VALID", "OK", other)
	// The same key under a name that it had: another key of that kid verifies nothing of it.
	w.newKey(anhui, "PS256", "out")
	g.becomes(5*time.Second, "INVALID", "SIGNATURE_INVALID", out)
}

// While the host of the keys is down the last good set counts, but not for ever.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{keys: "refresh: 300ms, refetch_interval: 300ms, max_stale: 4s"})
	keys := w.box.Province(zhejiang).Keys
	token := w.good(zhejiang)
	g.expect("VALID", "OK", token)
	w.set(keys.Endpoint, sandbox.Fault{Mode: sandbox.Gone})
	down := time.Now()
	eventually(t, 5*time.Second, "/v1/provinces says that the set cannot be renewed", func() bool {
		return g.province(zhejiang).Issuers[0].KeysFault != nil
	})
	for time.Since(down) < 3*time.Second {
		g.expect("VALID", "OK", token)
		time.Sleep(50 * time.Millisecond)
	}
	g.becomes(8*time.Second, "INDETERMINATE", "KEYS_UNAVAILABLE", token)
	g.expect("INDETERMINATE", "KEYS_UNAVAILABLE", forge(token)) // nobody can tell now
	g.expect("VALID", "OK", w.good(shanghai))
	w.set(keys.Endpoint, sandbox.Fault{})
	g.becomes(10*time.Second, "VALID", "OK", token)
	g.expect("INVALID", "SIGNATURE_INVALID", forge(token))
}

// A set that is refused leaves the last good one in place.
func TestKeySetsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{keys: "refresh: 200ms, refetch_interval: 60s"})
	keys := w.box.Province(shanghai).Keys
	token := w.good(shanghai)
	g.expect("VALID", "OK", token)
	good := keys.Bytes()
	var whole struct {
		Keys []map[string]any `json:"keys"`
	}
	w.ok(json.Unmarshal(good, &whole))
	with := func(edit func([]map[string]any) []map[string]any) []byte {
		var copied struct {
			Keys []map[string]any `json:"keys"`
		}
		w.ok(json.Unmarshal(good, &copied))
		copied.Keys = edit(copied.Keys)
		b, err := json.Marshal(copied)
		w.ok(err)
		return b
	}
	private := strings.Repeat("A", 43)
	for name, tc := range map[string]struct {
		body  []byte
		fault sandbox.Mode
	}{
		"a private key in it": {body: with(func(k []map[string]any) []map[string]any { k[0]["d"] = private; return k })},
		"a symmetric key in it": {body: with(func(k []map[string]any) []map[string]any {
			return append(k, map[string]any{"kty": "oct", "k": private, "kid": "s"})
		})},
		"one kid twice": {body: with(func(k []map[string]any) []map[string]any { return append(k, k[0]) })},
		"101 keys": {body: with(func(k []map[string]any) []map[string]any {
			for i := len(k); i < 101; i++ {
				one := map[string]any{"kid": fmt.Sprint("kid-", i)}
				for name, value := range k[0] {
					if name != "kid" {
						one[name] = value
					}
				}
				k = append(k, one)
			}
			return k
		})},
		"no keys":                {body: []byte(`{"keys":[]}`)},
		"a member twice":         {body: []byte(strings.Replace(string(good), `{"keys":`, `{"keys":[],"keys":`, 1))},
		"something behind":       {body: append(good[:len(good):len(good)], '{')},
		"an HTML page":           {fault: sandbox.ContentType},
		"HTML in the right type": {body: []byte("<!doctype html><title>Sorry</title>")},
		"garbage":                {fault: sandbox.Garbage},
		"torn":                   {fault: sandbox.Truncated},
		"huge":                   {fault: sandbox.Oversized},
		"elsewhere":              {fault: sandbox.Redirect},
		"500":                    {fault: sandbox.Error},
	} {
		if tc.body != nil {
			keys.SetRaw(tc.body)
		}
		w.set(keys.Endpoint, sandbox.Fault{Mode: tc.fault})
		eventually(t, 5*time.Second, name+": /v1/provinces says that the set cannot be renewed", func() bool {
			return g.province(shanghai).Issuers[0].KeysFault != nil
		})
		part := g.part("keys of " + w.box.Province(shanghai).Issuer)
		if part.OK || part.Problem == "" {
			t.Errorf("%s: readyz says %+v", name, part)
		}
		if got := g.verify(token); !got.is("VALID", "OK") {
			t.Errorf("%s: the last good set does not count: %v", name, got)
		}
		if got := g.verify(w.good(shanghai)); !got.is("VALID", "OK") {
			t.Errorf("%s: the last good set does not count for new credentials: %v", name, got)
		}
		w.set(keys.Endpoint, sandbox.Fault{})
		keys.SetRaw(good)
		eventually(t, 5*time.Second, name+": the good set is taken again", func() bool { return g.province(shanghai).Issuers[0].KeysFault == nil })
	}
	// One bad key among good ones costs only itself.
	keys.SetRaw(with(func(k []map[string]any) []map[string]any {
		return append(k, map[string]any{"kty": "EC", "crv": "P-256", "x": private, "y": private, "kid": "off"},
			map[string]any{"kty": "RSA", "n": private, "e": "AQAB", "kid": "short"}, map[string]any{"kty": "what", "kid": "w"})
	}))
	calls := keys.Calls()
	eventually(t, 5*time.Second, "the set is fetched twice", func() bool { return keys.Calls() >= calls+2 })
	if view := g.province(shanghai).Issuers[0]; view.KeysFault != nil || len(view.Keys) != len(whole.Keys) {
		t.Errorf("three bad keys beside good ones: %+v", view)
	}
	g.expect("VALID", "OK", token)
}
