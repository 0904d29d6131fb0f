package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/verifiers"
	"tongyan/verifiers/testworld"
)

var checkNames = []string{"format", "issuer", "key", "signature", "validity", "subject", "holder", "status", "registry"}

// The answer of contract §6.1, member by member.
func TestAnswer(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	w := r.post(good)
	v := given(t, w)
	at := testworld.Now.UTC()
	if !regexp.MustCompile(`^vrf_[A-Z2-7]{16}$`).MatchString(v.ID) {
		t.Errorf("id %q", v.ID)
	}
	if v.Verdict != "VALID" || v.Code != "OK" || v.Warnings == nil || len(v.Warnings) != 0 || v.Format != "ebl+jwt" || v.TrustListVersion != 7 ||
		v.CredentialDigest != verifiers.DigestOf([]byte(good)).String() || !v.VerifiedAt.Equal(at) || !v.ValidUntil.Equal(at.Add(5*time.Minute)) || v.RetryAfter != nil || v.Match != nil || v.Receipt != "" {
		t.Errorf("%s", w.Body)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte(`"retry_after_seconds":null`)) || !bytes.Contains(w.Body.Bytes(), []byte(`"warnings":[]`)) {
		t.Errorf("%s", w.Body)
	}
	if len(v.Checks) != len(checkNames) {
		t.Fatalf("%d checks", len(v.Checks))
	}
	for i, c := range v.Checks {
		want := "passed"
		if c.Check == "holder" || c.Check == "status" {
			want = "skipped"
		}
		if c.Check != checkNames[i] || c.Outcome != want || c.Code != "" || (c.Source != "") != (c.Check == "registry") || (c.AsOf != nil) != (c.Check == "registry") {
			t.Errorf("check %d: %+v", i, c)
		}
	}
	if i := v.Issuer; i == nil || i.Iss != string(testworld.Shanghai) || i.Province != "310000" || i.Authority != "上海市市场监督管理局" || i.Alg != "ES256" || i.Key != string(r.world.Key("sh").Public().Thumbprint()) {
		t.Errorf("issuer %+v", i)
	}
	if f := v.Freshness; f == nil || f.Source != "live" || !f.AsOf.Equal(at) || f.AgeSeconds != 0 {
		t.Errorf("freshness %+v", f)
	}
	if l := v.Licence; l == nil || l.Uniscid != testworld.USCC || l.Lerep != "甄示例" || l.Regcap != "500.00" || l.Opto != nil || l.Copyno != "" || l.Apprdate != "2020-05-06" {
		t.Errorf("licence %+v", l)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte(`"opto":null`)) {
		t.Error("a perpetual term is not shown as null")
	}
	for name, want := range map[string]string{"Age": "0", "Cache-Control": "no-store", "Content-Length": strconv.Itoa(w.Body.Len())} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r.pass(90*time.Second + 999*time.Millisecond)
	w = r.post(good)
	if v := given(t, w); v.Freshness.Source != "cache" || v.Freshness.AgeSeconds != 90 || w.Header().Get("Age") != "90" || !v.Freshness.AsOf.Equal(at) {
		t.Errorf("%s", w.Body)
	}
}

// SPEC: contract §6.1 "licence stands only where the signature is good, and
// holds only what the caller's scope may see"; "match … given wherever the
// signature is good, also without the scope licence; never part of the verdict".
func TestLicenceAndMatch(t *testing.T) {
	r := newRig(t)
	body := func(token, expect string) string {
		return fmt.Sprintf(`{"credential":%q,"expect":%s}`, token, expect)
	}
	names := `{"uniscid":"` + testworld.USCC + `","entname":"上海通验示例贸易有限公司(测试)","lerep":"别人"}`
	for _, key := range []string{hall, bank} {
		v := given(t, r.post(body(r.world.Good(), names), "Authorization: Bearer "+key))
		if (v.Licence != nil) != (key == hall) || v.Issuer == nil {
			t.Errorf("%s: licence %v, issuer %v", key, v.Licence, v.Issuer)
		}
		if v.Verdict != "VALID" || len(v.Match) != 3 || v.Match["uniscid"] != "match" || v.Match["entname"] != "match" || v.Match["lerep"] != "mismatch" {
			t.Errorf("%s: %s %v", key, v.Verdict, v.Match)
		}
	}
	if v := given(t, r.post(body(r.world.Good(), `{"lerep":""}`))); len(v.Match) != 1 || v.Match["lerep"] != "mismatch" {
		t.Errorf("%v", v.Match)
	}
	if v := given(t, r.post(body(r.world.Good(), `{}`))); v.Match == nil || len(v.Match) != 0 {
		t.Errorf("%v", v.Match)
	}
	// A good signature of what is INVALID for another reason.
	expired := r.world.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("exp", 1750000000))
	if v := given(t, r.post(body(expired, names))); v.Code != verifiers.Expired || v.Licence == nil || v.Match["uniscid"] != "match" || v.Freshness != nil {
		t.Errorf("%+v", v)
	}
	for _, unproven := range unprovens(r.world) {
		if v := given(t, r.post(body(unproven, names))); v.Verdict != "INVALID" || v.Licence != nil || v.Match != nil || v.Issuer != nil {
			t.Errorf("%+v", v)
		}
	}
}

