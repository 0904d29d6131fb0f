package client_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/gateway/client"
	"tongyan/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const apiKey = "key-of-the-hall"

// A standIn answers like a gateway, by the contract: it refuses what a gateway
// would refuse. A credential says what its verdict is.
type standIn struct {
	*httptest.Server
	busy atomic.Int64 // questions about the credential busy
}

func start(http2 bool) *standIn {
	mux := http.NewServeMux()
	s := &standIn{Server: httptest.NewUnstartedServer(mux)}
	mux.HandleFunc("POST /v1/verify", s.verify)
	mux.HandleFunc("POST /v1/verify/batch", s.batch)
	mux.HandleFunc("POST /v1/receipts/verify", s.receipt)
	mux.HandleFunc("GET /v1/whoami", s.whoami)
	mux.HandleFunc("GET /v1/codes", s.codes)
	s.Config.Handler = s.admit(mux)
	s.EnableHTTP2 = http2
	s.StartTLS()
	return s
}

func (s *standIn) options() client.Options {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return client.Options{URL: s.URL, Key: apiKey, Roots: roots}
}

// gateway starts a stand-in and a client of it.
func gateway(t testing.TB, http2 bool) *client.Client {
	t.Helper()
	s := start(http2)
	c, err := client.New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	io.WriteString(w, problemText(status, code, detail))
}

func problemText(status int, code, detail string) string {
	return fmt.Sprintf(`{"type":"about:blank","title":"t","status":%d,"detail":%q,"code":%q,"request_id":"req-1"}`, status, detail, code)
}

