// Samples in VC-JOSE, and of status lists in all envelopes.

package sandbox

import (
	"encoding/json"
	"time"
)

// vc mints a verifiable credential of a business of its own.
func (m *sampler) vc(p *Province, spec VCSpec) string {
	if spec.Business == nil {
		spec.Business = m.next(p, spec.Class)
	}
	token, _, err := p.MintVC(spec)
	m.keep(err)
	return token
}

// vcWith mints one with a single member changed, or absent.
func (m *sampler) vcWith(p *Province, name string, value any) string {
	return m.vc(p, VCSpec{JWTClaims: true, LicenceSpec: LicenceSpec{
		Edit: func(_, vc map[string]any) { assign(vc, name, value) }}})
}

func (m *sampler) credentials() {
	for _, p := range m.s.provinces {
		m.valid("vc-valid-"+p.Code, p.NameEn+": everything in VC members", m.vc(p, VCSpec{}))
	}
	m.valid("vc-valid-claims", "VC members and JWT claims that agree", m.vc(m.sh, VCSpec{JWTClaims: true}))
	m.valid("vc-valid-issuer-object", "an issuer with id and name", m.vc(m.js, VCSpec{IssuerObject: true, JWTClaims: true}))
	m.valid("vc-valid-sm2", "signed with SM2", m.vc(m.sh, VCSpec{LicenceSpec: LicenceSpec{Alg: "SM2"}}))
	m.valid("vc-valid-cooperative", "农民专业合作社", m.vc(m.ah, VCSpec{LicenceSpec: LicenceSpec{Class: Cooperative}}))

	m.invalid("vc-disagree-iss", "CLAIM_INVALID", "issuer and iss disagree", m.vcWith(m.sh, "iss", m.js.Issuer))
	m.invalid("vc-disagree-jti", "CLAIM_INVALID", "id and jti disagree", m.vcWith(m.js, "jti", "urn:ebl:another"))
	m.invalid("vc-valid-from-form", "CLAIM_INVALID", "validFrom that is no time stamp", m.vc(m.zj, VCSpec{LicenceSpec: LicenceSpec{
		Edit: func(_, vc map[string]any) { vc["validFrom"] = "yesterday" }}}))
	m.invalid("vc-no-subject", "CLAIM_MISSING", "no credentialSubject", m.vcWith(m.ah, "credentialSubject", absent))
	m.invalid("vc-no-licence", "CLAIM_MISSING", "a credentialSubject without licence",
		m.vcWith(m.sh, "credentialSubject", map[string]any{"id": "urn:x"}))
	m.invalid("vc-expired", "EXPIRED", "validUntil an hour ago",
		m.vc(m.js, VCSpec{LicenceSpec: LicenceSpec{IssuedAt: m.now.Add(-day), Expires: m.now.Add(-time.Hour)}}))
	m.invalid("vc-issued-in-future", "ISSUED_IN_FUTURE", "validFrom in two days",
		m.vc(m.zj, VCSpec{LicenceSpec: LicenceSpec{IssuedAt: m.now.Add(2 * day)}}))
	m.invalid("vc-forged", "SIGNATURE_INVALID", "another key under the right kid",
		m.vc(m.sh, VCSpec{LicenceSpec: LicenceSpec{Key: m.keys.outsider.As("ES256", m.sh.SigningKey("").KID)}}))
	m.unclear("vc-status-kind", "STATUS_UNAVAILABLE", "a credentialStatus that this gateway cannot look up",
		m.vc(m.sh, VCSpec{LicenceSpec: LicenceSpec{Edit: func(_, vc map[string]any) {
			vc["credentialStatus"] = map[string]any{"type": "BitstringStatusListEntry", "statusPurpose": "revocation",
				"statusListIndex": "7", "statusListCredential": "https://ebl.sh.example/bitstring/1"}
		}}}))
}

// Lists published for samples begin here, so that tests may use the numbers
// below.
const firstSampleList = 100

func (m *sampler) listed() {
	for i, p := range m.s.provinces { // one province for each width of entry
		bits := 1 << i
		list := m.list(p, firstSampleList, StatusSpec{Bits: bits})
		for _, entry := range []struct {
			name, code string
			value      byte
		}{{"valid", "OK", 0}, {"revoked", "STATUS_REVOKED", 1}, {"suspended", "STATUS_SUSPENDED", 2}, {"other", "STATUS_NOT_VALID", 3}} {
			if int(entry.value)>>bits != 0 {
				continue
			}
			for n, format := range []Format{EBLJWT, SDJWTVC, VCJWT} {
				index := 8*int(entry.value) + n + 1 // neighbours stay 0: reading the next entry would show
				m.keep(list.Set(index, entry.value))
				name := map[Format]string{EBLJWT: "status-", SDJWTVC: "sd-status-", VCJWT: "vc-status-"}[format] + entry.name + "-" + p.Code
				token := m.mint(p, LicenceSpec{Format: format, Status: list.Entry(index)})
				if entry.value == 0 {
					m.valid(name, p.NameEn+": status 0", token)
				} else {
					m.invalid(name, entry.code, p.NameEn+": status "+string('0'+entry.value), token)
				}
			}
		}
	}
	m.badReferences()
	m.badLists()
}

