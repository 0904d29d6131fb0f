package rig_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/rig"
	"tongyan/sandbox"
)

func start(t *testing.T, opts rig.Options) *rig.Rig {
	t.Helper()
	if testing.Short() {
		t.Skip("starts gateways")
	}
	dir := t.TempDir()
	binary, err := rig.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	opts.Gateway, opts.Dir, opts.RegistryRate = binary, dir, 200
	r, err := rig.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func ask(t *testing.T, r *rig.Rig, target, token string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: r.TLS(), DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+target+"/v1/verify", strings.NewReader(token))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/ebl+jwt")
	req.Header.Set("Authorization", "Bearer "+r.Key())
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	body.ReadFrom(resp.Body)
	return resp.StatusCode, body.String()
}

// soon polls until the answer is as wanted: faults take effect within a
// refresh or a time-out, not at once.
func soon(t *testing.T, what string, right func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !right(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what, ": not within 15 s")
		}
	}
}

func mint(t *testing.T, r *rig.Rig, n int) string {
	t.Helper()
	token, _, err := r.Sandbox.Province("320000").Mint(sandbox.LicenceSpec{Number: n})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func act(t *testing.T, text string) profile.Action {
	t.Helper()
	a, err := (profile.Fault{Fault: text}).Action()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRig(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	r := start(t, rig.Options{Gateways: 2, Redis: true})
	n := 0
	fresh := func() string { n++; return mint(t, r, n) }
	for _, target := range r.Targets() {
		if status, body := ask(t, r, target, fresh()); status != 200 || !strings.Contains(body, `"VALID"`) {
			t.Fatalf("%d %.200s", status, body)
		}
	}
	target := r.Targets()[1]
	says := func(code string) func() bool {
		return func() bool { _, body := ask(t, r, target, fresh()); return strings.Contains(body, `"`+code+`"`) }
	}
	for _, tc := range []struct{ fault, province, code string }{
		{"registry errors", "320000", "REGISTRY_UNAVAILABLE"},
		{"registry gone", "", "REGISTRY_UNAVAILABLE"},
		{"trust expired", "", "TRUST_LIST_EXPIRED"},
		{"redis killed", "", "OK"},
		{"redis frozen", "", "OK"},
	} {
		mend, err := r.Break(act(t, tc.fault), tc.province)
		if err != nil {
			t.Fatal(tc.fault, err)
		}
		soon(t, tc.fault, says(tc.code))
		if err := mend(); err != nil {
			t.Fatal(tc.fault, err)
		}
		soon(t, "after "+tc.fault, says("OK"))
	}
	mend, err := r.Break(act(t, "gateway killed"), "")
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, r, r.Targets()[0], fresh()); status != 0 {
		t.Errorf("the killed gateway answers %d", status)
	}
	if err := mend(); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, r, r.Targets()[0], fresh()); status != 200 {
		t.Errorf("the gateway does not come back: %d", status)
	}
	if err := r.Scale(t.Context(), 1); err != nil || len(r.Targets()) != 1 || len(r.Metrics()) != 1 {
		t.Errorf("%v %v", err, r.Targets())
	}
	if _, err := r.Break(act(t, "registry hang"), "990000"); !errors.Is(err, rig.ErrImpossible) {
		t.Errorf("another province: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := rig.Start(ctx, rig.Options{Gateway: "/bin/false", Dir: dir, Gateways: 1, RegistryRate: 200})
	if err == nil || !strings.Contains(err.Error(), "ended at its start") {
		t.Errorf("%v", err)
	}
}