// unprovens are credentials whose signature is not good, or is not known to be.
func unprovens(w *testworld.World) []string {
	h := testworld.Header("ES256", "sh-1")
	good := w.Good()
	return []string{
		w.Mint("stranger", h, testworld.Claims()),
		w.Mint("compromised", testworld.Header("ES256", "sh-compromised"), testworld.Claims()),
		w.Mint("sh", testworld.Header("none", "sh-1"), testworld.Claims()),
		w.Mint("sh", h.With("jku", "https://evil.example/"), testworld.Claims()),
		w.Mint("sh", h.With("kid", "甄示例"), testworld.Claims()),
		w.Mint("sh", h.With("typ", "甄示例"), testworld.Claims()),
		w.Mint("sh", h, testworld.Claims().With("iss", "https://evil.example/甄示例")),
		w.Mint("sh", h, testworld.Claims().With("licence", testworld.Licence().With("regorg", "320100"))),
		w.Mint("sh", h, testworld.Claims().With("licence", testworld.Licence().With("estdate", "甄示例"))),
		w.Mint("sh", h, testworld.Claims().With("jti", nil)),
		good[:len(good)-8] + "AAAAAAAA",
		good + "x",
	}
}

// Nothing that an unproven credential claims is shown anywhere; and of a proven
// one, no header and no log line tells who it is about.
func TestNothingIsEchoed(t *testing.T) {
	r := newRig(t)
	secrets := []string{testworld.USCC, "甄示例", "上海通验示例", "evil.example", "urn:example:1"}
	look := func(what, text string, token string) {
		t.Helper()
		for _, secret := range append(secrets, token[:min(30, len(token))], token[len(token)-min(30, len(token)):]) {
			if strings.Contains(text, secret) || strings.Contains(text, strings.Trim(strconv.QuoteToASCII(secret), `"`)) {
				t.Errorf("%s tells %q", what, secret)
			}
		}
	}
	ask := func(token string) *httptest.ResponseRecorder {
		r.post(fmt.Sprintf(`{"credential":%q,"purpose":"甄示例","reference":%q,"x":%q}`, token, token, token))
		return r.post(token)
	}
	for _, token := range unprovens(r.world) {
		w := ask(token)
		look("body", w.Body.String(), token)
		look("headers", fmt.Sprint(w.Header()), token)
	}
	good := r.world.Good()
	look("headers", fmt.Sprint(ask(good).Header()), good)
	look("body without the scope", r.post(good, "Authorization: Bearer "+bank).Body.String(), good)
	r.do(request("GET", "/v1/"+testworld.USCC+"?x="+good, ""))
	r.post(good, "Content-Type: "+good)
	r.post(good, "Content-Encoding: "+testworld.USCC)
	r.post(good, "Cache-Control: max-age="+testworld.USCC)
	panicking := newRig(t, func(o *api.Options) {
		o.Log = r.api.Log
		o.Verifier = verifierFunc(nil)
	})
	panicking.post(good)
	look("log", r.log.String(), good)
	if strings.Contains(r.log.String(), hall) {
		t.Error("the log tells a key")
	}
	if !strings.Contains(r.log.String(), "panic") {
		t.Error("nothing was logged: the test looks at the wrong log")
	}
}

// A member of RFC 9211's list: the cache's name, and parameters of RFC 8941.
var cacheStatus = regexp.MustCompile(`^tongyan(; [a-z][a-z0-9_-]*(=(-?[0-9]{1,15}|[a-z][a-z-]*))?)*$`)

