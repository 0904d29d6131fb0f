package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tongyan/gateway/internal/admin"
)

func get(a *admin.Admin, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

type state struct {
	Ready    bool
	Draining bool
	Parts    []admin.Part
}

func readyz(t *testing.T, a *admin.Admin, path string) (int, state) {
	t.Helper()
	w := get(a, "GET", path)
	var s state
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %v", err, w.Header())
	}
	return w.Code, s
}

// SPEC: contract §6.2 "/livez (200 while the process works, draining included),
// /readyz (trust list usable, not draining; one province down does not flip it;
// ?verbose lists everything it depends on)".
func TestReady(t *testing.T) {
	list := admin.Part{Name: "trust list", OK: true, Essential: true}
	province := admin.Part{Name: "registry of 310000", OK: true}
	redis := admin.Part{Name: "redis", OK: true}
	a := admin.New(admin.Options{Parts: func() []admin.Part { return []admin.Part{list, province, redis} }, Gather: admin.NewMetrics()})
	check := func(what string, want int) {
		t.Helper()
		status, s := readyz(t, a, "/readyz")
		if status != want || s.Ready != (want == 200) || s.Parts != nil {
			t.Errorf("%s: %d %+v, want %d", what, status, s, want)
		}
		status, s = readyz(t, a, "/readyz?verbose")
		if status != want || len(s.Parts) != 3 || s.Parts[0].Name != "trust list" || s.Parts[0].OK != list.OK || s.Parts[1].OK != province.OK || s.Parts[1].Problem != province.Problem {
			t.Errorf("%s, verbose: %d %+v", what, status, s)
		}
		if live := get(a, "GET", "/livez"); live.Code != 200 {
			t.Errorf("%s: livez %d", what, live.Code)
		}
	}
	check("all is well", 200)
	province.OK, province.Problem = false, "breaker open"
	check("one province down", 200)
	redis.OK = false
	check("Redis down too", 200)
	list.OK = false
	check("trust list expired", 503)
	list.OK = true
	check("trust list renewed", 200)
	a.Drain()
	check("draining", 503)
	if _, s := readyz(t, a, "/readyz"); !s.Draining {
		t.Error("draining is not told")
	}
}

// Without anything to depend on there is nothing to be unready for; a part that
// says nothing of itself is not well.
func TestZeroPart(t *testing.T) {
	a := admin.New(admin.Options{Parts: func() []admin.Part { return []admin.Part{{Essential: true}} }, Gather: admin.NewMetrics()})
	if status, _ := readyz(t, a, "/readyz"); status != 503 {
		t.Errorf("an essential part that is not known to work: %d", status)
	}
}

func TestReload(t *testing.T) {
	var notes []string
	var fault error
	called := 0
	a := admin.New(admin.Options{Parts: func() []admin.Part { return nil }, Gather: admin.NewMetrics(),
		Reload: func(context.Context) ([]string, error) { called++; return notes, fault }})
	if w := get(a, "GET", "/reload"); w.Code != http.StatusMethodNotAllowed || called != 0 {
		t.Errorf("GET reloads: %d, called %d times", w.Code, called)
	}
	notes = []string{"listen"}
	if w := get(a, "POST", "/reload"); w.Code != 200 || !strings.Contains(w.Body.String(), `"listen"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	fault = errors.New("gateway.yaml:3:1: unknown key")
	// A reload that fails does not say that it succeeded.
	if w := get(a, "POST", "/reload"); w.Code/100 == 2 || !strings.Contains(w.Body.String(), "gateway.yaml:3:1") || !strings.Contains(w.Body.String(), `"reloaded": false`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	without := admin.New(admin.Options{Parts: func() []admin.Part { return nil }, Gather: admin.NewMetrics()})
	if w := get(without, "POST", "/reload"); w.Code/100 == 2 {
		t.Errorf("%d", w.Code)
	}
}

func TestOtherPages(t *testing.T) {
	a := admin.New(admin.Options{Parts: func() []admin.Part { return nil }, Gather: admin.NewMetrics()})
	for _, path := range []string{"/", "/debug/pprof/", "/v1/verify", "/metrics/"} {
		if w := get(a, "GET", path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
