// Package keys holds what an issuer's key is and what it may do: identity,
// algorithm, window, revocation; and the immutable [Snapshot] of all that the
// gateway trusts at one moment. It fetches nothing and decides no verdict.
package keys

// An Issuer is the identifier of who signs credentials, the claim iss. It is
// compared byte for byte.
type Issuer string

// A KeyID is the kid by which one issuer names one of its keys. It means
// nothing without the issuer: keys are looked up by the pair.
type KeyID string

// A Thumbprint is a key's identity, the same whatever its kid: RFC 7638 with
// SHA-256, base64url.
type Thumbprint string

// A ProvinceCode is a province's six digits of GB/T 2260, e.g. "310000".
type ProvinceCode string

// An Algorithm is a JWS algorithm that the gateway accepts. The zero value is none.
type Algorithm string

// The algorithms of contract §2.2. No other ever verifies anything.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	EdDSA Algorithm = "EdDSA"
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
	SM2   Algorithm = "SM2"
)

// Algorithms lists them all.
var Algorithms = []Algorithm{ES256, ES384, EdDSA, PS256, RS256, SM2}

// ParseAlgorithm returns the algorithm called name, spelled exactly. Ed25519
// (RFC 9864) is another name of EdDSA.
func ParseAlgorithm(name string) (alg Algorithm, ok bool) {
	if name == "Ed25519" {
		return EdDSA, true
	}
	for _, alg := range Algorithms {
		if string(alg) == name {
			return alg, true
		}
	}
	return "", false
}

// A Revocation ends a key. See [Revocation.Ends].
type Revocation struct {
	At     int64  // seconds since 1970
	Reason string // ReasonSuperseded, or any other, which counts as compromised
}

// ReasonSuperseded is the one reason that leaves a key's older credentials good.
const ReasonSuperseded = "superseded"

// Ends reports whether the revocation ends a credential issued at iat (seconds
// since 1970). Unless the key was merely superseded it ends every one: who has
// the key also chooses iat (contract §3).
func (r Revocation) Ends(iat int64) bool {
	return r.Reason != ReasonSuperseded || iat >= r.At
}

// Stricter returns the one of two revocations of a key that ends more.
func (r Revocation) Stricter(other Revocation) Revocation {
	switch {
	case r.Reason != ReasonSuperseded:
		return r
	case other.Reason != ReasonSuperseded || other.At < r.At:
		return other
	}
	return r
}
