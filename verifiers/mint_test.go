package verifiers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/testworld"
)

var mint = flag.Bool("mint", false, "write the vectors that are not there yet (delete one to have it made again)")

type object = testworld.Object

var null = json.RawMessage("null")

// A minter makes vectors. Each is made of the good credential by one change.
type minter struct {
	w   *testworld.World
	out []testworld.Vector
}

func (m *minter) add(name, expect, comment, credential string, more ...func(*testworld.Vector)) {
	verdict, code, _ := strings.Cut(expect, " ")
	v := testworld.Vector{Name: name, Verdict: verdict, Code: verifiers.Code(code), Comment: comment, Credential: []byte(credential)}
	for _, f := range more {
		f(&v)
	}
	m.out = append(m.out, v)
}

func registry(word string) func(*testworld.Vector) {
	return func(v *testworld.Vector) { v.Registry = word }
}
func at(s int64) func(*testworld.Vector) {
	return func(v *testworld.Vector) { v.Now = time.Unix(s, 0) }
}
func media(s string) func(*testworld.Vector) { return func(v *testworld.Vector) { v.Media = s } }

// claims mints with changed claims, licence with changed licence members,
// header with a changed header.
func (m *minter) claims(change object) string {
	return m.w.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().Edit(change))
}

func (m *minter) licence(change object) string {
	return m.claims(object{"licence": testworld.Licence().Edit(change)})
}

func (m *minter) header(change object) string {
	return m.w.Mint("sh", testworld.Header("ES256", "sh-1").Edit(change), testworld.Claims())
}

// raw mints with header and payload as they are written.
func (m *minter) raw(header, payload string) string {
	if header == "" {
		header = string(testworld.Marshal(testworld.Header("ES256", "sh-1")))
	}
	if payload == "" {
		payload = string(testworld.Marshal(testworld.Claims()))
	}
	return m.w.Sign("sh", []byte(header), []byte(payload))
}

