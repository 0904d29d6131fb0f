package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/parties"
	"tongyan/gateway/internal/verify"
	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/receipt"
	"tongyan/verifiers/testworld"
)

var ceiling = verifiers.Bounds{MaxAge: 5 * time.Minute, StaleIfError: time.Hour}

// The bearer keys of the parties in every test.
const (
	hall     = "hall-key"     // may do everything
	bank     = "bank-key"     // verify only
	counter  = "counter-key"  // provinces only
	slowpoke = "slowpoke-key" // verify, one request in 100 seconds
)

// A rig is an API with everything around it under the test's hands.
type rig struct {
	t        testing.TB
	api      *api.API
	world    *testworld.World
	facts    *testworld.Facts
	registry *testworld.Registry // Shanghai's; the others' answer alike
	log      *lockedBuffer
	meter    *meter

	mu  sync.Mutex
	now time.Time
}

func newRig(t testing.TB, change ...func(*api.Options)) *rig {
	r := &rig{t: t, world: testworld.New(t), facts: testworld.NewFacts(t), log: &lockedBuffer{}, meter: &meter{}, now: testworld.Now}
	registries := map[keys.ProvinceCode]verify.Registry{}
	for _, code := range []keys.ProvinceCode{"320000", "330000", "340000", "310000"} {
		r.registry = &testworld.Registry{Province: code, Now: r.clock}
		r.registry.Tell("1")
		registries[code] = r.registry
	}
	service := verify.New(verify.Options{
		Trust: r.world.Book, KeySets: &testworld.KeySets{}, Facts: r.facts, Registries: registries, Envelopes: []verify.Envelope{envelope.Envelope{}},
		Policy: verifiers.Policy{ClockSkew: time.Minute, MaxAge: ceiling.MaxAge, NegativeTTL: time.Minute}, Now: r.clock,
	})
	o := api.Options{
		Verifier: service, Parties: register(0), Ceiling: ceiling, Receipts: noReceipts{},
		Provinces: func() []api.Province {
			return []api.Province{{Code: "310000", Name: "上海市", State: "active", Issuers: []api.Issuer{}}}
		},
		Formats: map[string]verifiers.Format{"application/jwt": "", "text/plain": "", "application/ebl+jwt": "ebl+jwt"},
		MaxBody: 256 << 10, MaxInFlight: 8, Meter: r.meter,
		Log: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&o)
	}
	r.api = api.New(o)
	return r
}

func register(anonymous parties.Scope) *parties.Register {
	spec := func(key string, scopes parties.Scope, rate float64) parties.Spec {
		return parties.Spec{ID: strings.TrimSuffix(key, "-key"), Keys: [][sha256.Size]byte{sha256.Sum256([]byte(key))}, Scopes: scopes, Rate: rate, Burst: 1, Lane: "hall"}
	}
	return parties.New([]parties.Spec{
		spec(hall, parties.Verify|parties.Batch|parties.Licence|parties.Provinces, 0), spec(bank, parties.Verify, 0),
		spec(counter, parties.Provinces, 0), spec(slowpoke, parties.Verify, 0.01),
	}, anonymous, nil)
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// request makes a request of the hall's; header lines are "Name: value", and
// replace what would stand there; "Name:" removes it.
func request(method, path, body string, header ...string) *http.Request {
	q := httptest.NewRequest(method, path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+hall)
	if body != "" {
		q.Header.Set("Content-Type", "application/jwt")
		if strings.HasPrefix(body, "{") {
			q.Header.Set("Content-Type", "application/json")
		}
	}
	first := map[string]bool{}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		if !first[name] {
			q.Header.Del(name)
			first[name] = true
		}
		if value != "" {
			q.Header.Add(name, strings.TrimPrefix(value, " "))
		}
	}
	return q
}

func (r *rig) do(q *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	asDescribed := watch(r.t, checker(r.t), q)
	r.api.ServeHTTP(w, q)
	asDescribed(w)
	return w
}

func (r *rig) post(body string, header ...string) *httptest.ResponseRecorder {
	return r.do(request("POST", "/v1/verify", body, header...))
}

