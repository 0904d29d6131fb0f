package vcjwt_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/vcjwt"
)

var update = flag.Bool("update", false, "write the seeds in testdata anew")

type object = map[string]any

// A fixed key, so that the seeds in testdata stay good.
var issuerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func admit(t testing.TB, jwk []byte) *keys.Key {
	t.Helper()
	v, err := strict.Parse(jwk)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func issuer(t testing.TB) *keys.Key {
	return admit(t, marshal(object{"kty": "OKP", "crv": "Ed25519", "x": b64(issuerKey.Public().(ed25519.PublicKey))}))
}

// A credential is a VC in the making.
type credential struct{ header, vc object }

func good() *credential {
	return &credential{
		header: object{"alg": "EdDSA", "kid": "k1", "typ": "vc+jwt", "cty": "vc"},
		vc: object{
			"@context": []string{vcjwt.Context}, "type": []string{"VerifiableCredential", "BusinessLicence"},
			"id": "urn:ebl:1", "issuer": "https://ebl.sh.example",
			"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T08:00:00+08:00",
			"credentialSubject": object{"licence": object{
				"uniscid": "91310000MA1K35Y38P", "entname": "上海样例有限公司", "enttype": "1130", "lerep": "张样例",
				"estdate": "2015-01-01", "regorg": "310115", "apprdate": "2024-01-01",
			}},
		},
	}
}

func (c *credential) licence() object {
	return c.vc["credentialSubject"].(object)["licence"].(object)
}

func (c *credential) bytes() []byte {
	input := b64(marshal(c.header)) + "." + b64(marshal(c.vc))
	return []byte(input + "." + b64(ed25519.Sign(issuerKey, []byte(input))))
}

const (
	from  = 1767225600 // 2026-01-01
	until = 1798761600 // 2027-01-01
)

func TestOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(object)
		want func(*verifiers.Finding)
	}{
		"members only":    {func(object) {}, func(*verifiers.Finding) {}},
		"issuer object":   {func(vc object) { vc["issuer"] = object{"id": "https://ebl.sh.example", "name": "x"} }, func(*verifiers.Finding) {}},
		"type is a text":  {func(vc object) { vc["type"] = "VerifiableCredential" }, func(*verifiers.Finding) {}},
		"further context": {func(vc object) { vc["@context"] = []any{vcjwt.Context, "https://x.example", object{"a": "b"}} }, func(*verifiers.Finding) {}},
		"all JWT claims": {func(vc object) {
			vc["iss"], vc["jti"], vc["iat"], vc["exp"], vc["sub"] = vc["issuer"], vc["id"], from, until, "91310000MA1K35Y38P"
		}, func(f *verifiers.Finding) { f.Subject, f.SubjectIn = "91310000MA1K35Y38P", true }},
		"sub of another": {func(vc object) { vc["sub"] = "x" }, func(f *verifiers.Finding) { f.Subject, f.SubjectIn = "x", true }},
		"nbf":            {func(vc object) { vc["nbf"] = 7 }, func(f *verifiers.Finding) { f.NotBefore = 7 }},
		"zone":           {func(vc object) { vc["validFrom"] = "2026-01-01T08:00:00+08:00" }, func(*verifiers.Finding) {}},
		"fractions": {func(vc object) {
			vc["validFrom"], vc["validUntil"] = "2025-12-31T23:59:59.5Z", "2027-01-01T00:00:00.9Z"
		}, func(*verifiers.Finding) {}},
		"fractions and JWT":  {func(vc object) { vc["validFrom"], vc["iat"] = "2025-12-31T23:59:59.5Z", from-1 }, func(*verifiers.Finding) {}},
		"fractions, rounded": {func(vc object) { vc["validUntil"], vc["exp"] = "2027-01-01T00:00:00.9Z", until+1 }, func(*verifiers.Finding) {}},
		"status": {func(vc object) {
			vc["status"] = object{"status_list": object{"idx": 5, "uri": "https://ebl.sh.example/status/1"}}
		}, func(f *verifiers.Finding) {
			f.Status = &verifiers.StatusRef{URI: "https://ebl.sh.example/status/1", Index: 5}
		}},
		"status malformed":         {func(vc object) { vc["status"] = object{} }, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{Malformed: true} }},
		"status of another kind":   {func(vc object) { vc["credentialStatus"] = object{"type": "BitstringStatusListEntry"} }, unsupported},
		"status of both kinds":     {func(vc object) { both(vc, object{"status_list": object{"idx": 5, "uri": "https://x"}}) }, unsupported},
		"both, the one malformed":  {func(vc object) { both(vc, object{}) }, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{Malformed: true} }},
		"another kind, but null":   {func(vc object) { vc["credentialStatus"] = nil }, unsupported},
		"unknown members, aud too": {func(vc object) { vc["aud"], vc["evidence"] = 1, []int{1} }, func(*verifiers.Finding) {}},
	} {
		c := good()
		tc.edit(c.vc)
		token := c.bytes()
		u, err := vcjwt.Envelope{}.Open(token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := verifiers.Finding{
			Format: "vc+jwt", Algorithm: "EdDSA", KeyID: "k1", Issuer: "https://ebl.sh.example", ID: "urn:ebl:1",
			IssuedAt: from, Expires: until, Licence: u.Finding.Licence, Body: verifiers.DigestOf(token),
		}
		tc.want(&want)
		got := u.Finding
		if (got.Status == nil) != (want.Status == nil) || got.Status != nil && *got.Status != *want.Status {
			t.Errorf("%s: status = %+v, want %+v", name, got.Status, want.Status)
		}
		if got.Status, want.Status = nil, nil; got != want {
			t.Errorf("%s: finding = %+v, want %+v", name, got, want)
		}
		if got.Licence.Uniscid != "91310000MA1K35Y38P" || got.Licence.Lerep != "张样例" {
			t.Errorf("%s: licence = %+v", name, got.Licence)
		}
		if f, ok := u.Prove(issuer(t)); !ok || f.Key == "" {
			t.Errorf("%s: the issuer's own signature is refused", name)
		}
	}
}