// TestMint writes the vectors on demand, and else only checks that each has its
// file: the tokens in them stay as they are.
func TestMint(t *testing.T) {
	m := &minter{w: testworld.New(t)}
	m.good()
	m.form()
	m.headers()
	m.contents()
	m.keys()
	m.state()
	seen := map[string]bool{}
	for _, v := range m.out {
		if seen[v.Name] {
			t.Errorf("two vectors called %s", v.Name)
		}
		seen[v.Name] = true
		file := filepath.Join(testworld.Testdata(t), "vectors", v.Name+".txt")
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if !*mint {
			t.Errorf("vector %s has no file: go test ./verifiers -run TestMint -mint", v.Name)
			continue
		}
		if err := os.WriteFile(file, v.Format(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range testworld.Vectors(t) {
		if !seen[v.Name] {
			t.Logf("vector %s was written by hand", v.Name)
		}
	}
}

func (m *minter) good() {
	m.add("good-es256", "VALID OK", "§2.2 nothing wrong", m.w.Good())
	m.add("good-media-type", "VALID OK", "§2.4 under its own media type", m.w.Good(), media("application/ebl+jwt"))
	m.add("good-plain-text", "VALID OK", "§2.4 under text/plain", m.w.Good(), media("text/plain"))
	m.add("good-sm2", "VALID OK", "§2.3", m.w.Mint("sm2", testworld.Header("SM2", "sh-sm2"), testworld.Claims()))
	js := testworld.From(testworld.Jiangsu, "32")
	m.add("good-eddsa", "VALID OK", "§2.2 alg EdDSA", m.w.Mint("js", testworld.Header("EdDSA", "js-1"), js))
	m.add("good-ed25519", "VALID OK", "§2.2 Ed25519 is EdDSA by another name", m.w.Mint("js", testworld.Header("Ed25519", "js-1"), js))
	zj := testworld.From(testworld.Zhejiang, "33")
	m.add("good-ps256", "VALID OK", "§2.2 alg PS256", m.w.Mint("zj", testworld.Header("PS256", "zj-rsa"), zj))
	m.add("good-rs256", "VALID OK", "§2.2 alg RS256", m.w.Mint("zjrs", testworld.Header("RS256", "zj-rsa"), zj))
	m.add("good-es384", "VALID OK", "§2.2 alg ES384", m.w.Mint("p384", testworld.Header("ES384", "zj-384"), zj))
	m.add("good-fetched-key", "VALID OK", "§3 a key of a fetched set", m.w.Mint("ah", testworld.Header("ES256", "ah-1"), testworld.From(testworld.Anhui, "34")))
	m.add("good-unknown-members", "VALID OK", "§2.1, §2.2 what is not known is ignored, aud too",
		m.w.Mint("sh", testworld.Header("ES256", "sh-1").With("x", 1), testworld.Claims().Edit(object{"aud": "somebody", "x": object{"y": []int{1}}, "licence": testworld.Licence().With("x", null)})))
	m.add("good-escaped-names", "VALID OK", "§2.2 names are compared after unescaping", m.raw("", strings.Replace(string(testworld.Marshal(testworld.Claims())), `"iss"`, `"\u0069ss"`, 1)))
	m.add("good-depth-16", "VALID OK", "§2.2 depth 16", m.claims(object{"x": json.RawMessage(strings.Repeat("[", 15) + strings.Repeat("]", 15))}))
	m.add("good-cnf", "VALID OK", "§2.2 cnf is allowed", m.claims(object{"cnf": object{"jwk": object{}}}))
	m.add("good-kid-256", "INVALID KEY_NOT_FOUND", "§2.2 a kid of 256 bytes reads well", m.header(object{"kid": strings.Repeat("k", 256)}))
}

func (m *minter) form() {
	good := m.w.Good()
	h, p, s := testworld.Part(good, 0), testworld.Part(good, 1), testworld.Part(good, 2)
	bad := func(name, comment, credential string) {
		m.add("form-"+name, "INVALID FORMAT_MALFORMED", comment, credential)
	}
	bad("one-part", "§2.2 exactly three parts", h)
	bad("two-parts", "§2.2 exactly three parts", h+"."+p)
	bad("four-parts", "§2.2 exactly three parts", good+"."+s)
	bad("five-parts", "§2.2 exactly three parts; a JWE has five", h+"."+p+"."+s+"."+s+"."+s)
	bad("dots", "§2.2", "..")
	bad("no-header", "§2.2", "."+p+"."+s)
	bad("no-payload", "§2.2 an empty payload is no JSON", h+".."+s)
	bad("text", "§6.3 what does not parse is a verdict", "hello")
	bad("line-feed-after", "§2.2 no trailing bytes", good+"\n")
	bad("crlf-within", "§2.2 no CR or LF in base64url", h+"."+p[:20]+"\r\n"+p[20:]+"."+s)
	bad("lf-in-signature", "§2.2 no CR or LF in base64url", h+"."+p+"."+s[:5]+"\n"+s[5:])
	bad("space-before", "§2.2", " "+good)
	bad("space-within", "§2.2", h+"."+p[:20]+" "+p[20:]+"."+s)
	bad("padding", "§2.2 unpadded", h+"."+p+"."+s+"==")
	bad("standard-alphabet", "§2.2 base64url, not base64", h+"."+p+"."+strings.NewReplacer("-", "+", "_", "/").Replace("-_"+s[2:]))
	bad("spare-bits", "§2.2 no spare bits", h+"."+p+"."+spareBits(s))
	bad("spare-bits-header", "§2.2 no spare bits", spareBits(testworld.B64([]byte(`{"alg":"ES256","kid":"sh-1","typ":"ebl+jwt"  }`)))+"."+p+"."+s)
	bad("bom", "§2.2 a byte order mark is no JSON", m.raw("", "\ufeff"+string(testworld.Marshal(testworld.Claims()))))
	bad("bom-header", "§2.2", m.raw("\ufeff"+`{"alg":"ES256","kid":"sh-1","typ":"ebl+jwt"}`, ""))
	bad("bom-before", "§2.2", "\ufeff"+good)
	bad("payload-array", "§10 JSON that is not an object", m.raw("", "[]"))
	bad("payload-null", "§10 JSON that is not an object", m.raw("", "null"))
	bad("payload-text", "§10", m.raw("", `"licence"`))
	bad("header-array", "§10", m.raw("[]", ""))
	bad("trailing", "§2.2 no trailing bytes", m.raw("", string(testworld.Marshal(testworld.Claims()))+"x"))
	bad("trailing-object", "§2.2 no trailing bytes", m.raw("", string(testworld.Marshal(testworld.Claims()))+"{}"))
	bad("trailing-nul", "§2.2 no trailing bytes", m.raw("", string(testworld.Marshal(testworld.Claims()))+"\x00"))
	bad("comment", "§2.2 JSON has no comments", m.raw("", "/**/"+string(testworld.Marshal(testworld.Claims()))))
	bad("depth-17", "§2.2 depth", m.claims(object{"x": json.RawMessage(strings.Repeat("[", 16) + strings.Repeat("]", 16))}))
	bad("deep", "§2.2 depth, however deep", m.raw("", strings.Repeat(`{"a":`, 6000)))
	bad("utf8", "§2.2 valid UTF-8", m.raw("", `{"iss":"`+"\xff"+`"}`))
	bad("utf8-overlong", "§2.2 valid UTF-8", m.raw("", `{"iss":"`+"\xc0\xaf"+`"}`))
	bad("utf8-surrogate", "§2.2 valid UTF-8", m.raw("", `{"iss":"`+"\xed\xa0\x80"+`"}`))
	bad("lone-surrogate", "§2.2 no lone surrogate escapes", m.raw("", `{"iss":"\ud800"}`))
	bad("lone-low-surrogate", "§2.2 no lone surrogate escapes", m.raw("", `{"x":"\udc00x"}`))
	bad("surrogate-in-name", "§2.2 no lone surrogate escapes", m.raw("", `{"\ud800":1}`))
	bad("number", "§2.2 a number that is none", m.raw("", `{"iat":01}`))
	bad("nan", "§2.2", m.raw("", `{"iat":NaN}`))
	bad("single-quotes", "§2.2", m.raw("", `{'iss':'x'}`))
	bad("comma", "§2.2", m.raw("", `{"iss":"x",}`))
	bad("utf16", "§2.2 UTF-8 only", m.raw("", "\xff\xfe{\x00}\x00"))
	bad("json-flattened", "§2.2 JSON serializations are refused", `{"payload":"`+p+`","protected":"`+h+`","signature":"`+s+`"}`)
	bad("json-general", "§2.2 JSON serializations are refused", `{"payload":"`+p+`","signatures":[{"protected":"`+h+`","signature":"`+s+`"}]}`)
	bad("json-with-dots", "§2.2 JSON serializations are refused", `{"payload":"`+p+`.","protected":"`+h+`.","signature":"`+s+`"}`)
	bad("disclosures", "§2.4 the plain envelope has none", good+"~")
	bad("key-binding", "§2.4 the plain envelope has no holder's proof", good+"~"+good)
	bad("too-long", "§2.2 token of 64 KiB and one byte", m.long(64<<10+1))
	bad("header-too-long", "§2.2 header of 4 KiB and one byte", m.raw(pad(4<<10+1), ""))
	m.add("form-header-4k", "VALID OK", "§2.2 header of 4 KiB", m.raw(pad(4<<10), ""))
	m.add("form-64k", "VALID OK", "§2.2 token of 64 KiB", m.long(64<<10))
	twice := func(name, comment, credential string) {
		m.add("form-"+name, "INVALID FORMAT_DUPLICATE_MEMBER", comment, credential)
	}
	claims := string(testworld.Marshal(testworld.Claims()))
	twice("duplicate-claim", "§2.2 no duplicate member", m.raw("", `{"iss":"https://evil.example",`+claims[1:]))
	twice("duplicate-alg", "§2.2 no duplicate member", m.raw(`{"alg":"none","alg":"ES256","kid":"sh-1","typ":"ebl+jwt"}`, ""))
	twice("duplicate-escaped", "§2.2 compared after unescaping", m.raw("", `{"\u0069ss":"https://evil.example",`+claims[1:]))
	twice("duplicate-deep", "§2.2 at any depth, in what is ignored too", m.claims(object{"x": json.RawMessage(`[{"y":{"a":1,"a":1}}]`)}))
	twice("duplicate-licence", "§2.2 at any depth", m.claims(object{"licence": json.RawMessage(`{"entname":"a","entname":"b"}`)}))
}

// spareBits sets a bit of the last character that no byte uses.
func spareBits(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, part[len(part)-1])
	if len(part)%4 == 0 {
		panic("no spare bits")
	}
	return part[:len(part)-1] + alphabet[i|1:i|1+1]
}

// long mints a credential without fault that is exactly n bytes long.
func (m *minter) long(n int) string {
	for header := range 3 { // not every length of base64url exists
		h := testworld.Header("ES256", "sh-1").With("x", strings.Repeat("x", header))
		short := len(m.w.Mint("sh", h, testworld.Claims().With("x", "")))
		for x := (n - short) * 3 / 4; x < n; x++ {
			token := m.w.Mint("sh", h, testworld.Claims().With("x", strings.Repeat("x", x)))
			if len(token) == n {
				return token
			}
			if len(token) > n {
				break
			}
		}
	}
	panic("no token of that length")
}

// pad makes a header n bytes long.
func pad(n int) string {
	const header = `{"alg":"ES256","kid":"sh-1","typ":"ebl+jwt","x":""}`
	return header[:len(header)-2] + strings.Repeat("x", n-len(header)) + `"}`
}

func (m *minter) headers() {
	for _, member := range []string{"alg", "kid", "typ"} {
		m.add("header-no-"+member, "INVALID HEADER_INVALID", "§2.2 "+member+" is required", m.header(object{member: nil}))
		m.add("header-null-"+member, "INVALID HEADER_INVALID", "§2.2 "+member+" is a string", m.header(object{member: null}))
		m.add("header-list-"+member, "INVALID HEADER_INVALID", "§2.2 "+member+" is a string", m.header(object{member: []string{"ES256"}}))
	}
	m.add("header-capital", "INVALID HEADER_INVALID", "§2.2 names are compared exactly", m.raw(`{"Alg":"ES256","kid":"sh-1","typ":"ebl+jwt"}`, ""))
	m.add("header-kelvin", "INVALID HEADER_INVALID", "§2.2 names are compared exactly; U+212A folds to k", m.raw(`{"alg":"ES256","\u212aid":"sh-1","typ":"ebl+jwt"}`, ""))
	m.add("header-empty-kid", "INVALID HEADER_INVALID", "§2.2 kid of 1 to 256 bytes", m.header(object{"kid": ""}))
	m.add("header-long-kid", "INVALID HEADER_INVALID", "§2.2 kid of 1 to 256 bytes", m.header(object{"kid": strings.Repeat("k", 257)}))
	for name, typ := range map[string]string{"jwt": "JWT", "capitals": "EBL+JWT", "media": "application/ebl+jwt", "list": "trust-list+jwt", "status": "statuslist+jwt", "proof": "kb+jwt", "empty": "", "nul": "ebl+jwt\x00"} {
		m.add("header-typ-"+name, "INVALID HEADER_INVALID", "§2.2 an unknown typ", m.header(object{"typ": typ}))
	}
	m.add("header-typ-not-media", "INVALID HEADER_INVALID", "§10 another typ than the media type", m.header(object{"typ": "dc+sd-jwt"}), media("application/ebl+jwt"))
	jwk := object{"kty": "EC", "crv": "P-256", "x": "6oWSvqIw44hrsPVjRocBbrSYs5wmIdLTmTzjIFrzE5A", "y": "49uBTnF4OEdrbH2MBmTsLghAL7DlPXAczSPwwsuPR9c"}
	for name, value := range map[string]any{
		"crit": []string{"exp"}, "jwk": jwk, "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/x.pem",
		"x5c": []string{"MIIB"}, "b64": false, "zip": "DEF",
	} {
		m.add("header-"+name, "INVALID HEADER_NOT_ALLOWED", "§2.2 "+name+" is refused", m.header(object{name: value}))
	}
	m.add("header-null-jku", "INVALID HEADER_NOT_ALLOWED", "§2.2 refused whatever it holds", m.header(object{"jku": null}))
	m.add("header-empty-crit", "INVALID HEADER_NOT_ALLOWED", "§2.2 refused whatever it holds", m.header(object{"crit": []string{}}))
	m.add("header-b64-true", "INVALID HEADER_NOT_ALLOWED", "§2.2 refused whatever it holds", m.header(object{"b64": true}))
	m.add("header-first", "INVALID HEADER_INVALID", "§10 header before payload", m.raw(`{"alg":"ES256","kid":"sh-1","typ":"JWT"}`, "{"))
}

func (m *minter) contents() {
	for _, claim := range []string{"iss", "sub", "jti", "iat", "exp", "licence"} {
		m.add("claim-no-"+claim, "INVALID CLAIM_MISSING", "§2.2 "+claim+" is required", m.claims(object{claim: nil}))
		m.add("claim-null-"+claim, "INVALID CLAIM_INVALID", "§10 null for something required", m.claims(object{claim: null}))
		m.add("claim-list-"+claim, "INVALID CLAIM_INVALID", "§2.2 of the wrong type", m.claims(object{claim: []int{1}}))
	}
	for _, claim := range []string{"iss", "sub", "jti"} {
		m.add("claim-empty-"+claim, "INVALID CLAIM_INVALID", "§10 empty for something required", m.claims(object{claim: ""}))
	}
	for name, value := range map[string]string{"fraction": "1.0", "exponent": "17e8", "minus-zero": "-0", "negative": "-1", "text": `"1700000000"`, "beyond": "253402300800", "huge": "99999999999999999999"} {
		for _, claim := range []string{"iat", "exp", "nbf"} {
			m.add("time-"+name+"-"+claim, "INVALID CLAIM_INVALID", "§2.2 whole seconds up to 253402300799", m.claims(object{claim: json.RawMessage(value)}))
		}
	}
	m.add("time-last-second", "VALID OK", "§2.2 exp 253402300799", m.claims(object{"exp": 253402300799}))
	m.add("claim-cnf", "INVALID CLAIM_INVALID", "§2.2 cnf of the wrong type", m.claims(object{"cnf": "x"}))
	for _, member := range []string{"uniscid", "entname", "enttype", "lerep", "estdate", "regorg", "apprdate"} {
		m.add("licence-no-"+member, "INVALID CLAIM_MISSING", "§2.1 "+member+" is required", m.licence(object{member: nil}))
		m.add("licence-null-"+member, "INVALID CLAIM_INVALID", "§10 null for something required", m.licence(object{member: null}))
		m.add("licence-empty-"+member, "INVALID CLAIM_INVALID", "§10 empty for something required", m.licence(object{member: ""}))
	}
	m.add("licence-regcap-number", "INVALID CLAIM_INVALID", "§2.1 never a float", m.licence(object{"regcap": 500}))
	m.add("licence-regcap-exponent", "INVALID CLAIM_INVALID", "§2.1 a decimal string", m.licence(object{"regcap": "5e2"}))
	m.add("licence-date", "INVALID CLAIM_INVALID", "§2.1 a day that the calendar has", m.licence(object{"apprdate": "2021-02-29"}))
	m.add("licence-regorg", "INVALID CLAIM_INVALID", "§2.1 six digits", m.licence(object{"regorg": "31011５"}))
	m.add("subject-uscc", "INVALID USCC_INVALID", "§2.1 a check digit is wrong", m.claims(object{"sub": "91310115MA1TEQ029X", "licence": testworld.Licence().With("uniscid", "91310115MA1TEQ029X")}))
	m.add("subject-small-letters", "INVALID USCC_INVALID", "§2.1 the alphabet", m.claims(object{"sub": strings.ToLower(testworld.USCC), "licence": testworld.Licence().With("uniscid", strings.ToLower(testworld.USCC))}))
	m.add("subject-pilot", "VALID OK", "§2.1 a published pilot code", m.claims(object{"sub": "91350100M0001TGQXM", "licence": testworld.Licence().With("uniscid", "91350100M0001TGQXM")}))
	m.add("subject-mismatch", "INVALID SUBJECT_MISMATCH", "§5 sub is not the licence's", m.claims(object{"sub": "91310115MA1TEQ0100"}))
	m.add("subject-blank", "INVALID SUBJECT_MISMATCH", "§2.2 nothing is trimmed", m.claims(object{"sub": testworld.USCC + " "}))
	m.add("validity-expired", "INVALID EXPIRED", "§5 exp", m.w.Good(), at(testworld.Expires-200000000+60), func(v *testworld.Vector) {
		v.Credential = []byte(m.claims(object{"exp": testworld.Expires - 200000000}))
	})
	m.add("validity-skew", "VALID OK", "§5 skew of 60 s", m.claims(object{"exp": testworld.Now.Unix() - 59}))
	m.add("validity-not-yet", "INVALID NOT_YET_VALID", "§5 nbf", m.claims(object{"nbf": 4102444000}))
	m.add("validity-future", "INVALID ISSUED_IN_FUTURE", "§5 iat", m.claims(object{"iat": 4102444000}))
	m.add("status-malformed", "INVALID STATUS_REFERENCE_INVALID", "§10 a malformed status claim", m.claims(object{"status": "x"}))
	m.add("status-null", "INVALID STATUS_REFERENCE_INVALID", "§10 a malformed status claim", m.claims(object{"status": null}))
	m.add("status-elsewhere", "INVALID STATUS_REFERENCE_INVALID", "§4 not under the issuer's prefixes; nothing is fetched",
		m.claims(object{"status": object{"status_list": object{"idx": 0, "uri": "https://ebl.sh.example.evil.example/status/1"}}}))
}

func (m *minter) keys() {
	w, claims := m.w, testworld.Claims()
	m.add("issuer-unknown", "INVALID ISSUER_NOT_RECOGNISED", "§5", m.claims(object{"iss": "https://evil.example"}))
	m.add("issuer-slash", "INVALID ISSUER_NOT_RECOGNISED", "§2.2 iss is compared byte for byte", m.claims(object{"iss": testworld.Shanghai + "/"}))
	m.add("issuer-nul", "INVALID ISSUER_NOT_RECOGNISED", "§2.2 iss is compared byte for byte", m.claims(object{"iss": testworld.Shanghai + "\x00"}))
	m.add("issuer-suspended", "INVALID ISSUER_SUSPENDED", "§3 state", w.Mint("sh", testworld.Header("ES256", "fj-1"), testworld.From(testworld.Fujian, "35")))
	m.add("issuer-division", "INVALID ISSUER_NOT_AUTHORISED", "§3 divisions: one province's key never makes another's licence", m.licence(object{"regorg": "320100"}))
	m.add("issuer-type", "INVALID ISSUER_NOT_AUTHORISED", "§5 type", m.claims(object{"iss": testworld.OtherType}))
	m.add("issuer-ended", "INVALID ISSUER_NOT_AUTHORISED", "§5 iat outside its dates", m.claims(object{"iss": testworld.Ended}))
	m.add("trust-expired", "INDETERMINATE TRUST_LIST_EXPIRED", "§3 exp of the list", w.Good(), at(testworld.ListEnds))
	m.add("trust-expired-bad-signature", "INDETERMINATE TRUST_LIST_EXPIRED", "§5 an inconclusive issuer ends the work", w.Mint("stranger", testworld.Header("ES256", "sh-1"), claims), at(testworld.ListEnds))
	m.add("trust-expired-malformed", "INVALID FORMAT_MALFORMED", "§5 format comes first", "x", at(testworld.ListEnds))

	m.add("key-unknown", "INVALID KEY_NOT_FOUND", "§5", m.header(object{"kid": "sh-9"}))
	m.add("key-unknown-fetched", "INVALID KEY_NOT_FOUND", "§3 an unknown kid in a set just renewed", w.Mint("ah", testworld.Header("ES256", "ah-2"), testworld.From(testworld.Anhui, "34")))
	m.add("key-path", "INVALID KEY_NOT_FOUND", "§2.2 a kid is a name, not a path", m.header(object{"kid": "../../../dev/null"}))
	m.add("key-sql", "INVALID KEY_NOT_FOUND", "§2.2 a kid is a name", m.header(object{"kid": "' OR '1'='1"}))
	m.add("key-url", "INVALID KEY_NOT_FOUND", "§2.2 nothing is fetched because a token names it", m.header(object{"kid": "https://evil.example/key"}))
	m.add("key-thumbprint", "INVALID KEY_NOT_FOUND", "§3 keys are looked up by (issuer, kid)", m.header(object{"kid": string(w.Key("sh").Public().Thumbprint())}))
	m.add("key-other-case", "INVALID KEY_NOT_FOUND", "§2.2 kid is compared exactly", m.header(object{"kid": "SH-1"}))
	m.add("key-of-another-province", "INVALID KEY_NOT_FOUND", "§3 one province's key never verifies another's credential", w.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.From(testworld.Anhui, "34")))
	m.add("key-of-another-algorithm", "INVALID ALGORITHM_NOT_ALLOWED", "§3 another province's algorithm is not this one's", w.Mint("js", testworld.Header("EdDSA", "js-1"), claims))
	m.add("key-shared-kid", "INVALID SIGNATURE_INVALID", "§3 the same kid in two provinces names two keys", w.Mint("ah", testworld.Header("ES256", "shared"), claims))
	m.add("key-compromised", "INVALID KEY_REVOKED", "§3 ends every credential of the key", w.Mint("compromised", testworld.Header("ES256", "sh-compromised"), claims))
	m.add("key-compromised-bad-signature", "INVALID KEY_REVOKED", "§5 key before signature", w.Mint("stranger", testworld.Header("ES256", "sh-compromised"), claims))
	m.add("key-superseded-before", "VALID OK", "§3 superseded ends those with iat at or after", w.Mint("superseded", testworld.Header("ES256", "sh-superseded"), claims.With("iat", testworld.Superseded-1)))
	m.add("key-superseded-after", "INVALID KEY_REVOKED", "§3 superseded ends those with iat at or after", w.Mint("superseded", testworld.Header("ES256", "sh-superseded"), claims.With("iat", testworld.Superseded)))
	m.add("key-revoked-by-issuer", "INVALID KEY_REVOKED", "§3 a key may carry revoked", w.Mint("own", testworld.Header("ES256", "sh-own"), claims))
	m.add("key-window", "INVALID KEY_OUTSIDE_WINDOW", "§3 nbf of the key", w.Mint("window", testworld.Header("ES256", "sh-window"), claims))
	m.add("key-within-window", "VALID OK", "§3 nbf of the key", w.Mint("window", testworld.Header("ES256", "sh-window"), claims.With("iat", testworld.WindowFrom)))
	m.algorithms()

	good := w.Good()
	h, p, s := testworld.Part(good, 0), testworld.Part(good, 1), testworld.Part(good, 2)
	bad := func(name, comment, credential string) {
		m.add("signature-"+name, "INVALID SIGNATURE_INVALID", comment, credential)
	}
	bad("stranger", "§5", w.Mint("stranger", testworld.Header("ES256", "sh-1"), claims))
	bad("none", "§2.2 exactly as long as the algorithm gives", h+"."+p+".")
	bad("zero", "§2.2 r = s = 0", h+"."+p+"."+testworld.B64(make([]byte, 64)))
	bad("short", "§2.2 exactly as long as the algorithm gives", h+"."+p+"."+s[:84])
	bad("long", "§2.2 exactly as long as the algorithm gives", h+"."+p+"."+s[:84]+"AAAA")
	bad("twice", "§2.2 exactly as long as the algorithm gives", h+"."+p+"."+s+s[:42])
	bad("of-another", "§5 another credential's signature", h+"."+testworld.Part(m.licence(object{"entname": "x"}), 1)+"."+s)
	bad("header-changed", "§5 the header is signed", testworld.Part(m.header(object{"x": 1}), 0)+"."+p+"."+s)
	bad("order", "§5 the payload is signed as written", h+"."+testworld.B64(append([]byte(" "), testworld.Marshal(claims)...))+"."+s)
}

func (m *minter) algorithms() {
	w, claims := m.w, testworld.Claims()
	no := func(name, comment, credential string) {
		m.add("alg-"+name, "INVALID ALGORITHM_NOT_ALLOWED", comment, credential)
	}
	for i, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "HS512", "es256", "ES256 ", "ES256K", "ES512", "RS384", "RS512", "PS384", "PS512", "RS1", "dir", "Ed448", "ed25519"} {
		no(fmt.Sprintf("%02d-%s", i, strings.ToLower(strings.TrimSpace(alg))), "§2.2 alg "+alg, m.header(object{"alg": alg}))
	}
	head := testworld.B64(testworld.Marshal(testworld.Header("none", "sh-1")))
	no("none-unsigned", "§2.2 none with no signature", head+"."+testworld.B64(testworld.Marshal(claims))+".")
	public, err := w.Key("sh").PublicJWK()
	if err != nil {
		panic(err)
	}
	input := testworld.B64(testworld.Marshal(testworld.Header("HS256", "sh-1"))) + "." + testworld.B64(testworld.Marshal(claims))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(input))
	no("hs256-public-key", "§2.2 HMAC with the public key for its secret", input+"."+testworld.B64(mac.Sum(nil)))
	no("es256-sm2-key", "§2.3 an SM2 key under another alg", w.Mint("sm2", testworld.Header("ES256", "sh-sm2"), claims))
	no("sm2-p256-key", "§2.3 another curve's key under SM2", m.header(object{"alg": "SM2"}))
	no("es384-not-listed", "§2.2 must be allowed for the issuer", w.Mint("p384", testworld.Header("ES384", "sh-384"), claims))
	no("rs256-not-the-keys", "§2.2 must equal the key's own alg", w.Mint("zjrs", testworld.Header("RS256", "zj-ps"), testworld.From(testworld.Zhejiang, "33")))
	no("eddsa-p256-key", "§2.2 must fit type and curve", m.header(object{"alg": "EdDSA"}))
	no("before-kid", "§10 alg before kid", m.header(object{"alg": "none", "kid": "nobody"}))
}

func (m *minter) state() {
	good := m.w.Good()
	for word, expect := range map[string]string{
		"2": "INVALID REGISTRATION_REVOKED", "3": "INVALID REGISTRATION_REVOKED", "4": "INVALID REGISTRATION_CANCELLED",
		"5": "INVALID REGISTRATION_ANNULLED", "6": "INVALID REGISTRATION_MOVED", "none": "INVALID REGISTRATION_NOT_FOUND",
		"9": "INDETERMINATE REGISTRATION_STATE_UNKNOWN", "unmapped": "INDETERMINATE REGISTRATION_STATE_UNKNOWN",
		"down": "INDETERMINATE REGISTRY_UNAVAILABLE", "1 2020-05-07": "INVALID LICENCE_SUPERSEDED",
	} {
		m.add("registry-"+strings.ReplaceAll(word, " ", "-"), expect, "§5 registry", good, registry(word))
	}
	m.add("registry-down-bad-signature", "INVALID SIGNATURE_INVALID", "§1 an outage acquits no forgery", m.w.Mint("stranger", testworld.Header("ES256", "sh-1"), testworld.Claims()), registry("down"))
}
