// Samples in SD-JWT VC: disclosures and holder proofs.

package sandbox

import (
	"encoding/base64"
	"strings"
	"time"
)

// issue mints an SD-JWT of a business of its own, with change made to the
// claims before signing.
func (m *sampler) issue(p *Province, spec SDSpec, change func(claims map[string]any)) *SDJWT {
	if spec.Business == nil {
		spec.Business = m.next(p, spec.Class)
	}
	if change != nil {
		spec.Edit = func(_, claims map[string]any) { change(claims) }
	}
	issued, _, err := p.MintSD(spec)
	m.keep(err)
	if err != nil {
		return &SDJWT{}
	}
	return issued
}

func (m *sampler) show(issued *SDJWT, names []string, proof *Proof) string {
	token, err := issued.Present(names, proof)
	m.keep(err)
	return token
}

func (m *sampler) disclosuresValid() {
	for _, p := range m.s.provinces {
		m.valid("sd-valid-"+p.Code, p.NameEn+": every member disclosed", m.show(m.issue(p, SDSpec{}, nil), nil, nil))
	}
	m.valid("sd-valid-sm2", "signed with SM2", m.show(m.issue(m.sh, SDSpec{LicenceSpec: LicenceSpec{Alg: "SM2"}}, nil), nil, nil))
	m.valid("sd-valid-sole-trader", "个体工商户", m.show(m.issue(m.js, SDSpec{LicenceSpec: LicenceSpec{Class: SoleTrader}}, nil), nil, nil))
	m.valid("sd-valid-nothing-shown", "nothing but what always stands in the open", m.show(m.issue(m.sh, SDSpec{}, nil), []string{}, nil))
	m.valid("sd-valid-name-only", "one member of many", m.show(m.issue(m.zj, SDSpec{}, nil), []string{"entname"}, nil))
	m.valid("sd-valid-nothing-hidden", "an SD-JWT without any disclosure", m.show(m.issue(m.js, SDSpec{Hidden: []string{}}, nil), nil, nil))
	m.valid("sd-valid-decoys", "digests of nothing between the others", m.show(m.issue(m.js, SDSpec{Decoys: 20}, nil), []string{"entname", "lerep"}, nil))
	m.valid("sd-valid-sha-384", "_sd_alg sha-384", m.show(m.issue(m.js, SDSpec{Hash: "sha-384"}, nil), nil, nil))
	m.valid("sd-valid-sha-512", "_sd_alg sha-512", m.show(m.issue(m.ah, SDSpec{Hash: "sha-512"}, nil), nil, nil))

	element, err := DiscloseElement("", "分公司")
	m.keep(err)
	inner, err := Disclose("", "floor", 12)
	m.keep(err)
	outer, err := Disclose("", "building", map[string]any{"_sd": []string{inner.Digest}})
	m.keep(err)
	nested := m.issue(m.zj, SDSpec{}, func(claims map[string]any) {
		claims["branches"] = []any{map[string]any{"...": element.Digest}, "办事处"}
		claims["_sd"] = []string{outer.Digest}
	})
	nested.Disclosures = append(nested.Disclosures, element, outer, inner)
	m.valid("sd-valid-nested", "an array element, and a disclosure inside a disclosure", m.show(nested, nil, nil))
	m.valid("sd-valid-holder-bound", "bound to a holder, no proof asked for and none given",
		m.show(m.issue(m.sh, SDSpec{Holder: m.keys.holder}, nil), nil, nil))
}

func (m *sampler) disclosuresBad() {
	const code = "FORMAT_MALFORMED"
	bad := func(name, comment, token string) { m.invalid("sd-malformed-"+name, code, comment, token) }
	raw := func(issued *SDJWT, disclosures ...string) string {
		token, err := issued.PresentRaw(disclosures, nil)
		m.keep(err)
		return token
	}
	// With one more member disclosed under the top of the claims.
	with := func(name string, value any) string {
		d, err := Disclose("", name, value)
		m.keep(err)
		return raw(m.issue(m.sh, SDSpec{}, func(claims map[string]any) {
			delete(claims, name)
			claims["_sd"] = []string{d.Digest}
		}), d.Encoded)
	}
	plain := func() *SDJWT { return m.issue(m.sh, SDSpec{}, nil) }

	bad("no-tilde", "no tilde behind the issuer's part", plain().JWT)
	one := plain()
	bad("repeated", "one disclosure twice", raw(one, one.Disclosures[0].Encoded, one.Disclosures[0].Encoded))
	bad("unreferenced", "a disclosure that no digest stands for", raw(plain(), one.Disclosures[0].Encoded))
	bad("altered", "a disclosed name changed by the holder", m.alteredDisclosure())
	bad("digest-twice", "the same digest in two places", m.show(m.issue(m.zj, SDSpec{}, func(claims map[string]any) {
		claims["_sd"] = []string{claims["licence"].(map[string]any)["_sd"].([]string)[0]}
	}), nil, nil))
	bad("digest-number", "a digest that is no string", m.show(m.issue(m.zj, SDSpec{}, func(claims map[string]any) { claims["_sd"] = []int{1} }), []string{}, nil))
	bad("not-base64", "a disclosure that is no base64url", raw(plain(), "***"))
	bad("empty", "an empty disclosure", raw(plain(), ""))
	bad("hash", "_sd_alg that nobody should use", m.show(m.issue(m.js, SDSpec{}, func(claims map[string]any) { claims["_sd_alg"] = "md5" }), nil, nil))
	bad("named-sd", "a disclosure named _sd", with("_sd", []string{}))
	bad("named-dots", "a disclosure named ...", with("...", "x"))
	bad("iss", "a disclosed issuer", with("iss", m.sh.Issuer))
	bad("exp", "a disclosed end", with("exp", 4102444800))
	bad("vct", "a disclosed type", with("vct", VCT))
	bad("collision", "a disclosed member that stands in the open, too", m.collision())
	bad("too-many", "more than 256 disclosures", m.crowd())

	m.invalid("sd-hidden-uniscid", "CLAIM_MISSING", "the credit code hidden and not disclosed",
		m.show(m.issue(m.ah, SDSpec{Hidden: []string{"uniscid"}}, nil), []string{}, nil))
	m.invalid("sd-vct-wrong", "CLAIM_INVALID", "another type of credential",
		m.show(m.issue(m.js, SDSpec{}, func(claims map[string]any) { claims["vct"] = "urn:cn:ebl:food-permit:1" }), nil, nil))
	swapped := plain()
	swapped.JWT = swapped.JWT[:strings.LastIndexByte(swapped.JWT, '.')] + one.JWT[strings.LastIndexByte(one.JWT, '.'):]
	m.invalid("sd-signature", "SIGNATURE_INVALID", "the signature of another licence", m.show(swapped, nil, nil))
	m.invalid("sd-expired", "EXPIRED", "ended an hour ago", m.show(m.issue(m.zj, SDSpec{
		LicenceSpec: LicenceSpec{IssuedAt: m.now.Add(-day), Expires: m.now.Add(-time.Hour)}}, nil), nil, nil))
}

