package vcjwt_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"testing"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers/vcjwt"
)

type object = map[string]any

// A fixed key, so that the seeds in testdata stay good.
var issuerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func admit(t testing.TB, jwk []byte) *keys.Key {
	t.Helper()
	v, err := strict.Parse(jwk)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func issuer(t testing.TB) *keys.Key {
	return admit(t, marshal(object{"kty": "OKP", "crv": "Ed25519", "x": b64(issuerKey.Public().(ed25519.PublicKey))}))
}

// A credential is a VC in the making.
type credential struct{ header, vc object }

func good() *credential {
	return &credential{
		header: object{"alg": "EdDSA", "kid": "k1", "typ": "vc+jwt", "cty": "vc"},
		vc: object{
			"@context": []string{vcjwt.Context}, "type": []string{"VerifiableCredential", "BusinessLicence"},
			"id": "urn:ebl:1", "issuer": "https://ebl.sh.example",
			"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T08:00:00+08:00",
			"credentialSubject": object{"licence": object{
				"uniscid": "91310000MA1K35Y38P", "entname": "上海样例有限公司", "enttype": "1130", "lerep": "张样例",
				"estdate": "2015-01-01", "regorg": "310115", "apprdate": "2024-01-01",
			}},
		},
	}
}

func (c *credential) licence() object {
	return c.vc["credentialSubject"].(object)["licence"].(object)
}

func (c *credential) bytes() []byte {
	input := b64(marshal(c.header)) + "." + b64(marshal(c.vc))
	return []byte(input + "." + b64(ed25519.Sign(issuerKey, []byte(input))))
}
