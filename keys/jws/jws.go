// Package jws takes a JWS Compact Serialization (RFC 7515 §7.1) apart, strictly,
// and leaves it unverified: [Unverified.VerifiedBy] asks one key.
package jws

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tongyan/keys"
	"tongyan/strict"
)

// The bounds of contract §2.2, in bytes.
const (
	MaxHeader = 4 << 10
	MaxToken  = 64 << 10
	MaxKeyID  = 256
)

// The reasons why a token is refused before any cryptography. Every error of
// [Parse] wraps one of them; ErrMalformed and ErrDuplicate are those of strict.
var (
	ErrMalformed        = strict.ErrMalformed
	ErrDuplicate        = strict.ErrDuplicate
	ErrHeaderInvalid    = errors.New("header invalid")
	ErrHeaderNotAllowed = errors.New("header member not allowed")
)

// An Unverified is a token that reads well. Nothing in it is true yet.
type Unverified struct {
	Header       strict.Value
	Algorithm    string // as spelled; not yet known to be allowed
	KeyID        keys.KeyID
	Type         string // the member typ
	Payload      []byte
	SigningInput []byte // a slice of the token
	Signature    []byte
}

// refused are the header members through which a token would bring its own key
// or its own rules: keys come from the trust list only (contract §2.2).
var refused = [...]string{"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"}

// Parse reads token, which must be at most max bytes long and of one of the
// types typ. Header comes before payload, payload before signature; the first
// fault decides.
func Parse(token []byte, max int, typ ...string) (*Unverified, error) {
	return parse(token, max, true, typ)
}

// ParseProof is [Parse] for a holder's proof, whose key the credential names:
// a kid is neither needed nor read (RFC 9901 §4.3).
func ParseProof(token []byte, max int, typ ...string) (*Unverified, error) {
	return parse(token, max, false, typ)
}

func parse(token []byte, max int, keyID bool, typ []string) (*Unverified, error) {
	if len(token) > max {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, max)
	}
	first := bytes.IndexByte(token, '.')
	last := bytes.LastIndexByte(token, '.')
	if first < 0 || first == last || bytes.IndexByte(token[first+1:last], '.') >= 0 {
		return nil, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	u := &Unverified{SigningInput: token[:last]}
	if err := u.readHeader(token[:first], keyID); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if !slices.Contains(typ, u.Type) {
		return nil, fmt.Errorf("%w: typ is another", ErrHeaderInvalid)
	}
	var err error
	if u.Payload, err = strict.Base64URLBytes(token[first+1 : last]); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if u.Signature, err = strict.Base64URLBytes(token[last+1:]); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return u, nil
}

// Type returns the typ of a token of three parts, before any disclosures, whose
// header reads well, and says nothing about the rest: by it a reader chooses who
// parses the token.
func Type(token []byte) (string, error) {
	token, _, _ = bytes.Cut(token, []byte{'~'})
	part, _, ok := bytes.Cut(token, []byte{'.'})
	if !ok || bytes.Count(token, []byte{'.'}) != 2 {
		return "", fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	var u Unverified
	if err := u.readHeader(part, true); err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	return u.Type, nil
}

func (u *Unverified) readHeader(part []byte, keyID bool) error {
	if len(part) > (MaxHeader*4+2)/3 {
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxHeader)
	}
	raw, err := strict.Base64URLBytes(part)
	if err != nil {
		return err
	}
	if u.Header, err = strict.Parse(raw); err != nil {
		return err
	}
	return u.readMembers(keyID)
}

// ReadHeader reads a header that is JSON already, as in JWS JSON
// Serialization, by the same rules.
func ReadHeader(header strict.Value) (*Unverified, error) {
	u := &Unverified{Header: header}
	if err := u.readMembers(true); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *Unverified) readMembers(keyID bool) error {
	if u.Header.Kind() != strict.Object {
		return fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	var kid string
	for _, m := range [...]struct {
		name string
		text *string
	}{{"alg", &u.Algorithm}, {"kid", &kid}, {"typ", &u.Type}} {
		if m.text == &kid && !keyID {
			continue
		}
		var ok bool
		if *m.text, ok = u.Header.Get(m.name).Text(); !ok {
			return fmt.Errorf("%w: %s is not a text", ErrHeaderInvalid, m.name)
		}
	}
	if keyID && (kid == "" || len(kid) > MaxKeyID) {
		return fmt.Errorf("%w: kid is not 1 to %d bytes long", ErrHeaderInvalid, MaxKeyID)
	}
	u.KeyID = keys.KeyID(kid)
	for _, name := range refused {
		if u.Header.Get(name).Kind() != strict.Absent {
			return fmt.Errorf("%w: %s", ErrHeaderNotAllowed, name)
		}
	}
	return nil
}

// Protected returns the header as it was signed, in base64url.
func (u *Unverified) Protected() string {
	part, _, _ := bytes.Cut(u.SigningInput, []byte{'.'})
	return string(part)
}

// VerifiedBy reports whether the signature is key's over the token. The
// token's algorithm must be one of ours and fit the key.
func (u *Unverified) VerifiedBy(key *keys.Key) bool {
	alg, ok := keys.ParseAlgorithm(u.Algorithm)
	return ok && key != nil && key.Verify(alg, u.SigningInput, u.Signature)
}
