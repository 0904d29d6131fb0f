// Package envelope reads the plain envelope ebl+jwt: a licence in a JWS Compact
// Serialization (contract §2.2).
package envelope

import (
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
)

// Type is the envelope's typ.
const Type verifiers.Format = "ebl+jwt"

// An Envelope reads credentials of one format. It keeps nothing.
type Envelope struct{}

// Format returns Type.
func (Envelope) Format() verifiers.Format { return Type }

// Open reads a credential, which stays unverified. Errors are
// *verifiers.FormatError: the credential's own fault.
func (Envelope) Open(credential []byte) (*verifiers.Unverified, error) {
	signed, payload, err := claims.Open(credential, Type)
	if err != nil {
		return nil, err
	}
	u := &verifiers.Unverified{Signed: signed}
	u.Finding.Format = Type
	u.Finding.Body = verifiers.DigestOf(credential)
	if err := claims.Read(&u.Finding, signed, payload); err != nil {
		return nil, err
	}
	if err := claims.Licence(&u.Finding, payload.Get("licence"), false); err != nil {
		return nil, err
	}
	return u, nil
}
