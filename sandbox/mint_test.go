package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

// open decodes a compact token's two JSON parts.
func open(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	decode(t, parts[0], &header)
	decode(t, parts[1], &claims)
	return header, claims
}

func TestMint(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	for _, p := range s.Provinces() {
		for _, class := range sandbox.Classes() {
			token, b, err := p.Mint(sandbox.LicenceSpec{Class: class, Number: 3})
			if err != nil {
				t.Fatal(err)
			}
			header, claims := open(t, token)
			if header["typ"] != "ebl+jwt" || header["kid"] != p.SigningKey("").KID || len(header) != 3 {
				t.Errorf("header %v", header)
			}
			licence := claims["licence"].(map[string]any)
			if claims["iss"] != p.Issuer || claims["sub"] != b.USCC || licence["uniscid"] != b.USCC || licence["entname"] != b.EntName ||
				claims["iat"] != float64(now.Unix()-3600) || claims["exp"].(float64) <= float64(now.Unix()) || claims["jti"] == "" {
				t.Errorf("claims %v", claims)
			}
			if opto, there := licence["opto"]; !there || (opto == nil) != (b.OpTo == "") {
				t.Errorf("opto %v, business %q", opto, b.OpTo)
			}
			if !verifies(t, token, jwkOf(t, p.SigningKey(""))) {
				t.Error("does not verify")
			}
			if rec, ok := p.Registry.Record(b.USCC); !ok || rec.RegState != "1" || rec.EntName != b.EntName || rec.ApprDate != b.ApprDate {
				t.Errorf("registered %v as %+v", ok, rec)
			}
		}
	}
}

func TestMintToOrder(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("310000")
	other := newKey(t, "ES256", "mine")
	b := p.Business(sandbox.Branch, 1)
	b.CopyNo = "2-1"
	at := time.Unix(1_700_000_000, 0)
	token, _, err := p.Mint(sandbox.LicenceSpec{
		Business: &b, Key: other, IssuedAt: at, Expires: at.Add(1e9), NotBefore: at.Add(-1e9), ID: "id", Unregistered: true,
		Edit: func(header, claims map[string]any) { header["kid"] = "seven"; delete(claims, "sub") },
	})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := open(t, token)
	if _, sub := claims["sub"]; sub || header["kid"] != "seven" || claims["iat"] != 1.7e9 || claims["exp"] != 1.7e9+1 ||
		claims["nbf"] != 1.7e9-1 || claims["jti"] != "id" || claims["licence"].(map[string]any)["copyno"] != "2-1" {
		t.Errorf("%v %v", header, claims)
	}
	if !verifies(t, token, jwkOf(t, other)) {
		t.Error("does not verify")
	}
	if p.Registry.Len() != 0 {
		t.Error("registered against the order")
	}

	p.Registry.Put(sandbox.Record{USCC: b.USCC, RegState: "4"})
	if _, _, err := p.Mint(sandbox.LicenceSpec{Business: &b}); err != nil {
		t.Fatal(err)
	}
	if rec, _ := p.Registry.Record(b.USCC); rec.RegState != "4" {
		t.Error("minting brought a cancelled business back")
	}
	if _, _, err := p.Mint(sandbox.LicenceSpec{Alg: "ES384"}); err == nil {
		t.Error("minted with a key that there is not")
	}
	sm2, _, err := p.Mint(sandbox.LicenceSpec{Alg: "SM2"})
	if err != nil || !verifies(t, sm2, jwkOf(t, p.SigningKey("SM2"))) {
		t.Errorf("SM2: %v", err)
	}
}
