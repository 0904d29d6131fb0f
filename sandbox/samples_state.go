// Samples refused, or left open, for their subject or what the register says.

package sandbox

import "time"

func (m *sampler) badSubject() {
	for _, bad := range []struct{ name, comment, code string }{
		{"digit", "wrong digit at position 18", "913100001322602501"},
		{"org-digit", "wrong digit at position 17, position 18 made to fit", wrongOrgDigit()},
		{"short", "17 characters", "91310000132260250"},
		{"lower", "a small letter", "91310000132260250x"},
		{"letter", "a letter that the alphabet lacks", "9131000013226025OX"},
		{"category", "a code of an institution, not of a business", synthesize("12", "310115", firstSample)},
	} {
		b := m.next(m.sh, Company)
		b.USCC = bad.code
		m.invalid("uscc-"+bad.name, "USCC_INVALID", bad.comment, m.mint(m.sh, LicenceSpec{Business: b, Unregistered: true}))
	}
	m.invalid("subject-mismatch", "SUBJECT_MISMATCH", "sub names another business",
		m.claim(m.zj, "sub", m.next(m.zj, Company).USCC))
}

// wrongOrgDigit makes a code whose last digit is right and the one before is
// not.
func wrongOrgDigit() string {
	code := []byte(synthesize("91", "310115", firstSample))[:17]
	at := code[16]
	code[16] = '0' + (at-'0'+1)%10
	if at == 'X' {
		code[16] = '0'
	}
	return string(append(code, lastDigit(code)))
}

func (m *sampler) registered() {
	for _, state := range []struct {
		name, state, code, comment string
		p                          *Province
	}{
		{"registration-revoked", "2", "REGISTRATION_REVOKED", "吊销，未注销", m.sh},
		{"registration-revoked-js", "2", "REGISTRATION_REVOKED", "吊销，未注销", m.js},
		{"registration-revoked-cancelled", "3", "REGISTRATION_REVOKED", "吊销，已注销", m.js},
		{"registration-cancelled", "4", "REGISTRATION_CANCELLED", "注销", m.zj},
		{"registration-annulled", "5", "REGISTRATION_ANNULLED", "撤销", m.ah},
		{"registration-moved", "6", "REGISTRATION_MOVED", "迁出", m.sh},
	} {
		b := m.next(state.p, Company)
		rec := b.Record()
		rec.RegState = state.state
		state.p.Registry.Put(rec)
		m.invalid(state.name, state.code, state.comment, m.mint(state.p, LicenceSpec{Business: b}))
	}
	for _, p := range m.s.provinces {
		m.invalid("registration-not-found-"+p.Code, "REGISTRATION_NOT_FOUND", p.NameEn+": no such business in the register",
			m.mint(p, LicenceSpec{Unregistered: true}))
		b := m.next(p, SoleTrader)
		rec := b.Record()
		rec.ApprDate = m.now.In(shanghai).AddDate(0, 0, -3).Format(time.DateOnly)
		p.Registry.Put(rec)
		m.invalid("superseded-"+p.Code, "LICENCE_SUPERSEDED", p.NameEn+": the register has approved a later change",
			m.mint(p, LicenceSpec{Business: b}))

		b = m.next(p, Company)
		rec = b.Record()
		rec.RegState = "9"
		p.Registry.Put(rec)
		m.unclear("registration-other-"+p.Code, "REGISTRATION_STATE_UNKNOWN", p.NameEn+": 其他", m.mint(p, LicenceSpec{Business: b}))
	}
	b := m.next(m.ah, Company)
	m.keep(m.ah.Registry.SetLicence(b.USCC, Fault{Mode: Hang}))
	m.unclear("registry-unavailable", "REGISTRY_UNAVAILABLE", "a business about which the register never answers",
		m.mint(m.ah, LicenceSpec{Business: b}))
}
