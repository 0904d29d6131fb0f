// What the samples need to stand in trust list and key sets.

package sandbox

import (
	"encoding/json"
	"time"
)

// sampleKeys are the keys beside the provinces' own.
type sampleKeys struct {
	retired, coming    *Key // Shanghai: window over; not begun
	lost               *Key // Zhejiang: revoked in the key set
	superseded, stolen *Key // Jiangsu: revoked in the trust list
	city384, cityRSA   *Key // of an issuer with inline keys only
	outsider           *Key // in no list
	mute               *Key // of an issuer whose key set cannot be had
	holder             *Key // of whom SD-JWTs are bound to
}

// The issuers beside the provinces' own.
const (
	cityIssuer      = "https://ebl-hf.ah.example"        // 340000, inline keys, RS256 and ES384
	typeIssuer      = "https://permits.js.example"       // 320000, of another type of licence
	endedIssuer     = "https://ebl-2015.js.example"      // 320000, valid_until long past
	muteIssuer      = "https://ebl-mute.ah.example"      // 340000, key set never answers
	suspendedIssuer = "https://ebl.fj.example"           // 350000, suspended
	strangerIssuer  = "https://ebl.sh.example.evil.test" // a look-alike, in no list
)

const day = 24 * time.Hour

func (m *sampler) prepare() {
	k := &m.keys
	for _, want := range []struct {
		key      **Key
		alg, kid string
	}{
		{&k.retired, "ES256", "31-ES256-0"}, {&k.coming, "ES256", "31-ES256-2"},
		{&k.lost, "EdDSA", "33-EdDSA-0"},
		{&k.superseded, "ES256", "32-ES256-0"}, {&k.stolen, "ES256", "32-ES256-00"},
		{&k.city384, "ES384", "hf-ES384"},
		{&k.outsider, "ES256", "nobody-1"}, {&k.mute, "ES256", "mute-1"},
		{&k.holder, "ES256", "holder"},
	} {
		key, err := NewKey(want.alg, want.kid)
		m.keep(err)
		*want.key = key
	}
	if m.err != nil {
		return
	}
	// One RSA key more would cost more time than all other samples together.
	k.cityRSA = m.ah.SigningKey("PS256").As("RS256", "hf-RS256")
	k.retired.NotBefore, k.retired.Expires = m.ago(400*day), m.ago(30*day)
	k.coming.NotBefore = m.ago(-30 * day)
	k.lost.Revoked = &Revocation{RevokedAt: m.ago(5 * day), Reason: "compromised"}
	m.keep(m.sh.Keys.Add(k.retired, k.coming))
	m.keep(m.zj.Keys.Add(k.lost))
	m.keep(m.js.Keys.Add(k.superseded, k.stolen))
	mute, err := m.s.newKeySet("mute", nil)
	if err != nil {
		m.keep(err)
		return
	}
	m.keep(mute.Set(Fault{Mode: Reset}))

	_, err = m.s.Trust.Publish(func(l *List) {
		l.Province("320000").Issuers = append(l.Province("320000").Issuers,
			ListIssuer{Iss: typeIssuer, Types: []string{"food-permit"}, Algs: []string{"ES256"},
				JWKS: m.inline(k.outsider), ValidFrom: longAgo},
			ListIssuer{Iss: endedIssuer, Types: []string{"business-licence"}, Algs: []string{"ES256"},
				JWKS: m.inline(k.outsider), ValidFrom: longAgo, ValidUntil: pointer(m.ago(300 * day))})
		l.Province("340000").Issuers = append(l.Province("340000").Issuers,
			ListIssuer{Iss: cityIssuer, Types: []string{"business-licence"}, Algs: []string{"ES384", "RS256"},
				JWKS: m.inline(k.city384, k.cityRSA), ValidFrom: longAgo},
			ListIssuer{Iss: muteIssuer, Types: []string{"business-licence"}, Algs: []string{"ES256"},
				JWKSURI: mute.URI(), ValidFrom: longAgo})
		l.Provinces = append(l.Provinces, ListProvince{
			Code: "350000", Name: "福建省", NameEn: "Fujian", Authority: "福建省市场监督管理局", State: "suspended",
			Issuers: []ListIssuer{{Iss: suspendedIssuer, Types: []string{"business-licence"}, Algs: []string{"ES256"},
				JWKS: m.inline(k.outsider), Divisions: []string{"35"}, ValidFrom: longAgo}},
		})
		l.RevokedKeys = append(l.RevokedKeys,
			RevokedKey{m.thumbprint(k.superseded), m.ago(10 * day), "superseded"},
			RevokedKey{m.thumbprint(k.stolen), m.ago(10 * day), "compromised"})
	})
	m.keep(err)
}

// ago is a moment before now (after, if negative) in seconds.
func (m *sampler) ago(d time.Duration) int64 { return m.now.Add(-d).Unix() }

func (m *sampler) inline(keys ...*Key) json.RawMessage {
	set, err := marshalKeys(keys)
	m.keep(err)
	return set
}

func (m *sampler) thumbprint(k *Key) string {
	t, err := k.Thumbprint()
	m.keep(err)
	return t
}

func pointer[T any](v T) *T { return &v }
