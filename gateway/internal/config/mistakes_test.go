package config_test

import (
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tongyan/gateway/internal/config"
)

// base is a configuration without a mistake, into which each case puts one.
//
//go:embed testdata/seeds/base.yaml
var base string

// mark stands in a replacement where the problem must be reported.
const mark = "▲"

// mistakes are one each: old is replaced by new, in which mark is the place.
var mistakes = []struct{ name, old, new, path, message string }{
	{"unknown key at the top", "policy:", mark + "polcy: {}\npolicy:", "polcy", "is not a key here; known are listen, admin, admin_public,"},
	{"unknown key inside", "refresh: 15m", mark + "refrsh: 15m", "keys.refrsh", "known are refresh, refetch_interval, max_stale"},
	{"unknown key in a list", "rate: 500", mark + "rte: 500", "relying_parties[1].rte", "is not a key here"},
	{"admin_public elsewhere", "mode: files", mark + "admin_public: true, mode: files", "tls.admin_public", "is not a key here"},
	{"duplicate key", "  refresh: 5m", "  refresh: 5m\n  " + mark + "refresh: 6m", "trust.refresh", "stands twice; the first is in line 9"},
	{"duplicate section", "limits:", mark + "keys: {}\nlimits:", "keys", "stands twice"},
	{"province twice in two spellings", `"330000":`, mark + `310000:`, "registries.310000", "stands twice"},
	{"list for a mapping", "keys: { refresh: 15m }", "keys: " + mark + "[15m]", "keys", "is a list; expected a mapping"},
	{"mapping for a list", "anonymous: []", "anonymous: " + mark + "{}", "policy.anonymous", "is a mapping; expected a list"},
	{"number for text", "state_dir: state", "state_dir: " + mark + "17", "state_dir", "is a number; expected text: put it in quotes"},
	{"text for a number", "max_in_flight: 512", "max_in_flight: " + mark + "many", "limits.max_in_flight", "is text; expected a number"},
	{"text for true", "state_dir: state", "admin_public: " + mark + "yes\nstate_dir: state", "admin_public", "expected true or false"},
	{"no value", "  refresh: 5m", "  " + mark + "refresh:", "trust.refresh", "has no value"},
	{"empty section", "limits: { max_body: 8MiB, max_in_flight: 512 }", mark + "limits:", "limits", "has no value"},
	{"empty list entry", "anonymous: []", "anonymous: [" + mark + "~]", "policy.anonymous[0]", "has no value"},
	{"anchor", "refresh: 15m", "refresh: " + mark + "&a 15m", "keys.refresh", "anchors, aliases and tags are not read"},
	{"tag", "refresh: 15m", "refresh: " + mark + "!!str 15m", "keys.refresh", "anchors, aliases and tags are not read"},
	{"second document", "audit:", "---\n" + mark + "audit:", "", "is a second document"},
	{"not YAML", "threshold: 1", "threshold: " + mark + "1: 2", "", "is not YAML: mapping value is not allowed"},
	{"nested too deeply", "refresh: 15m", "refresh: " + strings.Repeat("[", 15) + mark + "[", "", "nested too deeply"},

	{"listen", `":8443"`, mark + `"8443"`, "listen", "is no address to listen on"},
	{"listen on a service name", `":8443"`, mark + `":https"`, "listen", "is no address to listen on"},
	{"admin in the open", `"127.0.0.1:9443"`, mark + `":9443"`, "admin", "not on a loopback address"},
	{"admin on a name", `"127.0.0.1:9443"`, mark + `"gateway.example:9443"`, "admin", "not on a loopback address"},
	{"admin on listen", `":8443"`, `"127.0.0.1:9443"`, "admin", "is the same address as listen"},
	{"no state_dir", "state_dir: state", "", "state_dir", "is required"},
	{"state_dir is a file", "state_dir: state", "state_dir: " + mark + "ca.pem", "state_dir", "is not a directory"},
	{"state_dir under a file", "state_dir: state", "state_dir: " + mark + "ca.pem/state", "state_dir", "not a directory"},

	{"no tls", "tls: {", "xtls: {", "tls", "is required"},
	{"tls mode", "mode: files", "mode: " + mark + "file", "tls.mode", `"file" is not known; expected files, acme, internal`},
	{"no cert_file", "cert_file: gateway.pem, ", "", "tls.cert_file", "is required: name a file"},
	{"cert_file missing", "gateway.pem", mark + "gone.pem", "tls.cert_file", "gone.pem: no such file or directory"},
	{"cert_file is a folder", "gateway.pem", mark + ".", "tls.cert_file", "is not a regular file"},
	{"cert_file too large", "gateway.pem", mark + "large", "tls.cert_file", "is larger than 1 MiB"},
	{"cert_file holds a key", "gateway.pem", mark + "gateway.key", "tls.cert_file", "holds something other than certificates"},
	{"cert_file holds nothing", "gateway.pem", mark + "seal.key", "tls.cert_file", "holds no PEM certificate"},
	{"key_file of another", "gateway.key", mark + "other.key", "tls.key_file", "does not go with the certificate"},
	{"key_file empty", "gateway.key", mark + `""`, "tls.key_file", "is required: name a file"},
	{"client_ca_file holds none", "ca.pem", mark + "seal.key", "tls.client_ca_file", "holds no PEM certificate"},
	{"client_ca_file is no CA", "ca.pem", mark + "other.pem", "tls.client_ca_file", "is no CA"},
	{"acme without names", "tls: { mode: files, ", mark + "tls: { mode: acme, ", "tls.names", "is required in mode acme"},
	{"acme wildcard", "mode: files,", "mode: acme, names: [" + mark + `"*.example"],`, "tls.names[0]", "neither a host name nor an IP address"},
	{"acme directory", "mode: files,", "mode: acme, names: [a.example], acme: { directory: " + mark + "http://ca.example },", "tls.acme.directory", "must begin with https://"},
	{"acme port", "mode: files,", "mode: acme, names: [a.example], acme: { http_port: " + mark + "70000 },", "tls.acme.http_port", "70000 is too large; at most 65535"},
	{"acme email", "mode: files,", "mode: acme, names: [a.example], acme: { email: " + mark + "ops },", "tls.acme.email", "is no e-mail address"},

	{"no trust", "trust:", "xtrust:", "trust", "is required"},
	{"no source", "  source: list.jwt\n", "", "trust.source", "is required: name a file"},
	{"source over http", "list.jwt", mark + "http://trust.example/list.jwt", "trust.source", "must begin with https://"},
	{"source as file URL", "list.jwt", mark + "file:///list.jwt", "trust.source", "must begin with https://"},
	{"source missing", "list.jwt", mark + "gone.jwt", "trust.source", "no such file"},
	{"no roots", "  roots: [ root-a.jwk, root-b.jwk ]\n", "", "trust.roots", "is required"},
	{"empty roots", "[ root-a.jwk, root-b.jwk ]", mark + "[]", "trust.roots", "at least one root key"},
	{"root missing", "root-b.jwk", mark + "root-c.jwk", "trust.roots[1]", "no such file"},
	{"root private", "root-b.jwk", mark + "root-b-private.jwk", "trust.roots[1]", "holds a private key"},
	{"root no JSON", "root-b.jwk", mark + "ca.pem", "trust.roots[1]", "is not strict JSON"},
	{"root with a member twice", "root-b.jwk", mark + "twice.jwk", "trust.roots[1]", "duplicate member name"},
	{"root of small order", "root-b.jwk", mark + "small.jwk", "trust.roots[1]", "small order"},
	{"threshold zero", "threshold: 1", "threshold: " + mark + "0", "trust.threshold", "0 is too small; at least 1"},
	{"threshold over the roots", "threshold: 1", "threshold: " + mark + "3", "trust.threshold", "is 3, but there are only 2 different roots"},
	{"threshold in octal", "threshold: 1", "threshold: " + mark + "01", "trust.threshold", "not written in plain digits"},
	{"threshold a fraction", "threshold: 1", "threshold: " + mark + "1.5", "trust.threshold", "must be a whole number"},
	{"duration without unit", "refresh: 5m", "refresh: " + mark + "300", "trust.refresh", "has no unit"},
	{"duration unreadable", "refresh: 5m", "refresh: " + mark + "5 minutes", "trust.refresh", `"5 minutes" is no duration`},
	{"duration negative", "clock_skew: 60s", "clock_skew: " + mark + "-1s", "policy.clock_skew", `"-1s" is negative`},
	{"duration zero", "refresh: 5m", "refresh: " + mark + "0s", "trust.refresh", "is too short"},
	{"duration too long", "clock_skew: 60s", "clock_skew: " + mark + "2h", "policy.clock_skew", "is too long; at most 1h0m0s"},

	{"redis without url", "  url: redis://127.0.0.1:6379/0\n", "", "redis.url", "is required"},
	{"redis scheme", "redis://127.0.0.1:6379/0", mark + "http://:pw-5d21-secret@127.0.0.1", "redis.url", "must begin with redis://"},
	{"redis host", "redis://127.0.0.1:6379/0", mark + `"redis://:pw-5d21-secret@ho st:1"`, "redis.url", "has no proper host"},
	{"redis port", "redis://127.0.0.1:6379/0", mark + "redis://:pw-5d21-secret@host:70000", "redis.url", "has no proper host"},
	{"redis database", "redis://127.0.0.1:6379/0", mark + "redis://:pw-5d21-secret@host/one", "redis.url", "must end in the database's number"},
	{"redis escape", "redis://127.0.0.1:6379/0", mark + "redis://:pw-5d21-secret%zz@host", "redis.url", "wrong %-escape"},
	{"redis setting", "redis://127.0.0.1:6379/0", mark + "redis://:pw-5d21-secret@host?skip_verify=true", "redis.url", "must not hold ?"},
	{"redis cluster of two kinds", "redis://127.0.0.1:6379/0", "[redis://a, " + mark + "rediss://b]", "redis.url[1]", "differs from the first"},
	{"redis cluster database", "redis://127.0.0.1:6379/0", mark + "redis://a,b/1", "redis.url", "names database 1"},
	{"redis same server twice", "redis://127.0.0.1:6379/0", "[redis://a, " + mark + "redis://a:6379]", "redis.url[1]", "a second time"},
	{"redis sentinel without master", "redis://127.0.0.1:6379/0", mark + "redis+sentinel://a", "redis.url", "must name the master"},
	{"redis sentinels in a list", "redis://127.0.0.1:6379/0", "[" + mark + "redis+sentinel://a/m, redis://b]", "redis.url[0]", "must be the only one"},
	{"redis two passwords", "redis://127.0.0.1:6379/0", "redis://:pw-5d21-secret@host\n  password_file: " + mark + "password", "redis.password_file", "is a second password"},
	{"redis password of two lines", "redis://127.0.0.1:6379/0", "redis://host\n  password_file: " + mark + "lines", "redis.password_file", "must hold one line"},
	{"no seal key", "  seal_key_file: seal.key\n", "", "redis.seal_key_file", "is required: name a file"},
	{"short seal key", "seal.key", mark + "short.key", "redis.seal_key_file", "exactly 32 bytes in base64"},
	{"broken seal key", "seal.key", mark + "broken.key", "redis.seal_key_file", "exactly 32 bytes in base64"},

	{"province code", `"310000": {`, mark + `"31000": {`, "registries.31000", "six digits"},
	{"registry without url", "url: https://registry.sh.example, ", "", "registries.310000.url", "is required"},
	{"registry over http", "https://registry.sh.example", mark + "http://registry.sh.example", "registries.310000.url", "must begin with https://"},
	{"registry with a password", "https://registry.sh.example", mark + "https://u:pw-5d21-secret@registry.sh.example", "registries.310000.url", "user name or password"},
	{"registry without host", "https://registry.sh.example", mark + `"https:///x"`, "registries.310000.url", "no proper host"},
	{"registry no URL", "https://registry.sh.example", mark + `"https://[pw-5d21-secret"`, "registries.310000.url", "is no address"},
	{"registry with a query", "https://registry.sh.example", mark + "https://registry.sh.example?a=pw-5d21-secret", "registries.310000.url", "must not hold a query"},
	{"rate zero", "rate: 200 }\n  \"33", "rate: " + mark + "0 }\n  \"33", "registries.310000.rate", "must be above 0"},
	{"rate negative", "rate: 200 }\n  \"33", "rate: " + mark + "-3 }\n  \"33", "registries.310000.rate", "must be above 0"},
	{"rate infinite", "rate: 200 }\n  \"33", "rate: " + mark + ".inf }\n  \"33", "registries.310000.rate", "expected a number"},
	{"nothing in flight", "max_in_flight: 64", "max_in_flight: " + mark + "0", "registries.310000.max_in_flight", "0 is too small"},
	{"variable unset", `"${ZJ_APP_KEY}"`, mark + `"${ZJ_OTHER_KEY}"`, "registries.330000.dialect.headers.X-App-Key", "variable ZJ_OTHER_KEY is not set"},
	{"variable empty", `"${ZJ_APP_KEY}"`, mark + `"${EMPTY}"`, "registries.330000.dialect.headers.X-App-Key", "variable EMPTY is empty"},
	{"variable with a line end", `"${ZJ_APP_KEY}"`, mark + `"${TWO_LINES}"`, "registries.330000.dialect.headers.X-App-Key", "a control character"},
	{"variable misspelt", `"${ZJ_APP_KEY}"`, mark + `"${ZJ_APP_KEY"`, "registries.330000.dialect.headers.X-App-Key", "begins no ${NAME}"},
	{"header of the protocol", "X-App-Key:", mark + "content-type:", "registries.330000.dialect.headers.content-type", "set by the gateway itself"},
	{"header name", "X-App-Key:", mark + "X App:", "registries.330000.dialect.headers.X App", "is no header name"},
	{"method", "method: POST", "method: " + mark + "PUT", "registries.330000.dialect.method", "expected GET, POST"},
	{"body with GET", "      method: POST\n      path: /query\n      body: ", "      path: /query\n      body: " + mark, "registries.330000.dialect.body", "needs method: POST"},
	{"placeholder", `"{uniscid}"}'`, `"{uniscid}","n":"{name}"}'`, "registries.330000.dialect.body", "holds {name}"},
	{"asks about nothing", `    dialect:`, "    " + mark + `dialect:`, "registries.330000.dialect", "asks about no licence"},
	{"dialect path", "path: /query", "path: " + mark + "query", "registries.330000.dialect.path", "begins with /"},
	{"dialect path to another host", "path: /query", "path: " + mark + "//evil.example/", "registries.330000.dialect.path", "begins with /"},
	{"pointer", "pointer: /code", "pointer: " + mark + "code", "registries.330000.dialect.ok.pointer", "is no JSON pointer"},
	{"no pointer", "pointer: /code, ", "", "registries.330000.dialect.ok.pointer", "is required"},
	{"no equals", `, equals: "00"`, "", "registries.330000.dialect.ok.equals", "is required"},
	{"equals a list", `equals: "00"`, "equals: " + mark + "[1]", "registries.330000.dialect.ok.equals", "expected text, a number, true, false or null"},
	{"equals no JSON number", `equals: "00"`, "equals: " + mark + "00", "registries.330000.dialect.ok.equals", "in quotes it is text"},
	{"no regstate", ", regstate: /operatingStatus", "", "registries.330000.dialect.fields.regstate", "is required"},
	{"state", `K: "1"`, `K: ` + mark + `"7"`, "registries.330000.dialect.states.K", "is no national state"},
	{"state a number", `K: "1"`, `K: ` + mark + `1`, "registries.330000.dialect.states.K", "put it in quotes"},

	{"status policy", "status: if-present", "status: " + mark + "optional", "policy.status", "expected if-present, required, instead-of-registry"},
	{"status by issuer", "status: if-present", `status_by_issuer: { "https://a.example": ` + mark + `never }`, "policy.status_by_issuer.https://a.example", "is not known"},
	{"anonymous scope", "anonymous: []", "anonymous: [" + mark + "all]", "policy.anonymous[0]", "expected verify, batch, licence, provinces"},
	{"size", "max_body: 8MiB", "max_body: " + mark + "8MB", "limits.max_body", `"8MB" is no size`},
	{"size negative", "max_body: 8MiB", "max_body: " + mark + "-8MiB", "limits.max_body", "is negative"},
	{"size too large", "max_body: 8MiB", "max_body: " + mark + "8589934592GiB", "limits.max_body", "is too large"},
	{"size too small", "max_body: 8MiB", "max_body: " + mark + "100", "limits.max_body", "is too small"},

	{"party without id", "id: hall, ", "", "relying_parties[0].id", "is required"},
	{"party id", "id: hall", "id: " + mark + `"a hall"`, "relying_parties[0].id", "without blanks"},
	{"party id twice", "id: bank", "id: " + mark + "hall", "relying_parties[1].id", "is the id of relying_parties[0].id too"},
	{"party known by nothing", "key_sha256: " + hexA + ", ", "", "relying_parties[0]", "is known by nothing"},
	{"key digest", hexA, mark + "pw-5d21-secret", "relying_parties[0].key_sha256", "64 hex digits"},
	{"key digest of nothing", hexA, mark + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "relying_parties[0].key_sha256", "digest of nothing"},
	{"key twice", "certificate_sha256: " + hexB, "key_sha256: " + mark + strings.ToUpper(hexA), "relying_parties[1].key_sha256", "is the key of relying_parties[0].key_sha256 too"},
	{"three keys", hexA, "[" + hexA + ", " + hexB + ", " + mark + hexC + "]", "relying_parties[0].key_sha256[2]", "at most 2"},
	{"no keys in the list", hexA, mark + "[]", "relying_parties[0].key_sha256", "is an empty list"},
	{"certificate name", "certificate_sha256: " + hexB, "certificate_san: " + mark + "api.bank.example", "relying_parties[1].certificate_san", `must be "dns:"`},
	{"unknown scope", "[batch]", "[" + mark + "bulk]", "relying_parties[1].scopes[0]", `"bulk" is not known; expected verify, batch, licence, provinces`},
	{"scope twice", "[batch]", "[batch, " + mark + "batch]", "relying_parties[1].scopes[1]", "stands twice"},
	{"no scope", "[batch]", mark + "[]", "relying_parties[1].scopes", "is empty"},
	{"party rate", "rate: 500", "rate: " + mark + "0", "relying_parties[1].rate", "must be above 0"},
	{"lane", "rate: 500", "lane: " + mark + "fast", "relying_parties[1].lane", "expected bank, hall, batch"},
	{"quota", "rate: 500", "monthly_quota: " + mark + "0", "relying_parties[1].monthly_quota", "0 is too small"},

	{"receipt issuer", "https://gateway.example", mark + "gateway.example", "receipts.issuer", "is no address"},
	{"receipt key missing", "receipt-private.jwk", mark + "gone.jwk", "receipts.key_file", "no such file"},
	{"receipt key public", "receipt-private.jwk", mark + "receipt.jwk", "receipts.key_file", "names no private key"},
	{"receipt key of two halves", "receipt-private.jwk", mark + "halves.jwk", "receipts.key_file", "does not belong to its public half"},
	{"receipt key of another kind", "receipt-private.jwk", mark + "ed.jwk", "receipts.key_file", "ES256"},
	{"receipt key twice", "receipt-private.jwk", "[receipt-private.jwk, " + mark + "receipt.jwk]", "receipts.key_file[1]", "stands here already"},
	{"audit folder", "audit.jsonl", mark + "gone/audit.jsonl", "audit.file", "is not a directory"},
	{"audit on_full", "audit.jsonl }", "audit.jsonl, on_full: " + mark + "ignore }", "audit.on_full", "expected refuse, continue"},
	{"canary without credential", "audit:", mark + "canary: { expect: VALID }\naudit:", "canary.credential_file", "is required"},
	{"canary missing", "audit:", "canary: { credential_file: " + mark + "gone.jwt }\naudit:", "canary.credential_file", "no such file"},
	{"canary of two lines", "audit:", "canary: { credential_file: " + mark + "lines }\naudit:", "canary.credential_file", "must hold one credential"},
	{"canary of nothing", "audit:", "canary: { credential_file: " + mark + "empty }\naudit:", "canary.credential_file", "must hold one credential"},
	{"canary too large", "audit:", "canary: { credential_file: " + mark + "long }\naudit:", "canary.credential_file", "at most 65536 bytes"},
	{"canary that expects an outage", "audit:", "canary: { credential_file: canary.jwt, expect: " + mark + "INDETERMINATE }\naudit:", "canary.expect", "expected VALID, INVALID"},
	{"edge without certificate", "audit:", mark + "edge: { header: X-C }\naudit:", "edge.certificate_sha256", "is required"},
	{"edge header", "audit:", "edge: { certificate_sha256: " + hexC + ", header: " + mark + "authorization }\naudit:", "edge.header", "is no name for it"},
}

