package signer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"crypto"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	jwxjws "github.com/lestrrat-go/jwx/v2/jws"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/keys/signer"
	"tongyan/strict"
)

func generate(t testing.TB, alg keys.Algorithm) *signer.Key {
	t.Helper()
	k, err := signer.Generate(alg, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func jwkOf(t testing.TB, k *signer.Key) (private, public []byte) {
	t.Helper()
	private, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = k.PublicJWK(); err != nil {
		t.Fatal(err)
	}
	return private, public
}

// Every algorithm: made, written, read again, signing the same.
func TestRoundTrip(t *testing.T) {
	for _, alg := range keys.Algorithms {
		k := generate(t, alg)
		private, public := jwkOf(t, k)
		again, err := signer.Parse(private)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		private2, public2 := jwkOf(t, again)
		if !bytes.Equal(private, private2) || !bytes.Equal(public, public2) || again.Algorithm() != alg {
			t.Errorf("%s: reads as another key:\n%s", alg, public2)
		}
		if again.Public().ID() != keys.KeyID(k.Public().Thumbprint()) {
			t.Errorf("%s: kid %q is not the thumbprint", alg, again.Public().ID())
		}
		token, err := again.Compact("ebl+jwt", "a", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		u, err := jws.Parse(token, jws.MaxToken, "ebl+jwt")
		if err != nil || !u.VerifiedBy(k.Public()) || u.KeyID != "a" || u.Algorithm != string(alg) {
			t.Errorf("%s: %v", alg, err)
		}
		if strings.Contains(string(public), `"d"`) || strings.Contains(string(public), `"p"`) {
			t.Errorf("%s: the public half tells the secret", alg)
		}
		for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), k.String()} {
			if shown != "private key of "+string(k.Public().Thumbprint()) {
				t.Errorf("%s: printed as %.80s", alg, shown)
			}
		}
		if _, err := signer.Parse(public); !errors.Is(err, signer.ErrPublicOnly) {
			t.Errorf("%s: a public key signs: %v", alg, err)
		}
	}
}

// jwx as an independent witness: it reads our keys, gives the same thumbprints,
// and each verifies what the other signed. (It knows SM2 keys in part only.)
func TestAgainstJWX(t *testing.T) {
	for _, alg := range keys.Algorithms {
		if alg == keys.SM2 {
			continue
		}
		k := generate(t, alg)
		private, public := jwkOf(t, k)
		theirs, err := jwk.ParseKey(private)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		sum, err := theirs.Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(sum) != string(k.Public().Thumbprint()) {
			t.Errorf("%s: thumbprints differ: %v", alg, err)
		}
		theirPublic, err := jwk.ParseKey(public)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		ours, err := k.Compact("ebl+jwt", "a", []byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwxjws.Verify(ours, jwxjws.WithKey(jwa.SignatureAlgorithm(alg), theirPublic)); err != nil {
			t.Errorf("%s: jwx refuses ours: %v", alg, err)
		}
		headers := jwxjws.NewHeaders()
		for name, value := range map[string]string{"kid": "a", "typ": "ebl+jwt"} {
			if err := headers.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		token, err := jwxjws.Sign([]byte("payload"), jwxjws.WithKey(jwa.SignatureAlgorithm(alg), theirs, jwxjws.WithProtectedHeaders(headers)))
		if err != nil {
			t.Fatal(err)
		}
		u, err := jws.Parse(token, jws.MaxToken, "ebl+jwt")
		if err != nil || !u.VerifiedBy(k.Public()) {
			t.Errorf("%s: we refuse jwx's: %v", alg, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	fields := func(alg keys.Algorithm) map[string]any {
		private, _ := jwkOf(t, generate(t, alg))
		var out map[string]any
		if err := json.Unmarshal(private, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	change := func(of map[string]any, changes ...any) []byte {
		out := map[string]any{}
		for name, value := range of {
			out[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			if out[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
				delete(out, changes[i].(string))
			}
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	es, es2, sm, ed, rs := fields(keys.ES256), fields(keys.ES256), fields(keys.SM2), fields(keys.EdDSA), fields(keys.PS256)
	for name, text := range map[string][]byte{
		"nothing":                  nil,
		"not JSON":                 []byte("-----BEGIN PRIVATE KEY-----"),
		"an array":                 []byte("[]"),
		"a symmetric key":          []byte(`{"kty":"oct","k":"c2VjcmV0","d":"AQ"}`),
		"d twice":                  bytes.Replace(change(es), []byte(`"d":`), []byte(`"d":"AQ","d":`), 1),
		"d empty":                  change(es, "d", ""),
		"d a number":               change(es, "d", 1),
		"d zero":                   change(es, "d", strings.Repeat("A", 43)),
		"d too short":              change(es, "d", "AQ"),
		"d beyond the order":       change(es, "d", strings.Repeat("_", 42)+"8"),
		"another public half":      change(es, "x", es2["x"], "y", es2["y"]),
		"another y":                change(es, "y", es2["y"]),
		"Ed25519, another x":       change(ed, "x", es["x"]),
		"an SM2 key as ES256":      change(sm, "alg", "ES256"),
		"an SM2 key as P-256":      change(sm, "alg", "ES256", "crv", "P-256"),
		"a P-256 key as SM2":       change(es, "alg", "SM2", "crv", "SM2"),
		"a P-256 key, alg SM2":     change(es, "alg", "SM2"),
		"a P-256 key, alg ES384":   change(es, "alg", "ES384"),
		"alg HS256":                change(es, "alg", "HS256"),
		"alg empty":                change(es, "alg", ""),
		"use enc":                  change(es, "use", "enc"),
		"P-521":                    change(es, "crv", "P-521"),
		"RSA without primes":       change(rs, "p", nil, "q", nil),
		"RSA with another prime":   change(rs, "p", rs["q"]),
		"RSA with another modulus": change(rs, "n", fields(keys.PS256)["n"]),
		"RSA with e of 3":          change(rs, "e", "Aw"),
		"too long":                 change(es, "pad", strings.Repeat("x", signer.MaxJWK)),
	} {
		k, err := signer.Parse(text)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if d, _ := es["d"].(string); k != nil || strings.Contains(err.Error(), d) {
			t.Errorf("%s: %v beside %v", name, k, err)
		}
	}
	if k, err := signer.Parse(change(rs, "alg", nil)); err != nil || k.Algorithm() != keys.PS256 {
		t.Errorf("an RSA key without alg: %v", err)
	}
	if k, err := signer.Parse(change(ed, "alg", "Ed25519")); err != nil || k.Algorithm() != keys.EdDSA {
		t.Errorf("alg Ed25519: %v", err)
	}
	if k, err := signer.Parse(change(sm, "distid", "ALICE123@YAHOO.COM")); err != nil {
		t.Errorf("SM2 with a distid: %v", err)
	} else if _, public := jwkOf(t, k); !bytes.Contains(public, []byte(`"distid":"ALICE123@YAHOO.COM"`)) {
		t.Error("the public half does not tell the distid, without which nobody can verify")
	}
	if _, err := signer.Generate("HS256", "", ""); err == nil {
		t.Error("a key for HS256")
	}
	if _, err := signer.Generate(keys.ES256, "", "id"); err == nil {
		t.Error("an ES256 key with a distid")
	}
}

// An SM2 key never signs or verifies as ES256, nor the reverse.
func TestCurvesAreNotMixed(t *testing.T) {
	es, sm := generate(t, keys.ES256), generate(t, keys.SM2)
	message := []byte("message")
	for _, k := range []*signer.Key{es, sm} {
		signature, err := k.Sign(message)
		if err != nil || len(signature) != 64 {
			t.Fatal(err)
		}
		for _, other := range []*signer.Key{es, sm} {
			for _, alg := range keys.Algorithms {
				want := other == k && alg == k.Algorithm()
				if other.Public().Verify(alg, message, signature) != want {
					t.Errorf("a signature of %s by %s under %s: %v", k.Algorithm(), other.Algorithm(), alg, !want)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, alg := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.SM2} {
		private, _ := jwkOf(f, generate(f, alg))
		f.Add(private)
	}
	f.Add([]byte(`{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ","p":"Aw","q":"BQ"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := signer.Parse(text)
		if err != nil {
			if k != nil {
				t.Error("a key beside an error")
			}
			return
		}
		_, public := jwkOf(t, k)
		v, err := strict.Parse(public)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := keys.ParseJWK(v); err != nil || again.Thumbprint() != k.Public().Thumbprint() {
			t.Errorf("the public half reads as another: %v", err)
		}
	})
}
