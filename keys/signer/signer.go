// Package signer holds one private key: makes it, reads it from a JWK, signs
// with it. It never verifies a stranger's signature: see package keys.
package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"tongyan/keys"
	"tongyan/keys/sm2"
	"tongyan/strict"
)

// rsaBits is the length of new RSA keys: 128 bits of strength.
const rsaBits = 3072

// A Key signs under exactly one algorithm. It is immutable and safe for
// concurrent use. Printing one shows nothing of the secret.
type Key struct {
	alg     keys.Algorithm
	private any // *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey, *sm2.PrivateKey
	jwk     jwk // of both halves
	public  *keys.Key
}

// String names the key by its thumbprint.
func (k *Key) String() string { return "private key of " + string(k.public.Thumbprint()) }

// GoString is like String, for %#v.
func (k *Key) GoString() string { return k.String() }

// Algorithm returns what the key signs under.
func (k *Key) Algorithm() keys.Algorithm { return k.alg }

// Public returns the public half. Its ID is the JWK's kid.
func (k *Key) Public() *keys.Key { return k.public }

// Generate makes a new key. An empty kid becomes the key's thumbprint; distid
// is for SM2 only, and may be empty.
func Generate(alg keys.Algorithm, kid keys.KeyID, distid string) (*Key, error) {
	if distid != "" && alg != keys.SM2 {
		return nil, errors.New("only an SM2 key has a distid")
	}
	var private any
	var err error
	switch alg {
	case keys.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case keys.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case keys.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case keys.PS256, keys.RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case keys.SM2:
		private, err = sm2.Generate(distid)
	default:
		return nil, fmt.Errorf("no algorithm is called %.40q; there are %v", alg, keys.Algorithms)
	}
	if err != nil {
		return nil, err
	}
	j := jwk{Use: "sig", Algorithm: string(alg), KeyID: string(kid), DistID: distid}
	return newKey(alg, private, j)
}

// newKey completes the JWK, admits the public half like any other key, and
// tries the two halves together: a key that was put together wrongly would
// otherwise be found out by those who verify.
func newKey(alg keys.Algorithm, private any, j jwk) (*Key, error) {
	k := &Key{alg: alg, private: private, jwk: j}
	if err := k.jwk.fill(private); err != nil {
		return nil, err
	}
	for range 2 { // the thumbprint becomes the kid of a key without one
		text, err := json.Marshal(k.jwk.publicHalf())
		if err != nil {
			return nil, err
		}
		v, err := strict.Parse(text)
		if err != nil {
			return nil, err
		}
		if k.public, err = keys.ParseJWK(v); err != nil {
			return nil, err
		}
		if k.jwk.KeyID == "" {
			k.jwk.KeyID = string(k.public.Thumbprint())
		}
	}
	probe := []byte("tongyan: do both halves fit?")
	signature, err := k.Sign(probe)
	if err != nil || !k.public.Verify(alg, probe, signature) {
		return nil, errors.New("the private and the public half of the key do not fit together")
	}
	return k, nil
}

// Sign returns the signature of the key's algorithm over message, as a JWS
// carries it: exactly as long as the algorithm gives it.
func (k *Key) Sign(message []byte) ([]byte, error) {
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		if k.alg == keys.ES384 {
			sum := sha512.Sum384(message)
			return signECDSA(private, sum[:])
		}
		sum := sha256.Sum256(message)
		return signECDSA(private, sum[:])
	case ed25519.PrivateKey:
		return ed25519.Sign(private, message), nil
	case *rsa.PrivateKey:
		sum := sha256.Sum256(message)
		if k.alg == keys.RS256 {
			return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
		}
		return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case *sm2.PrivateKey:
		return private.Sign(message)
	}
	return nil, errors.New("no key to sign with")
}

func signECDSA(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	size := key.Curve.Params().BitSize / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}

// Compact signs payload as a JWS Compact Serialization whose header holds alg,
// typ and this kid.
func (k *Key) Compact(typ string, kid keys.KeyID, payload []byte) ([]byte, error) {
	protected, err := k.Protected(typ, kid)
	if err != nil {
		return nil, err
	}
	input := protected + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := k.Sign([]byte(input))
	if err != nil {
		return nil, err
	}
	return []byte(input + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}

// Protected returns the base64url of a protected header with alg, typ and kid.
func (k *Key) Protected(typ string, kid keys.KeyID) (string, error) {
	header, err := json.Marshal(struct {
		Algorithm string     `json:"alg"`
		KeyID     keys.KeyID `json:"kid"`
		Type      string     `json:"typ"`
	}{string(k.alg), kid, typ})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(header), nil
}