func TestOneMistake(t *testing.T) {
	dir := folder(t)
	if _, err := config.Parse([]byte(base), dir, "gateway.yaml", environment); err != nil {
		t.Fatalf("without a mistake: %v", err)
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			if strings.Count(base, m.old) == 0 {
				t.Fatalf("the base does not hold %q", m.old)
			}
			text := strings.Replace(base, m.old, m.new, 1)
			if m.name == "asks about nothing" {
				text = strings.Replace(text, "{uniscid}", "x", 1)
			}
			line, column, marked := placeOfMark(text)
			_, err := config.Parse([]byte(strings.Replace(text, mark, "", 1)), dir, "gateway.yaml", environment)
			problems, ok := errors.AsType[config.Problems](err)
			if !ok {
				t.Fatalf("want Problems, got %v", err)
			}
			i := 0
			for i < len(problems)-1 && problems[i].Path != m.path {
				i++ // a section misspelt is an unknown key, too
			}
			p := problems[i]
			if p.Path != m.path || !strings.Contains(p.Message, m.message) {
				t.Errorf("want %s: … %s …, got\n%v", m.path, m.message, err)
			}
			if marked && (p.Line != line || p.Column != column) {
				t.Errorf("want it at %d:%d, got %s", line, column, p)
			}
			if p.File != "gateway.yaml" || p.Line < 1 || p.Column < 1 {
				t.Errorf("no place: %s", p)
			}
			if len(problems) > 1 && !strings.HasPrefix(m.new, "x") {
				t.Errorf("one mistake is named as %d:\n%v", len(problems), err)
			}
			for _, secret := range []string{"secret", hexA, "zj-"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the message repeats what may be a secret: %v", err)
				}
			}
		})
	}
}

