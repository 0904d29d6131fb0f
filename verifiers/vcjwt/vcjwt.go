// Package vcjwt reads licences in the W3C Verifiable Credentials Data Model
// 2.0, secured as a JWT (VC-JOSE-COSE), as far as a business licence needs it
// (contract §2.4).
//
// The members of the data model are what counts. Where a JWT claim says the
// same thing a second time, both must agree.
package vcjwt

import (
	"slices"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
)

// Type is the envelope's typ.
const Type verifiers.Format = "vc+jwt"

// Context is the first @context of every credential of the data model.
const Context = "https://www.w3.org/ns/credentials/v2"

// CredentialType is the type that every credential has.
const CredentialType = "VerifiableCredential"

// An Envelope reads credentials of one format. It keeps nothing.
type Envelope struct{}

// Format returns Type.
func (Envelope) Format() verifiers.Format { return Type }

// Open reads a credential, which stays unverified. Errors are
// *verifiers.FormatError: the credential's own fault.
func (Envelope) Open(credential []byte) (*verifiers.Unverified, error) {
	signed, vc, err := claims.Open(credential, Type)
	if err != nil {
		return nil, err
	}
	u := &verifiers.Unverified{Signed: signed}
	f := &u.Finding
	f.Format = Type
	f.Body = verifiers.DigestOf(credential)
	f.Algorithm, f.KeyID = signed.Algorithm, signed.KeyID
	for _, read := range [...]func(*verifiers.Finding, strict.Value) error{
		readModel, readIssuer, readID, readTimes, readSubject, readOthers,
	} {
		if err := read(f, vc); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// readModel checks that this is a credential of the data model.
func readModel(_ *verifiers.Finding, vc strict.Value) error {
	// SPEC: VC-JOSE-COSE §3.1.3 "The JWT Claim Names vc and vp MUST NOT be
	// present": they would hold a second credential beside this one.
	for _, name := range [...]string{"vc", "vp"} {
		if vc.Get(name).Kind() != strict.Absent {
			return claims.Invalid(name)
		}
	}
	// SPEC: VC Data Model 2.0 §4.3 "The value of the @context property MUST be
	// an ordered set where the first item is a URL with the value
	// https://www.w3.org/ns/credentials/v2."
	context := vc.Get("@context")
	if context.Kind() == strict.Absent {
		return claims.Missing("@context")
	}
	if first, _ := context.Item(0).Text(); first != Context {
		return claims.Invalid("@context")
	}
	types := vc.Get("type")
	if types.Kind() == strict.Absent {
		return claims.Missing("type")
	}
	if one, ok := types.Text(); ok && one == CredentialType {
		return nil
	}
	if all, ok := types.Strings(); !ok || !slices.Contains(all, CredentialType) {
		return claims.Invalid("type")
	}
	return nil
}

// readIssuer reads issuer: a text, or an object with id.
func readIssuer(f *verifiers.Finding, vc strict.Value) error {
	holder, name := vc, "issuer"
	if issuer := vc.Get("issuer"); issuer.Kind() == strict.Object {
		holder, name = issuer, "id"
	}
	var iss string
	if err := claims.Text(holder, name, &iss); err != nil {
		return err
	}
	f.Issuer = keys.Issuer(iss)
	return agree(vc, "iss", iss)
}

// readID reads id, the licence document's identity.
func readID(f *verifiers.Finding, vc strict.Value) error {
	if err := claims.Text(vc, "id", &f.ID); err != nil {
		return err
	}
	return agree(vc, "jti", f.ID)
}

// agree checks a JWT claim that repeats a member.
func agree(vc strict.Value, claim, member string) error {
	if v := vc.Get(claim); v.Kind() != strict.Absent {
		if s, ok := v.Text(); !ok || s != member {
			return claims.Invalid(claim)
		}
	}
	return nil
}

// readSubject reads credentialSubject.licence, and sub where it is stated.
func readSubject(f *verifiers.Finding, vc strict.Value) error {
	if vc.Get("sub").Kind() != strict.Absent {
		if err := claims.Text(vc, "sub", &f.Subject); err != nil {
			return err
		}
		f.SubjectIn = true
	}
	subject := vc.Get("credentialSubject")
	switch subject.Kind() {
	case strict.Absent:
		return claims.Missing("credentialSubject")
	case strict.Object:
		return claims.Licence(f, subject.Get("licence"), false)
	}
	// One credential, one licence: an array of subjects is not read.
	return claims.Invalid("credentialSubject")
}

// readOthers reads the claims that the data model has no member for, and the
// one member that it has instead of one.
func readOthers(f *verifiers.Finding, vc strict.Value) error {
	if err := claims.Time(vc, "nbf", &f.NotBefore, true); err != nil {
		return err
	}
	if cnf := vc.Get("cnf"); cnf.Kind() != strict.Absent && cnf.Kind() != strict.Object {
		return claims.Invalid("cnf")
	}
	f.Status = claims.Status(vc.Get("status"))
	// A status that we cannot look up counts even beside one that we can:
	// nobody may take the credential for good because half of it was asked. A
	// claim status that is malformed stays so.
	if vc.Get("credentialStatus").Kind() != strict.Absent && (f.Status == nil || !f.Status.Malformed) {
		f.Status = new(verifiers.StatusRef)
	}
	return nil
}
