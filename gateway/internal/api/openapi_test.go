package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/api/apitest"
)

// document is the checker that all tests of this package share.
var document = sync.OnceValues(apitest.New)

func checker(t testing.TB) *apitest.Checker {
	c, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// watch keeps what is read of a request's body, and returns what checks the
// exchange against the OpenAPI document.
func watch(t testing.TB, c *apitest.Checker, q *http.Request) func(w *httptest.ResponseRecorder) {
	if _, fuzzing := t.(*testing.F); fuzzing {
		return func(*httptest.ResponseRecorder) {} // an F must not be used in its target
	}
	var kept bytes.Buffer
	if q.Body != nil {
		q.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(q.Body, &kept), q.Body}
	}
	return func(w *httptest.ResponseRecorder) {
		t.Helper()
		err := c.Check(&apitest.Exchange{Method: q.Method, Path: q.URL.Path, Asked: q.Header, AskedBody: kept.Bytes(),
			Status: w.Code, Answered: w.Header(), Body: w.Body.Bytes()})
		if err != nil {
			t.Errorf("not as /openapi.json says: %v", err)
		}
	}
}

func TestDocumentIsSound(t *testing.T) {
	for _, fault := range checker(t).Lint() {
		t.Error(fault)
	}
}

func TestEveryPageIsDescribed(t *testing.T) {
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(api.Document(), &doc); err != nil {
		t.Fatal(err)
	}
	routes := newRig(t).api.Routes()
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s is not described", route)
		}
	}
	if len(doc.Paths) != len(routes) {
		t.Errorf("%d paths are described, and there are %d", len(doc.Paths), len(routes))
	}
}

func codesOf(t *testing.T, r *rig) []api.CodeInfo {
	t.Helper()
	var table struct{ Codes []api.CodeInfo }
	w := r.do(request("GET", "/v1/codes", ""))
	if err := json.Unmarshal(w.Body.Bytes(), &table); err != nil || len(table.Codes) < 60 {
		t.Fatalf("%d codes, %v", len(table.Codes), err)
	}
	return table.Codes
}

func TestEveryCodeHasAnExample(t *testing.T) {
	var doc struct {
		Components struct {
			Examples map[string]struct {
				Value struct {
					Verdict, Code string
					Warnings      []string
				}
			}
		}
	}
	if err := json.Unmarshal(api.Document(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, info := range codesOf(t, newRig(t)) {
		e, ok := doc.Components.Examples[info.Kind+"."+info.Code]
		v := e.Value
		switch {
		case !ok:
			t.Errorf("%s has no example", info.Code)
		case info.Kind == "warning" && (v.Verdict != "VALID" || len(v.Warnings) != 1 || v.Warnings[0] != info.Code),
			info.Kind != "warning" && v.Code != info.Code,
			info.Kind == "verdict" && v.Verdict != info.Verdict:
			t.Errorf("the example of %s is %+v", info.Code, v)
		}
	}
}

func TestDocs(t *testing.T) {
	r := newRig(t)
	w := r.do(request("GET", "/docs", "", "Authorization:", "Accept: text/html,application/xhtml+xml,image/avif"))
	page := w.Body.String()
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("the page has no style")
	}
	hash := sha256.Sum256([]byte(style[1]))
	want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, want) {
		t.Errorf("policy %q, want %q in it", policy, want)
	}
	for _, never := range []string{"<script", "<img", "<link", "@import", "url(", "style=", "src=", "http-equiv"} {
		if strings.Contains(page, never) {
			t.Errorf("%s stands in the page", never)
		}
	}
	// Its only links go to places in itself and to open pages.
	places := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if places[m[1]] {
			t.Errorf("the place %s stands twice", m[1])
		}
		places[m[1]] = true
	}
	links := regexp.MustCompile(` href="([^"]+)"`).FindAllStringSubmatch(page, -1)
	for _, m := range links {
		if place, ok := strings.CutPrefix(m[1], "#"); ok && places[place] {
			continue
		}
		if to := r.do(request("GET", m[1], "", "Authorization:")); to.Code != 200 {
			t.Errorf("the link %s leads to %d", m[1], to.Code)
		}
	}
	if len(links) < 50 {
		t.Errorf("only %d links", len(links))
	}
	for _, route := range r.api.Routes() {
		if _, path, _ := strings.Cut(route, " "); !strings.Contains(page, "<code>"+path+"</code>") {
			t.Errorf("%s is not in the page", path)
		}
	}
}
