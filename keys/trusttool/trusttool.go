// Package trusttool tells people what a trust list says, and what another one
// in its place would change, and for whom. It trusts nothing and verifies
// nothing: that is package trustlist's.
package trusttool

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"tongyan/keys"
	"tongyan/keys/trustlist"
	"tongyan/strict"
)

// A File is a list as somebody has it in a file.
type File struct {
	Token      []byte // the signed list as it stands in the file; nil for one that nobody has signed yet
	Content    []byte // the payload, as it is or will be signed
	List       *keys.List
	Signatures []trustlist.UnverifiedSignature // none without Token
}

// Read reads a signed list, or the JSON that is to be signed. Both must pass
// the rules for content. Errors are trustlist.Refusals.
func Read(data []byte) (f File, err error) {
	data = bytes.TrimRight(data, " \t\r\n")
	f.Content = data
	// JSON that is no JWS is content; what is neither gets the token's error.
	v, err := strict.Parse(data)
	if err != nil || v.Get("signatures").Kind() != strict.Absent || v.Get("payload").Kind() != strict.Absent {
		u, err := trustlist.ParseToken(data)
		if err != nil {
			return File{}, err
		}
		f.Token, f.Content, f.Signatures = data, u.Payload, u.Signatures
	}
	if f.List, err = trustlist.ParseContent(f.Content); err != nil {
		return File{}, err
	}
	return f, nil
}

// Inspect writes what a list says, in lines. now decides what it says of time.
func Inspect(w io.Writer, f File, now time.Time) error {
	p := &printer{w: w}
	l := f.List
	p.line("trust list %d of %s", l.Version, l.Issuer)
	p.line("issued   %s", stamp(l.IssuedAt))
	p.line("expires  %s%s", stamp(l.Expires), left(l, now))
	p.line("digest   %s", l.Digest)
	if f.Signatures == nil {
		p.line("not signed")
	}
	for _, s := range f.Signatures {
		p.line("signature claimed by root %s with %s (not verified here)", s.Root, s.Algorithm)
	}
	for _, prov := range l.Provinces {
		p.line("")
		p.line("%s %s%s", prov.Code, nameOf(prov), state(prov.Active))
		for _, a := range prov.Issuers {
			p.line("  issuer %s", a.Issuer)
			p.line("    may issue %s", strings.Join(a.Types, ", "))
			p.line("    for divisions %s", strings.Join(a.Divisions, ", "))
			p.line("    signing with %s", algorithms(a.Algorithms))
			p.line("    credentials issued %s", window(a.ValidFrom, a.ValidUntil))
			if a.KeySetURL != "" {
				p.line("    keys from %s", a.KeySetURL)
			}
			for _, k := range sortedKeys(a.Inline) {
				p.line("    key %s, thumbprint %s%s", k.ID(), k.Thumbprint(), ownRevocation(k))
			}
			for _, prefix := range a.StatusLists {
				p.line("    status lists under %s", prefix)
			}
		}
	}
	if len(l.Revoked) > 0 {
		p.line("")
	}
	for _, t := range slices.Sorted(maps.Keys(l.Revoked)) {
		p.line("revoked key %s: %s", t, effect(l.Revoked[t]))
	}
	if len(l.Gateways) > 0 {
		p.line("")
	}
	for _, g := range l.Gateways {
		p.line("gateway %s, keys from %s", g.Issuer, g.KeySetURL)
	}
	return p.err
}

// A printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.Map(harmless, fmt.Sprintf(format, args...)))
	}
}

// harmless keeps what a list says from acting on the terminal that shows it, or
// from reading in another order than it stands.
func harmless(r rune) rune {
	if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
		return unicode.ReplacementChar
	}
	return r
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func left(l *keys.List, now time.Time) string {
	switch d := l.Expires.Sub(now); {
	case d <= 0:
		return " (expired: gateways refuse it)"
	case l.IssuedAt.After(now):
		return " (issued in the future: gateways refuse it until then)"
	default:
		return fmt.Sprintf(" (in %s)", d.Round(time.Minute))
	}
}

func nameOf(p keys.Province) string {
	if p.NameEn == "" {
		return p.Name
	}
	return p.Name + " (" + p.NameEn + ")"
}

func state(active bool) string {
	if active {
		return ""
	}
	return ": SUSPENDED, nothing of its issuers counts"
}

func algorithms(all []keys.Algorithm) string {
	if len(all) == 0 {
		return "nothing that gateways know"
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}

func window(from, until int64) string {
	switch {
	case from == 0 && until == 0:
		return "at any time"
	case until == 0:
		return "from " + stamp(time.Unix(from, 0))
	case from == 0:
		return "before " + stamp(time.Unix(until, 0))
	}
	return "from " + stamp(time.Unix(from, 0)) + ", before " + stamp(time.Unix(until, 0))
}

func ownRevocation(k *keys.Key) string {
	if r, ok := k.Revocation(); ok {
		return ", revoked: " + effect(r)
	}
	return ""
}

// effect says what a revocation does to credentials.
func effect(r keys.Revocation) string {
	if r.Reason == keys.ReasonSuperseded {
		return "superseded, ends credentials issued at or after " + stamp(time.Unix(r.At, 0))
	}
	if r.Reason == "" {
		return "compromised, ends every credential"
	}
	return fmt.Sprintf("%.60q, ends every credential", r.Reason)
}

func sortedKeys(set *keys.Set) []*keys.Key {
	all := set.Keys()
	slices.SortFunc(all, func(a, b *keys.Key) int { return strings.Compare(string(a.ID()), string(b.ID())) })
	return all
}
