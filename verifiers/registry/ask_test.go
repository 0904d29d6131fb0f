package registry_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/registry"
)

// The question as it goes over the wire, and the answer as it comes back.
func TestPlain(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method != "GET" || r.URL.Path != "/base/licences/"+string(code) || r.URL.RawQuery != "":
			t.Errorf("asked %s %s", r.Method, r.URL)
		case r.Header.Get("Accept") != "application/json" || r.Header.Get("Content-Type") != "" || r.Header.Get("Accept-Encoding") != "":
			t.Errorf("headers %v", r.Header)
		case len(body) > 0 || len(r.TransferEncoding) > 0 || r.ContentLength != 0:
			t.Errorf("body %q, %v, %d", body, r.TransferEncoding, r.ContentLength)
		case r.ProtoMajor != 1:
			t.Errorf("protocol %s", r.Proto)
		}
		http.SetCookie(w, &http.Cookie{Name: "sticky", Value: "1"})
		if r.Header.Get("Cookie") != "" {
			t.Error("a cookie came back")
		}
		say(200, "application/json; charset=utf-8", plainBody)(w, r)
	})
	seen := new(watcher)
	c := s.client(t, func(c *registry.Config) { c.URL += "/base/"; c.Observer = seen })
	for range 20 {
		before := time.Now()
		standing, err := c.Ask(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if standing.Key != key || standing.Answer != verifiers.Registered || standing.State != "1" || standing.Apprdate != "2024-05-06" {
			t.Errorf("standing = %+v", standing)
		}
		if standing.AskedAt.Before(before) || standing.AskedAt.After(time.Now()) {
			t.Errorf("asked at %v", standing.AskedAt)
		}
	}
	if dials := s.dials.Load(); dials != 1 {
		t.Errorf("%d connections for 20 questions in turn", dials)
	}
	if o := seen.last(); o.Reason != "" || o.Calls != 1 || o.Took <= 0 || o.Province != "310000" {
		t.Errorf("observed %+v", o)
	}
	state := c.State()
	if state.Province != "310000" || state.Breaker != registry.Closed || state.RetryAfter != 0 || state.BackingOff || state.InFlight != 0 {
		t.Errorf("state = %+v", state)
	}
	if l := state.Latency; l.Calls != 20 || l.P50 <= 0 || l.P99 < l.P50 {
		t.Errorf("latency = %+v", l)
	}
}

func TestDialect(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method != "POST" || r.URL.Path != "/query" || strings.Contains(r.URL.String(), string(code)):
			t.Errorf("asked %s %s", r.Method, r.URL)
		case r.Header.Get("Accept") != "application/json" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-App-Key") != "k3y":
			t.Errorf("headers %v", r.Header)
		}
		switch string(body) {
		case `{"uniscId":"` + string(code) + `"}`:
			say(200, "application/json;charset=UTF-8", secondBody)(w, r)
		default:
			say(200, "application/json", `{"code":"00","dataCount":0,"datas":[]}`)(w, r)
		}
	})
	c := s.client(t, func(c *registry.Config) { c.Dialect = second() })
	if standing, err := c.Ask(t.Context(), code); err != nil || standing.State != "1" || standing.Entname != "上海示例有限公司" {
		t.Errorf("standing = %+v, %v", standing, err)
	}
	if standing, err := c.Ask(t.Context(), other); err != nil || standing.Answer != verifiers.NotRegistered || standing.Key.USCC != other {
		t.Errorf("standing = %+v, %v", standing, err)
	}
}

