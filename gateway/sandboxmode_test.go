package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/gateway/internal/admin"
	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/api/apitest"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// A real gateway finds no licence in a magic credential.
type unmagic struct{}

func (unmagic) Verify(context.Context, *verifiers.Request) *verifiers.Response {
	r, _ := api.Example(verifiers.FormatMalformed, time.Now())
	return r
}
func (unmagic) Issue(_ *verifiers.Response, id, _ string) (receipt.Issued, error) {
	return receipt.Issued{ID: id, Tokens: []receipt.Token{{Algorithm: "ES256", Text: "a.b.c"}}}, nil
}
func (unmagic) JWKS() []byte { return []byte(`{"keys":[]}`) }
func (unmagic) Check(context.Context, []byte) (*receipt.Claims, verifiers.Code) {
	return nil, verifiers.ReceiptMalformed
}

const demoKey = "the-demo's-own-key"

func demoOptions() api.Options {
	spec := parties.Spec{ID: "demo", Keys: [][sha256.Size]byte{sha256.Sum256([]byte(demoKey))}, Lane: "hall",
		Scopes: parties.Verify | parties.Batch | parties.Licence}
	return api.Options{
		Verifier: unmagic{}, Receipts: unmagic{}, Parties: parties.New([]parties.Spec{spec}, 0, nil), Meter: admin.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Ceiling: verifiers.Bounds{MaxAge: time.Minute}, Formats: mediaTypes(), MaxBody: 64 << 10, MaxInFlight: 64,
	}
}

var document = sync.OnceValues(apitest.New)

func described(t *testing.T) *apitest.Checker {
	c, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asking sends one request and holds the exchange against the document.
func asking(t *testing.T, h http.Handler, path, media, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	q := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+demoKey)
	q.Header.Set("Content-Type", media)
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	err := described(t).Check(&apitest.Exchange{Method: "POST", Path: path, Asked: q.Header, AskedBody: []byte(body), Status: w.Code, Answered: w.Header(), Body: w.Body.Bytes()})
	if err != nil {
		t.Errorf("not as /openapi.json says: %v", err)
	}
	if strings.Contains(w.Body.String(), demoKey) {
		t.Errorf("the key stands in %s", w.Body)
	}
	return w
}

func codes(t *testing.T, h http.Handler) []api.CodeInfo {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/codes", nil))
	var table struct{ Codes []api.CodeInfo }
	if err := json.Unmarshal(w.Body.Bytes(), &table); err != nil || len(table.Codes) == 0 {
		t.Fatal(err, w.Body)
	}
	return table.Codes
}

func TestMagicCredentials(t *testing.T) {
	h := sandboxMode(demoOptions())
	for _, info := range codes(t, h) {
		for media, body := range map[string]string{
			"application/jwt":  "demo:" + info.Code,
			"text/plain":       "demo:" + info.Code + "\n",
			"application/json": `{"credential":"demo:` + info.Code + `","receipt":true}`,
		} {
			w := asking(t, h, "/v1/verify", media, body)
			var got struct {
				Verdict, Code string
				Status        int
				Warnings      []string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err, w.Body)
			}
			good := w.Header().Get("Tongyan-Demo") == "magic" && (w.Code == 200) == (info.Kind != "fault")
			switch info.Kind {
			case "fault":
				good = good && got.Code == info.Code && got.Status == w.Code
			case "warning":
				good = good && got.Verdict == "VALID" && slices.Equal(got.Warnings, []string{info.Code})
			case "receipt":
				good = good && got.Verdict == "INVALID" && got.Code == info.Code
			default:
				good = good && got.Verdict == info.Verdict && got.Code == info.Code
			}
			if !good {
				t.Errorf("%s of %s: %d %v %s", media, info.Code, w.Code, w.Header(), w.Body)
			}
		}
	}
}

func TestMagicReceipts(t *testing.T) {
	h := sandboxMode(demoOptions())
	for _, code := range []string{"OK", "RECEIPT_MALFORMED", "RECEIPT_ISSUER_NOT_RECOGNISED", "RECEIPT_SIGNATURE_INVALID", "RECEIPT_EXPIRED", "KEY_REVOKED", "KEYS_UNAVAILABLE"} {
		for media, body := range map[string]string{"text/plain": "demo:" + code, "application/json": `{"receipt":"demo:` + code + `"}`} {
			w := asking(t, h, "/v1/receipts/verify", media, body)
			if w.Code != 200 || w.Header().Get("Tongyan-Demo") != "magic" || !strings.Contains(w.Body.String(), `"code":"`+code+`"`) {
				t.Errorf("%s: %d %s", code, w.Code, w.Body)
			}
		}
	}
}

func TestMagicInBatches(t *testing.T) {
	server := httptest.NewServer(sandboxMode(demoOptions()))
	defer server.Close()
	client := &http.Client{Transport: described(t).Transport(server.Client().Transport, func(err error) { t.Error(err) })}
	lines := `{"credential":"demo:EXPIRED"}` + "\n" + `{"credential":"demo:RATE_LIMITED"}` + "\n" + `{"credential":"x"}` + "\n"
	q, err := http.NewRequest(http.MethodPost, server.URL+"/v1/verify/batch", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+demoKey)
	q.Header.Set("Content-Type", "application/x-ndjson")
	w, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range bytes.Lines(body) {
		var answer struct {
			Code  string
			Error struct{ Code string }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatal(err)
		}
		got = append(got, answer.Code+answer.Error.Code)
	}
	if !slices.Equal(got, []string{"EXPIRED", "RATE_LIMITED", "FORMAT_MALFORMED"}) {
		t.Errorf("%q", got)
	}
}

