package receipt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	gmsm "github.com/emmansun/gmsm/sm2"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/receipt"
)

const (
	gateway  = "https://gateway.sh.example"
	issuer   = keys.Issuer("https://ebl.sh.example")
	code     = "91310000MA1K35Y38P"
	hall     = "hall-pudong"
	skew     = time.Minute
	province = keys.ProvinceCode("310000")
)

// now is noon in Shanghai: half a day to either side is another date.
var now = time.Date(2026, 10, 1, 4, 0, 0, 0, time.UTC)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk admits the public JWK {"kty":"EC",…}.
func jwk(t testing.TB, crv string, x, y []byte, more string) *keys.Key {
	t.Helper()
	v, err := strict.Parse(fmt.Appendf(nil, `{"kty":"EC","crv":%q,"x":%q,"y":%q%s}`, crv, encode(x), encode(y), more))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// es256 makes a key; more are further members of its JWK.
func es256(t testing.TB, more string) receipt.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return withPrivate(t, "P-256", private, &private.PublicKey, more)
}

// fixed is the same key in every process, for those that fuzz together.
func fixed(t testing.TB) receipt.Key {
	t.Helper()
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return withPrivate(t, "P-256", private, &private.PublicKey, "")
}

func sm2(t testing.TB, more string) receipt.Key {
	t.Helper()
	private, err := gmsm.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return withPrivate(t, "SM2", private, &private.PublicKey, more)
}

func withPrivate(t testing.TB, crv string, private crypto.Signer, public *ecdsa.PublicKey, more string) receipt.Key {
	x, y := coordinates(public)
	key := jwk(t, crv, x, y, more)
	return receipt.Key{Public: key, ID: key.ID(), Private: private}
}

func signer(t testing.TB, list ...receipt.Key) *receipt.Signer {
	t.Helper()
	s, err := receipt.NewSigner(receipt.Options{Gateway: gateway, Keys: list})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid is a VALID answer whose standing was asked for a minute ago.
func valid() *verifiers.Response {
	v := verifiers.Verdict{
		Outcome: verifiers.Valid, Code: verifiers.OK, Proven: true,
		Province:  &keys.Province{Code: province, Active: true},
		Authority: &keys.Authority{Issuer: issuer}, Key: "licence-key",
		Source: verifiers.Cache, AsOf: now.Add(-time.Minute), Age: time.Minute,
		ValidUntil: now.Add(4 * time.Minute), TrustVersion: 7,
	}
	for _, c := range []verifiers.Check{
		verifiers.CheckFormat, verifiers.CheckIssuer, verifiers.CheckKey, verifiers.CheckSignature,
		verifiers.CheckValidity, verifiers.CheckSubject, verifiers.CheckRegistry,
	} {
		v.Checks[c].Result = verifiers.Passed
	}
	return &verifiers.Response{
		Verdict: v, Digest: verifiers.DigestOf([]byte("a credential")), At: now,
		Finding: &verifiers.Finding{Licence: licence.Licence{Uniscid: code, Entname: "never in a receipt"}},
	}
}

// with returns an answer with one check's result changed, and what follows of it.
func with(r *verifiers.Response, check verifiers.Check, result verifiers.Result, code verifiers.Code) *verifiers.Response {
	v := &r.Verdict
	v.Checks[check] = verifiers.Checked{Result: result, Code: code}
	v.Code, v.Outcome = code, verifiers.Indeterminate
	if result == verifiers.Failed {
		v.Outcome = verifiers.Invalid
	}
	if result == verifiers.Failed || check < verifiers.CheckStatus {
		for later := check + 1; int(later) < len(v.Checks); later++ {
			v.Checks[later] = verifiers.Checked{}
		}
	}
	v.Proven = v.Checks[verifiers.CheckSignature].Result == verifiers.Passed
	if !v.Proven {
		v.Key = ""
	}
	if v.Checks[verifiers.CheckRegistry].Result == verifiers.Skipped || result == verifiers.Inconclusive {
		v.Source = ""
	}
	v.ValidUntil = r.At.Add(5 * time.Minute)
	return r
}

// issue signs an answer and returns the receipts.
func issue(t testing.TB, s *receipt.Signer, r *verifiers.Response) []receipt.Token {
	t.Helper()
	issued, err := s.Issue(r, "vrf_1", hall)
	if err != nil {
		t.Fatal(err)
	}
	return issued.Tokens
}

// A list is what a test changes of the trust list.
type list struct {
	version   int64
	suspended bool
	expired   bool
	issuer    keys.Issuer
	revoked   map[keys.Thumbprint]keys.Revocation
	inline    *keys.Set
}

func snapshot(l list) *keys.Snapshot {
	if l.version == 0 {
		l.version = 7
	}
	if l.issuer == "" {
		l.issuer = issuer
	}
	expires := now.Add(time.Hour)
	if l.expired {
		expires = now
	}
	book := keys.NewBook(nil, keys.Terms{})
	book.SetList(&keys.List{
		Version: l.version, Expires: expires, Revoked: maps.Clone(l.revoked),
		Provinces: []keys.Province{{Code: province, Active: !l.suspended, Issuers: []keys.Authority{{Issuer: l.issuer, Inline: l.inline}}}},
	})
	return book.Current()
}

// sign makes a receipt of any header and claims under ES256.
func sign(t testing.TB, key receipt.Key, header, claims string) string {
	t.Helper()
	input := encode([]byte(header)) + "." + encode([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key.Private.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature)
}

func payloadOf(t testing.TB, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

func parse(t testing.TB, text string) strict.Value {
	t.Helper()
	v, err := strict.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// publicJWK writes a P-256 key as a JWK with more members.
func publicJWK(key *keys.Key, more string) string {
	x, y := coordinates(key.Public().(*ecdsa.PublicKey))
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q%s}`, encode(x), encode(y), more)
}

func headerKid(t testing.TB, token string) keys.KeyID {
	t.Helper()
	u, err := receipt.Open([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	return u.KeyID()
}

func split(t testing.TB, token string) (input, signature []byte) {
	t.Helper()
	i := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(token[:i]), signature
}

// coordinates returns x and y of a point, P-256's or SM2's.
func coordinates(public *ecdsa.PublicKey) (x, y []byte) {
	x, y = make([]byte, 32), make([]byte, 32)
	//lint:ignore SA1019 the standard library encodes no SM2 point
	return public.X.FillBytes(x), public.Y.FillBytes(y)
}
