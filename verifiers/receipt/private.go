package receipt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"

	gmsm "github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"tongyan/keys"
	"tongyan/keys/sm2"
)

var errHalves = errors.New("the private half does not belong to the public half, or cannot sign")

// activate makes a key ready to sign, and tries it: a key that was put together
// wrongly would otherwise be found out by those who check receipts.
func activate(p published, private crypto.Signer) (*active, error) {
	a := &active{published: p}
	switch p.alg {
	case keys.ES256:
		a.sign = func(message []byte) ([]byte, error) {
			sum := sha256.Sum256(message)
			return signDigest(private, sum[:], crypto.SHA256)
		}
	case keys.SM2:
		point, ok := private.Public().(*ecdsa.PublicKey)
		if !ok {
			return nil, errHalves
		}
		za, err := gmsm.CalculateZA(point, []byte(p.key.Public().(*sm2.PublicKey).ID()))
		if err != nil {
			return nil, errHalves
		}
		a.sign = func(message []byte) ([]byte, error) {
			hash := sm3.New() // GB/T 32918.2 §6.1: SM3(ZA ‖ message)
			hash.Write(za)
			hash.Write(message)
			return signDigest(private, hash.Sum(nil), crypto.Hash(0))
		}
	}
	header, err := json.Marshal(struct {
		Algorithm keys.Algorithm `json:"alg"`
		KeyID     keys.KeyID     `json:"kid"`
		Type      string         `json:"typ"`
	}{p.alg, p.id, string(Type)})
	if err != nil {
		return nil, err
	}
	a.protected = base64.RawURLEncoding.EncodeToString(header)
	probe := []byte("tongyan: do both halves fit?")
	if signature, err := a.sign(probe); err != nil || !p.key.Verify(p.alg, probe, signature) {
		return nil, errHalves
	}
	return a, nil
}

// signDigest signs and writes r and s as a JWS carries them: 32 bytes each
// (RFC 7518 §3.4, contract §2.3).
func signDigest(private crypto.Signer, digest []byte, hash crypto.Hash) ([]byte, error) {
	der, err := private.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) > 0 ||
		pair.R.Sign() <= 0 || pair.S.Sign() <= 0 || pair.R.BitLen() > 256 || pair.S.BitLen() > 256 {
		return nil, errors.New("what the key made is no signature")
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}

// compact signs a payload that is in base64url already.
func (a *active) compact(payload string) (string, error) {
	input := make([]byte, 0, len(a.protected)+len(payload)+2+base64.RawURLEncoding.EncodedLen(64))
	input = append(input, a.protected...)
	input = append(append(input, '.'), payload...)
	signature, err := a.sign(input)
	if err != nil {
		return "", err
	}
	return string(base64.RawURLEncoding.AppendEncode(append(input, '.'), signature)), nil
}
