package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// httpsURL reads an https address. The address is never repeated in a message:
// a password may stand in it.
func (v value) httpsURL(queryToo bool) *url.URL {
	s, ok := v.requiredText()
	if !ok {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme == "":
		v.fail("is no address; expected https://host or https://host/path")
	case u.Scheme != "https":
		v.fail("must begin with https://")
	case u.User != nil:
		v.fail("must not hold a user name or password")
	case u.Hostname() == "" || !validPort(u.Port(), true):
		v.fail("has no proper host; expected https://host or https://host:port")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		v.fail("must not hold a fragment (#)")
	case !queryToo && (u.RawQuery != "" || u.ForceQuery):
		v.fail("must not hold a query (?)")
	default:
		return u
	}
	return nil
}

func validPort(port string, emptyToo bool) bool {
	if port == "" {
		return emptyToo
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || !emptyToo)
}

// address reads host:port to listen on; port 0 is any free one.
func (v value) address(absent string) string {
	if v.node == nil {
		return absent
	}
	s, ok := v.text()
	if !ok {
		return absent
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || !validPort(port, false) || host != "" && !validHost(host) {
		v.fail("%s is no address to listen on; expected host:port, such as :8443 or 127.0.0.1:9443", show(s))
		return absent
	}
	return s
}

// loopback tells whether only this machine can reach an address. A name other
// than localhost may resolve to anything, so it does not count.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// validHost accepts IP addresses and host names (RFC 1123 §2.1).
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}