func TestMagicIsForTheKnownOnly(t *testing.T) {
	h := sandboxMode(demoOptions())
	if w := asking(t, h, "/v1/verify", "text/plain", "demo:OK", "Authorization", "Bearer wrong"); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWhatIsNotMagic(t *testing.T) {
	for name, h := range map[string]http.Handler{"demo": sandboxMode(demoOptions()), "serve": plainAPI(demoOptions())} {
		for _, credential := range []string{"demo:", "demo:ok", "demo:NOTHING", "xdemo:OK", "demo:" + strings.Repeat("A", 99), "demo:OK"} {
			if name == "demo" && credential == "demo:OK" {
				continue
			}
			w := asking(t, h, "/v1/verify", "text/plain", credential)
			if w.Code != 200 || !strings.Contains(w.Body.String(), "FORMAT_MALFORMED") || w.Header().Get("Tongyan-Demo") != "" {
				t.Errorf("%s %q: %d %s", name, credential, w.Code, w.Body)
			}
		}
	}
}

func TestMagicSlowness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := sandboxMode(demoOptions())
		start := time.Now()
		w := asking(t, h, "/v1/verify", "text/plain", "demo:SLOW")
		if took := time.Since(start); took != slowness || !strings.Contains(w.Body.String(), `"verdict":"VALID","code":"OK"`) {
			t.Errorf("after %v: %s", took, w.Body)
		}
		// Who goes away is not waited for.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start = time.Now()
		if err := magicFault(ctx, &verifiers.Request{Credential: []byte("demo:SLOW")}); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestReceivedIsTold(t *testing.T) {
	h := sandboxMode(demoOptions())
	secret := "eyJhbGciOiJFUzI1NiJ9.eyJzZWNyZXQiOjF9.c2lnbmF0dXJl"
	for name, c := range map[string]struct {
		path, media, body string
		headers           []string
		status            int
		want              string
	}{
		"an unknown member": {"/v1/verify", "application/json; charset=utf-8", `{"credential":"` + secret + `","freshness":{"max_age":"1s","` + secret + `":1},"hint":1}`, nil, 400,
			`{"method":"POST","path":"/v1/verify","content_type":"application/json","authorization":"bearer","bytes":160,"members":["credential","freshness","freshness.max_age"],"not_understood":2}`},
		"no JSON": {"/v1/verify", "application/json", secret, nil, 400,
			`{"method":"POST","path":"/v1/verify","content_type":"application/json","authorization":"bearer","bytes":50}`},
		"nothing known": {"/v1/receipts/verify", "application/json", `{"credential":"` + secret + `"}`, nil, 400,
			`{"method":"POST","path":"/v1/receipts/verify","content_type":"application/json","authorization":"bearer","bytes":67,"members":[],"not_understood":1}`},
		"another media type": {"/v1/verify", "image/png", secret, nil, 415,
			`{"method":"POST","path":"/v1/verify","content_type":"image/png","authorization":"bearer","bytes":50}`},
		"a credential as a media type": {"/v1/verify", secret, secret, nil, 415,
			`{"method":"POST","path":"/v1/verify","content_type":null,"authorization":"bearer","bytes":50}`},
		"a credential in the path": {"/v1/verify/" + secret, "text/plain", "", nil, 404,
			`{"method":"POST","path":"…","content_type":"text/plain","authorization":"bearer","bytes":0}`},
		"no key": {"/v1/verify", "text/plain", secret, []string{"Authorization", ""}, 401,
			`{"method":"POST","path":"/v1/verify","content_type":"text/plain","authorization":"none","bytes":50}`},
		"another scheme": {"/v1/verify", "text/plain", secret, []string{"Authorization", "Basic " + demoKey}, 401,
			`{"method":"POST","path":"/v1/verify","content_type":"text/plain","authorization":"other","bytes":50}`},
		"too large": {"/v1/verify", "text/plain", strings.Repeat("a", 65<<10), nil, 413,
			`{"method":"POST","path":"/v1/verify","content_type":"text/plain","authorization":"bearer","bytes":66560}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := asking(t, h, c.path, c.media, c.body, c.headers...)
			var got struct{ Received json.RawMessage }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err, w.Body)
			}
			if w.Code != c.status || string(got.Received) != c.want {
				t.Errorf("%d %s\nwant %d %s", w.Code, got.Received, c.status, c.want)
			}
			if bytes.Contains(w.Body.Bytes(), []byte("eyJ")) {
				t.Errorf("the credential stands in %s", w.Body)
			}
		})
	}
	if w := asking(t, plainAPI(demoOptions()), "/v1/verify", "image/png", secret); strings.Contains(w.Body.String(), "received") {
		t.Errorf("a gateway that is no demo tells what it received: %s", w.Body)
	}
}

// What received calls understood is what the document describes.
func TestUnderstoodMembersAreTheDocuments(t *testing.T) {
	type schema struct {
		Ref        string `json:"$ref"`
		Properties map[string]struct {
			Ref string `json:"$ref"`
		}
	}
	var doc struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(api.Document(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{"/v1/verify": "VerifyRequest", "/v1/receipts/verify": "ReceiptRequest"} {
		var described []string
		for member, p := range doc.Components.Schemas[name].Properties {
			described = append(described, member)
			for inner := range doc.Components.Schemas[strings.TrimPrefix(p.Ref, "#/components/schemas/")].Properties {
				described = append(described, member+"."+inner)
			}
		}
		slices.Sort(described)
		if known := slices.Sorted(slices.Values(members[path])); !slices.Equal(known, described) {
			t.Errorf("%s: known %q, described %q", path, known, described)
		}
	}
}
