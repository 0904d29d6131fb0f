// Samples refused, or left open, for their issuer, key, signature or times.

package sandbox

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

func (m *sampler) badIssuer() {
	for _, bad := range []struct{ name, iss string }{
		{"lookalike", strangerIssuer}, {"slash", m.sh.Issuer + "/"}, {"case", "https://EBL.sh.example"}, {"prefix", "https://ebl.sh.exampl"},
	} {
		m.invalid("issuer-unknown-"+bad.name, "ISSUER_NOT_RECOGNISED", "not byte for byte an issuer of the list",
			m.claim(m.sh, "iss", bad.iss))
	}
	outside := func(iss string) LicenceSpec {
		return LicenceSpec{Key: m.keys.outsider, Edit: setIssuer(iss), Unregistered: true}
	}
	fujian := m.next(m.js, Company)
	fujian.USCC, fujian.RegOrg = synthesize("91", "350100", firstSample), "350100"
	suspended := outside(suspendedIssuer)
	suspended.Business = fujian
	m.invalid("issuer-suspended", "ISSUER_SUSPENDED", "a fifth province, suspended by the alliance", m.mint(m.js, suspended))
	m.invalid("issuer-type", "ISSUER_NOT_AUTHORISED", "an issuer of other licences", m.mint(m.js, outside(typeIssuer)))
	m.invalid("issuer-ended", "ISSUER_NOT_AUTHORISED", "issued after the issuer's last day", m.mint(m.js, outside(endedIssuer)))
	m.invalid("issuer-division", "ISSUER_NOT_AUTHORISED", "Zhejiang's key on a licence of Jiangsu",
		m.mint(m.zj, LicenceSpec{Business: m.next(m.js, Company), Unregistered: true}))
}

func (m *sampler) badKey() {
	m.invalid("key-unknown", "KEY_NOT_FOUND", "a kid in no set", m.header(m.sh, "kid", "31-ES256-99"))
	m.invalid("key-of-another", "KEY_NOT_FOUND", "Jiangsu's key on a credential of Shanghai",
		m.mint(m.sh, LicenceSpec{Key: m.js.SigningKey("")}))
	m.invalid("key-revoked-in-set", "KEY_REVOKED", "compromised, says the province's own set",
		m.mint(m.zj, LicenceSpec{Key: m.keys.lost, IssuedAt: m.now.Add(-90 * day)}))
	m.invalid("key-revoked-compromised", "KEY_REVOKED", "compromised, says the trust list; issued long before",
		m.mint(m.js, LicenceSpec{Key: m.keys.stolen, IssuedAt: m.now.Add(-90 * day)}))
	m.invalid("key-revoked-superseded", "KEY_REVOKED", "issued after its key was superseded",
		m.mint(m.js, LicenceSpec{Key: m.keys.superseded, IssuedAt: m.now.Add(-day)}))
	m.invalid("key-window-over", "KEY_OUTSIDE_WINDOW", "issued after the key's last day", m.mint(m.sh, LicenceSpec{Key: m.keys.retired}))
	m.invalid("key-window-before", "KEY_OUTSIDE_WINDOW", "issued before the key's first day", m.mint(m.sh, LicenceSpec{Key: m.keys.coming}))
	m.unclear("keys-unavailable", "KEYS_UNAVAILABLE", "an issuer whose key set cannot be had",
		m.mint(m.ah, LicenceSpec{Key: m.keys.mute, Edit: setIssuer(muteIssuer)}))
}

func (m *sampler) badAlgorithm() {
	const code = "ALGORITHM_NOT_ALLOWED"
	for _, bad := range []struct{ name, alg string }{
		{"none", "none"}, {"none-case", "None"}, {"case", "es256"}, {"es256k", "ES256K"}, {"es512", "ES512"},
		{"es384", "ES384"}, {"rs256", "RS256"}, {"sm2", "SM2"},
	} {
		m.invalid("algorithm-"+bad.name, code, "header says "+bad.alg, m.header(m.sh, "alg", bad.alg))
	}
	m.invalid("algorithm-unsigned", code, `"alg":"none" and an empty signature`, m.resign(m.js, "none", Unsigned))
	public, err := m.ah.SigningKey("").JWK()
	m.keep(err)
	m.invalid("algorithm-hs256", code, "the public key as a shared secret",
		m.resign(m.ah, "HS256", SignFunc(func(input []byte) ([]byte, error) {
			mac := hmac.New(sha256.New, public)
			mac.Write(input)
			return mac.Sum(nil), nil
		})))
	m.invalid("algorithm-of-key", code, "RS256 with a key that is for PS256",
		m.resign(m.ah, "RS256", m.ah.SigningKey("").As("RS256", "")))
	m.invalid("algorithm-sm2-as-es256", code, "an SM2 key under ES256",
		m.mint(m.sh, LicenceSpec{Alg: "SM2", Edit: func(header, _ map[string]any) { header["alg"] = "ES256" }}))
}

