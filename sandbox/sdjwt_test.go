package sandbox_test

import (
	"crypto"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

var hashes = map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}

func digest(hash, text string) string {
	h := hashes[hash].New()
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func TestMintSD(t *testing.T) {
	s := start(t, sandbox.Options{})
	for hash := range hashes {
		for _, p := range s.Provinces() {
			issued, b, err := p.MintSD(sandbox.SDSpec{Hash: hash, Decoys: 3})
			if err != nil {
				t.Fatal(err)
			}
			header, claims := open(t, issued.JWT)
			if header["typ"] != "dc+sd-jwt" || claims["vct"] != "urn:cn:ebl:business-licence:1" || claims["_sd_alg"] != hash {
				t.Errorf("%v %v", header, claims)
			}
			if !verifies(t, issued.JWT, jwkOf(t, p.SigningKey(""))) {
				t.Error("does not verify")
			}
			licence := claims["licence"].(map[string]any)
			if len(licence) != 4 || licence["uniscid"] != b.USCC || licence["regorg"] != b.RegOrg || licence["apprdate"] != b.ApprDate {
				t.Errorf("in the open: %v", licence)
			}
			digests := licence["_sd"].([]any)
			if len(digests) != len(issued.Disclosures)+3 || !slices.IsSortedFunc(digests, func(a, b any) int {
				return strings.Compare(a.(string), b.(string))
			}) {
				t.Errorf("%d digests for %d disclosures", len(digests), len(issued.Disclosures))
			}
			want := b.Members()
			for _, d := range issued.Disclosures {
				if !slices.Contains(digests, any(digest(hash, d.Encoded))) || d.Digest != digest(hash, d.Encoded) {
					t.Errorf("%s: no digest stands for it", d.Name)
				}
				var parts []any
				decode(t, d.Encoded, &parts)
				if len(parts) != 3 || parts[1] != d.Name || parts[2] != want[d.Name] || len(parts[0].(string)) < 22 {
					t.Errorf("disclosure %v, want %v", parts, want[d.Name])
				}
			}
		}
	}
}

func TestPresent(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("320000")
	issued, _, err := p.MintSD(sandbox.SDSpec{Hidden: []string{"entname", "lerep", "dom"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		names []string
		want  int // parts between tildes
	}{{nil, 3}, {[]string{}, 0}, {[]string{"lerep"}, 1}, {[]string{"lerep", "regcap"}, 1}} {
		token, err := issued.Present(tc.names, nil)
		parts := strings.Split(token, "~")
		if err != nil || len(parts) != tc.want+2 || parts[0] != issued.JWT || parts[len(parts)-1] != "" {
			t.Errorf("%v: %d parts, %v", tc.names, len(parts), err)
		}
	}
	if _, err := issued.Present(nil, &sandbox.Proof{}); err == nil {
		t.Error("a proof by nobody")
	}
}

func TestHolderProof(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	for _, alg := range []string{"ES256", "EdDSA", "SM2"} {
		holder := newKey(t, alg, "")
		issued, _, err := s.Province("320000").MintSD(sandbox.SDSpec{Holder: holder, Hash: "sha-384"})
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Cnf struct{ JWK json.RawMessage }
		}
		decode(t, strings.Split(issued.JWT, ".")[1], &claims)
		if strings.Contains(string(claims.Cnf.JWK), `"d"`) {
			t.Fatal("the private key stands in cnf")
		}
		token, err := issued.Present([]string{"entname"}, &sandbox.Proof{Aud: "here", Nonce: "once"})
		if err != nil {
			t.Fatal(err)
		}
		at := strings.LastIndexByte(token, '~') + 1
		header, proof := open(t, token[at:])
		if header["typ"] != "kb+jwt" || header["alg"] != alg || proof["aud"] != "here" || proof["nonce"] != "once" ||
			proof["iat"] != 1.79e9 || proof["sd_hash"] != digest("sha-384", token[:at]) {
			t.Errorf("%v %v", header, proof)
		}
		// cnf.jwk says everything but the algorithm.
		jwk := strings.Replace(string(claims.Cnf.JWK), "{", `{"alg":"`+alg+`",`, 1)
		if !verifies(t, token[at:], []byte(jwk)) {
			t.Errorf("%s: the proof does not verify with cnf.jwk", alg)
		}
	}
}

func TestMintVC(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	p := s.Province("340000")
	for _, spec := range []sandbox.VCSpec{{}, {JWTClaims: true}, {IssuerObject: true}} {
		token, b, err := p.MintVC(spec)
		if err != nil {
			t.Fatal(err)
		}
		header, vc := open(t, token)
		if header["typ"] != "vc+jwt" || vc["@context"].([]any)[0] != "https://www.w3.org/ns/credentials/v2" ||
			vc["type"].([]any)[0] != "VerifiableCredential" || issuerOf(vc) != p.Issuer || licenceOf(vc)["uniscid"] != b.USCC {
			t.Errorf("%v %v", header, vc)
		}
		from, err := time.Parse(time.RFC3339, vc["validFrom"].(string))
		if err != nil || !from.Equal(now.Add(-time.Hour)) {
			t.Errorf("validFrom %v, %v", vc["validFrom"], err)
		}
		until, err := time.Parse(time.RFC3339, vc["validUntil"].(string))
		if err != nil || !until.After(now) {
			t.Errorf("validUntil %v, %v", vc["validUntil"], err)
		}
		if _, there := vc["iat"]; there != spec.JWTClaims {
			t.Errorf("JWT claims: %v", vc)
		}
		if spec.JWTClaims && (vc["iss"] != p.Issuer || vc["jti"] != vc["id"] || vc["sub"] != b.USCC ||
			vc["iat"] != float64(from.Unix()) || vc["exp"] != float64(until.Unix())) {
			t.Errorf("disagreeing: %v", vc)
		}
		if !verifies(t, token, jwkOf(t, p.SigningKey(""))) {
			t.Error("does not verify")
		}
	}
}

func TestMintByFormat(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("310000")
	for _, format := range []sandbox.Format{"", sandbox.EBLJWT, sandbox.SDJWTVC, sandbox.VCJWT} {
		token, _, err := p.Mint(sandbox.LicenceSpec{Format: format, Status: map[string]any{"x": 1}})
		if err != nil {
			t.Fatal(err)
		}
		signed, shown, _ := strings.Cut(token, "~")
		header, claims := open(t, signed)
		want := format
		if want == "" {
			want = sandbox.EBLJWT
		}
		if header["typ"] != string(want) || claims["status"].(map[string]any)["x"] != 1.0 || (shown != "") != (want == sandbox.SDJWTVC) {
			t.Errorf("%q: %v", format, header)
		}
	}
	if _, _, err := p.Mint(sandbox.LicenceSpec{Format: "mdoc"}); err == nil {
		t.Error("minted an mdoc")
	}
}

func TestMintMany(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("310000")
	const from, count = 500, 200
	for _, format := range []sandbox.Format{sandbox.EBLJWT, sandbox.SDJWTVC, sandbox.VCJWT} {
		tokens, err := p.MintMany(t.Context(), sandbox.LicenceSpec{Format: format, Class: sandbox.SoleTrader, Number: from}, count)
		if err != nil || len(tokens) != count {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
		for n, token := range tokens {
			signed, _, _ := strings.Cut(token, "~")
			_, claims := open(t, signed)
			if want := p.Business(sandbox.SoleTrader, from+n).USCC; licenceOf(claims)["uniscid"] != want {
				t.Fatalf("token %d is about %v, want %s", n, licenceOf(claims)["uniscid"], want)
			}
			if !verifies(t, signed, jwkOf(t, p.SigningKey(""))) {
				t.Fatalf("token %d does not verify", n)
			}
		}
	}
	if got := p.Registry.Len(); got != count {
		t.Errorf("%d registered, want %d", got, count)
	}
	if _, err := p.MintMany(t.Context(), sandbox.LicenceSpec{Business: &sandbox.Business{}}, 2); err == nil {
		t.Error("the same business many times")
	}
}

func BenchmarkMintMany(b *testing.B) {
	s := start(b, sandbox.Options{})
	for b.Loop() {
		if _, err := s.Province("310000").MintMany(b.Context(), sandbox.LicenceSpec{}, 1000); err != nil {
			b.Fatal(err)
		}
	}
}
