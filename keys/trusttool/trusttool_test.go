package trusttool_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
	"tongyan/keys/trusttool"
)

var now = time.Unix(1790000000+3600, 0)

const plain = `{"iss":"https://trust.example","version":7,"iat":1790000000,"exp":1790600000,"provinces":[
{"code":"310000","name":"上海市","name_en":"Shanghai","authority":"上海市市场监督管理局","state":"active","issuers":[
{"iss":"https://ebl.sh.example","types":["business-licence"],"algs":["ES256"],"jwks":{"keys":[KEY]},"jwks_uri":"https://ebl.sh.example/jwks.json","status_lists":["https://ebl.sh.example/status/"],"valid_from":1700000000,"valid_until":null}]},
{"code":"320000","name":"江苏省","name_en":"Jiangsu","authority":"江苏省市场监督管理局","state":"active","issuers":[
{"iss":"https://ebl.js.example","types":["business-licence"],"algs":["EdDSA"],"jwks_uri":"https://ebl.js.example/jwks.json"}]}],
"gateways":[{"iss":"https://gateway.js.example","jwks_uri":"https://gateway.js.example/.well-known/jwks.json"}]}`

func list(t *testing.T, key *signer.Key, replace ...string) []byte {
	t.Helper()
	jwk, err := key.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(replace...).Replace(plain)
	return []byte(strings.ReplaceAll(text, "KEY", string(jwk)))
}