// alteredDisclosure changes the value of a disclosure that was issued.
func (m *sampler) alteredDisclosure() string {
	issued := m.issue(m.sh, SDSpec{Hidden: []string{"entname"}}, nil)
	if m.err != nil {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(issued.Disclosures[0].Encoded)
	m.keep(err)
	better := strings.Replace(string(text), "有限公司", "银行", 1)
	token, err := issued.PresentRaw([]string{b64([]byte(better))}, nil)
	m.keep(err)
	return token
}

// collision discloses a member whose name stands in the open with another value.
func (m *sampler) collision() string {
	d, err := Disclose("", "entname", "另一家公司")
	m.keep(err)
	issued := m.issue(m.js, SDSpec{Hidden: []string{}}, func(claims map[string]any) {
		claims["licence"].(map[string]any)["_sd"] = []string{d.Digest}
	})
	token, err := issued.PresentRaw([]string{d.Encoded}, nil)
	m.keep(err)
	return token
}

// crowd discloses 257 array elements.
func (m *sampler) crowd() string {
	var elements []any
	var shown []string
	for n := range 257 {
		d, err := DiscloseElement("", n)
		m.keep(err)
		elements, shown = append(elements, map[string]any{"...": d.Digest}), append(shown, d.Encoded)
	}
	issued := m.issue(m.js, SDSpec{Hidden: []string{}}, func(claims map[string]any) { claims["crowd"] = elements })
	token, err := issued.PresentRaw(shown, nil)
	m.keep(err)
	return token
}

// proofs are all wrong ones: a right one is right for five minutes only, and
// samples hold for a day.
func (m *sampler) proofs() {
	good := func() *Proof { return &Proof{Aud: "https://gateway.example", Nonce: "n-0S6_WzA2Mj"} }
	for _, bad := range []struct {
		name, comment string
		spoil         func(*Proof)
	}{
		{"key", "signed with another key than cnf.jwk", func(p *Proof) { p.Key = m.keys.outsider }},
		{"old", "made an hour ago", func(p *Proof) { p.IssuedAt = m.now.Add(-time.Hour) }},
		{"future", "made in two days", func(p *Proof) { p.IssuedAt = m.now.Add(2 * day) }},
		{"sd-hash", "over another presentation", func(p *Proof) {
			p.Edit = func(_, claims map[string]any) { claims["sd_hash"] = b64(make([]byte, 32)) }
		}},
		{"typ", "typ that is not kb+jwt", func(p *Proof) { p.Edit = func(header, _ map[string]any) { header["typ"] = "JWT" } }},
		{"none", "alg none", func(p *Proof) { p.Edit = func(header, _ map[string]any) { header["alg"] = "none" } }},
		{"no-nonce", "no nonce", func(p *Proof) { p.Edit = func(_, claims map[string]any) { delete(claims, "nonce") } }},
		{"no-aud", "no aud", func(p *Proof) { p.Edit = func(_, claims map[string]any) { delete(claims, "aud") } }},
		{"no-iat", "no iat", func(p *Proof) { p.Edit = func(_, claims map[string]any) { delete(claims, "iat") } }},
	} {
		proof := good()
		bad.spoil(proof)
		m.invalid("holder-"+bad.name, "HOLDER_PROOF_INVALID", "holder proof: "+bad.comment,
			m.show(m.issue(m.sh, SDSpec{Holder: m.keys.holder}, nil), nil, proof))
	}
	proof := good()
	proof.Key = m.keys.holder
	m.invalid("holder-unbound", "HOLDER_PROOF_INVALID", "a proof with a credential that is bound to nobody",
		m.show(m.issue(m.js, SDSpec{}, nil), nil, proof))
}
