package strict

import "strings"

// At follows a JSON pointer (RFC 6901); the empty pointer is v itself. What the
// pointer does not reach, and a malformed pointer, is Absent.
func (v Value) At(pointer string) Value {
	if pointer == "" {
		return v
	}
	if pointer[0] != '/' {
		return Value{}
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		if v.kind == Array {
			i, ok := index(token)
			if !ok {
				return Value{}
			}
			v = v.Item(i)
			continue
		}
		v = v.Get(unescapeToken(token))
	}
	return v
}

// ValidPointer reports whether s is a JSON pointer: empty, or beginning with
// "/" and with every "~" followed by 0 or 1 (RFC 6901 §3).
func ValidPointer(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != '/' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return false
		}
	}
	return true
}

func unescapeToken(token string) string {
	if !strings.Contains(token, "~") {
		return token
	}
	// SPEC: RFC 6901 §4 "first transforming any occurrence of the sequence '~1'
	// to '/', and then transforming any occurrence of the sequence '~0' to '~'".
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// index reads an array index: digits without leading zero (RFC 6901 §4).
func index(token string) (int, bool) {
	if token == "" || len(token) > 6 || token[0] == '0' && len(token) > 1 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(token); i++ {
		if token[i] < '0' || token[i] > '9' {
			return 0, false
		}
		n = n*10 + int(token[i]-'0')
	}
	return n, true
}