func placeOfMark(text string) (line, column int, ok bool) {
	before, _, ok := strings.Cut(text, mark)
	last := before[strings.LastIndexByte(before, '\n')+1:]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(last) + 1, ok
}

func TestFiveMistakes(t *testing.T) {
	dir := folder(t)
	t.Setenv("ZJ_APP_KEY", "zj-7f3a-secret")
	text := base
	for _, change := range [][2]string{
		{"refresh: 5m", "refresh: five"}, {"gateway.key", "other.key"}, {"https://registry.sh.example", "http://registry.sh.example"},
		{"[batch]", "[bulk]"}, {"limits:", "limts: {}\nlimits:"},
	} {
		text = strings.Replace(text, change[0], change[1], 1)
	}
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	if err == nil {
		t.Fatal("five mistakes loaded")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{":4:55: tls.key_file: ", ":9:12: trust.refresh: ", ":15:20: registries.310000.url: ", ":27:1: limts: ", ":31:112: relying_parties[1].scopes[0]: "}
	if len(lines) != len(want) {
		t.Fatalf("want five lines, got\n%v", err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, path+want[i]) {
			t.Errorf("line %d: want %s…, got %s", i, want[i], line)
		}
	}
}

// A mode that is none hides no other mistake in its section.
func TestMistakesBesideAnUnknownMode(t *testing.T) {
	dir := folder(t)
	t.Setenv("ZJ_APP_KEY", "zj-7f3a-secret")
	path := filepath.Join(dir, "gateway.yaml")
	text := strings.Replace(base, "mode: files", "names: [no host], acme: { http_port: x }, mode: file", 1)
	text = strings.Replace(text, "gateway.key", "gone.key", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	for _, want := range []string{"tls.mode: ", "tls.names[0]: ", "tls.acme.http_port: ", "tls.key_file: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in:\n%v", want, err)
		}
	}
}