// resign mints with another algorithm in the header and another signer, under
// the kid of the province's own key.
func (m *sampler) resign(p *Province, alg string, key Signer) string {
	good := m.header(p, "alg", alg)
	input := good[:strings.LastIndexByte(good, '.')]
	signature, err := key.Sign([]byte(input))
	m.keep(err)
	return input + "." + b64(signature)
}

func (m *sampler) badSignature() {
	const code = "SIGNATURE_INVALID"
	for _, p := range m.s.provinces {
		good, other := m.mint(p, LicenceSpec{}), m.mint(p, LicenceSpec{})
		input, signature := good[:strings.LastIndexByte(good, '.')], other[strings.LastIndexByte(other, '.'):]
		m.invalid("signature-swapped-"+p.Code, code, p.NameEn+": the signature of another licence", input+signature)
	}
	m.invalid("signature-swapped-sm2", code, "SM2 signature over another identity than the key's",
		m.mint(m.sh, LicenceSpec{Key: m.otherIdentity(), Alg: "SM2"}))
	m.invalid("signature-forged", code, "another key under the right kid",
		m.mint(m.sh, LicenceSpec{Key: m.keys.outsider.As("ES256", m.sh.SigningKey("").KID)}))
	m.invalid("signature-empty", code, "an empty signature", m.resign(m.js, "ES256", Unsigned))
	sized := func(size int) Signer {
		return SignFunc(func(input []byte) ([]byte, error) {
			signature, err := m.js.SigningKey("").Sign(input)
			return append(signature, make([]byte, 64)...)[:size], err
		})
	}
	m.invalid("signature-short", code, "63 bytes", m.resign(m.js, "ES256", sized(63)))
	m.invalid("signature-long", code, "65 bytes", m.resign(m.js, "ES256", sized(65)))
	m.invalid("signature-zero", code, "r = s = 0", m.resign(m.js, "ES256", SignFunc(func([]byte) ([]byte, error) { return make([]byte, 64), nil })))
	m.invalid("signature-der", code, "ASN.1 where r and s side by side belong",
		m.resign(m.sh, "ES256", SignFunc(func(input []byte) ([]byte, error) {
			sum := sha256.Sum256(input)
			return ecdsa.SignASN1(rand.Reader, m.sh.SigningKey("").ec, sum[:])
		})))
	m.invalid("signature-altered", code, "one character of the company's name changed after signing", m.altered())
}

// otherIdentity is Shanghai's SM2 key as another user would sign with it.
func (m *sampler) otherIdentity() *Key {
	key := *m.sh.SigningKey("SM2")
	key.DistID = "ALICE123@YAHOO.COM"
	return &key
}

// altered changes the payload and keeps the signature.
func (m *sampler) altered() string {
	b := m.next(m.sh, Company)
	parts := strings.Split(m.mint(m.sh, LicenceSpec{Business: b}), ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	m.keep(err)
	better := strings.Replace(string(payload), "有限公司", "无限公司", 1)
	return parts[0] + "." + b64([]byte(better)) + "." + parts[2]
}

func (m *sampler) badTimes() {
	m.invalid("expired", "EXPIRED", "ended an hour ago",
		m.mint(m.sh, LicenceSpec{IssuedAt: m.now.Add(-day), Expires: m.now.Add(-time.Hour)}))
	m.invalid("expired-long-ago", "EXPIRED", "ended years ago",
		m.mint(m.zj, LicenceSpec{IssuedAt: m.now.Add(-1500 * day), Expires: m.now.Add(-1100 * day)}))
	m.invalid("not-yet-valid", "NOT_YET_VALID", "begins in a week", m.mint(m.js, LicenceSpec{NotBefore: m.now.Add(7 * day)}))
	m.invalid("issued-in-future", "ISSUED_IN_FUTURE", "issued in two days", m.mint(m.ah, LicenceSpec{IssuedAt: m.now.Add(2 * day)}))
}
