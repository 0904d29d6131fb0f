package sdjwt_test

import (
	"strings"
	"testing"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/sdjwt"
)

func TestOpen(t *testing.T) {
	for _, hash := range []string{"", "sha-256", "sha-384", "sha-512"} {
		c := plain()
		if hash != "" {
			c.claims["_sd_alg"] = hash
		}
		body := c.hide("entname", true).hide("lerep", false).hide("enttype", true).hide("estdate", false).bytes()
		f := mustOpen(t, body)
		want := licence.Licence{
			Uniscid: "91310000MA1K35Y38P", Entname: "上海样例有限公司", Enttype: "1130", Regorg: "310115", Apprdate: "2024-01-01",
		}
		if f.Licence != want {
			t.Errorf("%s: licence = %+v", hash, f.Licence)
		}
		if hash == "" {
			hash = "sha-256"
		}
		if f.Format != "dc+sd-jwt" || f.HashName != hash || f.Body != verifiers.DigestOf(body) ||
			f.Issuer != "https://ebl.sh.example" || f.Subject != f.Licence.Uniscid || !f.SubjectIn ||
			f.ID != "urn:ebl:1" || f.IssuedAt != 1789990000 || f.Expires != 1890000000 || f.KeyID != "k1" || f.Algorithm != "EdDSA" {
			t.Errorf("%s: finding = %+v", hash, f)
		}
		if !strings.HasPrefix(f.Confirmation, `{"crv":"Ed25519","kty":"OKP","x":"`) {
			t.Errorf("confirmation = %s", f.Confirmation)
		}
	}
}

// A claim that only a disclosure brings counts like one in the open.
func TestOpenDisclosedClaims(t *testing.T) {
	c := plain()
	for _, name := range []string{"sub", "iat", "jti"} {
		value := c.claims[name]
		delete(c.claims, name)
		c.refer(c.claims, disclose("s", name, value), true)
	}
	if f := mustOpen(t, c.bytes()); f.Subject == "" || f.IssuedAt == 0 || f.ID == "" {
		t.Errorf("finding = %+v", f)
	}
	c.disclosures = c.disclosures[1:]
	if code := refused(t, c.bytes()); code != verifiers.ClaimMissing {
		t.Errorf("hidden sub: %s", code)
	}
}

func TestOpenNested(t *testing.T) {
	// opscope hides in the licence; an extension holds an array whose items,
	// and members within them, are disclosed one through the other.
	c := plain()
	inner := disclose("s1", "deep", "x")
	item := disclose("s2", object{"_sd": []any{digest("", inner)}, "open": 1})
	c.licence()["extension"] = object{"list": []any{"a", object{"...": digest("", item)}, object{"...": digest("", "a decoy")}}}
	c.disclosures = []string{item, inner}
	mustOpen(t, c.bytes())

	c.disclosures = []string{inner, item} // the order does not matter
	mustOpen(t, c.bytes())

	c.disclosures = []string{item}
	mustOpen(t, c.bytes())

	c.disclosures = []string{inner} // what referred to it is not shown
	if code := refused(t, c.bytes()); code != verifiers.FormatMalformed {
		t.Errorf("child without parent: %s", code)
	}
}

