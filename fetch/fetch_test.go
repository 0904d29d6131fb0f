package fetch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a TLS server for 127.0.0.1 and gives a pool that trusts it.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*httptest.Server)) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, c := range change {
		c(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func client(t *testing.T, o fetch.Options) *fetch.Client {
	c := fetch.New(o)
	t.Cleanup(c.Close)
	return c
}

var json1K = fetch.Request{MaxBytes: 1024, MediaTypes: []string{"application/json"}}

// raw answers with bytes of the test's own making instead of net/http's.
func raw(write func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		write(conn)
	}
}

func text(s string) http.HandlerFunc {
	return raw(func(c net.Conn) { _, _ = io.WriteString(c, s) })
}

// forever writes the chunk until the reader hangs up.
func forever(c net.Conn, first, chunk string) {
	_, err := io.WriteString(c, first)
	for err == nil {
		_, err = io.WriteString(c, chunk)
	}
}

func TestRefused(t *testing.T) {
	const okHeader = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	header := func(kv ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for i := 0; i < len(kv); i += 2 {
				w.Header().Set(kv[i], kv[i+1])
			}
			_, _ = io.WriteString(w, "{}")
		}
	}
	status := func(code int, kv ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(kv); i += 2 {
				w.Header().Set(kv[i], kv[i+1])
			}
			w.WriteHeader(code)
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    fetch.Reason
		status  int
	}{
		{"redirect", status(302, "Location", "/elsewhere"), fetch.Redirect, 302},
		{"redirect to nowhere", status(308, "Location", "::not a url"), fetch.Redirect, 308},
		{"not modified though nothing is held", status(304), fetch.Status, 304},
		{"server error", status(500), fetch.Status, 500},
		{"not found", status(404), fetch.Status, 404},
		{"no content", status(204), fetch.Status, 204},
		{"partial content", status(206), fetch.Status, 206},
		{"html", header("Content-Type", "text/html; charset=utf-8"), fetch.MediaType, 200},
		{"no type", text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), fetch.MediaType, 200},
		{"malformed type", header("Content-Type", "application/json;;="), fetch.MediaType, 200},
		{"gzip", header("Content-Encoding", "gzip"), fetch.Encoding, 200},
		{"unknown coding", header("Content-Encoding", "x-own"), fetch.Encoding, 200},
		{"one byte too long", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(make([]byte, 1025))
		}, fetch.TooLarge, 200},
		{"long by its header", text(okHeader + "Content-Length: 1025\r\n\r\n"), fetch.TooLarge, 200},
		{"endless chunks", raw(func(c net.Conn) {
			forever(c, okHeader+"Transfer-Encoding: chunked\r\n\r\n", "4\r\n    \r\n")
		}), fetch.TooLarge, 200},
		{"endless without length", raw(func(c net.Conn) { forever(c, okHeader+"\r\n", "    ") }), fetch.TooLarge, 200},
		{"endless header", raw(func(c net.Conn) { forever(c, okHeader, "X-More: and more\r\n") }), fetch.Protocol, 0},
		{"not HTTP", text("SSH-2.0-OpenSSH_9.2\r\n\r\n"), fetch.Protocol, 0},
		{"hang up", text(""), fetch.Protocol, 0},
		{"truncated by length", text(okHeader + "Content-Length: 10\r\n\r\n{\"a\":"), fetch.Truncated, 0},
		{"truncated chunk", text(okHeader + "Transfer-Encoding: chunked\r\n\r\n5\r\n{}"), fetch.Truncated, 0},
		{"bad chunk size", text(okHeader + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"), fetch.Truncated, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, pool := serve(t, c.handler)
			answer, err := client(t, fetch.Options{CAs: pool}).Get(t.Context(), s.URL+"/path?secret=1", json1K)
			check(t, answer, err, c.want)
			var e *fetch.Error
			if errors.As(err, &e) && e.Status != c.status {
				t.Errorf("status %d, want %d", e.Status, c.status)
			}
			if strings.Contains(fmt.Sprint(err), "secret") || strings.Contains(fmt.Sprint(err), "SSH") {
				t.Errorf("the error repeats the query or the peer: %v", err)
			}
		})
	}
}

// check wants an error of one reason, and nothing beside it.
func check(t *testing.T, answer fetch.Answer, err error, want fetch.Reason) {
	t.Helper()
	var e *fetch.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want an *fetch.Error", err)
	}
	if e.Reason != want {
		t.Errorf("reason %q, want %q (%v)", e.Reason, want, err)
	}
	if !slices.Contains(fetch.Reasons(), e.Reason) {
		t.Errorf("reason %q is not in Reasons()", e.Reason)
	}
	if answer.Body != nil || answer.Header != nil || answer.NotModified || answer.ETag != "" {
		t.Errorf("an answer stands beside the error: %+v", answer)
	}
}

func TestAnswer(t *testing.T) {
	type seen struct{ encoding, accept, agent, cookie string }
	var got []seen
	body := strings.Repeat("x", 1024) // exactly the limit
	s, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.Header.Get("Accept-Encoding"), r.Header.Get("Accept"), r.UserAgent(), r.Header.Get("Cookie")})
		w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
		w.Header().Set("Content-Encoding", "identity")
		w.Header().Set("ETag", `"one"`)
		http.SetCookie(w, &http.Cookie{Name: "track", Value: "you"})
		_, _ = io.WriteString(w, body)
	})
	c := client(t, fetch.Options{CAs: pool, UserAgent: "test/1"})
	for range 2 {
		want := json1K
		want.Accept = "application/json"
		answer, err := c.Get(t.Context(), s.URL, want)
		if err != nil {
			t.Fatal(err)
		}
		if string(answer.Body) != body || answer.MediaType != "application/json" || answer.ETag != `"one"` || answer.NotModified {
			t.Errorf("answer %+v", answer)
		}
	}
	if want := (seen{"identity", "application/json", "test/1", ""}); got[0] != want || got[1] != want {
		t.Errorf("requests %+v, want twice %+v", got, want)
	}
}

