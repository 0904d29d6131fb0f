package sdjwt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/sdjwt"
)

// A proof is a KB-JWT in the making.
type proof struct {
	header, claims object
	key            ed25519.PrivateKey
}

func newProof(body []byte) *proof {
	return &proof{
		header: object{"alg": "EdDSA", "typ": "kb+jwt"},
		claims: object{"iat": now.Unix(), "aud": "https://hall.example", "nonce": "n-1", "sd_hash": digest("", string(body))},
		key:    holderKey,
	}
}

func (p *proof) bytes() []byte { return []byte(sign(marshal(p.header), marshal(p.claims), p.key)) }

func expectation() *verifiers.HolderExpectation {
	return &verifiers.HolderExpectation{Audience: "https://hall.example", Nonce: "n-1", Required: true}
}

func TestVerifyHolder(t *testing.T) {
	body := plain().hide("lerep", true).bytes()
	f := mustOpen(t, body)
	verify := func(p *proof, want *verifiers.HolderExpectation) verifiers.HolderResult {
		return sdjwt.Envelope{}.VerifyHolder(p.bytes(), body, f, want, now)
	}

	got := verify(newProof(body), expectation())
	if got.Fault != "" || got.Unbound || got.Spends == (verifiers.Digest{}) {
		t.Fatalf("a right proof: %+v", got)
	}
	if end := now.Add(5 * time.Minute); got.Until.Before(end) || got.Until.After(end.Add(5*time.Minute)) {
		t.Errorf("remembered until %v", got.Until)
	}
	for name, edit := range map[string]func(*proof){
		"aud in an array":    func(p *proof) { p.claims["aud"] = []string{"x", "https://hall.example"} },
		"Ed25519 by name":    func(p *proof) { p.header["alg"] = "Ed25519" },
		"kid of any kind":    func(p *proof) { p.header["kid"] = 7 },
		"five minutes old":   func(p *proof) { p.claims["iat"] = now.Unix() - 300 },
		"five minutes ahead": func(p *proof) { p.claims["iat"] = now.Unix() + 300 },
		"ends later":         func(p *proof) { p.claims["exp"] = now.Unix() + 1 },
	} {
		p := newProof(body)
		edit(p)
		again := verify(p, expectation())
		if again.Fault != "" {
			t.Errorf("%s: %s", name, again.Fault)
		}
		if again.Spends != got.Spends {
			t.Errorf("%s: the same nonce could be spent again", name)
		}
	}

	// Another challenge, or the same to somebody else, is another nonce.
	for _, want := range []*verifiers.HolderExpectation{
		{Audience: "https://hall.example", Nonce: "n-2"}, {Audience: "https://bank.example", Nonce: "n-1"},
		{Audience: "https://hall.examplen", Nonce: "-1"},
	} {
		p := newProof(body)
		p.claims["aud"], p.claims["nonce"] = want.Audience, want.Nonce
		if r := verify(p, want); r.Fault != "" || r.Spends == got.Spends {
			t.Errorf("%+v: %+v", want, r)
		}
	}

	if r := verify(newProof(body), nil); r != (verifiers.HolderResult{Unbound: true}) {
		t.Errorf("without expectation: %+v", r)
	}
	if r := verify(newProof(body), &verifiers.HolderExpectation{Audience: "https://hall.example"}); r != (verifiers.HolderResult{Unbound: true}) {
		t.Errorf("without nonce: %+v", r)
	}
	if r := verify(newProof(body), &verifiers.HolderExpectation{Nonce: "n-1"}); r.Fault != "" || !r.Unbound || r.Spends == (verifiers.Digest{}) {
		t.Errorf("without audience: %+v", r)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder(nil, body, f, expectation(), now); r.Fault != verifiers.HolderProofMissing {
		t.Errorf("no proof: %+v", r)
	}
}

func TestVerifyHolderRefuses(t *testing.T) {
	body := plain().hide("lerep", true).bytes()
	f := mustOpen(t, body)
	for name, edit := range map[string]func(*proof){
		"signed by another":      func(p *proof) { p.key = otherKey },
		"signed by the issuer":   func(p *proof) { p.key = issuerKey },
		"typ JWT":                func(p *proof) { p.header["typ"] = "JWT" },
		"no typ":                 func(p *proof) { delete(p.header, "typ") },
		"alg none":               func(p *proof) { p.header["alg"] = "none" },
		"alg of other keys":      func(p *proof) { p.header["alg"] = "ES256" },
		"brings its key":         func(p *proof) { p.header["jwk"] = jwk(holderKey) },
		"crit":                   func(p *proof) { p.header["crit"] = []string{"exp"} },
		"aud of another":         func(p *proof) { p.claims["aud"] = "https://bank.example" },
		"aud longer":             func(p *proof) { p.claims["aud"] = "https://hall.example/" },
		"aud in no array":        func(p *proof) { p.claims["aud"] = []string{} },
		"aud among numbers":      func(p *proof) { p.claims["aud"] = []any{"https://hall.example", 1} },
		"no aud":                 func(p *proof) { delete(p.claims, "aud") },
		"nonce of another":       func(p *proof) { p.claims["nonce"] = "n-2" },
		"nonce a number":         func(p *proof) { p.claims["nonce"] = 1 },
		"no nonce":               func(p *proof) { delete(p.claims, "nonce") },
		"too old":                func(p *proof) { p.claims["iat"] = now.Unix() - 301 },
		"too early":              func(p *proof) { p.claims["iat"] = now.Unix() + 301 },
		"iat far off":            func(p *proof) { p.claims["iat"] = int64(253402300799) },
		"iat a fraction":         func(p *proof) { p.claims["iat"] = 1790000000.5 },
		"iat a text":             func(p *proof) { p.claims["iat"] = "1790000000" },
		"no iat":                 func(p *proof) { delete(p.claims, "iat") },
		"ended":                  func(p *proof) { p.claims["exp"] = now.Unix() },
		"exp a text":             func(p *proof) { p.claims["exp"] = "x" },
		"over other disclosures": func(p *proof) { p.claims["sd_hash"] = digest("", string(plain().bytes())) },
		"sd_hash by another hash": func(p *proof) {
			p.claims["sd_hash"] = digest("sha-512", string(body))
		},
		"sd_hash empty": func(p *proof) { p.claims["sd_hash"] = "" },
		"no sd_hash":    func(p *proof) { delete(p.claims, "sd_hash") },
	} {
		p := newProof(body)
		edit(p)
		for _, want := range []*verifiers.HolderExpectation{expectation(), nil} {
			if want == nil && (strings.HasSuffix(name, "of another") || name == "aud longer") {
				continue // nobody said what to expect
			}
			got := sdjwt.Envelope{}.VerifyHolder(p.bytes(), body, f, want, now)
			if got != (verifiers.HolderResult{Fault: verifiers.HolderProofInvalid}) {
				t.Errorf("%s (expectation %v): %+v", name, want != nil, got)
			}
		}
	}

	right := string(newProof(body).bytes())
	for name, text := range map[string]string{
		"garbage": "x", "two parts": "a.b", "trailing line feed": right + "\n",
		"not JSON":  sign([]byte(`{"alg":"EdDSA","typ":"kb+jwt"}`), []byte(`{"iat":`), holderKey),
		"no object": sign([]byte(`{"alg":"EdDSA","typ":"kb+jwt"}`), []byte(`[]`), holderKey),
		"too long":  sign([]byte(`{"alg":"EdDSA","typ":"kb+jwt"}`), marshal(object{"x": strings.Repeat("x", 64<<10)}), holderKey),
	} {
		if r := (sdjwt.Envelope{}).VerifyHolder([]byte(text), body, f, nil, now); r.Fault != verifiers.HolderProofInvalid {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Together they are one credential, with one bound.
	large := newProof(body)
	large.claims["x"] = strings.Repeat("x", 48700)
	if n := len(large.bytes()); n >= 64<<10 || n+len(body) <= 64<<10 {
		t.Fatalf("%d bytes do not show it", n)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder(large.bytes(), body, f, nil, now); r.Fault != verifiers.HolderProofInvalid {
		t.Errorf("too long together: %+v", r)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(right), plain().bytes(), f, expectation(), now); r.Fault != verifiers.HolderProofInvalid {
		t.Errorf("of another presentation: %+v", r)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(right), body, nil, nil, now); r.Fault != verifiers.HolderProofInvalid {
		t.Errorf("no finding: %+v", r)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(right), body, f, &verifiers.HolderExpectation{Required: true}, now); r.Fault != verifiers.HolderProofInvalid {
		t.Errorf("required, but nothing to expect: %+v", r)
	}
}

// Where the credential names no key that we can use, no proof is right.
func TestVerifyHolderWithoutKey(t *testing.T) {
	private := jwk(holderKey)
	private["d"] = b64(holderKey.Seed())
	small := object{"kty": "OKP", "crv": "Ed25519", "x": b64(append([]byte{1}, make([]byte, 31)...))}
	for name, cnf := range map[string]any{
		"none": nil, "empty": object{}, "by kid": object{"kid": "k"}, "private": object{"jwk": private},
		"unknown curve": object{"jwk": object{"kty": "OKP", "crv": "Ed448", "x": "AA"}},
		"small order":   object{"jwk": small}, "empty key": object{"jwk": object{}},
		"for another algorithm": object{"jwk": object{"kty": "oct", "k": "AA"}},
	} {
		c := plain()
		if c.claims["cnf"] = cnf; cnf == nil {
			delete(c.claims, "cnf")
		}
		body := c.bytes()
		got := sdjwt.Envelope{}.VerifyHolder(newProof(body).bytes(), body, mustOpen(t, body), nil, now)
		if got.Fault != verifiers.HolderProofInvalid {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The proof's hash is the credential's, and its key may be of another kind.
func TestVerifyHolderES256(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{"sha-384", "sha-512"} {
		c := plain()
		c.claims["_sd_alg"] = hash
		c.claims["cnf"] = object{"jwk": object{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64(point[1:33]), "y": b64(point[33:])}}
		body := c.hide("lerep", true).bytes()
		p := newProof(body)
		p.header["alg"], p.claims["sd_hash"] = "ES256", digest(hash, string(body))
		input := b64(marshal(p.header)) + "." + b64(marshal(p.claims))
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		got := sdjwt.Envelope{}.VerifyHolder([]byte(input+"."+b64(signature)), body, mustOpen(t, body), expectation(), now)
		if got.Fault != "" {
			t.Errorf("%s: %+v", hash, got)
		}
	}
}
