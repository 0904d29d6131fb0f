package trustlist

import (
	"bytes"
	"errors"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
)

// Type is the typ of a list's protected header.
const Type = "trust-list+jwt"

// MaxToken is the length of the longest list, as it travels, in bytes (contract §3).
const MaxToken = 1 << 20

// maxSignatures bounds the verifications that one list can cost us. No alliance
// has more roots.
const maxSignatures = 32

// An Unverified is a list that reads well and whose signatures have not been
// looked at. Nothing in it is true yet.
type Unverified struct {
	Payload    []byte
	Signatures []UnverifiedSignature
}

// An UnverifiedSignature is one signature and what its protected header claims.
type UnverifiedSignature struct {
	Root      keys.Thumbprint // the header's kid
	Algorithm string
	jws       *jws.Unverified
}

// ParseToken reads a list in JWS Compact or JWS General JSON Serialization
// (RFC 7515 §7.1, §7.2.1), as strictly as a credential. Errors are Refusals.
func ParseToken(token []byte) (*Unverified, error) {
	if len(token) > MaxToken {
		return nil, refuse(TooLarge, "longer than %d bytes", MaxToken)
	}
	if text := bytes.TrimLeft(token, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		return parseGeneral(token)
	}
	u, err := jws.Parse(token, MaxToken, Type)
	if err != nil {
		return nil, unreadable("token", err)
	}
	return &Unverified{u.Payload, []UnverifiedSignature{{keys.Thumbprint(u.KeyID), u.Algorithm, u}}}, nil
}

func parseGeneral(token []byte) (*Unverified, error) {
	v, err := strict.Parse(token)
	if err != nil {
		return nil, unreadable("token", err)
	}
	// SPEC: RFC 7515 §7.2.2 "The "signatures" member MUST NOT be present when
	// using this [flattened] syntax": a token that is both is neither.
	for _, name := range [...]string{"protected", "header", "signature"} {
		if v.Get(name).Kind() != strict.Absent {
			return nil, refuse(Malformed, "flattened JSON serialization, or both at once")
		}
	}
	payload, ok := v.Get("payload").Text()
	list := v.Get("signatures")
	if !ok || list.Kind() != strict.Array || list.Len() == 0 {
		return nil, refuse(Malformed, "no payload, or no signatures")
	}
	if list.Len() > maxSignatures {
		return nil, refuse(Malformed, "%d signatures, at most %d are read", list.Len(), maxSignatures)
	}
	out := &Unverified{Signatures: make([]UnverifiedSignature, list.Len())}
	if out.Payload, err = strict.Base64URL(payload); err != nil {
		return nil, unreadable("payload", err)
	}
	for i := range out.Signatures {
		s, err := parseSignature(list.Item(i), payload)
		if err != nil {
			return nil, err
		}
		out.Signatures[i] = UnverifiedSignature{keys.Thumbprint(s.KeyID), s.Algorithm, s}
	}
	return out, nil
}

// parseSignature reads one item of "signatures". Its header is held to the rules
// of a compact one even if nobody knows the signer.
func parseSignature(item strict.Value, payload string) (*jws.Unverified, error) {
	// An unprotected header is signed by nobody, so there is none.
	if item.Get("header").Kind() != strict.Absent {
		return nil, refuse(Header, "unprotected header")
	}
	protected, ok := item.Get("protected").Text()
	signature, ok2 := item.Get("signature").Text()
	if !ok || !ok2 {
		return nil, refuse(Malformed, "a signature without protected header or value")
	}
	// Put together as a compact token, it passes through the one reader there is.
	u, err := jws.Parse([]byte(protected+"."+payload+"."+signature), 2*MaxToken, Type)
	if err != nil {
		return nil, unreadable("signature", err)
	}
	return u, nil
}

// Verify reports with a Refusal unless as many different roots as the threshold
// asks have signed. Signatures of strangers count for nothing, and so do the
// second and third of one root: during a rotation a list carries signatures
// that not every gateway knows.
func (u *Unverified) Verify(roots *Roots) (signers []keys.Thumbprint, err error) {
	if roots == nil || roots.threshold < 1 {
		return nil, refuse(UnknownRoot, "no root is pinned")
	}
	named, bad := false, false
	good := make(map[keys.Thumbprint]bool, len(u.Signatures))
	for _, s := range u.Signatures {
		root := roots.byThumbprint[s.Root]
		if root == nil {
			continue
		}
		named = true
		switch {
		case !s.jws.VerifiedBy(root):
			bad = true
		case !good[s.Root]:
			good[s.Root] = true
			signers = append(signers, s.Root)
		}
	}
	switch n := len(signers); {
	case !named:
		return nil, refuse(UnknownRoot, "signed by none of the pinned roots")
	case n == 0:
		return nil, refuse(Signature, "no signature of a pinned root is good")
	case n >= roots.threshold:
		return signers, nil
	case bad:
		return nil, refuse(Mixed, "%d of %d signatures are good, another is over something else", n, roots.threshold)
	default:
		return nil, refuse(Threshold, "signed by %d different roots, %d are needed", n, roots.threshold)
	}
}

func unreadable(where string, err error) *Refusal {
	reason := Malformed
	switch {
	case errors.Is(err, strict.ErrDuplicate):
		reason = DuplicateMember
	case errors.Is(err, jws.ErrHeaderInvalid), errors.Is(err, jws.ErrHeaderNotAllowed):
		reason = Header
	}
	return &Refusal{Reason: reason, Why: where, cause: err}
}