func TestOpenRefuses(t *testing.T) {
	malformed, missing, invalid := verifiers.FormatMalformed, verifiers.ClaimMissing, verifiers.ClaimInvalid
	for name, tc := range map[string]struct {
		spoil func(*credential)
		code  verifiers.Code
	}{
		"typ of another envelope":    {func(c *credential) { c.header["typ"] = "ebl+jwt" }, verifiers.HeaderInvalid},
		"typ of an older draft":      {func(c *credential) { c.header["typ"] = "vc+sd-jwt" }, verifiers.HeaderInvalid},
		"no kid":                     {func(c *credential) { delete(c.header, "kid") }, verifiers.HeaderInvalid},
		"brings its own key":         {func(c *credential) { c.header["jwk"] = jwk(issuerKey) }, verifiers.HeaderNotAllowed},
		"no vct":                     {func(c *credential) { delete(c.claims, "vct") }, missing},
		"vct null":                   {func(c *credential) { c.claims["vct"] = nil }, invalid},
		"vct of another credential":  {func(c *credential) { c.claims["vct"] = "urn:cn:ebl:business-licence:2" }, invalid},
		"no jti":                     {func(c *credential) { delete(c.claims, "jti") }, missing},
		"no licence":                 {func(c *credential) { delete(c.claims, "licence") }, missing},
		"cnf is a text":              {func(c *credential) { c.claims["cnf"] = "x" }, invalid},
		"cnf.jwk is a text":          {func(c *credential) { c.claims["cnf"] = object{"jwk": "x"} }, invalid},
		"uniscid hidden":             {func(c *credential) { c.hide("uniscid", false) }, missing},
		"regorg hidden":              {func(c *credential) { c.hide("regorg", false) }, missing},
		"apprdate hidden":            {func(c *credential) { c.hide("apprdate", false) }, missing},
		"uniscid disclosed":          {func(c *credential) { c.hide("uniscid", true) }, malformed},
		"regorg disclosed":           {func(c *credential) { c.hide("regorg", true) }, malformed},
		"apprdate disclosed":         {func(c *credential) { c.hide("apprdate", true) }, malformed},
		"licence disclosed whole":    {hideClaim("licence", true), malformed},
		"licence hidden whole":       {hideClaim("licence", false), missing},
		"iss disclosed":              {hideClaim("iss", true), malformed},
		"exp disclosed":              {hideClaim("exp", true), malformed},
		"cnf disclosed":              {hideClaim("cnf", true), malformed},
		"vct disclosed":              {hideClaim("vct", true), malformed},
		"vct hidden":                 {hideClaim("vct", false), missing},
		"nbf disclosed":              {addHidden("nbf", 1), malformed},
		"status disclosed":           {addHidden("status", object{}), malformed},
		"_sd disclosed":              {addHidden("_sd", []any{}), malformed},
		"... disclosed":              {addHidden("...", "x"), malformed},
		"_sd_alg disclosed":          {addHidden("_sd_alg", "sha-256"), malformed},
		"name that stands there":     {addHidden("jti", "another"), malformed},
		"two of one name":            {func(c *credential) { addHidden("x", 1)(c); addHidden("x", 2)(c) }, malformed},
		"_sd_alg within":             {func(c *credential) { c.licence()["_sd_alg"] = "sha-256" }, malformed},
		"_sd_alg in a disclosure":    {addHidden("x", object{"_sd_alg": "sha-256"}), malformed},
		"_sd_alg sha-1":              {func(c *credential) { c.claims["_sd_alg"] = "sha-1" }, malformed},
		"_sd_alg SHA-256":            {func(c *credential) { c.claims["_sd_alg"] = "SHA-256" }, malformed},
		"_sd_alg null":               {func(c *credential) { c.claims["_sd_alg"] = nil }, malformed},
		"_sd is a text":              {func(c *credential) { c.licence()["_sd"] = "x" }, malformed},
		"_sd holds a number":         {func(c *credential) { c.licence()["_sd"] = []any{1} }, malformed},
		"... outside of an array":    {func(c *credential) { c.licence()["..."] = "x" }, malformed},
		"... not alone":              {func(c *credential) { c.licence()["l"] = []any{object{"...": "x", "y": 1}} }, malformed},
		"... is a number":            {func(c *credential) { c.licence()["l"] = []any{object{"...": 1}} }, malformed},
		"... disclosed as an item":   {addItem(object{"...": "x"}), malformed},
		"digest twice in one _sd":    {func(c *credential) { c.licence()["_sd"] = []any{"x", "x"} }, malformed},
		"digest twice at two levels": {func(c *credential) { c.licence()["_sd"], c.claims["_sd"] = []any{"x"}, []any{"x"} }, malformed},
		"digest as member and item": {func(c *credential) {
			c.claims["_sd"], c.licence()["l"] = []any{"x"}, []any{object{"...": "x"}}
		}, malformed},
		"digest twice across disclosures": {func(c *credential) {
			addHidden("a", object{"_sd": []any{"x"}})(c)
			addHidden("b", object{"_sd": []any{"x"}})(c)
		}, malformed},
		"digest of itself again": {func(c *credential) {
			encoded := disclose("s", "a", 1)
			c.refer(c.claims, encoded, true)
			addHidden("b", object{"_sd": []any{digest("", encoded)}})(c)
		}, malformed},
		"unreferenced":        {func(c *credential) { c.disclosures = append(c.disclosures, disclose("s", "a", 1)) }, malformed},
		"repeated":            {func(c *credential) { c.hide("lerep", true); c.disclosures = append(c.disclosures, c.disclosures[0]) }, malformed},
		"empty":               {func(c *credential) { c.disclosures = append(c.disclosures, "") }, malformed},
		"item as member":      {func(c *credential) { c.refer(c.claims, disclose("s", 1), true) }, malformed},
		"member as item":      {func(c *credential) { shown(c, disclose("s", "a", 1)) }, malformed},
		"padded":              {func(c *credential) { c.refer(c.claims, disclose("s", "a", "bc")+"=", true) }, malformed},
		"not JSON":            {func(c *credential) { c.refer(c.claims, b64([]byte(`["s","a",1`)), true) }, malformed},
		"an object":           {func(c *credential) { c.refer(c.claims, b64([]byte(`{"s":1,"a":2}`)), true) }, malformed},
		"one element":         {func(c *credential) { c.refer(c.claims, disclose("s"), true) }, malformed},
		"four elements":       {func(c *credential) { c.refer(c.claims, disclose("s", "a", 1, 2), true) }, malformed},
		"salt is a number":    {func(c *credential) { c.refer(c.claims, b64([]byte(`[1,"a",1]`)), true) }, malformed},
		"name is a number":    {func(c *credential) { c.refer(c.claims, disclose("s", 1, 1), true) }, malformed},
		"bytes behind it":     {func(c *credential) { c.refer(c.claims, b64([]byte(`["s","a",1] x`)), true) }, malformed},
		"lone surrogate":      {func(c *credential) { c.refer(c.claims, b64([]byte(`["s","a","\ud800"]`)), true) }, malformed},
		"duplicate member":    {func(c *credential) { c.refer(c.claims, b64([]byte(`["s","a",{"b":1,"b":1}]`)), true) }, verifiers.FormatDuplicateMember},
		"cnf hidden in part":  {func(c *credential) { c.claims["cnf"] = object{"_sd": []any{"x"}} }, malformed},
		"status hidden below": {func(c *credential) { c.claims["status"] = object{"status_list": object{"_sd": []any{"x"}}} }, malformed},
		"too deep together": {func(c *credential) {
			c.refer(c.claims, disclose("s", "a", nest(8, object{"_sd": []any{digest("", disclose("s", "b", nest(8, 1)))}})), true)
			c.disclosures = append(c.disclosures, disclose("s", "b", nest(8, 1)))
		}, malformed},
		"257 disclosures": {func(c *credential) { many(c, sdjwt.MaxDisclosures+1) }, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			c := plain()
			tc.spoil(c)
			if code := refused(t, c.bytes()); code != tc.code {
				t.Errorf("code = %s, want %s", code, tc.code)
			}
		})
	}
}

