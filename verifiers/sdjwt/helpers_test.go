package sdjwt_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/sdjwt"
)

// Fixed keys, so that the seeds in testdata stay good.
var (
	issuerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	holderKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	otherKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))

	now = time.Unix(1790000000, 0)
)

type object = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func jwk(key ed25519.PrivateKey) object {
	return object{"kty": "OKP", "crv": "Ed25519", "x": b64(key.Public().(ed25519.PublicKey))}
}

func admit(t testing.TB, key ed25519.PrivateKey) *keys.Key {
	t.Helper()
	v, err := strict.Parse(marshal(jwk(key)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(header, payload []byte, key ed25519.PrivateKey) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(ed25519.Sign(key, []byte(input)))
}

func digest(hash, text string) string {
	switch hash {
	case "sha-384":
		sum := sha512.Sum384([]byte(text))
		return b64(sum[:])
	case "sha-512":
		sum := sha512.Sum512([]byte(text))
		return b64(sum[:])
	}
	sum := sha256.Sum256([]byte(text))
	return b64(sum[:])
}

// disclose encodes a disclosure; parts follow the salt.
func disclose(salt string, parts ...any) string {
	return b64(marshal(append([]any{salt}, parts...)))
}

// A credential is an SD-JWT in the making. Its zero value has no disclosures.
type credential struct {
	header, claims object
	disclosures    []string
}

// open returns a licence with everything in the open, to be spoilt.
func plain() *credential {
	return &credential{
		header: object{"alg": "EdDSA", "kid": "k1", "typ": "dc+sd-jwt"},
		claims: object{
			"iss": "https://ebl.sh.example", "sub": "91310000MA1K35Y38P", "jti": "urn:ebl:1",
			"iat": 1789990000, "exp": 1890000000, "vct": sdjwt.CredentialType,
			"cnf": object{"jwk": jwk(holderKey)},
			"licence": object{
				"uniscid": "91310000MA1K35Y38P", "entname": "上海样例有限公司", "enttype": "1130", "lerep": "张样例",
				"estdate": "2015-01-01", "regorg": "310115", "apprdate": "2024-01-01",
			},
		},
	}
}

func (c *credential) licence() object { return c.claims["licence"].(object) }

// hide moves a licence member into a disclosure, which is shown if show.
func (c *credential) hide(name string, show bool) *credential {
	encoded := disclose("salt-of-"+name, name, c.licence()[name])
	delete(c.licence(), name)
	return c.refer(c.licence(), encoded, show)
}

// refer puts the digest of a disclosure into _sd of an object.
func (c *credential) refer(at object, encoded string, show bool) *credential {
	digests, _ := at["_sd"].([]any)
	hash, _ := c.claims["_sd_alg"].(string)
	at["_sd"] = append(digests, digest(hash, encoded))
	if show {
		c.disclosures = append(c.disclosures, encoded)
	}
	return c
}

func (c *credential) bytes() []byte {
	token := sign(marshal(c.header), marshal(c.claims), issuerKey)
	return []byte(strings.Join(append([]string{token}, c.disclosures...), "~") + "~")
}

// mustOpen opens a credential that reads well, and proves it.
func mustOpen(t testing.TB, body []byte) *verifiers.Finding {
	t.Helper()
	u, err := sdjwt.Envelope{}.Open(body)
	if err != nil {
		t.Fatal(err)
	}
	if u.Finding.Key != "" {
		t.Fatal("proven before any key was asked")
	}
	f, ok := u.Prove(admit(t, issuerKey))
	if !ok {
		t.Fatal("the issuer's own signature is refused")
	}
	return f
}

// refused opens a credential that must not read, and returns its code.
func refused(t testing.TB, body []byte) verifiers.Code {
	t.Helper()
	u, err := sdjwt.Envelope{}.Open(body)
	if err == nil {
		t.Fatal("taken")
	}
	if u != nil {
		t.Fatal("a credential beside the error")
	}
	var fault *verifiers.FormatError
	if !errors.As(err, &fault) {
		t.Fatalf("%T is no *verifiers.FormatError", err)
	}
	return fault.Code
}
