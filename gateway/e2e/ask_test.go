package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An answer is what came back, read as contract §6.1 writes it.
type answer struct {
	Status int         `json:"-"`
	Header http.Header `json:"-"`
	Body   string      `json:"-"`
	Took   time.Duration
	Sent   bool // it had a connection, so that something of it may have been sent

	Verdict, Code string
	Checks        []struct{ Check, Outcome, Code, Source string }
	Warnings      []string
	Licence       map[string]any
	Match         map[string]string
	Freshness     *struct {
		Source string
		Age    int64 `json:"age_seconds"`
	}
	Format     string
	Digest     string    `json:"credential_digest"`
	Version    int64     `json:"trust_list_version"`
	ValidUntil time.Time `json:"valid_until"`
	RetryAfter *int64    `json:"retry_after_seconds"`
	Receipt    any       // text in verdicts, claims in answers about receipts
}

// is reports whether it is a verdict with this code, under status 200.
func (a answer) is(verdict, code string) bool {
	return a.Status == http.StatusOK && a.Verdict == verdict && a.Code == code
}

func (a answer) outcome(check string) string {
	for _, c := range a.Checks {
		if c.Check == check {
			return c.Outcome
		}
	}
	return "not listed"
}

func (a answer) source() string {
	if a.Freshness == nil {
		return ""
	}
	return a.Freshness.Source
}

func (a answer) warned(word string) bool { return slices.Contains(a.Warnings, word) }

func (a answer) String() string {
	return fmt.Sprintf("%d %s %s after %v: %.600s", a.Status, a.Verdict, a.Code, a.Took, a.Body)
}

// post sends a body as the relying party that may do everything. Headers come
// in pairs and replace what is usual.
func (g *gateway) post(path, media, body string, headers ...string) (a answer, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	defer func() { a.Sent = sent.Load() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+g.w.caps["all"])
	req.Header.Set("Content-Type", media)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	start := time.Now()
	res, err := g.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return a, err
	}
	a = answer{Status: res.StatusCode, Header: res.Header, Body: string(raw), Took: time.Since(start)}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("%d: %.200q: %w", res.StatusCode, raw, err)
	}
	if err := asDescribed(req, body, res, raw); err != nil {
		return a, err
	}
	return a, discreetHeader(res.Header)
}

// discreetHeader returns an error where a header tells what it may not.
func discreetHeader(h http.Header) error {
	var b bytes.Buffer
	if err := h.Write(&b); err != nil {
		return err
	}
	for _, r := range b.String() {
		if r > '~' {
			return fmt.Errorf("a header that is not ASCII: %q", b.String())
		}
	}
	if found := telltale.FindString(b.String()); found != "" {
		return fmt.Errorf("%q stands in a header", found)
	}
	return nil
}

// try asks for a verdict; for goroutines, which must not end the test.
func (g *gateway) try(token string, headers ...string) (answer, error) {
	return g.post("/v1/verify", "application/jwt", token, headers...)
}

// verify asks for a verdict.
func (g *gateway) verify(token string, headers ...string) answer {
	g.t.Helper()
	a, err := g.try(token, headers...)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

type object = map[string]any

// request asks by the JSON form.
func (g *gateway) request(members object) answer {
	g.t.Helper()
	body, err := json.Marshal(members)
	g.w.ok(err)
	a, err := g.post("/v1/verify", "application/json", string(body))
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

// expect asks and fails the test where the verdict is another.
func (g *gateway) expect(verdict, code, token string, headers ...string) answer {
	g.t.Helper()
	a := g.verify(token, headers...)
	want(g.t, a, verdict, code)
	return a
}

func want(t testing.TB, a answer, verdict, code string) {
	t.Helper()
	if !a.is(verdict, code) {
		t.Errorf("want %s %s, got %v", verdict, code, a)
	}
}

// becomes asks until the verdict is this one, and returns how long that took.
func (g *gateway) becomes(within time.Duration, verdict, code, token string, headers ...string) time.Duration {
	g.t.Helper()
	start := time.Now()
	var a answer
	for time.Since(start) < within {
		if a = g.verify(token, headers...); a.is(verdict, code) {
			return time.Since(start)
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Fatalf("want %s %s within %v, the last is %v", verdict, code, within, a)
	return 0
}

// together calls do n times at once and returns the first error.
func together(n int, do func(i int) error) error {
	var wait sync.WaitGroup
	errs := make(chan error, n)
	begin := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-begin
			errs <- do(i)
		})
	}
	close(begin)
	wait.Wait()
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// province is what /v1/provinces says of one.
type province struct {
	Code, State string
	Issuers     []struct {
		Iss       string
		KeysFault *string `json:"keys_fault"`
		Keys      []struct {
			Kid     string
			Revoked bool
		}
	}
	Registry struct {
		Breaker    string
		RetryAfter *int64 `json:"retry_after_seconds"`
	}
}

func (g *gateway) province(code string) province {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.url+"/v1/provinces", nil)
	g.w.ok(err)
	req.Header.Set("Authorization", "Bearer "+g.w.caps["all"])
	res, err := g.client.Do(req)
	g.w.ok(err)
	defer res.Body.Close()
	var all struct{ Provinces []province }
	g.w.ok(json.NewDecoder(res.Body).Decode(&all))
	for _, p := range all.Provinces {
		if p.Code == code {
			return p
		}
	}
	g.t.Fatalf("/v1/provinces does not list %s", code)
	return province{}
}
