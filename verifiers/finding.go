// Package verifiers holds the vocabulary of verification (credential, finding,
// standing, check, verdict) and the one pure function, [Decide], that works a
// verdict out of them. It does no I/O, reads no clock and keeps no state.
package verifiers

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/verifiers/licence"
)

// A Format is the kind of envelope a licence came in, by its typ.
type Format string

// BusinessLicence is what a credential must be for an issuer to be authorised
// for it: the trust list's name of the document type.
const BusinessLicence = "business-licence"

// A Digest is the SHA-256 of a credential's bytes.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a credential.
func DigestOf(credential []byte) Digest { return sha256.Sum256(credential) }

// String returns the digest as the API shows it: "sha-256:<base64url>".
func (d Digest) String() string {
	return "sha-256:" + base64.RawURLEncoding.EncodeToString(d[:])
}

// A Finding is what parsing and cryptography established about a credential's
// bytes. For the same bytes and the same key it never changes, so it may be
// kept; whatever can change (keys revoked, time passed) is not in it.
//
// A finding is proven by one key, named in Key. Its claims are worth nothing
// where that is empty, or not the key that the trust list names today.
type Finding struct {
	Format    Format
	Key       keys.Thumbprint // whose signature was found good; "" is unproven
	Algorithm string          // alg as spelled in the header
	KeyID     keys.KeyID

	Issuer    keys.Issuer
	Subject   string
	SubjectIn bool   // the claim sub is there; it may be left out in one format
	ID        string // jti: the licence document's identity
	IssuedAt  int64  // seconds since 1970, as all times of a credential
	NotBefore int64  // 0: not stated
	Expires   int64

	Licence licence.Licence
	Status  *StatusRef // nil: the credential names no status list

	// Confirmation is the holder's public key, the claim cnf.jwk, as JSON; ""
	// where the credential names none.
	Confirmation string
	// HashName names the hash of the envelope's disclosures (_sd_alg), by which
	// a holder's proof names the credential; "" where there are none.
	HashName string

	// Body is the digest of the bytes this finding is about: the whole
	// credential, or what is left of it without a holder's proof.
	Body Digest
}

// A StatusRef is where a credential says that its status stands. Malformed
// marks a claim that could not be read; the other fields are then empty. The
// zero StatusRef is a status of a kind that we do not know: see Unsupported.
type StatusRef struct {
	URI       string
	Index     int64
	Malformed bool
}

// Unsupported reports whether the status stands in something other than a
// status list: it cannot be had, and is neither good nor bad.
func (r *StatusRef) Unsupported() bool { return r.URI == "" && !r.Malformed }

// A FormatError is a credential's own fault, found before any cryptography: it
// fails the check "format" with Code. Err is for the developer's eyes and
// quotes nothing of the credential.
type FormatError struct {
	Code Code
	Err  error
}

func (e *FormatError) Error() string {
	if e.Err == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Err.Error()
}

// FaultOf returns the code of an error of the strict readers.
func FaultOf(err error) Code {
	switch {
	case errors.Is(err, jws.ErrDuplicate):
		return FormatDuplicateMember
	case errors.Is(err, jws.ErrHeaderNotAllowed):
		return HeaderNotAllowed
	case errors.Is(err, jws.ErrHeaderInvalid):
		return HeaderInvalid
	}
	return FormatMalformed
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }
