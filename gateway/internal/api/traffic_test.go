package api_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/api/apitest"
	"tongyan/gateway/internal/audit"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
	"tongyan/verifiers/testworld"
)

// scripted answers whatever the test asks for: a credential or a receipt is the
// name of the code that it gets.
type scripted struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte][]byte
}

func (s *scripted) Verify(_ context.Context, q *verifiers.Request) *verifiers.Response {
	if string(q.Credential) == "panic" {
		panic("as the test wants")
	}
	r, _ := api.Example(verifiers.Code(q.Credential), testworld.Now)
	return r
}

func (s *scripted) Issue(_ *verifiers.Response, id, _ string) (receipt.Issued, error) {
	return receipt.Issued{ID: id, Tokens: []receipt.Token{{Algorithm: "ES256", Text: "aaa.bbb.ccc"}, {Algorithm: "SM2", Text: "aaa.bbb.ddd"}}}, nil
}

func (s *scripted) JWKS() []byte {
	return []byte(`{"keys":[{"kty":"EC","crv":"SM2","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `","distid":"gateway","use":"sig","alg":"SM2","kid":"a"}]}`)
}

func (s *scripted) Check(_ context.Context, token []byte) (*receipt.Claims, verifiers.Code) {
	if string(token) != "OK" {
		return nil, verifiers.Code(token)
	}
	r, _ := api.Example(verifiers.OK, testworld.Now)
	claims := receipt.State("https://gateway.example", "vrf_0123456789abcdef", "hall", r)
	return &claims, verifiers.OK
}

func (s *scripted) Answer(_ context.Context, key [sha256.Size]byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.kept[key]
	return kept, ok
}

func (s *scripted) KeepAnswer(_ context.Context, key [sha256.Size]byte, answer []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = answer
	return answer
}

// fullDisk keeps verdicts from being recorded.
type fullDisk struct{}

func (fullDisk) Append(context.Context, *audit.Entry) error { return errors.New("no space left") }

// strange fails as nobody foresaw, for who shows the key "panic".
type strange struct{ *parties.Register }

func (s strange) Identify(q *http.Request) (*parties.Party, error) {
	if q.Header.Get("Authorization") == "Bearer panic" {
		panic("as the test wants")
	}
	return s.Register.Identify(q)
}

// timed is a recorder whose time-outs can be moved.
type timed struct{ *httptest.ResponseRecorder }

func (timed) SetReadDeadline(time.Time) error  { return nil }
func (timed) SetWriteDeadline(time.Time) error { return nil }

type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// TestAllTraffic has every page give every answer that the document describes,
// with every code.
func TestAllTraffic(t *testing.T) {
	c, err := apitest.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{kept: map[[sha256.Size]byte][]byte{}}
	idle := parties.Spec{ID: "idle", Keys: [][sha256.Size]byte{sha256.Sum256([]byte("idle"))}, Lane: "batch", Rate: 1e-9, Burst: 1,
		Scopes: parties.Verify | parties.Batch | parties.Licence | parties.Provinces}
	all := idle
	all.ID, all.Keys, all.Rate = "all", [][sha256.Size]byte{sha256.Sum256([]byte(hall))}, 0
	none := parties.Spec{ID: "none", Keys: [][sha256.Size]byte{sha256.Sum256([]byte("none"))}, Lane: "bank"}
	register := strange{parties.New([]parties.Spec{idle, all, none}, parties.Verify, nil)}
	scriptedRig := func(change ...func(*api.Options)) *rig {
		return newRig(t, append([]func(*api.Options){func(o *api.Options) {
			o.Verifier, o.Receipts, o.Once, o.Parties = s, s, s, register
			o.Provinces = func() []api.Province { return provinces }
		}}, change...)...)
	}
	r := scriptedRig()
	full := scriptedRig(func(o *api.Options) { o.MaxInFlight = 0 })
	unrecorded := scriptedRig(func(o *api.Options) { o.Audit = fullDisk{} })
	asks := func(r *rig, status int, q *http.Request) {
		t.Helper()
		w := httptest.NewRecorder()
		asDescribed := watch(t, c, q)
		r.api.ServeHTTP(timed{w}, q)
		asDescribed(w)
		if w.Code != status {
			t.Errorf("%s %s: %d, want %d: %s", q.Method, q.URL.Path, w.Code, status, w.Body)
		}
	}

	const verify, batch, check = "/v1/verify", "/v1/verify/batch", "/v1/receipts/verify"
	codes := codesOf(t, r)
	var lines strings.Builder
	for _, info := range codes {
		if info.Kind == "fault" {
			continue
		}
		asks(r, 200, request("POST", verify, info.Code))
		asks(r, 200, request("POST", verify, `{"credential":"`+info.Code+`","purpose":"p","reference":"r","freshness":{"max_age":"1m"},`+
			`"expect":{"uniscid":"","entname":"a","lerep":"b"},"holder":{"aud":"a","nonce":"n","required":true},"receipt":true}`, "Idempotency-Key: "+info.Code))
		lines.WriteString(`{"credential":"` + info.Code + `"}` + "\n\n")
		if info.Kind == "receipt" || info.Code == "OK" || info.Code == "KEY_REVOKED" || info.Code == "KEYS_UNAVAILABLE" {
			asks(r, 200, request("POST", check, info.Code))
			asks(r, 200, request("POST", check, `{"receipt":"`+info.Code+`"}`))
		}
	}
	asks(r, 200, request("POST", batch, lines.String(), "Content-Type: application/x-ndjson"))
	// A batch is taken whatever stands in its lines: the body is not checked.
	bad := request("POST", batch, "", "Content-Type: application/x-ndjson")
	w := httptest.NewRecorder()
	bad.Body = io.NopCloser(strings.NewReader("{}\n{\"credential\":\"" + strings.Repeat("a", 300<<10) + "\"}\n{\"credential\":\"x\",\"freshness\":{\"max_age\":\"-1s\"}}\n"))
	r.api.ServeHTTP(timed{w}, bad)
	if err := c.Check(&apitest.Exchange{Method: "POST", Path: batch, Asked: bad.Header, Status: w.Code, Answered: w.Header(), Body: w.Body.Bytes()}); err != nil || strings.Count(w.Body.String(), `"error"`) != 3 {
		t.Errorf("%v: %s", err, w.Body)
	}

	for _, path := range []string{"/v1/codes", "/v1/whoami", "/v1/provinces", "/.well-known/jwks.json", "/openapi.json", "/docs"} {
		for _, method := range []string{"GET", "HEAD"} {
			asks(r, 200, request(method, path, ""))
		}
		asks(r, 405, request("POST", path, ""))
		asks(r, 406, request("GET", path, "", "Accept: image/png"))
	}
	asks(r, 200, request("GET", "/v1/whoami", "", "Authorization:"))
	for _, path := range []string{verify, batch, check} {
		asks(r, 405, request("GET", path, ""))
		asks(r, 406, request("POST", path, "x", "Accept: image/png"))
		asks(r, 415, request("POST", path, "x", "Content-Type: image/png"))
		asks(full, 503, request("POST", path, "x", "Content-Type: application/x-ndjson"))
	}
	for _, route := range r.api.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if path == "/v1/whoami" || path == batch || path == "/v1/provinces" || path == verify || path == check {
			asks(r, 401, request(method, path, "", "Authorization: Bearer unknown"))
			asks(r, 500, request(method, path, "", "Authorization: Bearer panic"))
			for range 2 { // the first one has its token
				q := request(method, path, "", "Authorization: Bearer idle")
				r.api.ServeHTTP(timed{httptest.NewRecorder()}, q)
			}
			asks(r, 429, request(method, path, "", "Authorization: Bearer idle"))
			if path != "/v1/whoami" {
				asks(r, 403, request(method, path, "", "Authorization: Bearer none"))
			}
		}
	}
	for _, path := range []string{verify, check} {
		asks(r, 400, request("POST", path, `{}`))
		asks(r, 413, request("POST", path, strings.Repeat("a", 300<<10)))
		q := request("POST", path, "")
		q.Body, q.ContentLength = io.NopCloser(late{}), -1
		asks(r, 408, q)
	}
	asks(r, 409, request("POST", verify, "EXPIRED", "Idempotency-Key: OK"))
	asks(r, 422, request("POST", verify, `{"credential":"OK","holder":{"required":true}}`))
	asks(unrecorded, 503, request("POST", verify, "OK"))
	asks(r, 500, request("POST", verify, "panic"))
	asks(r, 404, request("GET", "/v1", ""))

	// What stands in the program cannot fail; a panic of net/http itself can.
	want := []string{"GET /.well-known/jwks.json 500", "GET /docs 500", "GET /openapi.json 500", "GET /v1/codes 500"}
	if unseen := c.Unseen(); !slices.Equal(unseen, want) {
		t.Errorf("described and never seen: %q", unseen)
	}
}

func number[T any](v T) *T { return &v }

// provinces are two: one with everything, one with nothing.
var provinces = []api.Province{
	{Code: "310000", Name: "上海市", NameEn: "Shanghai", Authority: "上海市市场监督管理局", State: "active",
		Issuers: []api.Issuer{
			{Issuer: "https://ebl.sh.example", KeysAge: number(int64(1)), KeysFault: number("timeout"),
				Keys: []api.Key{{KeyID: "k", Thumbprint: strings.Repeat("A", 43), Algorithms: []string{"ES256"}}}},
			{Issuer: "https://other.example", Keys: []api.Key{}}},
		Registry: &api.Registry{Breaker: "open", RetryAfter: number(int64(3)), Latency: api.Latency{P50: number(1.5), P99: number(2.0)}}},
	{Code: "320000", Name: "江苏省", NameEn: "Jiangsu", Authority: "江苏省市场监督管理局", State: "suspended", Issuers: []api.Issuer{}},
}