// Each row of contract §4's table that is not an answer, over the wire.
func TestFaults(t *testing.T) {
	const json = "application/json"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		reason registry.Reason
	}{
		"other licence":       {say(200, json, strings.ReplaceAll(plainBody, string(code), string(other))), registry.ReasonOtherLicence},
		"duplicate member":    {say(200, json, `{"uniscid":"91310000MA1FL0000X","regstate":"1","regstate":"1"}`), registry.ReasonMalformed},
		"HTML":                {say(200, "text/html", "<html>"), registry.ReasonMalformed},
		"right body as HTML":  {say(200, "text/html", plainBody), registry.ReasonMalformed},
		"another JSON type":   {say(200, "application/problem+json", plainBody), registry.ReasonMalformed},
		"type in a list":      {say(200, "application/json, text/html", plainBody), registry.ReasonMalformed},
		"empty type":          {say(200, "", plainBody), registry.ReasonMalformed},
		"two types":           {headers(plainBody, "Content-Type", "text/html"), registry.ReasonMalformed},
		"compressed":          {headers(plainBody, "Content-Encoding", "gzip"), registry.ReasonMalformed},
		"empty body":          {say(200, json, ""), registry.ReasonMalformed},
		"one byte too long":   {say(200, json, plainBody+strings.Repeat(" ", 64<<10+1-len(plainBody))), registry.ReasonMalformed},
		"long without length": {flushed(plainBody, strings.Repeat(" ", 64<<10)), registry.ReasonMalformed},
		"204":                 {say(204, json, ""), registry.ReasonStatus},
		"206":                 {say(206, json, plainBody), registry.ReasonStatus},
		"400":                 {say(400, json, `{"code":"not_found"}`), registry.ReasonStatus},
		"401":                 {say(401, json, plainBody), registry.ReasonStatus},
		"404 HTML":            {say(404, "text/html", "<html>"), registry.ReasonMalformed},
		"404 as text":         {say(404, "text/plain", `{"code":"not_found"}`), registry.ReasonMalformed},
		"404 of another kind": {say(404, json, `{"code":"no_route"}`), registry.ReasonStatus},
		"410":                 {say(410, json, `{"code":"not_found"}`), registry.ReasonStatus},
		"429":                 {say(429, json, plainBody), registry.ReasonStatus},
		"500":                 {say(500, json, plainBody), registry.ReasonStatus},
		"503":                 {say(503, json, plainBody), registry.ReasonStatus},
		"500 with Retry-After": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(500)
		}, registry.ReasonStatus},
		"503 with nonsense":           {retryLater(503, "soon"), registry.ReasonStatus},
		"503 with a negative number":  {retryLater(503, "-5"), registry.ReasonStatus},
		"429 with a fraction":         {retryLater(429, "1.5"), registry.ReasonStatus},
		"reset":                       {reset, registry.ReasonConnection},
		"broken within the body":      {torn, registry.ReasonConnection},
		"header without end":          {longHeader, registry.ReasonConnection},
		"right answer in an odd case": {headers(strings.ReplaceAll(plainBody, "uniscid", "Uniscid")), registry.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := new(watcher)
			s := serve(t, tc.answer)
			c := s.client(t, func(c *registry.Config) { c.Observer = seen })
			e := want(t, c, tc.reason)
			if e.RetryAfter != 0 || !tc.reason.Fault() {
				t.Errorf("retry after %v, fault %v", e.RetryAfter, tc.reason.Fault())
			}
			if o := seen.last(); o.Reason != tc.reason || o.Calls != 1 {
				t.Errorf("observed %+v", o)
			}
			if asked := s.asked.Load(); asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			for range 9 {
				want(t, c, tc.reason)
			}
			if state := c.State(); state.Breaker != registry.Open {
				t.Errorf("ten faults in a row, and the breaker is %s", state.Breaker)
			}
		})
	}
}

// The longest body that is taken.
func TestLongestBody(t *testing.T) {
	s := serve(t, say(200, "application/json", plainBody+strings.Repeat(" ", 64<<10-len(plainBody))))
	if _, err := s.client(t, nil).Ask(t.Context(), code); err != nil {
		t.Error(err)
	}
}

func headers(body string, more ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(more); i += 2 {
			w.Header().Add(more[i], more[i+1])
		}
		_, _ = io.WriteString(w, body)
	}
}

// flushed sends parts of a body without a length in front.
func flushed(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
	}
}

// reset hangs up without a byte.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func torn(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(plainBody)+1))
	_, _ = io.WriteString(w, plainBody)
}

func longHeader(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
	say(200, "application/json", plainBody)(w, nil)
}

func retryLater(status int, when string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", when)
		say(status, "application/json", plainBody)(w, nil)
	}
}

// A redirect leads nowhere, not even to a registry with the right answer.
func TestRedirect(t *testing.T) {
	right := serve(t, say(200, "application/json", plainBody))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, right.URL+r.URL.Path, http.StatusFound)
	})
	c := s.client(t, func(c *registry.Config) {
		c.CAs = s.pool()
		c.CAs.AddCert(right.Certificate())
	})
	want(t, c, registry.ReasonStatus)
	if right.asked.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

// A proxy in the environment is not asked.
func TestNoProxy(t *testing.T) {
	proxy := serve(t, say(200, "application/json", plainBody))
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("https_proxy", proxy.URL)
	s := serve(t, say(200, "application/json", plainBody))
	// Loopback is never proxied; a name is.
	c := s.client(t, func(c *registry.Config) {
		c.URL = strings.Replace(c.URL, "127.0.0.1", "registry.invalid", 1)
		c.Timeout = time.Second
	})
	e := refused(t, c, t.Context())
	if r := registry.Reason(e.Reason); r != registry.ReasonConnection && r != registry.ReasonTimeout {
		t.Errorf("reason = %s", r)
	}
	if proxy.dials.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestCertificates(t *testing.T) {
	s := serve(t, say(200, "application/json", plainBody))
	for name, change := range map[string]func(*registry.Config){
		"unknown CA":  func(c *registry.Config) { c.CAs = x509.NewCertPool() },
		"system's CA": func(c *registry.Config) { c.CAs = nil },
		"other name":  func(c *registry.Config) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			seen := new(watcher)
			c := s.client(t, func(c *registry.Config) { change(c); c.Observer = seen })
			want(t, c, registry.ReasonConnection)
			if seen.last().Calls != 1 {
				t.Error("a wrong certificate was tried again")
			}
		})
	}
	if s.asked.Load() != 0 {
		t.Error("a question was sent over an unproven connection")
	}
}