// list publishes a status list.
func (m *sampler) list(p *Province, number int, spec StatusSpec) *StatusList {
	list, err := p.Status.Publish(number, spec)
	m.keep(err)
	return list
}

func (m *sampler) badReferences() {
	refer := func(idx, uri any) any { return map[string]any{"status_list": map[string]any{"idx": idx, "uri": uri}} }
	own := m.list(m.sh, firstSampleList+1, StatusSpec{Size: 64})
	foreign := m.list(m.js, firstSampleList+1, StatusSpec{})
	for _, bad := range []struct {
		name, comment string
		status        any
	}{
		{"outside", "an index behind the end", own.Entry(64)},
		{"province", "another province's list", foreign.Entry(0)},
		{"elsewhere", "a list at an address of the token's choosing", refer(0, "https://elsewhere.example/status/1")},
		{"prefix", "an address beside the prefix", refer(0, m.sh.Status.URL()+"/statuses/1")},
		{"negative", "an index below 0", refer(-1, own.URI())},
		{"string", "an index that is no number", refer("7", own.URI())},
		{"fraction", "an index written with a fraction", refer(json.RawMessage("1.0"), own.URI())},
		{"empty", "a status claim that says nothing", map[string]any{}},
		{"text", "a status claim that is no object", "valid"},
	} {
		m.invalid("status-reference-"+bad.name, "STATUS_REFERENCE_INVALID", bad.comment,
			m.mint(m.sh, LicenceSpec{Status: bad.status}))
	}
}

func (m *sampler) badLists() {
	next := firstSampleList + 1
	unclear := func(name, comment string, spec StatusSpec) {
		next++
		list := m.list(m.zj, next, spec)
		m.unclear("status-list-"+name, "STATUS_UNAVAILABLE", comment, m.mint(m.zj, LicenceSpec{Status: list.Entry(3)}))
	}
	claim := func(name string, value any) StatusSpec {
		return StatusSpec{Edit: func(_, claims map[string]any) { assign(claims, name, value) }}
	}
	stream := func(bits int, lst []byte) StatusSpec {
		return claim("status_list", map[string]any{"bits": bits, "lst": b64(lst)})
	}
	packed, err := Deflate(make([]byte, 64))
	m.keep(err)
	unclear("foreign-key", "signed by another province", StatusSpec{Key: m.js.SigningKey("")})
	unclear("sub", "a list that is about another address", claim("sub", m.zj.Status.Prefix()+"1"))
	unclear("expired", "a list that has ended", StatusSpec{Life: -time.Hour})
	unclear("typ", "a token that is no status list", StatusSpec{Edit: func(header, _ map[string]any) { header["typ"] = "JWT" }})
	unclear("no-iat", "a list without iat", claim("iat", absent))
	unclear("bits", "entries of three bits", stream(3, packed))
	unclear("stream", "no zlib stream", stream(1, []byte("not packed at all")))
	unclear("trailing", "bytes behind the stream", stream(1, append(packed[:len(packed):len(packed)], 0)))
	unclear("cut", "a stream without its end", stream(1, packed[:len(packed)-3]))

	m.unclear("status-list-missing", "STATUS_UNAVAILABLE", "a list that there is not",
		m.mint(m.zj, LicenceSpec{Status: map[string]any{
			"status_list": map[string]any{"idx": 0, "uri": m.zj.Status.Prefix() + "99"}}}))
	m.invalid("status-list-missing-cancelled", "REGISTRATION_CANCELLED", "a list that there is not, and a register that says 注销",
		m.cancelledWithoutList())
}

// cancelledWithoutList: an inconclusive status does not end the work, and a
// failed check outweighs an inconclusive one (contract §5).
func (m *sampler) cancelledWithoutList() string {
	b := m.next(m.zj, Company)
	rec := b.Record()
	rec.RegState = "4"
	m.zj.Registry.Put(rec)
	return m.mint(m.zj, LicenceSpec{Business: b, Status: map[string]any{
		"status_list": map[string]any{"idx": 0, "uri": m.zj.Status.Prefix() + "99"}}})
}
