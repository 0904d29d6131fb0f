package strict

import (
	"bytes"
	"encoding/base64"
)

var rawURL = base64.RawURLEncoding.Strict()

// Base64URL decodes unpadded base64url (RFC 4648 §5) in its one canonical form:
// no padding, no line feeds, no bits set that the length leaves unused. The
// empty string decodes to no bytes. Errors wrap ErrMalformed.
func Base64URL(s string) ([]byte, error) { return Base64URLBytes([]byte(s)) }

// Base64URLBytes is [Base64URL] without a copy of what it reads.
func Base64URLBytes(s []byte) ([]byte, error) {
	// The standard decoder skips CR and LF even in its strict form.
	for _, end := range []byte("\r\n") {
		if i := bytes.IndexByte(s, end); i >= 0 {
			return nil, &Error{Offset: i, What: "line break in base64url", Reason: ErrMalformed}
		}
	}
	out := make([]byte, rawURL.DecodedLen(len(s)))
	n, err := rawURL.Decode(out, s)
	if err != nil {
		offset := len(s)
		if at, ok := err.(base64.CorruptInputError); ok {
			offset = int(at)
		}
		return nil, &Error{Offset: offset, What: "not canonical base64url", Reason: ErrMalformed}
	}
	return out[:n], nil
}