// Hanging and dripping servers cost the time-out and no more.
func TestTimeout(t *testing.T) {
	const timeout = 100 * time.Millisecond
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, answer := range map[string]http.HandlerFunc{
		"hang": hang,
		"hang after the header": func(w http.ResponseWriter, r *http.Request) {
			flushed(plainBody)(w, r)
			<-r.Context().Done()
		},
		"endless drip": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				flushed(" ")(w, r)
				select {
				case <-time.After(5 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
		},
		"endless informational headers": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answer)
			seen := new(watcher)
			c := s.client(t, func(c *registry.Config) { c.Timeout = timeout; c.Observer = seen })
			began := time.Now()
			want(t, c, registry.ReasonTimeout)
			if took := time.Since(began); took < timeout/2 || took > 20*timeout {
				t.Errorf("took %v", took)
			}
			if seen.last().Calls != 1 {
				t.Error("a time-out was tried again")
			}
		})
	}
}

// A server that takes the connection and says nothing to the handshake.
func TestSilentHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := registry.New(registry.Config{Province: "310000", URL: "https://" + l.Addr().String(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want(t, c, registry.ReasonTimeout)
}

// Nothing of a configured secret, of the licence or of the server's words
// stands in an error.
func TestErrorsSayNothing(t *testing.T) {
	const secret = "s3cret"
	for _, answer := range []http.HandlerFunc{say(500, secret, secret), say(200, secret, secret), say(200, "application/json", `"`+secret+`"`), reset} {
		c := serve(t, answer).client(t, func(c *registry.Config) {
			c.Dialect = &registry.Dialect{Headers: map[string]string{"X-App-Key": secret}}
		})
		e := refused(t, c, t.Context())
		for _, word := range []string{secret, "127.0.0.1", "/licences"} {
			if strings.Contains(e.Error(), word) {
				t.Errorf("%q stands in %q", word, e)
			}
		}
	}
}

// What gets past the type licence.USCC by conversion is not written into a request.
func TestNotACode(t *testing.T) {
	s := serve(t, say(200, "application/json", plainBody))
	c := s.client(t, nil)
	for _, bad := range []string{"", "../../../admin?x=1", "91310000MA1FL0000x", "91310000MA1FL0000\"", "91310000MA1FL00/../", "９１３１００"} {
		standing, err := c.Ask(t.Context(), codeOf(bad))
		if e := unavailable(t, standing, err); e.Reason != string(registry.ReasonNotACode) {
			t.Errorf("%q: %v", bad, e)
		}
	}
	if s.asked.Load() != 0 {
		t.Error("asked nevertheless")
	}
}

func TestClose(t *testing.T) {
	asked := make(chan struct{}, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	seen := new(watcher)
	c := s.client(t, func(c *registry.Config) { c.Timeout = 30 * time.Second; c.Observer = seen })
	result := make(chan error, 1)
	go func() {
		_, err := c.Ask(context.Background(), code)
		result <- err
	}()
	<-asked
	if n := c.State().InFlight; n != 1 {
		t.Errorf("%d in flight", n)
	}
	c.Close()
	// Close waited: the question has its outcome, and the observer knows it.
	if o := seen.last(); o.Reason != registry.ReasonClosed || o.Calls != 1 {
		t.Errorf("observed %+v", o)
	}
	if e := unavailable(t, verifiers.Standing{}, <-result); e.Reason != string(registry.ReasonClosed) {
		t.Errorf("reason = %v", e)
	}
	want(t, c, registry.ReasonClosed)
	if c.State().Breaker != registry.Closed {
		t.Error("closing counted as a fault")
	}
	c.Close() // twice does no harm
}

// Two callers at once: each is answered about its own licence.
func TestQuestionsDoNotMix(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Count(body, []byte("uniscId")) != 1 {
			t.Errorf("body %q", body)
		}
		asked := string(body[len(`{"uniscId":"`) : len(body)-2])
		say(200, "application/json", strings.ReplaceAll(secondBody, string(code), asked))(w, r)
	})
	c := s.client(t, func(c *registry.Config) { c.Dialect = second() })
	done := make(chan struct{})
	for _, about := range []string{string(code), string(other)} {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 20 {
				standing, err := c.Ask(context.Background(), codeOf(about))
				if err != nil || string(standing.Key.USCC) != about {
					t.Errorf("%+v, %v", standing, err)
				}
			}
		}()
	}
	<-done
	<-done
}
