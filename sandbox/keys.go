// Private keys, the signatures they make and the JWKs of their public halves.

package sandbox

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// A Signer makes the signature part of a JWS. What it signs with and what the
// header says are two things here: hostile tokens need them to differ.
type Signer interface {
	Sign(signingInput []byte) ([]byte, error)
}

// A SignFunc is a function as a Signer.
type SignFunc func(signingInput []byte) ([]byte, error)

// Sign calls f.
func (f SignFunc) Sign(signingInput []byte) ([]byte, error) { return f(signingInput) }

// Unsigned leaves the signature part empty, as "alg":"none" asks.
var Unsigned Signer = SignFunc(func([]byte) ([]byte, error) { return nil, nil })

// A Key is a private key with the algorithm and name it is used under. The
// fields say what its JWK will say; change them before the key is published.
type Key struct {
	KID string
	Alg string // ES256, ES384, EdDSA, Ed25519, PS256, RS256 or SM2

	NotBefore, Expires int64 // JWK members nbf and exp, seconds; 0: absent
	Revoked            *Revocation
	DistID             string // SM2 only: JWK member distid; empty: absent, the default id

	ec  *ecdsa.PrivateKey // ES256, ES384
	ed  ed25519.PrivateKey
	rsa *rsa.PrivateKey
	sm2 *sm2Key
}

// A Revocation is the "revoked" member of a JWK.
type Revocation struct {
	RevokedAt int64  `json:"revoked_at"`
	Reason    string `json:"reason"` // compromised or superseded
}

// NewKey makes a key for an algorithm of the contract (§2.2, §2.3).
func NewKey(alg, kid string) (*Key, error) {
	k := &Key{KID: kid, Alg: alg}
	var err error
	switch alg {
	case "ES256":
		k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k.ec, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA", "Ed25519":
		_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	case "PS256", "RS256":
		k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	case "SM2":
		k.sm2, err = newSM2()
	default:
		err = fmt.Errorf("algorithm %q is not one of the contract's", alg)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// As returns the same key under another algorithm's or name's flag. What the
// combination is worth is for the verifier to say.
func (k *Key) As(alg, kid string) *Key {
	other := *k
	other.Alg, other.KID = alg, kid
	return &other
}

// Sign makes the JWS signature of the key's algorithm (RFC 7518 §3, RFC 8037,
// contract §2.3).
func (k *Key) Sign(signingInput []byte) ([]byte, error) {
	sum := sha256.Sum256(signingInput)
	switch {
	case k.Alg == "ES256" && k.ec != nil:
		return signECDSA(k.ec, sum[:])
	case k.Alg == "ES384" && k.ec != nil:
		sum := sha512.Sum384(signingInput)
		return signECDSA(k.ec, sum[:])
	case k.ed != nil:
		return ed25519.Sign(k.ed, signingInput), nil
	case k.Alg == "PS256" && k.rsa != nil:
		return rsa.SignPSS(rand.Reader, k.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case k.Alg == "RS256" && k.rsa != nil:
		return rsa.SignPKCS1v15(nil, k.rsa, crypto.SHA256, sum[:])
	case k.Alg == "SM2" && k.sm2 != nil:
		return k.sm2.sign(k.DistID, signingInput)
	}
	return nil, fmt.Errorf("sandbox: key cannot sign %q", k.Alg)
}

// signECDSA returns r and s side by side, each as long as the curve's field.
func signECDSA(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}

// essential returns the members that RFC 7638 digests: kind and numbers.
func (k *Key) essential() (map[string]any, error) {
	point := func(curve string, uncompressed []byte) map[string]any {
		half := len(uncompressed) / 2
		return map[string]any{"kty": "EC", "crv": curve,
			"x": b64(uncompressed[1 : 1+half]), "y": b64(uncompressed[1+half:])}
	}
	switch {
	case k.ec != nil:
		raw, err := k.ec.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		return point(k.ec.Curve.Params().Name, raw), nil
	case k.ed != nil:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(k.ed[ed25519.SeedSize:])}, nil
	case k.rsa != nil:
		e := binary.BigEndian.AppendUint32(nil, uint32(k.rsa.E))
		return map[string]any{"kty": "RSA", "n": b64(k.rsa.N.Bytes()), "e": b64(bytes.TrimLeft(e, "\x00"))}, nil
	case k.sm2 != nil:
		raw, err := k.sm2.public()
		if err != nil {
			return nil, err
		}
		return point("SM2", raw), nil
	}
	return nil, fmt.Errorf("sandbox: key %q is empty", k.KID)
}

// JWK returns the public key as a JWK with kid, alg, use and whatever of nbf,
// exp, revoked and distid is set.
func (k *Key) JWK() (json.RawMessage, error) {
	m, err := k.essential()
	if err != nil {
		return nil, err
	}
	m["kid"], m["alg"], m["use"] = k.KID, k.Alg, "sig"
	if k.NotBefore != 0 {
		m["nbf"] = k.NotBefore
	}
	if k.Expires != 0 {
		m["exp"] = k.Expires
	}
	if k.Revoked != nil {
		m["revoked"] = k.Revoked
	}
	if k.DistID != "" {
		m["distid"] = k.DistID
	}
	return json.Marshal(m)
}

// ConfirmationJWK returns the bare public key, as "cnf.jwk" carries it.
func (k *Key) ConfirmationJWK() (json.RawMessage, error) {
	m, err := k.essential()
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Thumbprint returns the RFC 7638 thumbprint: SHA-256, base64url.
func (k *Key) Thumbprint() (string, error) {
	m, err := k.essential()
	if err != nil {
		return "", err
	}
	canonical, err := json.Marshal(m) // names sorted, no blanks: what §3 asks for
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return b64(sum[:]), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
