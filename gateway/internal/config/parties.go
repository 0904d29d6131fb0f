package config

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// A Scope is one thing that a relying party may do (contract §6.4).
type Scope string

// The scopes. There are no others.
const (
	ScopeVerify    Scope = "verify"    // ask for a verdict
	ScopeBatch     Scope = "batch"     // ask for many at once
	ScopeLicence   Scope = "licence"   // see the licence's members
	ScopeProvinces Scope = "provinces" // see how the provinces do
)

// A Lane says who goes first when it is crowded: hall, then bank, then batch.
type Lane string

// The lanes.
const (
	LaneBank  Lane = "bank"
	LaneHall  Lane = "hall"
	LaneBatch Lane = "batch"
)

// A Digest is a SHA-256.
type Digest [sha256.Size]byte

// A RelyingParty is one entry of relying_parties. It is known by at least one
// of Keys, Certificates and CertificateNames.
type RelyingParty struct {
	// ID (id) names it in audit lines and receipts, as their aud. Required, 1 to
	// 128 bytes, printable, without blanks; different from all others.
	ID string

	// Keys (key_sha256) are the SHA-256 of its bearer keys, in hex: one, or a
	// list of two while they are changed over. No two parties share one.
	Keys []Digest

	// Certificates (certificate_sha256) are the SHA-256 of the DER of its client
	// certificates, in hex: one, or a list of two. No two parties share one.
	Certificates []Digest

	// CertificateNames (certificate_san) are subject alternative names, "dns:…"
	// or "uri:…": one, or a list of two. They count only in certificates that a
	// CA of tls.client_ca_file has signed or the edge has passed on, one of
	// which must be configured: otherwise anybody could write them into his own.
	CertificateNames []CertificateName

	// Scopes (scopes) are what it may do. Required, at least one.
	Scopes []Scope

	// Rate (rate) is its requests per second, above 0. Default 1000. Past it: 429.
	Rate float64

	// Burst (burst) is how many may come at once. Default Rate rounded up.
	Burst int

	// MonthlyQuota (monthly_quota) is how many verdicts it gets in a calendar
	// month, Asia/Shanghai. 0, the default: any number.
	MonthlyQuota int64

	// Lane (lane) is hall, bank or batch. Default bank.
	Lane Lane
}

// A CertificateName is a subject alternative name; exactly one field is set.
type CertificateName struct {
	DNS string // lower case
	URI string // as written
}

// readParties reads the list. chained says whether certificates can be traced
// to someone who vouches for their names.
func readParties(v value, chained bool) (list []RelyingParty) {
	seen := map[string]string{} // kind and value → the entry that has it
	unique := func(v value, what, key string) {
		if first, twice := seen[what+key]; twice {
			v.fail("is the %s of %s too", what, first)
			return
		}
		seen[what+key] = v.path
	}
	for _, item := range v.items() {
		if item.present() {
			list = append(list, readParty(item, chained, unique))
		}
	}
	return list
}

func readParty(v value, chained bool, unique func(v value, what, key string)) (p RelyingParty) {
	o := v.object()
	defer o.done()
	id := o.get("id")
	if s, ok := id.requiredText(); ok {
		if p.ID = s; !printable(s) || len(s) > 128 {
			id.fail("must be 1 to 128 printable bytes without blanks")
		}
		unique(id, "id", s)
	}
	for _, item := range o.get("key_sha256").oneOrMore(2) {
		if digest, ok := item.digest("the key"); ok {
			if digest == sha256.Sum256(nil) {
				item.fail("is the digest of nothing: every empty key would fit")
			}
			unique(item, "key", string(digest[:]))
			p.Keys = append(p.Keys, digest)
		}
	}
	for _, item := range o.get("certificate_sha256").oneOrMore(2) {
		if digest, ok := item.digest("the certificate's DER"); ok {
			unique(item, "certificate", string(digest[:]))
			p.Certificates = append(p.Certificates, digest)
		}
	}
	for _, item := range o.get("certificate_san").oneOrMore(2) {
		if name, ok := item.certificateName(); ok {
			unique(item, "name", name.DNS+" "+name.URI)
			p.CertificateNames = append(p.CertificateNames, name)
		}
		if !chained {
			item.fail("needs tls.client_ca_file or edge: without either anybody may write this name into a certificate")
		}
	}
	nameless := o.get("key_sha256").absent() && o.get("certificate_sha256").absent() && o.get("certificate_san").absent()
	if nameless && !o.broken {
		v.fail("is known by nothing: name key_sha256, certificate_sha256 or certificate_san")
	}
	scopes := o.get("scopes")
	if p.Scopes = readScopes(scopes); scopes.required() && len(scopes.items()) == 0 {
		scopes.fail("is empty: a party without a scope may do nothing")
	}
	p.Rate = o.get("rate").rate(1000)
	p.Burst = o.get("burst").integer(int(math.Ceil(p.Rate)), 1, maxRate)
	p.MonthlyQuota = o.get("monthly_quota").integer64(0, 1, 1<<40)
	p.Lane = oneOf(o.get("lane"), LaneBank, LaneHall, LaneBatch)
	return p
}

func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) })
}

func readScopes(v value) (scopes []Scope) {
	for _, item := range v.items() {
		if !item.present() {
			continue
		}
		scope, ok := choose(item, ScopeVerify, ScopeBatch, ScopeLicence, ScopeProvinces)
		switch {
		case !ok:
		case slices.Contains(scopes, scope):
			item.fail("%s stands twice", show(string(scope)))
		default:
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// digest reads a SHA-256. What was written is never repeated: it may be the key
// itself.
func (v value) digest(of string) (d Digest, ok bool) {
	s, ok := v.requiredText()
	if !ok {
		return d, false
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) {
		v.fail("must be the SHA-256 of %s: 64 hex digits", of)
		return d, false
	}
	return Digest(b), true
}

func (v value) certificateName() (n CertificateName, ok bool) {
	s, ok := v.requiredText()
	if !ok {
		return n, false
	}
	if dns, found := strings.CutPrefix(s, "dns:"); found && validHost(dns) {
		return CertificateName{DNS: strings.ToLower(dns)}, true
	}
	if uri, found := strings.CutPrefix(s, "uri:"); found {
		if u, err := url.Parse(uri); err == nil && u.IsAbs() && printable(uri) {
			return CertificateName{URI: uri}, true
		}
	}
	v.fail(`must be "dns:" and a host name, or "uri:" and a whole URI`)
	return n, false
}
