// Package sdjwt reads licences in SD-JWT VC envelopes (RFC 9901, contract
// §2.4): it puts the disclosures back into the payload, and checks the holder's
// proof.
//
// What the profile refuses beyond the RFC is listed in docs/formats.md.
package sdjwt

import (
	"bytes"
	"errors"
	"fmt"

	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
)

// Type is the envelope's typ.
const Type verifiers.Format = "dc+sd-jwt"

// CredentialType is the vct of a business licence.
const CredentialType = "urn:cn:ebl:business-licence:1"

// MaxDisclosures is how many disclosures one presentation may hold.
const MaxDisclosures = 256

// An Envelope reads credentials of one format. It keeps nothing.
type Envelope struct{}

// Format returns Type.
func (Envelope) Format() verifiers.Format { return Type }

var (
	errTooLong = fmt.Errorf("%w: longer than %d bytes", jws.ErrMalformed, jws.MaxToken)
	errTooMany = fmt.Errorf("%w: more than %d disclosures", jws.ErrMalformed, MaxDisclosures)
	errNoTilde = fmt.Errorf("%w: does not end in a tilde", jws.ErrMalformed)
)

// Open reads an SD-JWT without its holder's proof: body ends with the last
// tilde. It stays unverified. Errors are *verifiers.FormatError: the
// credential's own fault. The order of faults is header, payload,
// disclosures, claims.
func (Envelope) Open(body []byte) (*verifiers.Unverified, error) {
	// Before anything else: what comes behind costs in proportion to these.
	if len(body) > jws.MaxToken {
		return nil, claims.Fault(errTooLong)
	}
	if bytes.Count(body, []byte{'~'}) > MaxDisclosures+1 {
		return nil, claims.Fault(errTooMany)
	}
	token, rest, _ := bytes.Cut(body, []byte{'~'})
	signed, payload, err := claims.Open(token, Type)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(body, []byte{'~'}) {
		return nil, claims.Fault(errNoTilde)
	}
	payload, hash, err := process(payload, rest)
	if err != nil {
		return nil, claims.Fault(err)
	}
	u := &verifiers.Unverified{Signed: signed}
	u.Finding.Format = Type
	u.Finding.HashName = hash
	u.Finding.Body = verifiers.DigestOf(body)
	if err := read(&u.Finding, signed, payload); err != nil {
		return nil, err
	}
	return u, nil
}

// read reads the claims of the processed payload.
func read(f *verifiers.Finding, signed *jws.Unverified, payload strict.Value) error {
	// The type comes first: without it the other claims mean something else.
	var vct string
	if err := claims.Text(payload, "vct", &vct); err != nil {
		return err
	}
	if vct != CredentialType {
		return claims.Invalid("vct")
	}
	if err := claims.Read(f, signed, payload); err != nil {
		return err
	}
	if err := readConfirmation(f, payload.Get("cnf")); err != nil {
		return err
	}
	return claims.Licence(f, payload.Get("licence"), true)
}

// readConfirmation keeps cnf.jwk. Another way to name the holder's key (RFC
// 7800 §3) is left alone, as is a key of a kind that we do not know: no proof
// made with it will be right.
func readConfirmation(f *verifiers.Finding, cnf strict.Value) error {
	switch jwk := cnf.Get("jwk"); jwk.Kind() {
	case strict.Absent:
	case strict.Object:
		f.Confirmation = string(jwk.Canonical())
	default:
		return claims.Invalid("cnf")
	}
	return nil
}

// malformed is an error of SD-JWT processing.
func malformed(what string) error { return fmt.Errorf("disclosures: %w: %s", jws.ErrMalformed, what) }

// errHash is wrapped where _sd_alg is not one of ours.
var errHash = errors.New("_sd_alg is not sha-256, sha-384 or sha-512")
