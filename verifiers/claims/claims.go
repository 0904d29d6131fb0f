// Package claims reads the claims that every envelope of a licence shares
// (contract §2.2), whichever way the licence itself is carried.
package claims

import (
	"errors"
	"fmt"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// MaxTime is the last second of the year 9999.
const MaxTime = 253402300799

// Open takes a signed token of one format apart and parses its payload. Errors
// are *verifiers.FormatError.
func Open(token []byte, typ verifiers.Format) (*jws.Unverified, strict.Value, error) {
	signed, err := jws.Parse(token, jws.MaxToken, string(typ))
	if err != nil {
		return nil, strict.Value{}, Fault(err)
	}
	payload, err := strict.Parse(signed.Payload)
	if err == nil && payload.Kind() != strict.Object {
		err = fmt.Errorf("%w: payload is not a JSON object", jws.ErrMalformed)
	}
	if err != nil {
		return nil, strict.Value{}, Fault(err)
	}
	return signed, payload, nil
}

// Fault turns an error of the strict readers into the credential's fault.
func Fault(err error) *verifiers.FormatError {
	return &verifiers.FormatError{Code: verifiers.FaultOf(err), Err: err}
}

// Read fills a finding with the header and the registered claims of a token.
// Errors are *verifiers.FormatError.
func Read(f *verifiers.Finding, signed *jws.Unverified, payload strict.Value) error {
	f.Algorithm, f.KeyID = signed.Algorithm, signed.KeyID
	var iss string
	for _, claim := range [...]struct {
		name string
		into *string
	}{{"iss", &iss}, {"sub", &f.Subject}, {"jti", &f.ID}} {
		if err := Text(payload, claim.name, claim.into); err != nil {
			return err
		}
	}
	f.Issuer, f.SubjectIn = keys.Issuer(iss), true
	for _, claim := range [...]struct {
		name     string
		into     *int64
		optional bool
	}{{"iat", &f.IssuedAt, false}, {"exp", &f.Expires, false}, {"nbf", &f.NotBefore, true}} {
		if err := Time(payload, claim.name, claim.into, claim.optional); err != nil {
			return err
		}
	}
	if cnf := payload.Get("cnf"); cnf.Kind() != strict.Absent && cnf.Kind() != strict.Object {
		return Invalid("cnf")
	}
	f.Status = Status(payload.Get("status"))
	return nil
}

// Text reads a required claim: a text that is not empty.
func Text(payload strict.Value, name string, into *string) error {
	v := payload.Get(name)
	if v.Kind() == strict.Absent {
		return Missing(name)
	}
	s, ok := v.Text()
	if !ok || s == "" {
		return Invalid(name)
	}
	*into = s
	return nil
}

// Time reads a time in whole seconds (contract §2.2).
func Time(payload strict.Value, name string, into *int64, optional bool) error {
	v := payload.Get(name)
	if v.Kind() == strict.Absent {
		if optional {
			return nil
		}
		return Missing(name)
	}
	n, ok := v.Integer(MaxTime)
	if !ok {
		return Invalid(name)
	}
	*into = n
	return nil
}

// Licence reads the licence object. Where selective, members may be undisclosed.
func Licence(f *verifiers.Finding, v strict.Value, selective bool) error {
	l, err := licence.Read(v, selective)
	var fault *licence.MemberError
	if errors.As(err, &fault) {
		if fault.Missing {
			return Missing(fault.Member)
		}
		return Invalid(fault.Member)
	}
	f.Licence = l
	return nil
}

// Status reads the claim status; nil where it is absent. What is there must be
// a reference to a status list: anything else is malformed, which fails the
// check "status" and not "format" (contract §10).
func Status(v strict.Value) *verifiers.StatusRef {
	if v.Kind() == strict.Absent {
		return nil
	}
	list := v.Get("status_list")
	index, ok := list.Get("idx").Integer(1 << 40)
	uri, isText := list.Get("uri").Text()
	if !ok || !isText || uri == "" {
		return &verifiers.StatusRef{Malformed: true}
	}
	return &verifiers.StatusRef{URI: uri, Index: index}
}

// Missing is the fault of a required claim that is not there.
func Missing(name string) error {
	return &verifiers.FormatError{Code: verifiers.ClaimMissing, Err: errors.New(name)}
}

// Invalid is the fault of a claim with a value that it cannot have.
func Invalid(name string) error {
	return &verifiers.FormatError{Code: verifiers.ClaimInvalid, Err: errors.New(name)}
}
