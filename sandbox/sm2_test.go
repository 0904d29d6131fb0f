package sandbox_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
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
	x, y := number(t, jwk.X, 32), number(t, jwk.Y, 32)

	const id = "1234567812345678"
	fixed, err := hex.DecodeString(curve)
	if err != nil {
		t.Fatal(err)
	}
	za := append([]byte{0, byte(8 * len(id))}, id...)
	za = append(append(za, fixed...), x.FillBytes(make([]byte, 32))...)
	za = append(za, y.FillBytes(make([]byte, 32))...)
	zaSum := sm3.Sum(za)
	at := strings.LastIndexByte(token, '.')
	e := sm3.Sum(append(zaSum[:], token[:at]...))

	sig, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature of %d bytes, %v", len(sig), err)
	}
	pub := &ecdsa.PublicKey{Curve: sm2.P256(), X: x, Y: y}
	if !sm2.Verify(pub, e[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("does not verify")
	}
}