func unsupported(f *verifiers.Finding) { f.Status = new(verifiers.StatusRef) }

func both(vc object, status object) {
	vc["status"], vc["credentialStatus"] = status, object{"type": "BitstringStatusListEntry"}
}

func TestOpenRefuses(t *testing.T) {
	missing, invalid := verifiers.ClaimMissing, verifiers.ClaimInvalid
	set := func(name string, value any) func(*credential) { return func(c *credential) { c.vc[name] = value } }
	without := func(name string) func(*credential) { return func(c *credential) { delete(c.vc, name) } }
	for name, tc := range map[string]struct {
		spoil func(*credential)
		code  verifiers.Code
	}{
		"typ of another":           {func(c *credential) { c.header["typ"] = "ebl+jwt" }, verifiers.HeaderInvalid},
		"typ of an older draft":    {func(c *credential) { c.header["typ"] = "vc+ld+jwt" }, verifiers.HeaderInvalid},
		"no kid":                   {func(c *credential) { delete(c.header, "kid") }, verifiers.HeaderInvalid},
		"crit":                     {func(c *credential) { c.header["crit"] = []string{"x"} }, verifiers.HeaderNotAllowed},
		"no context":               {without("@context"), missing},
		"context null":             {set("@context", nil), invalid},
		"context a text":           {set("@context", vcjwt.Context), invalid},
		"context of version 1":     {set("@context", []string{"https://www.w3.org/2018/credentials/v1"}), invalid},
		"context second":           {set("@context", []string{"https://x.example", vcjwt.Context}), invalid},
		"context empty":            {set("@context", []string{}), invalid},
		"no type":                  {without("type"), missing},
		"type of another":          {set("type", []string{"VerifiablePresentation"}), invalid},
		"type among numbers":       {set("type", []any{"VerifiableCredential", 1}), invalid},
		"type another text":        {set("type", "VerifiableCredentials"), invalid},
		"a VC within":              {set("vc", object{}), invalid},
		"a VP within":              {set("vp", object{}), invalid},
		"no issuer":                {without("issuer"), missing},
		"issuer null":              {set("issuer", nil), invalid},
		"issuer empty":             {set("issuer", ""), invalid},
		"issuer without id":        {set("issuer", object{"name": "x"}), missing},
		"issuer with a number":     {set("issuer", object{"id": 1}), invalid},
		"iss of another":           {set("iss", "https://ebl.js.example"), invalid},
		"iss longer":               {set("iss", "https://ebl.sh.example/"), invalid},
		"iss null":                 {set("iss", nil), invalid},
		"iss without issuer":       {func(c *credential) { delete(c.vc, "issuer"); c.vc["iss"] = "https://ebl.sh.example" }, missing},
		"no id":                    {without("id"), missing},
		"jti of another":           {set("jti", "urn:ebl:2"), invalid},
		"no validFrom":             {without("validFrom"), missing},
		"no validUntil":            {without("validUntil"), missing},
		"validUntil null":          {set("validUntil", nil), invalid},
		"validFrom a number":       {set("validFrom", from), invalid},
		"validFrom without zone":   {set("validFrom", "2026-01-01T00:00:00"), invalid},
		"validFrom a date":         {set("validFrom", "2026-01-01"), invalid},
		"validFrom with a blank":   {set("validFrom", "2026-01-01 00:00:00Z"), invalid},
		"validFrom with a comma":   {set("validFrom", "2026-01-01T00:00:00,5Z"), invalid},
		"validFrom with one digit": {set("validFrom", "2026-01-01T0:00:00Z"), invalid},
		"validFrom, long offset":   {set("validFrom", "2026-01-01T00:00:00+24:00"), invalid},
		"validFrom in lower case":  {set("validFrom", "2026-01-01t00:00:00z"), invalid},
		"validFrom 30 February":    {set("validFrom", "2026-02-30T00:00:00Z"), invalid},
		"validFrom before 1970":    {set("validFrom", "1969-12-31T23:59:59Z"), invalid},
		"validUntil past 9999":     {set("validUntil", "9999-12-31T23:59:59.5Z"), invalid},
		"iat one second off":       {set("iat", from+1), invalid},
		"iat a fraction":           {set("iat", float64(from)+0.5), invalid},
		"exp later":                {set("exp", until+1), invalid},
		"exp earlier":              {set("exp", until-1), invalid},
		"exp null":                 {set("exp", nil), invalid},
		"sub null":                 {set("sub", nil), invalid},
		"sub empty":                {set("sub", ""), invalid},
		"nbf a text":               {set("nbf", "x"), invalid},
		"cnf a text":               {set("cnf", "x"), invalid},
		"no subject":               {without("credentialSubject"), missing},
		"subject null":             {set("credentialSubject", nil), invalid},
		"subjects":                 {func(c *credential) { c.vc["credentialSubject"] = []any{c.vc["credentialSubject"]} }, invalid},
		"no licence":               {set("credentialSubject", object{"id": "x"}), missing},
		"no lerep":                 {func(c *credential) { delete(c.licence(), "lerep") }, missing},
		"licence outside":          {func(c *credential) { c.vc["licence"] = c.licence(); c.vc["credentialSubject"] = object{} }, missing},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			tc.spoil(c)
			u, err := vcjwt.Envelope{}.Open(c.bytes())
			var fault *verifiers.FormatError
			if u != nil || !errors.As(err, &fault) {
				t.Fatalf("%+v, %v", u, err)
			}
			if fault.Code != tc.code {
				t.Errorf("%s: %v, want %s", fault.Code, err, tc.code)
			}
		})
	}
}

