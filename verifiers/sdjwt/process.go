package sdjwt

import (
	"tongyan/strict"
)

// process puts the disclosures in rest into the payload, at any depth, and
// takes out what only serves disclosing. It returns the payload as the issuer
// and the holder together state it, and the hash by which they did.
//
// SPEC: RFC 9901 §7.1. The errors wrap those of strict.
func process(payload strict.Value, rest []byte) (strict.Value, string, error) {
	hash, err := hashName(payload)
	if err != nil {
		return strict.Value{}, "", err
	}
	disclosed, err := parseDisclosures(rest, hash)
	if err != nil {
		return strict.Value{}, "", err
	}
	p := processor{disclosed: disclosed, met: make(map[string]struct{}, 2*len(disclosed))}
	out, err := p.object(payload, place{depth: 1})
	if err != nil {
		return strict.Value{}, "", err
	}
	// SPEC: "If any Disclosure was not referenced by digest value in the
	// Issuer-signed JWT (directly or recursively via other Disclosures), the
	// SD-JWT MUST be rejected."
	if p.used != len(disclosed) {
		return strict.Value{}, "", malformed("one is not referred to")
	}
	return out, hash, nil
}

type processor struct {
	disclosed map[string]disclosure
	met       map[string]struct{} // every digest so far, those of nothing too
	used      int                 // how many of disclosed
}

// A place is where in the payload a value stands.
type place struct {
	depth int  // the payload itself is at 1
	plain bool // within a claim that may not be disclosed, not even in part
}

func (at place) within() place { return place{at.depth + 1, at.plain} }

// neverDisclosed are the names under which nothing may be disclosed, wherever
// it stands: the words of SD-JWT itself, the claims that a verifier decides by
// (SD-JWT VC), and the members that name the licence (contract §2.4).
func neverDisclosed(name string, at place) bool {
	switch name {
	case "_sd", "...", "_sd_alg",
		"iss", "nbf", "exp", "cnf", "vct", "status",
		"uniscid", "regorg", "apprdate":
		return true
	case "licence":
		// Hidden whole, it would hide the three above.
		return at.depth == 1
	}
	return false
}

// plainClaim reports whether a claim of the payload must hold no digests.
func plainClaim(name string) bool {
	switch name {
	case "iss", "nbf", "exp", "cnf", "vct", "status":
		return true
	}
	return false
}

func (p *processor) value(v strict.Value, at place) (strict.Value, error) {
	switch v.Kind() {
	case strict.Object:
		return p.object(v, at)
	case strict.Array:
		return p.array(v, at)
	}
	return v, nil
}

func (p *processor) object(v strict.Value, at place) (strict.Value, error) {
	if at.depth > strict.MaxDepth {
		return strict.Value{}, malformed("nested too deeply")
	}
	members := v.Members()
	out := make([]strict.Member, 0, len(members)+v.Get("_sd").Len())
	for i := range members {
		m := &members[i]
		switch m.Name {
		case "_sd":
			var err error
			if out, err = p.members(out, m.Value, at); err != nil {
				return strict.Value{}, err
			}
			continue
		case "_sd_alg":
			// process has read the one that stands at the top.
			if at.depth != 1 {
				return strict.Value{}, malformed("_sd_alg below the top level")
			}
			continue
		case "...":
			return strict.Value{}, malformed("a member called ...")
		}
		inner := at.within()
		inner.plain = at.plain || at.depth == 1 && plainClaim(m.Name)
		value, err := p.value(m.Value, inner)
		if err != nil {
			return strict.Value{}, err
		}
		out = append(out, strict.Member{Name: m.Name, Value: value})
	}
	// SPEC: "If the claim name already exists at the level of the _sd key, the
	// SD-JWT MUST be rejected."
	object, ok := strict.NewObject(out)
	if !ok {
		return strict.Value{}, malformed("a name that stands there already")
	}
	return object, nil
}

// members appends the disclosed members whose digests stand in sd.
func (p *processor) members(out []strict.Member, sd strict.Value, at place) ([]strict.Member, error) {
	digests, ok := sd.Strings()
	if !ok {
		return nil, malformed("_sd is not an array of texts")
	}
	for _, digest := range digests {
		d, there, err := p.find(digest, at)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		if !d.member {
			return nil, malformed("an array item where a member should stand")
		}
		if neverDisclosed(d.name, at) {
			return nil, malformed("a claim that always stands in the open")
		}
		value, err := p.value(d.value, at.within())
		if err != nil {
			return nil, err
		}
		out = append(out, strict.Member{Name: d.name, Value: value})
	}
	return out, nil
}

func (p *processor) array(v strict.Value, at place) (strict.Value, error) {
	if at.depth > strict.MaxDepth {
		return strict.Value{}, malformed("nested too deeply")
	}
	out := make([]strict.Value, 0, v.Len())
	for i := range v.Len() {
		item := v.Item(i)
		if hidden := item.Get("..."); hidden.Kind() != strict.Absent {
			digest, ok := hidden.Text()
			// SPEC: RFC 9901 §4.2.4.2 "There MUST NOT be any other keys in the object."
			if !ok || item.Len() != 1 {
				return strict.Value{}, malformed("... is not alone, or not a text")
			}
			d, there, err := p.find(digest, at)
			if err != nil {
				return strict.Value{}, err
			}
			if !there {
				continue // SPEC: "Remove all array elements for which the digest was not found."
			}
			if d.member {
				return strict.Value{}, malformed("a member where an array item should stand")
			}
			item = d.value
		}
		value, err := p.value(item, at.within())
		if err != nil {
			return strict.Value{}, err
		}
		out = append(out, value)
	}
	array, ok := strict.NewArray(out)
	if !ok {
		return strict.Value{}, malformed("an absent item")
	}
	return array, nil
}

// find returns the disclosure of a digest, if the holder shows it.
func (p *processor) find(digest string, at place) (d disclosure, there bool, err error) {
	if at.plain {
		return d, false, malformed("a claim that is hidden in part, but must stand in the open")
	}
	// SPEC: "If any digest value is encountered more than once in the
	// Issuer-signed JWT payload (directly or recursively via other
	// Disclosures), the SD-JWT MUST be rejected."
	if _, twice := p.met[digest]; twice {
		return d, false, malformed("a digest stands twice")
	}
	p.met[digest] = struct{}{}
	if d, there = p.disclosed[digest]; there {
		p.used++
	}
	return d, there, nil
}
