package keys

import (
	"errors"
	"net/url"
	"strings"
)

// maxURL is the length of the longest address that is taken, in bytes.
const maxURL = 2048

// CheckURL reports why an address is not plain https, nil if it is: a host, no
// user, no fragment, and no character that two readers could take differently.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > maxURL:
		return errors.New("not a URL, or too long")
	case !strings.HasPrefix(s, "https://"):
		return errors.New("does not begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("names no host")
	case u.User != nil:
		return errors.New("holds a user or password")
	case strings.Contains(s, "#"):
		return errors.New("holds a fragment")
	}
	for i := 0; i < len(s); i++ {
		// A backslash is a slash to browsers; beyond ASCII look-alikes begin.
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return errors.New("holds a blank, a backslash or a character beyond ASCII")
		}
	}
	return nil
}

// CheckStatusPrefix reports why an address cannot be the prefix of status
// lists, nil if it can: plain https, and neither a query nor anything in the
// path that a server may resolve to another one.
func CheckStatusPrefix(s string) error {
	if err := CheckURL(s); err != nil {
		return err
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.Contains(s, "?"):
		return errors.New("holds a query")
	case !plainPath(u.EscapedPath()):
		return errors.New("holds a path with dots, escapes or doubled slashes")
	}
	return nil
}

// MayFetchStatus reports whether uri, which a credential named, lies under one
// of the issuer's status list prefixes. A prefix ends at a slash, stated or
// not: https://a.example/status covers https://a.example/status/1, but neither
// https://a.example/status-evil/1 nor, without a path, https://a.example.evil/.
func (a *Authority) MayFetchStatus(uri string) bool {
	if CheckURL(uri) != nil {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil || !plainPath(u.EscapedPath()) {
		return false
	}
	for _, prefix := range a.StatusLists {
		if rest, ok := strings.CutPrefix(uri, prefix); ok && prefix != "" &&
			(rest == "" || prefix[len(prefix)-1] == '/' || rest[0] == '/' || rest[0] == '?') {
			return true
		}
	}
	return false
}

// plainPath reports whether a path reads the same to everyone: no dot segments,
// which climb, and no escapes, which may hide some.
func plainPath(path string) bool {
	if strings.Contains(path, "%") || strings.Contains(path, "//") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
