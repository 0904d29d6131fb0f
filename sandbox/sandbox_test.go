package sandbox_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start brings up a sandbox for one test.
func start(t testing.TB, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// client trusts the sandbox's CA, follows no redirect and keeps no connection.
func client(t testing.TB, s *sandbox.Sandbox) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CAPEM()) {
		t.Fatal("CAPEM holds no certificate")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DisableKeepAlives: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get reads a whole answer of status 200.
func get(t testing.TB, c *http.Client, url string) []byte {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET %s: %d, %v", url, resp.StatusCode, err)
	}
	return body
}

func TestStart(t *testing.T) {
	s := start(t, sandbox.Options{})
	if got := len(s.Provinces()); got != 4 {
		t.Fatalf("%d provinces, want 4", got)
	}
	addresses := make(map[string]bool)
	for _, e := range s.Endpoints() {
		addresses[e.URL()] = true
	}
	if got := len(addresses); got != 4*3+1 {
		t.Errorf("%d addresses, want three a province and one for the list", got)
	}
	if s.Province("110000") != nil {
		t.Error("a province that is none of the four")
	}
	c := client(t, s)
	for _, p := range s.Provinces() {
		get(t, c, p.Keys.URI())
	}
	get(t, c, s.Trust.URI())
}

func TestStartRefuses(t *testing.T) {
	for name, opts := range map[string]sandbox.Options{
		"roots":   {Roots: 9},
		"minus":   {Roots: -1},
		"dialect": {Dialect: map[string]sandbox.Dialect{"110000": {Enabled: true}}},
	} {
		if s, err := sandbox.Start(context.Background(), opts); err == nil {
			s.Close()
			t.Errorf("%s: started", name)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	s.Close()
	s.Close()
	if _, err := c.Get(s.Trust.URI()); err == nil {
		t.Error("closed, and answers")
	}
	if err := s.Trust.Set(sandbox.Fault{Mode: sandbox.Error}); err == nil {
		t.Error("closed, and takes a fault")
	}
	if err := s.Trust.Clear(); err == nil {
		t.Error("closed, and opened again")
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := sandbox.Start(context.Background(), sandbox.Options{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkStartAndSamples(b *testing.B) {
	for b.Loop() {
		s := start(b, sandbox.Options{})
		if _, err := s.Samples(); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
