package trusttool

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tongyan/keys"
)

// A Change is one difference, in words for the people whom it concerns.
type Change struct {
	Whom string // a province's code and name, "gateways" or "everyone"
	What string
}

// Diff returns what changes for whom when next takes the place of old.
func Diff(old, next *keys.List) []Change {
	d := &differ{old: old, next: next, owners: owners(old, next)}
	d.order()
	before, after := provincesOf(old), provincesOf(next)
	for _, code := range slices.Sorted(maps.Keys(union(before, after))) {
		d.province(before[code], after[code])
	}
	d.revocations()
	d.gateways()
	return d.grouped()
}

// grouped puts together what concerns the same people, in the order in which
// they are first named.
func (d *differ) grouped() []Change {
	place := map[string]int{}
	for _, c := range d.changes {
		if _, ok := place[c.Whom]; !ok {
			place[c.Whom] = len(place)
		}
	}
	slices.SortStableFunc(d.changes, func(a, b Change) int { return place[a.Whom] - place[b.Whom] })
	return d.changes
}

// WriteDiff writes the changes in lines, grouped by whom they concern.
func WriteDiff(w io.Writer, old, next *keys.List) error {
	p := &printer{w: w}
	p.line("from version %d to %d", old.Version, next.Version)
	changes := Diff(old, next)
	whom := ""
	for _, c := range changes {
		if c.Whom != whom {
			whom = c.Whom
			p.line("%s", whom)
		}
		p.line("  %s", c.What)
	}
	if len(changes) == 0 {
		p.line("nothing changes for anybody")
	}
	return p.err
}

type differ struct {
	old, next *keys.List
	owners    map[keys.Thumbprint]string
	changes   []Change
}

func (d *differ) add(whom, format string, args ...any) {
	d.changes = append(d.changes, Change{whom, fmt.Sprintf(format, args...)})
}

// order tells what every gateway will say of the new list as a whole.
func (d *differ) order() {
	switch {
	case d.next.Version < d.old.Version:
		d.add("everyone", "REFUSED by gateways that hold version %d: the version goes back", d.old.Version)
	case d.next.Version == d.old.Version && d.next.Digest != d.old.Digest:
		d.add("everyone", "REFUSED by gateways that hold version %d: the same version with other content", d.old.Version)
	}
	if !d.next.Expires.Equal(d.old.Expires) {
		d.add("everyone", "the list expires %s instead of %s", stamp(d.next.Expires), stamp(d.old.Expires))
	}
	if d.next.Issuer != d.old.Issuer {
		d.add("everyone", "published by %q instead of %q", d.next.Issuer, d.old.Issuer)
	}
}

func (d *differ) province(old, next *keys.Province) {
	switch {
	case old == nil:
		whom := whomOf(next)
		d.add(whom, "added%s", state(next.Active))
		for i := range next.Issuers {
			d.issuerAdded(whom, &next.Issuers[i])
		}
		return
	case next == nil:
		d.add(whomOf(old), "REMOVED: its %d issuers are not recognised any more", len(old.Issuers))
		return
	}
	whom := whomOf(next)
	switch {
	case old.Active && !next.Active:
		d.add(whom, "SUSPENDED: nothing of its issuers counts")
	case !old.Active && next.Active:
		d.add(whom, "active again")
	}
	if nameOf(*old) != nameOf(*next) || old.Authority != next.Authority {
		d.add(whom, "called %s, %s instead of %s, %s", nameOf(*next), next.Authority, nameOf(*old), old.Authority)
	}
	before, after := issuersOf(old), issuersOf(next)
	for _, iss := range slices.Sorted(maps.Keys(union(before, after))) {
		switch a, b := before[iss], after[iss]; {
		case a == nil:
			d.issuerAdded(whom, b)
		case b == nil:
			d.add(whom, "issuer %s REMOVED: its credentials are not recognised any more", iss)
		default:
			d.issuer(whom, a, b)
		}
	}
}

func (d *differ) issuerAdded(whom string, a *keys.Authority) {
	d.add(whom, "issuer %s added: %s, divisions %s, signing with %s, issued %s", a.Issuer, strings.Join(a.Types, ", "),
		strings.Join(a.Divisions, ", "), algorithms(a.Algorithms), window(a.ValidFrom, a.ValidUntil))
	if a.KeySetURL != "" {
		d.add(whom, "issuer %s: keys are fetched from %s", a.Issuer, a.KeySetURL)
	}
	for _, k := range sortedKeys(a.Inline) {
		d.add(whom, "issuer %s: key %s added, thumbprint %s", a.Issuer, k.ID(), k.Thumbprint())
	}
}