func TestLoadNoFile(t *testing.T) {
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "gone.yaml"): "no such file or directory",
		t.TempDir():                             "is not a regular file",
	} {
		_, err := config.Load(path)
		problems, ok := errors.AsType[config.Problems](err)
		if !ok || len(problems) != 1 || !strings.HasPrefix(err.Error(), path+": cannot be read: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestNoConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "gateway.yaml:1:1: is empty",
		"# nothing\n":          "gateway.yaml:1:1: is empty",
		"- a\n":                "gateway.yaml:1:1: is a list; expected a mapping",
		"~\n":                  "gateway.yaml:1:1: has no value",
		"a: \"\xff\"\n":        "gateway.yaml:1:5: is not UTF-8",
		"\nlisten: 上\xff":      "gateway.yaml:2:10: is not UTF-8",
		"a: 'pw-5d21-secret\n": "gateway.yaml:1:4: is not YAML: ",
	} {
		_, err := config.Parse([]byte(text), t.TempDir(), "gateway.yaml", environment)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: want %s, got %v", text, want, err)
		}
	}
	if _, err := config.Parse(make([]byte, 1<<20+1), t.TempDir(), "gateway.yaml", environment); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a file over 1 MiB: %v", err)
	}
}

func TestNamesInCertificatesNeedAVoucher(t *testing.T) {
	text := smallest + "  \n"
	text = strings.Replace(text, "key_sha256: "+hexA, `certificate_san: "dns:bank.example"`, 1)
	_, err := config.Parse([]byte(text), folder(t), "gateway.yaml", environment)
	if err == nil || !strings.Contains(err.Error(), "needs tls.client_ca_file or edge") {
		t.Errorf("a name that anybody may write: %v", err)
	}
}