func (s *standIn) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+apiKey:
			refuse(w, 401, "UNAUTHENTICATED", "show a key")
		case !acceptable(r.Header):
			refuse(w, 406, "NOT_ACCEPTABLE", "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// acceptable reports whether the caller takes JSON, as far as clients here say so.
func acceptable(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	return accept == "" || strings.Contains(accept, "application/json") || strings.Contains(accept, "*/*")
}

func (s *standIn) verify(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.Header.Get("Content-Type") {
	case "application/json":
	case "application/jwt":
		body, _ = json.Marshal(map[string]string{"credential": string(body)})
	default:
		refuse(w, 415, "UNSUPPORTED_MEDIA_TYPE", "")
		return
	}
	if bytes.Contains(body, []byte(`"busy"`)) && s.busy.Add(1)%2 == 1 {
		w.Header().Set("Retry-After", "1")
		refuse(w, 503, "OVERLOADED", "")
		return
	}
	status, answer := s.answer(body, -1)
	w.Header().Set("Content-Type", map[bool]string{true: "application/json", false: "application/problem+json"}[status == 200])
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

// answer works out what a gateway would say to one JSON request.
func (s *standIn) answer(body []byte, seq int) (status int, answer string) {
	v, err := strict.Parse(body)
	if err != nil {
		return 400, problemText(400, "BAD_REQUEST", "not JSON")
	}
	for _, m := range v.Members() {
		if !strings.Contains("credential purpose reference freshness expect holder receipt", m.Name) {
			return 400, problemText(400, "BAD_REQUEST", "an unknown member")
		}
	}
	for _, name := range []string{"max_age", "stale_if_error"} {
		if text, ok := v.At("/freshness/" + name).Text(); ok {
			if d, err := time.ParseDuration(text); err != nil || d < 0 {
				return 422, problemText(422, "UNPROCESSABLE", name)
			}
		}
	}
	number := ""
	if seq >= 0 {
		number = fmt.Sprintf(`"seq":%d,`, seq)
	}
	credential, _ := v.Get("credential").Text()
	switch credential {
	case "valid", "busy":
		extra := ""
		if wanted, _ := v.Get("receipt").Bool(); wanted {
			extra = `,"receipt":"good"`
		}
		if name, ok := v.At("/expect/entname").Text(); ok {
			extra += fmt.Sprintf(`,"match":{"entname":%q}`, map[bool]string{true: "match", false: "mismatch"}[name == "上海示例有限公司"])
		}
		return 200, `{` + number + `"id":"vrf_1","verdict":"VALID","code":"OK","checks":[{"check":"format","outcome":"passed"},` +
			`{"check":"registry","outcome":"passed","source":"live","as_of":"2026-10-01T04:00:00Z"}],"warnings":["TERM_ENDED"],` +
			`"licence":{"uniscid":"91310000MA1K35Y38P","entname":"上海示例有限公司","opto":null,"new":[1]},` +
			`"issuer":{"iss":"https://ebl.sh.example","province":"310000","authority":"上海市市场监督管理局","key":"k","alg":"ES256"},` +
			`"freshness":{"source":"live","as_of":"2026-10-01T04:00:00Z","age_seconds":0},"credential_digest":"sha-256:x","format":"ebl+jwt",` +
			`"trust_list_version":7,"verified_at":"2026-10-01T04:00:00Z","valid_until":"2026-10-01T04:05:00Z","retry_after_seconds":null,"later":{"a":1}` + extra + `}`
	case "revoked":
		return 200, `{` + number + `"id":"vrf_2","verdict":"INVALID","code":"REGISTRATION_REVOKED","checks":[],"warnings":[],"retry_after_seconds":null}`
	case "silent":
		return 200, `{` + number + `"id":"vrf_3","verdict":"INDETERMINATE","code":"REGISTRY_UNAVAILABLE","checks":[],"warnings":[],"retry_after_seconds":7}`
	case "contradiction":
		return 200, `{` + number + `"id":"vrf_4","verdict":"VALID","code":"EXPIRED","checks":[],"warnings":[]}`
	case "a fourth":
		return 200, `{` + number + `"id":"vrf_5","verdict":"PERHAPS","code":"OK"}`
	case "nothing":
		return 200, `{}`
	}
	return 400, problemText(400, "BAD_REQUEST", "credential is missing or empty")
}

func (s *standIn) batch(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		refuse(w, 415, "UNSUPPORTED_MEDIA_TYPE", "")
		return
	}
	control := http.NewResponseController(w)
	if r.ProtoMajor == 1 {
		control.EnableFullDuplex()
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	in := bufio.NewScanner(r.Body)
	in.Buffer(nil, 1<<20)
	for seq := 0; in.Scan(); seq++ {
		if bytes.Contains(in.Bytes(), []byte(`"hang up"`)) {
			panic(http.ErrAbortHandler)
		}
		if bytes.Contains(in.Bytes(), []byte(`"enough"`)) {
			return
		}
		status, answer := s.answer(in.Bytes(), seq)
		if status != 200 {
			answer = fmt.Sprintf(`{"seq":%d,"error":%s}`, seq, answer)
		}
		if bytes.Contains(in.Bytes(), []byte(`"another's"`)) {
			answer = `{"seq":999}`
		}
		io.WriteString(w, answer+"\n")
		control.Flush()
	}
}

func (s *standIn) receipt(w http.ResponseWriter, r *http.Request) {
	var body struct{ Receipt string }
	json.NewDecoder(r.Body).Decode(&body)
	switch body.Receipt {
	case "good":
		io.WriteString(w, `{"valid":true,"code":"OK","receipt":{"iss":"https://gateway.example","verdict":"VALID"}}`)
	case "liar":
		io.WriteString(w, `{"valid":true,"code":"RECEIPT_EXPIRED"}`)
	default:
		io.WriteString(w, `{"valid":false,"code":"RECEIPT_MALFORMED"}`)
	}
}

func (s *standIn) whoami(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, `{"id":"hall-pudong","scopes":["verify","licence"],"rate":200,"lane":"hall"}`)
}

func (s *standIn) codes(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, `{"codes":[{"code":"OK","kind":"verdict","verdict":"VALID","zh":"执照有效","en":"The licence is valid","cause":"","act":"","retry":false}]}`)
}
