package sandbox_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"tongyan/sandbox"
)

// The digest that is signed, put together by hand from GB/T 32918.2 §5.5:
// ZA = SM3(ENTL || ID || a || b || xG || yG || xA || yA), e = SM3(ZA || M).
func TestSM2SignsTheStandardDigest(t *testing.T) {
	const curve = "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc" + // a
		"28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93" + // b
		"32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7" + // xG
		"bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0" // yG
	s := start(t, sandbox.Options{})
	p := s.Province("310000")
	token, _, err := p.Mint(sandbox.LicenceSpec{Alg: "SM2"})
	if err != nil {
		t.Fatal(err)
	}
	header, _ := open(t, token)
	if header["alg"] != "SM2" {
		t.Errorf("header %v", header)
	}
	var jwk struct{ Kty, Crv, Alg, X, Y string }
	if err := json.Unmarshal(jwkOf(t, p.SigningKey("SM2")), &jwk); err != nil {
		t.Fatal(err)
	}
	if jwk.Kty != "EC" || jwk.Crv != "SM2" || jwk.Alg != "SM2" {
		t.Errorf("JWK %+v", jwk)
	}
	x, y := coordinate(t, jwk.X), coordinate(t, jwk.Y)

	const id = "1234567812345678"
	fixed, err := hex.DecodeString(curve)
	if err != nil {
		t.Fatal(err)
	}
	za := slices.Concat([]byte{0, byte(8 * len(id))}, []byte(id), fixed, x, y)
	zaSum := sm3.Sum(za)
	at := strings.LastIndexByte(token, '.')
	e := sm3.Sum(append(zaSum[:], token[:at]...))

	sig, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature of %d bytes, %v", len(sig), err)
	}
	pub := pointSM2(t, x, y)
	if !sm2.Verify(pub, e[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("does not verify")
	}
}