const cookbook = "../../../shared/data/vectors/jose_cookbook"

// The published JWS examples: those of our algorithms verify with our keys,
// and none of them is a credential.
func TestCookbook(t *testing.T) {
	if _, err := os.Stat(cookbook); err != nil {
		t.Skip("published vectors are not here:", err)
	}
	files, _ := filepath.Glob(cookbook + "/jws/*.json")
	others, _ := filepath.Glob(cookbook + "/rfc7797/*.json")
	files = append(append(files, others...), cookbook+"/curve25519/jws.json")
	count := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var example struct {
			Input   struct{ Key json.RawMessage }
			Signing json.RawMessage
			Output  struct {
				Compact  string
				JSON     json.RawMessage
				JSONFlat json.RawMessage `json:"json_flat"`
			}
		}
		if err := json.Unmarshal(data, &example); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, token := range []string{example.Output.Compact, string(example.Output.JSON), string(example.Output.JSONFlat)} {
			if token == "" {
				continue
			}
			u, err := vcjwt.Envelope{}.Open([]byte(token))
			if u != nil || err == nil {
				t.Errorf("%s: taken", file)
			}
			count["tokens refused: no typ and kid, or a JSON serialization"]++
		}
		var signing struct {
			Protected struct{ Alg string }
			Input     string `json:"sig-input"`
			Signature string `json:"sig"`
		}
		if json.Unmarshal(example.Signing, &signing) != nil {
			count["several signatures in one: not taken"]++
			continue
		}
		alg, ours := keys.ParseAlgorithm(signing.Protected.Alg)
		if !ours {
			count["signatures of other algorithms: "+signing.Protected.Alg]++
			continue
		}
		signature, err := strict.Base64URL(signing.Signature)
		if err != nil {
			t.Fatal(err)
		}
		key := admit(t, public(t, example.Input.Key))
		if !key.Verify(alg, []byte(signing.Input), signature) {
			t.Errorf("%s: signature is refused", file)
		}
		if key.Verify(alg, []byte(signing.Input+"x"), signature) {
			t.Errorf("%s: signature over something else is taken", file)
		}
		count["signatures verified: "+string(alg)]++
	}
	if count["signatures verified: EdDSA"] != 1 || count["signatures verified: RS256"] < 1 {
		t.Errorf("only %v", count)
	}
	for what, n := range count {
		t.Logf("%3d %s", n, what)
	}
}

