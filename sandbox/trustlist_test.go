package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

// read verifies a compact list with a root and returns what it says.
func read(t testing.TB, token []byte, root *sandbox.Key) (sandbox.List, bool) {
	t.Helper()
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	var header map[string]string
	var list sandbox.List
	decode(t, parts[0], &header)
	decode(t, parts[1], &list)
	thumbprint, err := root.Thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	if header["typ"] != "trust-list+jwt" || header["alg"] != "ES256" || header["kid"] != thumbprint {
		t.Errorf("header %v", header)
	}
	return list, verifies(t, string(token), jwkOf(t, root))
}

func decode(t testing.TB, part string, into any) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("%.60s: %v", part, err)
	}
}

func TestTrustList(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	c := client(t, s)
	root := s.Trust.Roots()[0]

	first, good := read(t, get(t, c, s.Trust.URI()), root)
	if !good || first.Version != 1 || first.Iat != now.Unix() || first.Exp <= first.Iat {
		t.Fatalf("verified %v: %+v", good, first)
	}
	for i, p := range s.Provinces() {
		entry := first.Provinces[i]
		if entry.Code != p.Code || entry.State != "active" || entry.Name != p.Name || entry.Authority != p.Authority {
			t.Errorf("entry %+v", entry)
		}
		issuer := entry.Issuers[0]
		if issuer.Iss != p.Issuer || issuer.JWKSURI != p.Keys.URI() || issuer.StatusLists[0] != p.Status.Prefix() ||
			issuer.Divisions[0] != p.Code[:2] || issuer.ValidUntil != nil {
			t.Errorf("issuer %+v", issuer)
		}
		for _, alg := range issuer.Algs {
			if p.SigningKey(alg) == nil {
				t.Errorf("%s: allowed %s, and has no key for it", p.Code, alg)
			}
		}
	}

	version, err := s.Trust.Publish(func(l *sandbox.List) {
		l.Province("330000").State = "suspended"
		l.RevokedKeys = append(l.RevokedKeys, sandbox.RevokedKey{Thumbprint: "x", RevokedAt: 5, Reason: "compromised"})
		l.Exp = now.Unix() - 1
	})
	if err != nil || version != 2 {
		t.Fatalf("version %d, %v", version, err)
	}
	second, good := read(t, get(t, c, s.Trust.URI()), root)
	if !good || second.Version != 2 || second.Province("330000").State != "suspended" || len(second.RevokedKeys) != 1 || second.Exp >= now.Unix() {
		t.Errorf("verified %v: %+v", good, second)
	}

	if err := s.Trust.ServeVersion(1); err != nil {
		t.Fatal(err)
	}
	if back, good := read(t, get(t, c, s.Trust.URI()), root); !good || back.Version != 1 {
		t.Errorf("rolled back: verified %v, version %d", good, back.Version)
	}
	if err := s.Trust.ServeVersion(7); err == nil {
		t.Error("served a version that never was")
	}

	broken, err := s.Trust.Broken(func(l *sandbox.List) { l.Province("330000").State = "active" })
	if err != nil {
		t.Fatal(err)
	}
	s.Trust.Serve(broken)
	if forged, good := read(t, get(t, c, s.Trust.URI()), root); good || forged.Version != 3 {
		t.Errorf("forged: verified %v, version %d", good, forged.Version)
	}

	// What was only served has not moved the version.
	if version, err := s.Trust.Publish(nil); err != nil || version != 3 {
		t.Errorf("version %d, %v", version, err)
	}
	if list, err := s.Trust.List(); err != nil || list.Version != 3 || list.Province("330000").State != "suspended" || list.Province("990000") != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestPublishSharesNothing(t *testing.T) {
	s := start(t, sandbox.Options{})
	var leaked *sandbox.List
	if _, err := s.Trust.Publish(func(l *sandbox.List) { leaked = l }); err != nil {
		t.Fatal(err)
	}
	list, err := s.Trust.List()
	if err != nil {
		t.Fatal(err)
	}
	list.Provinces[0].Issuers[0].Algs[0] = "none"
	leaked.Version = 99
	if again, err := s.Trust.List(); err != nil || again.Provinces[0].Issuers[0].Algs[0] == "none" || again.Version != 2 {
		t.Errorf("a copy reached the list: %+v, %v", again, err)
	}
}

func TestThresholdRoots(t *testing.T) {
	s := start(t, sandbox.Options{Roots: 3})
	var general struct {
		Payload    string
		Signatures []struct{ Protected, Signature string }
	}
	if err := json.Unmarshal(get(t, client(t, s), s.Trust.URI()), &general); err != nil {
		t.Fatal(err)
	}
	if len(general.Signatures) != 3 {
		t.Fatalf("%d signatures", len(general.Signatures))
	}
	for i, root := range s.Trust.Roots() {
		sig := general.Signatures[i]
		if _, good := read(t, []byte(sig.Protected+"."+general.Payload+"."+sig.Signature), root); !good {
			t.Errorf("signature %d does not verify", i)
		}
	}
}
