package trustlist

import (
	"fmt"
	"slices"
	"time"

	"tongyan/keys"
	"tongyan/strict"
)

// maxTime is the last second of the year 9999 (contract §2.2).
const maxTime = 253402300799

// ParseContent reads a list's payload. What it returns has passed every rule of
// contract §3 but those of time and of order. Members it does not know pass
// unread, so that the alliance can add some. Errors are Refusals.
func ParseContent(payload []byte) (*keys.List, error) {
	v, err := strict.Parse(payload)
	if err != nil {
		return nil, unreadable("payload", err)
	}
	r := &reader{}
	l := r.list(v)
	if r.err != nil {
		return nil, r.err
	}
	l.Digest = digestOf(payload)
	return l, nil
}

// A reader turns values into a list and keeps the first fault that it meets.
type reader struct {
	err       error
	provinces map[keys.ProvinceCode]bool
	issuers   map[keys.Issuer]bool
	gateways  map[string]bool
}

func (r *reader) fail(reason Reason, format string, args ...any) {
	if r.err == nil {
		r.err = refuse(reason, format, args...)
	}
}

func (r *reader) list(v strict.Value) *keys.List {
	r.provinces, r.issuers, r.gateways = map[keys.ProvinceCode]bool{}, map[keys.Issuer]bool{}, map[string]bool{}
	l := &keys.List{Revoked: map[keys.Thumbprint]keys.Revocation{}}
	if v.Kind() != strict.Object {
		r.fail(Content, "payload is not a JSON object")
		return nil
	}
	l.Issuer = r.text(v, "iss", "list")
	l.Version = r.integer(v, "version", "list")
	if l.Version < 1 {
		r.fail(Content, "list: version is not above 0")
	}
	iat, exp := r.integer(v, "iat", "list"), r.integer(v, "exp", "list")
	if exp <= iat {
		r.fail(Content, "list: exp is not after iat")
	}
	l.IssuedAt, l.Expires = time.Unix(iat, 0), time.Unix(exp, 0)
	for i, p := range r.items(v, "provinces", "list", true) {
		l.Provinces = append(l.Provinces, r.province(p, fmt.Sprintf("provinces[%d]", i)))
	}
	for i, k := range r.items(v, "revoked_keys", "list", false) {
		r.revocation(l, k, fmt.Sprintf("revoked_keys[%d]", i))
	}
	for i, g := range r.items(v, "gateways", "list", false) {
		l.Gateways = append(l.Gateways, r.gateway(g, fmt.Sprintf("gateways[%d]", i)))
	}
	// A revocation that an inline key carries came with a list like the others,
	// and stays even if a later list forgets it.
	for _, p := range l.Provinces {
		for _, a := range p.Issuers {
			for _, k := range a.Inline.Keys() {
				if own, ok := k.Revocation(); ok {
					revoke(l, k.Thumbprint(), own)
				}
			}
		}
	}
	return l
}

func (r *reader) province(v strict.Value, at string) (p keys.Province) {
	p.Code = keys.ProvinceCode(r.text(v, "code", at))
	if !digits(string(p.Code), 6) {
		r.fail(Content, "%s: code is not six digits", at)
		return p
	}
	if r.provinces[p.Code] {
		r.fail(DuplicateIssuer, "%s: code %s stands twice", at, p.Code)
	}
	r.provinces[p.Code] = true
	p.Name, p.NameEn = r.optional(v, "name", at), r.optional(v, "name_en", at)
	p.Authority = r.optional(v, "authority", at)
	switch state := r.text(v, "state", at); state {
	case "active":
		p.Active = true
	case "suspended":
	default:
		r.fail(Content, "%s: state %.40q is neither active nor suspended", at, state)
	}
	for i, item := range r.items(v, "issuers", at, true) {
		p.Issuers = append(p.Issuers, r.authority(item, p.Code, fmt.Sprintf("%s.issuers[%d]", at, i)))
	}
	return p
}

