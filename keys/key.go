package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"

	"tongyan/keys/sm2"
)

// A Key is one public key that passed admission ([ParseJWK]). It is immutable.
type Key struct {
	id         KeyID
	thumbprint Thumbprint
	named      Algorithm // what the JWK's alg says; "" where it says nothing
	notBefore  int64     // window of iat, seconds; 0 is open
	notAfter   int64
	revoked    *Revocation
	public     any // *ecdsa.PublicKey, ed25519.PublicKey, *rsa.PublicKey, *sm2.PublicKey
}

// ID returns the key's kid, "" for a key that is known by its thumbprint only.
func (k *Key) ID() KeyID { return k.id }

// Thumbprint returns the key's RFC 7638 thumbprint.
func (k *Key) Thumbprint() Thumbprint { return k.thumbprint }

// Revocation returns the revocation that the key itself carries.
func (k *Key) Revocation() (Revocation, bool) {
	if k.revoked == nil {
		return Revocation{}, false
	}
	return *k.revoked, true
}

// alsoRevoked returns the same key with one more revocation.
func (k *Key) alsoRevoked(r Revocation) *Key {
	if k.revoked != nil {
		r = r.Stricter(*k.revoked)
	}
	other := *k
	other.revoked = &r
	return &other
}

// Signs reports whether the key signs credentials issued at iat (seconds):
// nbf <= iat < exp, as far as the JWK states them.
func (k *Key) Signs(iat int64) bool {
	return (k.notBefore == 0 || iat >= k.notBefore) && (k.notAfter == 0 || iat < k.notAfter)
}

// Fits reports whether the key may be used with alg: its type and curve are
// alg's, and the JWK names no other algorithm.
func (k *Key) Fits(alg Algorithm) bool {
	return (k.named == "" || k.named == alg) && alg != "" && fits(k.public, alg)
}

// Public returns the key for the standard library: *ecdsa.PublicKey,
// ed25519.PublicKey or *rsa.PublicKey; for SM2 a *sm2.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

func fits(public any, alg Algorithm) bool {
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		return alg == ES256 && pub.Curve.Params().BitSize == 256 || alg == ES384 && pub.Curve.Params().BitSize == 384
	case ed25519.PublicKey:
		return alg == EdDSA
	case *rsa.PublicKey:
		return alg == PS256 || alg == RS256
	case *sm2.PublicKey:
		return alg == SM2
	}
	return false
}

// Verify reports whether signature is this key's over message under alg. One
// key, one algorithm: an alg that the key does not fit verifies nothing. The
// signature has exactly the length that alg gives it.
func (k *Key) Verify(alg Algorithm, message, signature []byte) bool {
	if !k.Fits(alg) {
		return false
	}
	switch pub := k.public.(type) {
	case *ecdsa.PublicKey:
		size := 32
		if alg == ES384 {
			size = 48
		}
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		if alg == ES384 {
			hash := sha512.Sum384(message)
			return ecdsa.Verify(pub, hash[:], r, s)
		}
		hash := sha256.Sum256(message)
		return ecdsa.Verify(pub, hash[:], r, s)
	case ed25519.PublicKey:
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(pub, message, signature)
	case *rsa.PublicKey:
		if len(signature) != pub.Size() {
			return false
		}
		hash := sha256.Sum256(message)
		if alg == PS256 {
			// SPEC: RFC 7518 §3.5 "The size of the salt value is the same size as the hash function output."
			return rsa.VerifyPSS(pub, crypto.SHA256, hash[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, hash[:], signature) == nil
	case *sm2.PublicKey:
		return pub.Verify(message, signature)
	}
	return false
}
