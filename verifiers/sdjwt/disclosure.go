package sdjwt

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"

	"tongyan/keys/jws"
	"tongyan/strict"
)

// A disclosure is one hidden thing that the holder shows: a member, or an item
// of an array.
type disclosure struct {
	name   string // of the member; "" with member false
	member bool
	value  strict.Value
}

// parseDisclosures reads the disclosures in rest, each of which ends in a
// tilde, by their digests.
func parseDisclosures(rest []byte, hash string) (map[string]disclosure, error) {
	if len(rest) == 0 {
		return nil, nil
	}
	all := make(map[string]disclosure, bytes.Count(rest, []byte{'~'}))
	for len(rest) > 0 {
		var encoded []byte
		encoded, rest, _ = bytes.Cut(rest, []byte{'~'})
		digest := digestOf(hash, encoded)
		if _, twice := all[digest]; twice {
			return nil, malformed("one stands twice")
		}
		d, err := parseDisclosure(encoded)
		if err != nil {
			return nil, fmt.Errorf("disclosures: %w", err)
		}
		all[digest] = d
	}
	return all, nil
}

// parseDisclosure reads [salt, value] or [salt, name, value].
// SPEC: RFC 9901 §4.2.1, §4.2.2.
func parseDisclosure(encoded []byte) (d disclosure, err error) {
	raw, err := strict.Base64URL(string(encoded))
	if err != nil {
		return d, err
	}
	v, err := strict.Parse(raw)
	if err != nil {
		return d, err
	}
	if v.Kind() != strict.Array || v.Item(0).Kind() != strict.String {
		return d, fmt.Errorf("%w: not an array that begins with a salt", jws.ErrMalformed)
	}
	switch v.Len() {
	case 2:
		return disclosure{value: v.Item(1)}, nil
	case 3:
		d = disclosure{member: true, value: v.Item(2)}
		var ok bool
		if d.name, ok = v.Item(1).Text(); !ok {
			return d, fmt.Errorf("%w: member name is not a text", jws.ErrMalformed)
		}
		return d, nil
	}
	return d, fmt.Errorf("%w: not an array of two or three", jws.ErrMalformed)
}

// The hashes that _sd_alg may name (contract §2.4), by their IANA names.
const (
	sha2_256 = "sha-256"
	sha2_384 = "sha-384"
	sha2_512 = "sha-512"
)

// hashName reads _sd_alg of a payload.
func hashName(payload strict.Value) (string, error) {
	v := payload.Get("_sd_alg")
	if v.Kind() == strict.Absent {
		// SPEC: RFC 9901 §4.1.1 "If the _sd_alg claim is not present at the top
		// level, a default value of sha-256 MUST be used."
		return sha2_256, nil
	}
	switch name, _ := v.Text(); name {
	case sha2_256, sha2_384, sha2_512:
		return name, nil
	}
	return "", fmt.Errorf("%w: %w", jws.ErrMalformed, errHash)
}

// digestOf returns the base64url digest of text, "" for a hash that is not
// ours, which is nobody's digest.
func digestOf(hash string, text []byte) string {
	switch hash {
	case sha2_256:
		sum := sha256.Sum256(text)
		return base64.RawURLEncoding.EncodeToString(sum[:])
	case sha2_384:
		sum := sha512.Sum384(text)
		return base64.RawURLEncoding.EncodeToString(sum[:])
	case sha2_512:
		sum := sha512.Sum512(text)
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return ""
}