func (r *reader) authority(v strict.Value, code keys.ProvinceCode, at string) (a keys.Authority) {
	a.Issuer = keys.Issuer(r.text(v, "iss", at))
	if r.issuers[a.Issuer] {
		r.fail(DuplicateIssuer, "%s: iss %.200q stands twice", at, a.Issuer)
	}
	r.issuers[a.Issuer] = true
	a.Types = r.texts(v, "types", at)
	// A name that we do not know is an algorithm that we do not have. It must not
	// cost the alliance's other members their list, so it merely allows nothing.
	for _, name := range r.texts(v, "algs", at) {
		if alg, ok := keys.ParseAlgorithm(name); ok && !slices.Contains(a.Algorithms, alg) {
			a.Algorithms = append(a.Algorithms, alg)
		}
	}
	if v.Get("jwks_uri").Kind() != strict.Absent {
		a.KeySetURL = r.text(v, "jwks_uri", at)
		r.address(a.KeySetURL, at+".jwks_uri", keys.CheckURL)
	}
	if jwks := v.Get("jwks"); jwks.Kind() != strict.Absent {
		set, _, err := keys.ParseSet(jwks, time.Time{})
		if err != nil {
			r.fail(Content, "%s.jwks: %v", at, err)
		}
		a.Inline = set
	}
	if a.KeySetURL == "" && a.Inline == nil {
		r.fail(Content, "%s: neither jwks_uri nor jwks", at)
	}
	if v.Get("status_lists").Kind() != strict.Absent {
		a.StatusLists = r.texts(v, "status_lists", at)
		for i, prefix := range a.StatusLists {
			r.address(prefix, fmt.Sprintf("%s.status_lists[%d]", at, i), keys.CheckStatusPrefix)
		}
	}
	a.Divisions = []string{string(code[:2])}
	if v.Get("divisions").Kind() != strict.Absent {
		a.Divisions = r.texts(v, "divisions", at)
		for _, d := range a.Divisions {
			if !digits(d, 2) {
				r.fail(Content, "%s: a division is not two digits", at)
			}
		}
	}
	a.ValidFrom, a.ValidUntil = r.date(v, "valid_from", at), r.date(v, "valid_until", at)
	return a
}

func (r *reader) revocation(l *keys.List, v strict.Value, at string) {
	t := r.text(v, "thumbprint", at)
	if raw, err := strict.Base64URL(t); err != nil || len(raw) != 32 {
		r.fail(Content, "%s: thumbprint is not 32 bytes in base64url", at)
	}
	revoked := keys.Revocation{At: r.integer(v, "revoked_at", at), Reason: r.optional(v, "reason", at)}
	revoke(l, keys.Thumbprint(t), revoked)
}

func revoke(l *keys.List, t keys.Thumbprint, r keys.Revocation) {
	if old, ok := l.Revoked[t]; ok {
		r = r.Stricter(old)
	}
	l.Revoked[t] = r
}

func (r *reader) gateway(v strict.Value, at string) (g keys.Gateway) {
	g.Issuer, g.KeySetURL = r.text(v, "iss", at), r.text(v, "jwks_uri", at)
	r.address(g.KeySetURL, at+".jwks_uri", keys.CheckURL)
	if r.gateways[g.Issuer] {
		r.fail(DuplicateIssuer, "%s: iss %.200q stands twice", at, g.Issuer)
	}
	r.gateways[g.Issuer] = true
	return g
}

func (r *reader) address(s, at string, check func(string) error) {
	if err := check(s); err != nil {
		r.fail(Address, "%s: %v", at, err)
	}
}

// text reads a required text that is not empty.
func (r *reader) text(v strict.Value, name, at string) string {
	s, ok := v.Get(name).Text()
	if !ok || s == "" {
		r.fail(Content, "%s: %s is not a text, or empty", at, name)
	}
	return s
}

func (r *reader) optional(v strict.Value, name, at string) string {
	if v.Get(name).Kind() == strict.Absent {
		return ""
	}
	return r.text(v, name, at)
}

func (r *reader) texts(v strict.Value, name, at string) []string {
	list, ok := v.Get(name).Strings()
	if !ok || slices.Contains(list, "") {
		r.fail(Content, "%s: %s is not a list of texts", at, name)
	}
	return list
}

func (r *reader) items(v strict.Value, name, at string, required bool) []strict.Value {
	list := v.Get(name)
	if list.Kind() == strict.Absent && !required {
		return nil
	}
	if list.Kind() != strict.Array {
		r.fail(Content, "%s: %s is not a list", at, name)
		return nil
	}
	out := make([]strict.Value, list.Len())
	for i := range out {
		if out[i] = list.Item(i); out[i].Kind() != strict.Object {
			r.fail(Content, "%s: %s[%d] is not an object", at, name, i)
		}
	}
	return out
}

func (r *reader) integer(v strict.Value, name, at string) int64 {
	limit := int64(maxTime)
	if name == "version" {
		limit = 1<<63 - 1
	}
	n, ok := v.Get(name).Integer(limit)
	if !ok {
		r.fail(Content, "%s: %s is not a whole number in its range", at, name)
	}
	return n
}

// date reads an optional time, null or absent for an open end, which is 0. An
// end that is stated as 0 stays an end.
func (r *reader) date(v strict.Value, name, at string) int64 {
	if k := v.Get(name).Kind(); k == strict.Absent || k == strict.Null {
		return 0
	}
	return max(r.integer(v, name, at), 1)
}

func digits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