func TestNotModified(t *testing.T) {
	s, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"one"` {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	want := json1K
	want.ETag = `"one"`
	answer, err := client(t, fetch.Options{CAs: pool}).Get(t.Context(), s.URL, want)
	if err != nil || !answer.NotModified || answer.Body != nil || answer.ETag != `"one"` {
		t.Errorf("answer %+v, error %v", answer, err)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		status   int
		value    string
		min, max time.Duration
	}{
		{429, "7", 7 * time.Second, 7 * time.Second},
		{503, "100000", time.Minute, time.Minute},
		{503, "99999999999999999999999", time.Minute, time.Minute},
		{503, time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat), time.Second, 30 * time.Second},
		{503, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
		{503, "-5", 0, 0},
		{503, "soon", 0, 0},
		{500, "7", 0, 0},
	} {
		s, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", c.value)
			w.WriteHeader(c.status)
		})
		_, err := client(t, fetch.Options{CAs: pool}).Get(t.Context(), s.URL, json1K)
		var e *fetch.Error
		if !errors.As(err, &e) || e.RetryAfter < c.min || e.RetryAfter > c.max {
			t.Errorf("%d %q: %#v", c.status, c.value, err)
		}
	}
}

func TestBadAddress(t *testing.T) {
	c := client(t, fetch.Options{})
	for _, address := range []string{"", "http://127.0.0.1/", "HTTP://x/", "ftp://x/", "https://", "https:///path",
		"https:opaque", "//host/path", "https://user:pw@host/", "https://host:port/", "https://a b/", "file:///etc/passwd"} {
		answer, err := c.Get(t.Context(), address, json1K)
		check(t, answer, err, fetch.BadRequest)
		if strings.Contains(err.Error(), "pw") {
			t.Errorf("%v", err)
		}
	}
	for _, n := range []int64{0, -1, 1 << 40, 1<<63 - 1} {
		answer, err := c.Get(t.Context(), "https://127.0.0.1:1/", fetch.Request{MaxBytes: n})
		check(t, answer, err, fetch.BadRequest)
	}
}

func TestHandshake(t *testing.T) {
	hello := func(w http.ResponseWriter, r *http.Request) {}
	s, pool := serve(t, hello)
	old, oldPool := serve(t, hello, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()

	for _, c := range []struct {
		name, address string
		pool          *x509.CertPool
		want          fetch.Reason
	}{
		{"unknown authority", s.URL, x509.NewCertPool(), fetch.TLS},
		{"system authorities", s.URL, nil, fetch.TLS},
		{"another name", strings.Replace(s.URL, "127.0.0.1", "localhost", 1), pool, fetch.TLS},
		{"TLS 1.1", old.URL, oldPool, fetch.TLS},
		{"no TLS at all", strings.Replace(plain.URL, "http:", "https:", 1), pool, fetch.TLS},
		{"nobody listens", "https://" + closed.Addr().String(), pool, fetch.Dial},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := client(t, fetch.Options{CAs: c.pool}).Get(t.Context(), c.address, json1K)
			check(t, answer, err, c.want)
		})
	}
}

// A server may be slow in each phase; the time-out holds over all of them.
func TestSlow(t *testing.T) {
	begun := make(chan struct{}, 1)
	hang, hangPool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done() // then an empty 200, which comes too late
	})
	drip, dripPool := serve(t, raw(func(c net.Conn) {
		begun <- struct{}{}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
		for tick := time.NewTicker(10 * time.Millisecond); err == nil; <-tick.C {
			_, err = c.Write([]byte(" "))
		}
	}))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	for _, c := range []struct {
		name, address string
		pool          *x509.CertPool
		begins        bool
	}{
		{"hang before the header", hang.URL, hangPool, true},
		{"drip in the body", drip.URL, dripPool, true},
		{"hang before the handshake", "https://" + silent.Addr().String(), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			answer, err := client(t, fetch.Options{CAs: c.pool, Timeout: 500 * time.Millisecond}).Get(t.Context(), c.address, json1K)
			check(t, answer, err, fetch.Timeout)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not a DeadlineExceeded", err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
			if c.begins {
				<-begun
			}
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		answer, err := client(t, fetch.Options{CAs: hangPool}).Get(ctx, hang.URL, json1K)
		check(t, answer, err, fetch.Canceled)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not a Canceled", err)
		}
	})
}

func TestConnectionsAreReusedAndBounded(t *testing.T) {
	var mu sync.Mutex
	opened, open, most := 0, 0, 0
	s, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	}, func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch state {
			case http.StateNew:
				opened, open = opened+1, open+1
				most = max(most, open)
			case http.StateClosed:
				open--
			}
		}
	})
	count := func() int { mu.Lock(); defer mu.Unlock(); return opened }
	c := client(t, fetch.Options{CAs: pool, Timeout: 700 * time.Millisecond})
	for range 5 {
		if _, err := c.Get(t.Context(), s.URL, json1K); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("5 fetches in a row opened %d connections, want 1", n)
	}
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			answer, err := c.Get(t.Context(), s.URL+"/hang", json1K)
			check(t, answer, err, fetch.Timeout)
		})
	}
	all.Wait()
	// The server hears of a connection's end after its place was given away.
	mu.Lock()
	defer mu.Unlock()
	if most > 2*8 {
		t.Errorf("40 hanging fetches had %d connections open, want 8 at a time", most)
	}
}
