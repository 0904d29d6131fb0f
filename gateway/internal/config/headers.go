package config

import (
	"net/http"
	"regexp"
	"strings"
)

// transport are headers that belong to the connection or to the protocol of §4.
var transport = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Length": true, "Content-Type": true,
	"Expect": true, "Host": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110 §5.6.2

func readHeaders(v value) map[string]Secret[string] {
	headers := map[string]Secret[string]{}
	v.object().each(func(key string, entry value) {
		name := http.CanonicalHeaderKey(key)
		_, twice := headers[name]
		switch {
		case !headerName.MatchString(key):
			entry.d.fail(entry.keyAt, entry.path, "is no header name")
			return
		case transport[name]:
			entry.d.fail(entry.keyAt, entry.path, "is set by the gateway itself")
			return
		case twice:
			entry.d.fail(entry.keyAt, entry.path, "stands twice, in another spelling")
			return
		}
		if s, ok := entry.text(); ok {
			headers[name] = entry.expand(s)
		}
	})
	return headers
}

// readHeaderName reads the name of a header of our own.
func readHeaderName(v value, absent string) string {
	if v.absent() {
		return absent
	}
	s, ok := v.requiredText()
	name := http.CanonicalHeaderKey(s)
	if ok && (!headerName.MatchString(s) || transport[name] || name == "Authorization" || name == "Cookie") {
		v.fail("is no name for it; expected one such as %s", absent)
	}
	return name
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts the environment's values in the place of ${NAME}s. Neither they
// nor the rest of the text are ever repeated in a message.
func (v value) expand(s string) Secret[string] {
	if strings.Contains(variable.ReplaceAllString(s, ""), "${") {
		v.fail("holds a ${ that begins no ${NAME}")
		return Secret[string]{}
	}
	out := variable.ReplaceAllStringFunc(s, func(found string) string {
		name := found[2 : len(found)-1]
		text, set := v.d.env(name)
		switch {
		case !set:
			v.fail("the environment variable %s is not set", name)
		case text == "":
			v.fail("the environment variable %s is empty", name)
		}
		return text
	})
	for i := range len(out) {
		if c := out[i]; c < ' ' && c != '\t' || c == 0x7f {
			v.fail("holds, with its variables filled in, a control character or a line end")
			break
		}
	}
	return Hide(out)
}
