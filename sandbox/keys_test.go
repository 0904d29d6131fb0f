package sandbox_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"tongyan/sandbox"
)

func newKey(t testing.TB, alg, kid string) *sandbox.Key {
	t.Helper()
	key, err := sandbox.NewKey(alg, kid)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwkOf(t testing.TB, key *sandbox.Key) []byte {
	t.Helper()
	raw, err := key.JWK()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// verifies says whether a compact token is signed by the key of that JWK:
// checked by a library that this package does not use, or for SM2, which it
// does not know, from the JWK's own numbers.
func verifies(t testing.TB, token string, rawJWK []byte) bool {
	t.Helper()
	key, err := jwk.ParseKey(rawJWK)
	if err != nil {
		t.Fatal(err)
	}
	if key.Algorithm().String() == "SM2" {
		return verifiesSM2(t, token, rawJWK)
	}
	alg := jwa.SignatureAlgorithm(key.Algorithm().String())
	_, err = jws.Verify([]byte(token), jws.WithKey(alg, key))
	return err == nil
}

func verifiesSM2(t testing.TB, token string, rawJWK []byte) bool {
	t.Helper()
	var m struct {
		Kty, Crv, X, Y string
		DistID         string
	}
	if err := json.Unmarshal(rawJWK, &m); err != nil {
		t.Fatal(err)
	}
	if m.Kty != "EC" || m.Crv != "SM2" {
		t.Fatalf("SM2 key of kty %q, crv %q", m.Kty, m.Crv)
	}
	if m.DistID == "" {
		m.DistID = "1234567812345678"
	}
	pub := pointSM2(t, coordinate(t, m.X), coordinate(t, m.Y))
	at := bytes.LastIndexByte([]byte(token), '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || len(sig) != 64 {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return sm2.VerifyWithSM2(pub, []byte(m.DistID), []byte(token[:at]), r, s)
}

// coordinate decodes a JWK's x or y on a curve of 256 bits.
func coordinate(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 32 {
		t.Fatalf("coordinate of %d bytes, want 32: %v", len(raw), err)
	}
	return raw
}

func pointSM2(t testing.TB, x, y []byte) *ecdsa.PublicKey {
	t.Helper()
	pub, err := sm2.NewPublicKey(slices.Concat([]byte{4}, x, y))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestSignaturesVerify(t *testing.T) {
	sizes := map[string]int{"ES256": 64, "ES384": 96, "EdDSA": 64, "PS256": 256, "RS256": 256, "SM2": 64}
	for alg, size := range sizes {
		t.Run(alg, func(t *testing.T) {
			key, other := newKey(t, alg, "k"), newKey(t, alg, "k")
			token, err := sandbox.SignCompact([]byte(`{"alg":"`+alg+`"}`), []byte("payload"), key)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := base64.RawURLEncoding.DecodeString(token[bytes.LastIndexByte([]byte(token), '.')+1:])
			if err != nil || len(sig) != size {
				t.Errorf("signature of %d bytes, want %d: %v", len(sig), size, err)
			}
			if !verifies(t, token, jwkOf(t, key)) {
				t.Error("does not verify with its own key")
			}
			if verifies(t, token, jwkOf(t, other)) {
				t.Error("verifies with another key")
			}
		})
	}
}

func TestThumbprint(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "EdDSA", "PS256"} {
		key := newKey(t, alg, "k")
		parsed, err := jwk.ParseKey(jwkOf(t, key))
		if err != nil {
			t.Fatal(err)
		}
		want, err := parsed.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.Thumbprint()
		if err != nil || got != base64.RawURLEncoding.EncodeToString(want) {
			t.Errorf("%s: thumbprint %s, %v; the library says %x", alg, got, err, want)
		}
	}
}

func TestJWKMembers(t *testing.T) {
	key := newKey(t, "SM2", "k")
	key.NotBefore, key.Expires, key.DistID = 5, 6, "someone"
	key.Revoked = &sandbox.Revocation{RevokedAt: 7, Reason: "superseded"}
	var m map[string]any
	if err := json.Unmarshal(jwkOf(t, key), &m); err != nil {
		t.Fatal(err)
	}
	if m["nbf"] != 5.0 || m["exp"] != 6.0 || m["distid"] != "someone" || m["use"] != "sig" || m["kid"] != "k" {
		t.Errorf("members: %v", m)
	}
	if r, _ := m["revoked"].(map[string]any); r["revoked_at"] != 7.0 || r["reason"] != "superseded" {
		t.Errorf("revoked: %v", m["revoked"])
	}
	if _, private := m["d"]; private {
		t.Error("the private member stands in the JWK")
	}
	token, err := sandbox.SignCompact([]byte("{}"), nil, key)
	if err != nil || !verifies(t, token, jwkOf(t, key)) {
		t.Errorf("does not verify under its own identity: %v", err)
	}
	stranger := *key
	stranger.DistID = ""
	if verifies(t, token, jwkOf(t, &stranger)) {
		t.Error("verifies under another identity")
	}
}

func TestKeyRefuses(t *testing.T) {
	if _, err := sandbox.NewKey("HS256", "k"); err == nil {
		t.Error("made a key for HS256")
	}
	if _, err := newKey(t, "ES256", "k").As("PS256", "k").Sign(nil); err == nil {
		t.Error("an EC key made an RSA signature")
	}
	if _, err := new(sandbox.Key).Sign(nil); err == nil {
		t.Error("the zero key signed")
	}
	if _, err := new(sandbox.Key).JWK(); err == nil {
		t.Error("the zero key has a JWK")
	}
}

func TestKeySet(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	p := s.Province("310000")
	kids := func() []string {
		set, err := jwk.Parse(get(t, c, p.Keys.URI()))
		if err != nil {
			t.Fatal(err)
		}
		var kids []string
		for i := range set.Len() {
			k, _ := set.Key(i)
			kids = append(kids, k.KeyID())
		}
		return kids
	}
	if got := kids(); len(got) != 2 {
		t.Fatalf("Shanghai's keys: %v, want ES256 and SM2", got)
	}
	if err := p.Keys.Add(newKey(t, "ES384", "more")); err != nil {
		t.Fatal(err)
	}
	if got := kids(); len(got) != 3 || got[2] != "more" {
		t.Errorf("after Add: %v", got)
	}
	if err := p.Keys.Revoke("more", 9, "compromised"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(get(t, c, p.Keys.URI()), []byte(`"revoked":{"revoked_at":9,"reason":"compromised"}`)) {
		t.Error("after Revoke: not said in the set")
	}
	if err := p.Keys.Remove("more"); err != nil {
		t.Fatal(err)
	}
	if got := kids(); len(got) != 2 {
		t.Errorf("after Remove: %v", got)
	}
	p.Keys.SetRaw([]byte("<html>"))
	if got := get(t, c, p.Keys.URI()); string(got) != "<html>" {
		t.Errorf("after SetRaw: %s", got)
	}
}