func TestOpenBounds(t *testing.T) {
	c := plain()
	many(c, sdjwt.MaxDisclosures)
	mustOpen(t, c.bytes())

	c = plain()
	c.refer(c.claims, disclose("s", "a", nest(14, 1)), true) // the payload is one level more
	mustOpen(t, c.bytes())

	whole := plain().hide("lerep", true).bytes()
	for name, body := range map[string][]byte{
		"no tilde":           whole[:len(whole)-1],
		"plain JWS":          plain().bytes()[:len(plain().bytes())-1],
		"nothing":            nil,
		"a tilde":            []byte("~"),
		"a proof behind it":  append(whole, "x.y.z"...),
		"JSON serialization": []byte(`{"payload":"e30","protected":"e30","signature":""}`),
	} {
		if code := refused(t, body); code != verifiers.FormatMalformed {
			t.Errorf("%s: %s", name, code)
		}
	}
}

// An envelope under the wrong media type is told so by its header.
func TestOpenOtherEnvelope(t *testing.T) {
	c := plain()
	c.header["typ"] = "ebl+jwt"
	body := c.bytes()
	if code := refused(t, body[:len(body)-1]); code != verifiers.HeaderInvalid {
		t.Errorf("code = %s", code)
	}
}

// hostile are bodies made to cost much. How much they cost: BenchmarkHostile.
func hostile() map[string][]byte {
	deep := plain()
	deep.claims["x"] = nest(300, 1)
	chain := plain()
	encoded := disclose("s", "end", 1)
	for range 300 {
		chain.disclosures = append(chain.disclosures, encoded)
		encoded = disclose("s", "a", object{"_sd": []any{digest("", encoded)}})
	}
	chain.refer(chain.claims, encoded, true)
	short := *chain
	short.disclosures = chain.disclosures[100:]
	return map[string][]byte{
		"20000 tildes":     []byte(strings.Repeat("~", 20000)),
		"tildes behind":    append(plain().bytes(), strings.Repeat("~", 20000)...),
		"300 levels":       deep.bytes(),
		"300 disclosures":  chain.bytes(),
		"chain of 200":     short.bytes(),
		"megabytes":        []byte(strings.Repeat("e30.", 1<<20)),
		"digests, all one": []byte(strings.Repeat("A", 60<<10) + "~"),
	}
}

func TestOpenRefusesHostile(t *testing.T) {
	for name, body := range hostile() {
		t.Run(name, func(t *testing.T) { refused(t, body) })
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, body := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (sdjwt.Envelope{}).Open(body); err == nil {
					b.Fatal("taken")
				}
			}
		})
	}
}

func hideClaim(name string, show bool) func(*credential) {
	return func(c *credential) {
		encoded := disclose("s", name, c.claims[name])
		delete(c.claims, name)
		c.refer(c.claims, encoded, show)
	}
}

func addHidden(name string, value any) func(*credential) {
	return func(c *credential) { c.refer(c.claims, disclose("s", name, value), true) }
}

func addItem(value any) func(*credential) {
	return func(c *credential) { shown(c, disclose("s", value)) }
}

// shown puts the digest of a disclosure into an array, and shows it.
func shown(c *credential, encoded string) {
	c.licence()["l"] = []any{object{"...": digest("", encoded)}}
	c.disclosures = append(c.disclosures, encoded)
}

func many(c *credential, n int) {
	for i := range n {
		c.refer(c.claims, disclose("s", "m"+strings.Repeat("x", i%100)+string(rune('a'+i/100)), i), true)
	}
}

// nest puts v inside so many objects.
func nest(levels int, v any) any {
	for range levels {
		v = object{"n": v}
	}
	return v
}