func read(t *testing.T, data []byte) trusttool.File {
	t.Helper()
	f, err := trusttool.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func generate(t *testing.T, kid keys.KeyID) *signer.Key {
	t.Helper()
	k, err := signer.Generate(keys.ES256, kid, "")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestReadAndInspect(t *testing.T) {
	root, key := generate(t, ""), generate(t, "sh-1")
	content := list(t, key)
	compact, err := trustlist.Sign(content, root)
	if err != nil {
		t.Fatal(err)
	}
	two, err := trustlist.AddSignature(compact, generate(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data       []byte
		signatures int
	}{"content": {content, 0}, "compact": {compact, 1}, "general": {two, 2}, "with a line feed": {append(compact, '\n'), 1}} {
		f := read(t, c.data)
		if !bytes.Equal(f.Content, content) || len(f.Signatures) != c.signatures || f.List.Version != 7 {
			t.Errorf("%s: %d signatures, version %d", name, len(f.Signatures), f.List.Version)
		}
		var out bytes.Buffer
		if err := trusttool.Inspect(&out, f, now); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"trust list 7 of https://trust.example", "(in 165h40m0s)", "310000 上海市 (Shanghai)",
			"issuer https://ebl.js.example", "signing with EdDSA", "for divisions 32", "from 2023-11-14 22:13:20 UTC",
			"key sh-1, thumbprint " + string(key.Public().Thumbprint()), "status lists under https://ebl.sh.example/status/",
			"gateway https://gateway.js.example"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not said in\n%s", name, want, out.String())
			}
		}
		if strings.Contains(out.String(), "not signed") != (c.signatures == 0) || strings.Count(out.String(), "signature claimed") != c.signatures {
			t.Errorf("%s: what it says of signatures is wrong:\n%s", name, out.String())
		}
	}
	for name, bad := range map[string]string{"nothing": "", "html": "<html>", "no list": "{}", "a licence": "a.b.c", "flattened": `{"payload":"e30","protected":"e30","signature":""}`} {
		if _, err := trusttool.Read([]byte(bad)); trustlist.ReasonOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	var out bytes.Buffer
	evil := read(t, bytes.ReplaceAll(content, []byte("Shanghai"), []byte(`\u001b[2J\u202eShanghai`)))
	if err := trusttool.Inspect(&out, evil, now); err != nil || strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Errorf("a list acts on the terminal: %q", out.String())
	}
}

func TestDiff(t *testing.T) {
	old, other := generate(t, "sh-1"), generate(t, "sh-2")
	thumb := string(old.Public().Thumbprint())
	stranger := string(generate(t, "").Public().Thumbprint())
	const v8 = `"version":8`
	revoke := func(t, reason string) string {
		return `"revoked_keys":[{"thumbprint":"` + t + `","revoked_at":1790000000,"reason":"` + reason + `"}],"gateways"`
	}
	for name, c := range map[string]struct {
		next []byte
		want []trusttool.Change
	}{
		"nothing": {list(t, old), nil},
		"expires": {list(t, old, `"version":7`, v8, "1790600000", "1790700000"), []trusttool.Change{
			{"everyone", "the list expires 2026-09-29 16:40:00 UTC instead of "}}},
		"rollback":     {list(t, old, `"version":7`, `"version":6`), []trusttool.Change{{"everyone", "REFUSED by gateways that hold version 7: the version goes back"}}},
		"equivocation": {list(t, old, "Jiangsu", "Kiangsu"), []trusttool.Change{{"everyone", "REFUSED by gateways that hold version 7: the same version"}, {"320000 江苏省 (Kiangsu)", "called"}}},
		"province removed": {list(t, old, `"version":7`, v8, `"code":"320000"`, `"code":"330000"`), []trusttool.Change{
			{"320000", "REMOVED: its 1 issuers"}, {"330000", "added"}, {"330000", "issuer https://ebl.js.example added: business-licence, divisions 33"}, {"330000", "keys are fetched from"}}},
		"suspended":      {list(t, old, `"version":7`, v8, `省","state":"active"`, `省","state":"active"`, `江苏省市场监督管理局","state":"active"`, `江苏省市场监督管理局","state":"suspended"`), []trusttool.Change{{"320000", "SUSPENDED"}}},
		"issuer renamed": {list(t, old, `"version":7`, v8, `"https://ebl.js.example"`, `"https://new.js.example"`), []trusttool.Change{{"320000", "issuer https://ebl.js.example REMOVED"}, {"320000", "issuer https://new.js.example added"}, {"320000", "keys are fetched"}}},
		"key rotated": {list(t, other, `"version":7`, v8), []trusttool.Change{
			{"310000", "issuer https://ebl.sh.example: key sh-2 added, thumbprint " + string(other.Public().Thumbprint())},
			{"310000", "issuer https://ebl.sh.example: key sh-1 REMOVED, thumbprint " + thumb}}},
		"key replaced": {list(t, renamed(t, other, "sh-1"), `"version":7`, v8), []trusttool.Change{{"310000", "issuer https://ebl.sh.example: key sh-1 REPLACED"}}},
		"known key revoked": {list(t, old, `"version":7`, v8, `"gateways"`, revoke(thumb, "compromised")), []trusttool.Change{
			{"310000 上海市 (Shanghai)", "key " + thumb + ` REVOKED: "compromised", ends every credential`}}},
		"other key superseded": {list(t, old, `"version":7`, v8, `"gateways"`, revoke(stranger, "superseded")), []trusttool.Change{
			{"everyone", "key " + stranger + " REVOKED: superseded, ends credentials issued at or after 2026-09-21"}}},
		"algorithms and address": {list(t, old, `"version":7`, v8, `["EdDSA"]`, `["ES256"]`, "https://ebl.js.example/jwks.json", "https://keys.js.example/"), []trusttool.Change{
			{"320000", "issuer https://ebl.js.example: algorithm ES256 added"}, {"320000", "issuer https://ebl.js.example: algorithm EdDSA REMOVED"},
			{"320000", "keys are fetched from https://keys.js.example/ instead of https://ebl.js.example/jwks.json"}}},
		"window":  {list(t, old, `"version":7`, v8, `"valid_until":null`, `"valid_until":1790000000`), []trusttool.Change{{"310000", "credentials count that are issued from"}}},
		"gateway": {list(t, old, `"version":7`, v8, `"iss":"https://gateway.js.example"`, `"iss":"https://gateway.zj.example"`), []trusttool.Change{{"gateways", "https://gateway.js.example REMOVED"}, {"gateways", "https://gateway.zj.example added"}}},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := read(t, list(t, old)).List, read(t, c.next).List
			got := trusttool.Diff(from, to)
			if len(got) != len(c.want) {
				t.Fatalf("%d changes, want %d: %q", len(got), len(c.want), got)
			}
			for i, w := range c.want {
				if !strings.HasPrefix(got[i].Whom, w.Whom) || !strings.Contains(got[i].What, w.What) {
					t.Errorf("change %d: %q, want %q", i, got[i], w)
				}
			}
			var out bytes.Buffer
			if err := trusttool.WriteDiff(&out, from, to); err != nil || strings.Count(out.String(), "\n") < 2 {
				t.Errorf("%v:\n%s", err, out.String())
			}
		})
	}
	// A revocation that a later list forgets.
	from := read(t, list(t, old, `"gateways"`, revoke(thumb, "compromised"))).List
	got := trusttool.Diff(from, read(t, list(t, old, `"version":7`, v8)).List)
	if len(got) != 1 || !strings.Contains(got[0].What, "gateways that saw it revoked keep it so") {
		t.Errorf("%q", got)
	}
}

func renamed(t *testing.T, k *signer.Key, kid string) *signer.Key {
	t.Helper()
	text, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	o["kid"] = kid
	if text, err = json.Marshal(o); err != nil {
		t.Fatal(err)
	}
	out, err := signer.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What is signed is the content, byte for byte.
func TestSigning(t *testing.T) {
	a, b := generate(t, ""), generate(t, "")
	content := list(t, generate(t, "sh-1"))
	token, err := trustlist.Sign(content, a)
	if err != nil {
		t.Fatal(err)
	}
	if parts := strings.Split(string(token), "."); parts[1] != base64.RawURLEncoding.EncodeToString(content) {
		t.Error("the content was changed by signing")
	}
	for range 2 { // signing again replaces one's own signature
		if token, err = trustlist.AddSignature(token, b); err != nil {
			t.Fatal(err)
		}
	}
	f := read(t, token)
	if len(f.Signatures) != 2 || f.Signatures[0].Root != a.Public().Thumbprint() || f.Signatures[1].Root != b.Public().Thumbprint() {
		t.Errorf("signatures %+v", f.Signatures)
	}
	roots, err := trustlist.NewRoots(2, a.Public(), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trustlist.Read(token, roots); err != nil {
		t.Error(err)
	}
}
