package strict

import (
	"encoding/base64"
	"strings"
)

var rawURL = base64.RawURLEncoding.Strict()

// Base64URL decodes unpadded base64url (RFC 4648 §5) in its one canonical form:
// no padding, no line feeds, no bits set that the length leaves unused. The
// empty string decodes to no bytes. Errors wrap ErrMalformed.
func Base64URL(s string) ([]byte, error) {
	// The standard decoder skips CR and LF even in its strict form.
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, &Error{Offset: i, What: "line break in base64url", Reason: ErrMalformed}
	}
	out, err := rawURL.DecodeString(s)
	if err != nil {
		offset := len(s)
		if at, ok := err.(base64.CorruptInputError); ok {
			offset = int(at)
		}
		return nil, &Error{Offset: offset, What: "not canonical base64url", Reason: ErrMalformed}
	}
	return out, nil
}