func TestCacheStatus(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	for _, tt := range []struct {
		name, header, word string
		pass               time.Duration
		want               string
	}{
		{"registry gone", "", "down", 0, ""},
		{"first", "", "1", 0, "tongyan; fwd=miss"},
		{"kept", "", "1", 40 * time.Second, "tongyan; hit; ttl=260"},
		{"kept, a shorter bound", "max-age=60", "1", 0, "tongyan; hit; ttl=20"},
		{"no-cache", "no-cache", "1", 0, "tongyan; fwd=request"},
		{"stale", "max-age=60, stale-if-error=600", "down", 100 * time.Second, "tongyan; hit; ttl=-40"},
		{"only-if-cached", "only-if-cached", "down", 0, "tongyan; hit; ttl=200"},
		{"stale for half a second", "max-age=100, stale-if-error=600", "down", 500 * time.Millisecond, "tongyan; hit; ttl=-1"},
		{"stale at once", "no-cache, stale-if-error=600", "down", 0, "tongyan; hit; ttl=-101"},
		{"refused", "no-cache", "down", 0, ""},
	} {
		r.pass(tt.pass)
		for range 4 {
			r.registry.Tell(tt.word)
		}
		w := r.post(good, "Cache-Control: "+tt.header)
		got := w.Header().Get("Cache-Status")
		if got != tt.want || (w.Header().Get("Age") != "") != (tt.want != "") {
			t.Errorf("%s: Cache-Status %q, Age %q, want %q", tt.name, got, w.Header().Get("Age"), tt.want)
		}
		if got != "" {
			hit, fwd := strings.Contains(got, "; hit"), strings.Contains(got, "; fwd=")
			// SPEC: RFC 9211 §2.1, §2.2: hit and fwd are exclusive.
			if !cacheStatus.MatchString(got) || hit == fwd {
				t.Errorf("%s: %q is no Cache-Status", tt.name, got)
			}
		}
	}
}

func TestRetryAfterSeconds(t *testing.T) {
	r := newRig(t)
	r.registry.Tell("down")
	if v := given(t, r.post(r.world.Good())); v.Verdict != "INDETERMINATE" || v.Code != verifiers.RegistryUnavailable || v.RetryAfter == nil || *v.RetryAfter != 7 || v.Freshness != nil {
		t.Errorf("%+v", v)
	}
}

func TestRequestIDs(t *testing.T) {
	r := newRig(t)
	seen := map[string]bool{}
	for range 200 {
		w := r.post(r.world.Good())
		id, verdict := w.Header().Get("Request-Id"), given(t, w).ID
		if len(id) < 16 || seen[id] || seen[verdict] || strings.Contains(verdict, id) {
			t.Fatalf("%q and %q", id, verdict)
		}
		seen[id], seen[verdict] = true, true
	}
	if w := r.post(r.world.Good(), "Request-Id: mine"); w.Header().Get("Request-Id") == "mine" {
		t.Error("a caller chooses the id")
	}
}

// A HEAD answers as GET does, without the body.
func TestHead(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v1/codes", "/v1/whoami", "/v1/provinces", "/.well-known/jwks.json"} {
		get, head := r.do(request("GET", path, "")), r.do(request("HEAD", path, ""))
		if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(get.Body.Len()) || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
			t.Errorf("%s: %d %v", path, head.Code, head.Header())
		}
	}
}

func TestWhoami(t *testing.T) {
	r := newRig(t)
	var who struct {
		ID     *string  `json:"id"`
		Scopes []string `json:"scopes"`
		Rate   *float64 `json:"rate"`
		Lane   *string  `json:"lane"`
		Quota  *int64   `json:"monthly_quota"`
	}
	w := r.do(request("GET", "/v1/whoami", "", "Authorization: Bearer "+slowpoke))
	strictly(t, w.Body.Bytes(), &who)
	if w.Code != http.StatusOK || *who.ID != "slowpoke" || len(who.Scopes) != 1 || who.Scopes[0] != "verify" || *who.Rate != 0.01 {
		t.Errorf("%s", w.Body)
	}
}

// Each vector through the handler, raw and as JSON.
func TestVectors(t *testing.T) {
	for _, v := range testworld.Vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			r := newRig(t)
			r.pass(v.Now.Sub(testworld.Now))
			r.registry.Tell(v.Registry)
			if v.Credential == nil {
				t.Fatal("nothing to send")
			}
			w := r.post(string(v.Credential), "Content-Type: "+v.Media)
			if got := given(t, w); got.Verdict != v.Verdict || got.Code != v.Code {
				t.Errorf("raw: %s %s, want %s %s: %s", got.Verdict, got.Code, v.Verdict, v.Code, v.Comment)
			}
			if bytes.ContainsFunc(v.Credential, func(c rune) bool { return c == '\ufffd' }) || v.Media == "application/ebl+jwt" {
				return // not a text; or the media type decides, which JSON does not have
			}
			w = r.post(string(testworld.Marshal(testworld.Object{"credential": string(v.Credential)})))
			if got := given(t, w); got.Verdict != v.Verdict || got.Code != v.Code {
				t.Errorf("JSON: %s %s, want %s %s: %s", got.Verdict, got.Code, v.Verdict, v.Code, v.Comment)
			}
		})
	}
}
