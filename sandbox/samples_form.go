// Samples refused for their form: format, header, claims.

package sandbox

import (
	"encoding/json"
	"strings"
)

func (m *sampler) badFormat() {
	const code = "FORMAT_MALFORMED"
	good := m.mint(m.sh, LicenceSpec{})
	parts := strings.Split(good, ".")
	m.invalid("malformed-two-parts", code, "no signature part", parts[0]+"."+parts[1])
	m.invalid("malformed-four-parts", code, "one part too many", good+".e30")
	m.invalid("malformed-padding", code, "base64url with padding", parts[0]+"."+parts[1]+"."+parts[2]+"==")
	m.invalid("malformed-spare-bits", code, "base64url with spare bits set", good[:len(good)-1]+spare(good[len(good)-1]))
	m.invalid("malformed-alphabet", code, "the other base64 alphabet", parts[0]+"."+parts[1]+".+"+parts[2][1:])
	m.invalid("malformed-line-feed", code, "a line feed inside the payload", parts[0]+"."+parts[1][:40]+"\n"+parts[1][40:]+"."+parts[2])
	m.invalid("malformed-json-serialization", code, "JWS JSON Serialization", m.flattened(parts))
	m.invalid("malformed-text", code, "not a token at all", "营业执照")
	m.invalid("malformed-too-long", code, "over 64 KiB", m.member(m.sh, "opscope", strings.Repeat("软件", 12<<10)))
	for _, bad := range []struct {
		name, comment string
		change        func(claims string) string
	}{
		{"trailing", "bytes after the JSON", func(c string) string { return c + "{}" }},
		{"array", "claims that are no object", func(c string) string { return "[" + c + "]" }},
		{"utf8", "bytes that are no UTF-8", inJTI("\xff\xfe")},
		{"surrogate", "half of a surrogate pair", inJTI(`\ud800`)},
		{"depth", "nested deeper than 16", front(`"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + ",")},
		{"comment", "JSON with a comment", front("/* */")},
		{"cut", "JSON that ends too early", func(c string) string { return c[:len(c)-1] }},
	} {
		m.invalid("malformed-"+bad.name, code, bad.comment,
			m.text(m.sh, func(h, c string) (string, string) { return h, bad.change(c) }))
	}
	m.invalid("malformed-header", code, "a header that is no object",
		m.text(m.js, func(_, c string) (string, string) { return `"ES256"`, c }))

	const twice = "FORMAT_DUPLICATE_MEMBER"
	m.invalid("duplicate-alg", twice, "two algorithms", m.text(m.sh, func(h, c string) (string, string) {
		return strings.Replace(h, "{", `{"alg":"none",`, 1), c
	}))
	m.invalid("duplicate-iss", twice, "two issuers", m.text(m.js, func(h, c string) (string, string) {
		return h, strings.Replace(c, "{", `{"iss":"https://ebl.zj.example",`, 1)
	}))
	m.invalid("duplicate-uniscid", twice, "two credit codes", m.text(m.zj, func(h, c string) (string, string) {
		return h, strings.Replace(c, `"licence":{`, `"licence":{"uniscid":"91310000132260250X",`, 1)
	}))
	m.invalid("duplicate-escaped", twice, "the second one in escapes", m.text(m.ah, func(h, c string) (string, string) {
		return h, strings.Replace(c, "{", `{"\u0065xp":253402300799,`, 1)
	}))
}

// front writes something behind the opening brace, inJTI into that claim.
func front(text string) func(string) string {
	return func(c string) string { return "{" + text + c[1:] }
}

func inJTI(text string) func(string) string {
	return func(c string) string { return strings.Replace(c, `"jti":"`, `"jti":"`+text, 1) }
}

// flattened writes a token in the Flattened JSON Serialization of RFC 7515.
func (m *sampler) flattened(parts []string) string {
	raw, err := json.Marshal(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]})
	m.keep(err)
	return string(raw)
}

// spare returns the base64url character that decodes like c at the end of a
// 64-byte signature, but for a bit that nobody reads.
func spare(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)|1:][:1]
}

func (m *sampler) badHeader() {
	for _, bad := range []struct {
		name   string
		member string
		value  any
	}{
		{"typ-missing", "typ", absent}, {"typ-jwt", "typ", "JWT"}, {"typ-number", "typ", 1},
		{"alg-missing", "alg", absent}, {"alg-number", "alg", 256}, {"alg-null", "alg", nil},
		{"kid-missing", "kid", absent}, {"kid-empty", "kid", ""}, {"kid-number", "kid", 1},
		{"kid-long", "kid", strings.Repeat("k", 257)},
	} {
		m.invalid("header-"+bad.name, "HEADER_INVALID", "header: "+strings.ReplaceAll(bad.name, "-", " "),
			m.header(m.sh, bad.member, bad.value))
	}
	own, err := m.keys.outsider.ConfirmationJWK()
	m.keep(err)
	for _, bad := range []struct {
		name  string
		value any
	}{
		{"crit", []string{"exp"}}, {"jwk", own}, {"jku", m.zj.Keys.URI()}, {"x5u", m.zj.Keys.URI()},
		{"x5c", []string{"MIIB"}}, {"b64", true}, {"zip", "DEF"},
	} {
		m.invalid("header-not-allowed-"+bad.name, "HEADER_NOT_ALLOWED", "a key or a rule of the token's own: "+bad.name,
			m.header(m.js, bad.name, bad.value))
	}
}

func (m *sampler) badClaims() {
	for _, name := range []string{"iss", "sub", "jti", "iat", "exp", "licence"} {
		m.invalid("claim-missing-"+name, "CLAIM_MISSING", "no "+name, m.claim(m.zj, name, absent))
	}
	for _, name := range []string{"uniscid", "entname", "lerep", "estdate", "regorg", "apprdate"} {
		m.invalid("claim-missing-licence-"+name, "CLAIM_MISSING", "no licence."+name, m.member(m.js, name, absent))
	}
	for _, bad := range []struct {
		name, member string
		value        any
	}{
		{"exp-string", "exp", "4102444800"}, {"exp-null", "exp", nil}, {"exp-fraction", "exp", json.RawMessage("4102444800.0")},
		{"exp-exponent", "exp", json.RawMessage("4e9")}, {"iat-negative", "iat", -1},
		{"exp-beyond", "exp", json.RawMessage("253402300800")}, {"iss-empty", "iss", ""}, {"jti-number", "jti", 7},
		{"licence-null", "licence", nil}, {"licence-array", "licence", []string{}},
	} {
		m.invalid("claim-invalid-"+bad.name, "CLAIM_INVALID", "claim: "+strings.ReplaceAll(bad.name, "-", " "),
			m.claim(m.sh, bad.member, bad.value))
	}
	for _, bad := range []struct {
		name, member string
		value        any
	}{
		{"entname-empty", "entname", ""}, {"lerep-null", "lerep", nil}, {"regcap-number", "regcap", 500},
		{"regorg-short", "regorg", "33010"}, {"estdate-no-day", "estdate", "2024-02-30"}, {"apprdate-form", "apprdate", "20240506"},
	} {
		m.invalid("claim-invalid-licence-"+bad.name, "CLAIM_INVALID", "licence: "+strings.ReplaceAll(bad.name, "-", " "),
			m.member(m.zj, bad.member, bad.value))
	}
}