// A verdict is the answer of contract §6.1, all of it and nothing else.
type verdict struct {
	ID      string         `json:"id"`
	Verdict string         `json:"verdict"`
	Code    verifiers.Code `json:"code"`
	Checks  []struct {
		Check   string         `json:"check"`
		Outcome string         `json:"outcome"`
		Code    verifiers.Code `json:"code,omitzero"`
		Source  string         `json:"source,omitzero"`
		AsOf    *time.Time     `json:"as_of,omitzero"`
	} `json:"checks"`
	Warnings []verifiers.Code `json:"warnings"`
	Licence  *struct {
		Uniscid   string  `json:"uniscid"`
		Entname   string  `json:"entname"`
		Enttype   string  `json:"enttype"`
		EnttypeCn string  `json:"enttypeCn"`
		Lerep     string  `json:"lerep"`
		Regcap    string  `json:"regcap"`
		Regcapcur string  `json:"regcapcur"`
		Estdate   string  `json:"estdate"`
		Opfrom    string  `json:"opfrom"`
		Opto      *string `json:"opto"`
		Dom       string  `json:"dom"`
		Opscope   string  `json:"opscope"`
		Regorg    string  `json:"regorg"`
		RegorgCn  string  `json:"regorgCn"`
		Apprdate  string  `json:"apprdate"`
		Copyno    string  `json:"copyno"`
	} `json:"licence"`
	Issuer *struct {
		Iss       string `json:"iss"`
		Province  string `json:"province"`
		Authority string `json:"authority"`
		Key       string `json:"key"`
		Alg       string `json:"alg"`
	} `json:"issuer"`
	Freshness *struct {
		Source     string    `json:"source"`
		AsOf       time.Time `json:"as_of"`
		AgeSeconds int64     `json:"age_seconds"`
	} `json:"freshness"`
	Match            map[string]string `json:"match"`
	CredentialDigest string            `json:"credential_digest"`
	Format           string            `json:"format"`
	TrustListVersion int64             `json:"trust_list_version"`
	VerifiedAt       time.Time         `json:"verified_at"`
	ValidUntil       time.Time         `json:"valid_until"`
	RetryAfter       *int64            `json:"retry_after_seconds"`
	Receipt          string            `json:"receipt"`
}

func strictly(t testing.TB, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

// given reads a verdict, strictly.
func given(t testing.TB, w *httptest.ResponseRecorder) (v verdict) {
	t.Helper()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	strictly(t, w.Body.Bytes(), &v)
	return v
}

// A problem is the body of a fault (contract §6.3).
type problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    *string       `json:"detail"`
	Code      api.FaultCode `json:"code"`
	RequestID string        `json:"request_id"`
}

// refused checks all that holds for every fault.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, code api.FaultCode) (p problem) {
	t.Helper()
	if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s, want %d %s: %s", w.Code, w.Header().Get("Content-Type"), status, code, w.Body)
	}
	strictly(t, w.Body.Bytes(), &p)
	if p.Code != code || p.Status != status || p.Type == "" || p.Title == "" || p.RequestID == "" || p.RequestID != w.Header().Get("Request-Id") {
		t.Errorf("%s, want %d %s", w.Body, status, code)
	}
	if (p.Detail == nil) != (code == api.Internal) {
		t.Errorf("detail of %s: %s", code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", w.Header())
	}
	return p
}

type meter struct {
	mu     sync.Mutex
	flying int
	codes  []string
}

func (m *meter) InFlight(delta int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flying += delta
}

func (m *meter) Refused(code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes = append(m.codes, code)
}

func (m *meter) read() (flying int, codes []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flying, append([]string(nil), m.codes...)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// noReceipts is a gateway without a receipt key, which signs and knows none.
type noReceipts struct{}

func (noReceipts) Issue(_ *verifiers.Response, id, _ string) (receipt.Issued, error) {
	return receipt.Issued{ID: id}, nil
}
func (noReceipts) JWKS() []byte { return []byte(`{"keys":[]}`) }
func (noReceipts) Check(context.Context, []byte) (*receipt.Claims, verifiers.Code) {
	return nil, verifiers.ReceiptMalformed
}

// askedFor is a Verifier that only notes the request.
type askedFor struct{ verifiers.Request }

func (a *askedFor) Verify(_ context.Context, q *verifiers.Request) *verifiers.Response {
	a.Request = *q
	a.Credential = append([]byte(nil), q.Credential...)
	r, _ := api.Example(verifiers.RegistryUnavailable, testworld.Now)
	return r
}

// strictlyFold is strictly for structs that name no members: Go's names fit but
// for case.
func strictlyFold(t testing.TB, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}