func (d *differ) issuer(whom string, a, b *keys.Authority) {
	say := func(format string, args ...any) {
		d.add(whom, "issuer "+string(b.Issuer)+": "+format, args...)
	}
	list := func(what string, old, next []string) {
		for _, s := range next {
			if !slices.Contains(old, s) {
				say("%s %s added", what, s)
			}
		}
		for _, s := range old {
			if !slices.Contains(next, s) {
				say("%s %s REMOVED", what, s)
			}
		}
	}
	list("type", a.Types, b.Types)
	list("division", a.Divisions, b.Divisions)
	list("algorithm", names(a.Algorithms), names(b.Algorithms))
	list("status lists under", a.StatusLists, b.StatusLists)
	if a.KeySetURL != b.KeySetURL {
		say("keys are fetched from %s instead of %s", orNowhere(b.KeySetURL), orNowhere(a.KeySetURL))
	}
	if a.ValidFrom != b.ValidFrom || a.ValidUntil != b.ValidUntil {
		say("credentials count that are issued %s instead of %s", window(b.ValidFrom, b.ValidUntil), window(a.ValidFrom, a.ValidUntil))
	}
	for _, k := range sortedKeys(b.Inline) {
		switch before := a.Inline.Key(k.ID()); {
		case before == nil:
			say("key %s added, thumbprint %s%s", k.ID(), k.Thumbprint(), ownRevocation(k))
		case before.Thumbprint() != k.Thumbprint():
			say("key %s REPLACED, thumbprint %s instead of %s", k.ID(), k.Thumbprint(), before.Thumbprint())
		case ownRevocation(before) != ownRevocation(k):
			say("key %s%s", k.ID(), orGood(ownRevocation(k)))
		}
	}
	for _, k := range sortedKeys(a.Inline) {
		if b.Inline.Key(k.ID()) == nil {
			say("key %s REMOVED, thumbprint %s", k.ID(), k.Thumbprint())
		}
	}
}

func (d *differ) revocations() {
	for _, t := range slices.Sorted(maps.Keys(union(d.old.Revoked, d.next.Revoked))) {
		whom := d.owners[t]
		if whom == "" {
			whom = "everyone" // a key of a fetched set: the list does not tell whose
		}
		before, was := d.old.Revoked[t]
		now, is := d.next.Revoked[t]
		switch {
		case !was:
			d.add(whom, "key %s REVOKED: %s", t, effect(now))
		case !is:
			d.add(whom, "key %s is not listed as revoked any more; gateways that saw it revoked keep it so", t)
		case before != now:
			d.add(whom, "key %s revoked otherwise: %s instead of %s; gateways keep what ends more", t, effect(now), effect(before))
		}
	}
}

func (d *differ) gateways() {
	urls := func(l *keys.List) map[string]string {
		all := map[string]string{}
		for _, g := range l.Gateways {
			all[g.Issuer] = g.KeySetURL
		}
		return all
	}
	before, after := urls(d.old), urls(d.next)
	for _, iss := range slices.Sorted(maps.Keys(union(before, after))) {
		old, was := before[iss]
		next, is := after[iss]
		switch {
		case !was:
			d.add("gateways", "%s added, its receipts count; keys from %s", iss, next)
		case !is:
			d.add("gateways", "%s REMOVED, its receipts do not count any more", iss)
		case old != next:
			d.add("gateways", "%s: keys from %s instead of %s", iss, next, old)
		}
	}
}

// owners says whose the inline keys of the lists are.
func owners(lists ...*keys.List) map[keys.Thumbprint]string {
	all := map[keys.Thumbprint]string{}
	for _, l := range lists {
		for i := range l.Provinces {
			for _, a := range l.Provinces[i].Issuers {
				for _, k := range a.Inline.Keys() {
					all[k.Thumbprint()] = whomOf(&l.Provinces[i])
				}
			}
		}
	}
	return all
}

func whomOf(p *keys.Province) string { return string(p.Code) + " " + nameOf(*p) }

func provincesOf(l *keys.List) map[keys.ProvinceCode]*keys.Province {
	all := map[keys.ProvinceCode]*keys.Province{}
	for i := range l.Provinces {
		all[l.Provinces[i].Code] = &l.Provinces[i]
	}
	return all
}

func issuersOf(p *keys.Province) map[keys.Issuer]*keys.Authority {
	all := map[keys.Issuer]*keys.Authority{}
	for i := range p.Issuers {
		all[p.Issuers[i].Issuer] = &p.Issuers[i]
	}
	return all
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, b)
	return all
}

func names(all []keys.Algorithm) (out []string) {
	for _, a := range all {
		out = append(out, string(a))
	}
	return out
}

func orNowhere(url string) string {
	if url == "" {
		return "nowhere"
	}
	return url
}

func orGood(revoked string) string {
	if revoked == "" {
		return " is not called revoked any more; gateways that saw it revoked keep it so"
	}
	return revoked
}
