package envelope_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/testworld"
)

func open(token string) (*verifiers.Unverified, error) {
	return envelope.Envelope{}.Open([]byte(token))
}

// good returns a credential of each algorithm with the key that signed it.
func good(w *testworld.World) map[string]struct {
	token string
	key   *keys.Key
} {
	type signed = struct {
		token string
		key   *keys.Key
	}
	out := map[string]signed{}
	for alg, s := range map[string]struct{ key, kid string }{
		"ES256": {"sh", "sh-1"}, "ES384": {"p384", "zj-384"}, "EdDSA": {"js", "js-1"}, "Ed25519": {"js", "js-1"},
		"PS256": {"zj", "zj-rsa"}, "RS256": {"zjrs", "zj-rsa"}, "SM2": {"sm2", "sh-sm2"},
	} {
		out[alg] = signed{w.Mint(s.key, testworld.Header(alg, s.kid), testworld.Claims()), w.Key(s.key).Public()}
	}
	return out
}

func TestOpen(t *testing.T) {
	w := testworld.New(t)
	for alg, g := range good(w) {
		u, err := open(g.token)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		f := u.Finding
		if f.Key != "" {
			t.Errorf("%s: a finding that nobody has proven names a key", alg)
		}
		if f.Format != envelope.Type || f.Algorithm != alg || f.Issuer != testworld.Shanghai || f.Subject != testworld.USCC || !f.SubjectIn ||
			f.ID != "urn:example:1" || f.IssuedAt != testworld.Issued || f.Expires != testworld.Expires || f.NotBefore != 0 || f.Status != nil ||
			f.Licence.Uniscid != testworld.USCC || f.Licence.Regorg != "310115" || !f.Licence.Perpetual ||
			f.Body != verifiers.DigestOf([]byte(g.token)) {
			t.Errorf("%s: %+v", alg, f)
		}
		proven, ok := u.Prove(g.key)
		if !ok || proven.Key != g.key.Thumbprint() || u.Finding.Key != "" {
			t.Errorf("%s: proven %v by %v", alg, ok, proven)
		}
		if f, ok := u.Prove(w.Key("stranger").Public()); ok || f != nil {
			t.Errorf("%s: a stranger's key proves it", alg)
		}
		if f, ok := u.Prove(nil); ok || f != nil {
			t.Errorf("%s: no key proves it", alg)
		}
	}
}

// Whatever is cut off, turned round or changed, byte by byte: either it does not
// open, or no key proves it.
func TestEveryByteCounts(t *testing.T) {
	w := testworld.New(t)
	for alg, g := range good(w) {
		try := func(what string, at int, token string) {
			t.Helper()
			u, err := open(token)
			if err != nil {
				var fault *verifiers.FormatError
				if u != nil || !errors.As(err, &fault) {
					t.Fatalf("%s: %s at %d: %v beside %v", alg, what, at, u, err)
				}
				return
			}
			if _, ok := u.Prove(g.key); ok {
				t.Fatalf("%s: %s at %d: verifies", alg, what, at)
			}
		}
		step := 13 // the others' signatures are dear to check
		if alg == "ES256" {
			step = 1
		}
		for i := 0; i < len(g.token); i += step {
			for _, bit := range []int{0, 1, 5} { // all of them: see TestEverySignedBitCounts
				changed := []byte(g.token)
				changed[i] ^= 1 << bit
				try("bit flipped", i, string(changed))
			}
			try("cut", i, g.token[:i])
			try("cut before", i+1, g.token[i+1:])
			try("byte doubled", i, g.token[:i]+g.token[i:i+1]+g.token[i:])
			try("byte left out", i, g.token[:i]+g.token[i+1:])
			try("line feed", i, g.token[:i]+"\n"+g.token[i:])
			try("nul", i, g.token[:i]+"\x00"+g.token[i:])
		}
	}
}

// Any bit of what was signed, in the decoded parts: written anew in canonical
// base64url it still is not what was signed.
func TestEverySignedBitCounts(t *testing.T) {
	w := testworld.New(t)
	g := good(w)["ES256"]
	for part := range 3 {
		raw, err := base64.RawURLEncoding.DecodeString(testworld.Part(g.token, part))
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			for bit := range 8 {
				changed := append([]byte(nil), raw...)
				changed[i] ^= 1 << bit
				parts := strings.Split(g.token, ".")
				parts[part] = testworld.B64(changed)
				if u, err := open(strings.Join(parts, ".")); err == nil {
					if _, ok := u.Prove(g.key); ok {
						t.Fatalf("part %d, byte %d, bit %d: verifies", part, i, bit)
					}
				}
			}
		}
	}
}

// An ECDSA signature has a twin with the other s; both are accepted (contract
// §2.2), and are two credentials by their digests.
func TestHighS(t *testing.T) {
	w := testworld.New(t)
	g := good(w)["ES256"]
	twin := testworld.OtherS(g.token)
	if twin == g.token {
		t.Fatal("no twin")
	}
	u, err := open(twin)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := u.Prove(g.key); !ok {
		t.Error("a high s is refused")
	}
	if u.Finding.Body == verifiers.DigestOf([]byte(g.token)) {
		t.Error("two credentials with one digest")
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	w := testworld.New(t)
	secret := "甄示例"
	for _, token := range []string{
		w.Mint("sh", testworld.Header("ES256", "sh-1").With("typ", secret), testworld.Claims()),
		w.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("iss", []string{secret})),
		w.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("licence", testworld.Licence().With("estdate", secret))),
		w.Sign("sh", testworld.Marshal(testworld.Header("ES256", "sh-1")), []byte(`{"`+secret+`":1,"`+secret+`":2}`)),
		"." + secret + ".",
	} {
		_, err := open(token)
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), testworld.USCC) {
			t.Errorf("%v", err)
		}
	}
}

// SPEC: contract §10 "A malformed status claim: STATUS_REFERENCE_INVALID".
func TestStatusClaim(t *testing.T) {
	for text, want := range map[string]*verifiers.StatusRef{
		`{"status_list":{"idx":3,"uri":"https://x.example/1"}}`:             {URI: "https://x.example/1", Index: 3},
		`{"status_list":{"idx":0,"uri":"https://x.example/1","x":1},"y":2}`: {URI: "https://x.example/1"},
		`{"status_list":{"idx":-1,"uri":"https://x.example/1"}}`:            {Malformed: true},
		`{"status_list":{"idx":1.0,"uri":"https://x.example/1"}}`:           {Malformed: true},
		`{"status_list":{"idx":"1","uri":"https://x.example/1"}}`:           {Malformed: true},
		`{"status_list":{"idx":99999999999999999,"uri":"https://x/1"}}`:     {Malformed: true},
		`{"status_list":{"idx":1,"uri":""}}`:                                {Malformed: true},
		`{"status_list":{"idx":1,"uri":7}}`:                                 {Malformed: true},
		`{"status_list":{"idx":1}}`:                                         {Malformed: true},
		`{"status_list":{"uri":"https://x.example/1"}}`:                     {Malformed: true},
		`{"status_list":[]}`:                                                {Malformed: true},
		`{"status_list":null}`:                                              {Malformed: true},
		`{}`:                                                                {Malformed: true},
		`[]`:                                                                {Malformed: true},
		`null`:                                                              {Malformed: true},
		`"x"`:                                                               {Malformed: true},
	} {
		v, err := strict.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := claims.Status(v); got == nil || *got != *want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	if got := claims.Status(strict.Value{}); got != nil {
		t.Errorf("no claim: %+v", got)
	}
}