// public returns a JWK without its private members, which a key of ours must
// not have.
func public(t *testing.T, jwk []byte) []byte {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(jwk, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		delete(members, name)
	}
	return marshal(members)
}

func seeds() map[string][]byte {
	jwt, status, old, off := good(), good(), good(), good()
	jwt.vc["iss"], jwt.vc["jti"], jwt.vc["iat"], jwt.vc["exp"], jwt.vc["sub"] = jwt.vc["issuer"], jwt.vc["id"], from, until, "91310000MA1K35Y38P"
	status.vc["credentialStatus"], status.vc["issuer"] = object{"type": "x"}, object{"id": "https://ebl.sh.example"}
	old.vc["vc"] = object{}
	off.vc["exp"] = until + 1
	return map[string][]byte{
		"good-members": good().bytes(), "good-claims": jwt.bytes(), "good-status": status.bytes(),
		"bad-vc": old.bytes(), "bad-exp": off.bytes(), "bad-parts": []byte("a.b"),
	}
}

// The seeds stand in testdata, and are what this package makes: a fuzzer whose
// corpus is gone, or no longer opens, tests nothing.
func TestSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzOpen")
	for name, seed := range seeds() {
		file, text := filepath.Join(dir, name), fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed)
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s is missing or outdated (write it with -update): %v", file, err)
		}
		if _, err := (vcjwt.Envelope{}).Open(seed); (err == nil) != strings.HasPrefix(name, "good") {
			t.Errorf("seed %s: %v", name, err)
		}
	}
}

// FuzzOpen: nothing beside an error, no panic, and nothing proven but what the
// issuer signed.
func FuzzOpen(f *testing.F) {
	signed := map[string]bool{}
	for _, seed := range seeds() {
		signed[string(seed)] = true
	}
	key := issuer(f)
	f.Fuzz(func(t *testing.T, token []byte) {
		u, err := vcjwt.Envelope{}.Open(token)
		if (u == nil) == (err == nil) {
			t.Fatal("a credential beside an error, or neither")
		}
		if err != nil {
			return
		}
		if f := u.Finding; f.Key != "" || f.Issuer == "" || f.ID == "" || f.Licence.Lerep == "" {
			t.Fatalf("finding = %+v", f)
		}
		if _, ok := u.Prove(key); ok && !signed[string(token)] {
			t.Fatalf("a forged token is proven: %q", token)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	token := good().bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (vcjwt.Envelope{}).Open(token); err != nil {
			b.Fatal(err)
		}
	}
}
