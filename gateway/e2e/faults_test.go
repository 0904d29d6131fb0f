package e2e

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Requests that make no sense, or come from nobody, get a problem and no verdict.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{more: "limits: { max_body: 100KiB }\n"})
	token := w.good(shanghai)
	const jwt, inJSON = "application/jwt", "application/json"
	do := func(method, path string, body io.Reader, headers ...string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest(method, g.url+path, body)
		w.ok(err)
		req.Header.Set("Authorization", "Bearer "+w.caps["all"])
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Del(headers[i])
			if headers[i+1] != "" {
				req.Header.Set(headers[i], headers[i+1])
			}
		}
		res, err := g.client.Do(req)
		w.ok(err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		w.ok(err)
		return res.StatusCode, string(text), res.Header
	}
	quoted := `{"credential":"` + token + `"`
	for name, tc := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               string
	}{
		"empty":                {"POST", "/v1/verify", "", []string{"Content-Type", jwt}, 400, "BAD_REQUEST"},
		"not JSON":             {"POST", "/v1/verify", "{", []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"unknown member":       {"POST", "/v1/verify", quoted + `,"x":1}`, []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"duplicate member":     {"POST", "/v1/verify", quoted + `,"purpose":"a","purpose":"b"}`, []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"wrong type":           {"POST", "/v1/verify", `{"credential":7}`, []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"no credential":        {"POST", "/v1/verify", `{}`, []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"unreadable duration":  {"POST", "/v1/verify", quoted + `,"freshness":{"max_age":"soon"}}`, []string{"Content-Type", inJSON}, 400, "BAD_REQUEST"},
		"negative duration":    {"POST", "/v1/verify", quoted + `,"freshness":{"max_age":"-1s"}}`, []string{"Content-Type", inJSON}, 422, "UNPROCESSABLE"},
		"required, no nonce":   {"POST", "/v1/verify", quoted + `,"holder":{"required":true}}`, []string{"Content-Type", inJSON}, 422, "UNPROCESSABLE"},
		"no receipts here":     {"POST", "/v1/verify", quoted + `,"receipt":true}`, []string{"Content-Type", inJSON}, 422, "UNPROCESSABLE"},
		"another media type":   {"POST", "/v1/verify", token, []string{"Content-Type", "application/pdf"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"no media type":        {"POST", "/v1/verify", token, nil, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"compressed":           {"POST", "/v1/verify", token, []string{"Content-Type", jwt, "Content-Encoding", "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"HTML wanted":          {"POST", "/v1/verify", token, []string{"Content-Type", jwt, "Accept", "text/html"}, 406, "NOT_ACCEPTABLE"},
		"GET":                  {"GET", "/v1/verify", "", nil, 405, "METHOD_NOT_ALLOWED"},
		"no such page":         {"GET", "/v1/nothing", "", nil, 404, "NOT_FOUND"},
		"nobody":               {"POST", "/v1/verify", token, []string{"Content-Type", jwt, "Authorization", ""}, 401, "UNAUTHENTICATED"},
		"a stranger":           {"POST", "/v1/verify", token, []string{"Content-Type", jwt, "Authorization", "Bearer " + rand.Text()}, 401, "UNAUTHENTICATED"},
		"without the scope":    {"GET", "/v1/provinces", "", []string{"Authorization", "Bearer " + w.caps["verdict-only"]}, 403, "FORBIDDEN"},
		"too large, as said":   {"POST", "/v1/verify", strings.Repeat("x", 101<<10), []string{"Content-Type", jwt}, 413, "TOO_LARGE"},
		"too long for a token": {"POST", "/v1/verify", strings.Repeat("x", 70<<10), []string{"Content-Type", jwt}, 200, ""},
	} {
		status, text, header := do(tc.method, tc.path, strings.NewReader(tc.body), tc.headers...)
		if status != tc.status || tc.code != "" && !strings.Contains(text, `"code":"`+tc.code+`"`) {
			t.Errorf("%s: want %d %s, got %d %s", name, tc.status, tc.code, status, text)
		}
		if tc.code != "" && header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: Content-Type %q", name, header.Get("Content-Type"))
		}
		if header.Get("Request-Id") == "" || tc.code != "" && !strings.Contains(text, header.Get("Request-Id")) {
			t.Errorf("%s: Request-Id %q, and %s", name, header.Get("Request-Id"), text)
		}
		if found := telltale.FindString(text); found != "" && tc.code != "" {
			t.Errorf("%s: the problem repeats %q", name, found)
		}
		if err := discreetHeader(header); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A body of unsaid length is cut off at the cap.
	status, text, _ := do("POST", "/v1/verify", io.LimitReader(endless{}, 1<<30), "Content-Type", jwt)
	if status != 413 {
		t.Errorf("an endless body: %d %s", status, text)
	}
	// One request in a hundred seconds is agreed with this party.
	var limited http.Header
	for range 3 {
		if status, _, limited = do("POST", "/v1/verify", strings.NewReader(token), "Content-Type", jwt, "Authorization", "Bearer "+w.caps["slow"]); status != 200 {
			break
		}
	}
	if status != 429 || limited.Get("Retry-After") == "" {
		t.Errorf("beyond its rate: %d, Retry-After %q", status, limited.Get("Retry-After"))
	}
	// Without the scope there is a verdict and a match, and no licence.
	a, err := g.post("/v1/verify", inJSON, quoted+`,"expect":{"entname":"别家有限公司"}}`, "Authorization", "Bearer "+w.caps["verdict-only"])
	w.ok(err)
	want(t, a, "VALID", "OK")
	if a.Licence != nil || a.Match["entname"] != "mismatch" {
		t.Errorf("without the scope licence: %v", a)
	}
	// What everybody may see.
	for _, path := range []string{"/v1/codes", "/.well-known/jwks.json"} {
		if status, text, _ := do("GET", path, nil, "Authorization", ""); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Who sends a header and never ends it holds his own connection only, and not
// for long.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	pool := g.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	ended := make(chan error, 60)
	for range cap(ended) {
		c, err := tls.Dial("tcp", strings.TrimPrefix(g.url, "https://"), &tls.Config{RootCAs: pool})
		w.ok(err)
		defer c.Close()
		w.ok(c.SetDeadline(time.Now().Add(20 * time.Second)))
		_, err = io.WriteString(c, "POST /v1/verify HTTP/1.1\r\nHost: gateway\r\nX-Slow: ")
		w.ok(err)
		go func() {
			// It may answer 408 before it hangs up.
			_, err := io.Copy(io.Discard, bufio.NewReader(c))
			ended <- err
		}()
	}
	token := w.good(shanghai)
	began := time.Now()
	for open := cap(ended); open > 0; {
		g.expect("VALID", "OK", token)
		select {
		case err := <-ended:
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("a connection is kept for 20 s without a whole header")
			}
			open--
		case <-time.After(20 * time.Millisecond):
		}
	}
	if took := time.Since(began); took < 2*time.Second || took > 12*time.Second {
		t.Errorf("hung up after %v", took)
	}
}

// Old versions of TLS are not spoken, and weak suites neither.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{})
	pool := g.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, tc := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"1.3":          {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2":          {&tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"1.1":          {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2 with CBC": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}, false},
		"1.2 bare RSA": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false},
		"another CA":   {&tls.Config{RootCAs: nil, ServerName: "gateway.example"}, false},
	} {
		if tc.config.ServerName == "" {
			tc.config.RootCAs = pool
		}
		c, err := tls.Dial("tcp", strings.TrimPrefix(g.url, "https://"), tc.config)
		if err == nil {
			c.Close()
		}
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
