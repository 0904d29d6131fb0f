// Samples that are valid, with and without warnings.

package sandbox

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"time"
)

func (m *sampler) validOnes() {
	for _, p := range m.s.provinces {
		for _, class := range Classes() {
			m.valid("valid-"+p.Code+"-"+class.String(), p.NameEn+", "+class.String(),
				m.mint(p, LicenceSpec{Class: class}))
		}
	}
	m.valid("valid-sm2", "Shanghai's national-algorithm key", m.mint(m.sh, LicenceSpec{Alg: "SM2"}))
	m.valid("valid-es384", "an issuer whose keys stand in the trust list itself",
		m.mint(m.ah, LicenceSpec{Key: m.keys.city384, Edit: setIssuer(cityIssuer)}))
	m.valid("valid-rs256", "RSASSA-PKCS1-v1_5", m.mint(m.ah, LicenceSpec{Key: m.keys.cityRSA, Edit: setIssuer(cityIssuer)}))
	m.valid("valid-ed25519-by-name", "EdDSA under its RFC 9864 name", m.header(m.zj, "alg", "Ed25519"))
	m.valid("valid-high-s", "ES256 with s above half of the order", m.highS())
	m.valid("valid-retired-key", "issued while the key's window was open",
		m.mint(m.sh, LicenceSpec{Key: m.keys.retired, IssuedAt: m.now.Add(-60 * day)}))
	m.valid("valid-superseded-key", "issued before its key was superseded",
		m.mint(m.js, LicenceSpec{Key: m.keys.superseded, IssuedAt: m.now.Add(-20 * day)}))
	m.valid("valid-not-before", "nbf in the past", m.mint(m.js, LicenceSpec{NotBefore: m.now.Add(-time.Minute)}))
	m.valid("valid-within-skew", "issued half a minute ahead of this clock",
		m.mint(m.sh, LicenceSpec{IssuedAt: m.now.Add(30 * time.Second)}))
	m.valid("valid-copy", "a duplicate licence with its number", m.member(m.sh, "copyno", "1-2"))
	m.valid("valid-more-members", "unknown members of header, claims and licence pass unread",
		m.edit(m.zj, func(header, claims map[string]any) {
			header["cty"], claims["aud"] = "x", []string{"someone"}
			claims["licence"].(map[string]any)["colour"] = map[string]any{"seal": "red"}
		}))
}

func (m *sampler) warned() {
	exception := m.next(m.zj, Company)
	exception.USCC = "91350211M00013FA1N" // published pilot code, wrong last digit
	m.valid("warning-uscc-exception", "USCC_CHECK_EXCEPTION and REGION_DIFFERS: a published pilot code",
		m.mint(m.zj, LicenceSpec{Business: exception}))

	moved := m.next(m.js, Company)
	moved.USCC = m.next(m.ah, Company).USCC
	m.valid("warning-region-differs", "REGION_DIFFERS: first registered in another province",
		m.mint(m.js, LicenceSpec{Business: moved}))

	renamed := m.next(m.sh, Company)
	rec := renamed.Record()
	rec.EntName = m.next(m.sh, Company).EntName
	m.sh.Registry.Put(rec)
	m.valid("warning-name-differs", "NAME_DIFFERS: the register knows another name",
		m.mint(m.sh, LicenceSpec{Business: renamed}))

	folded := m.next(m.js, Partnership)
	rec = folded.Record()
	rec.EntName = strings.NewReplacer("（", "(", "）", ")").Replace(rec.EntName)
	m.js.Registry.Put(rec)
	m.valid("valid-name-folded", "no warning: brackets of another width are the same name",
		m.mint(m.js, LicenceSpec{Business: folded}))

	ended := m.next(m.ah, Company)
	ended.OpTo = m.now.In(shanghai).AddDate(0, 0, -2).Format(time.DateOnly)
	m.valid("warning-term-ended", "TERM_ENDED: 营业期限 is over", m.mint(m.ah, LicenceSpec{Business: ended}))
}

// setIssuer makes an Edit that changes nothing but the issuer.
func setIssuer(iss string) func(header, claims map[string]any) {
	return func(_, claims map[string]any) { claims["iss"] = iss }
}

// highS turns s into n-s where that is the greater: the same signature, in
// the form that some other systems refuse.
func (m *sampler) highS() string {
	token := m.mint(m.sh, LicenceSpec{})
	at := strings.LastIndexByte(token, '.') + 1
	sig, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil || len(sig) != 64 {
		m.keep(err)
		return token
	}
	order := elliptic.P256().Params().N
	s := new(big.Int).SetBytes(sig[32:])
	if other := new(big.Int).Sub(order, s); other.Cmp(s) > 0 {
		other.FillBytes(sig[32:])
	}
	return token[:at] + b64(sig)
}
