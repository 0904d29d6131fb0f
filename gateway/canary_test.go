package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/gateway/internal/config"
)

// pretender answers as a gateway would, or not.
type pretender struct {
	*httptest.Server
	answer atomic.Value // func(http.ResponseWriter)
	asked  chan *http.Request
}

func pretend(t *testing.T, answer func(http.ResponseWriter)) *pretender {
	p := &pretender{asked: make(chan *http.Request, 100)}
	p.answer.Store(answer)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		select {
		case p.asked <- r:
		default:
		}
		p.answer.Load().(func(http.ResponseWriter))(w)
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

var (
	valid         = says(200, `{"verdict":"VALID","code":"OK"}`)
	invalid       = says(200, `{"verdict":"INVALID","code":"EXPIRED"}`)
	indeterminate = says(200, `{"verdict":"INDETERMINATE","code":"REGISTRY_UNAVAILABLE"}`)
)

func sing(expect config.Outcome) *config.Canary {
	return &config.Canary{Credential: config.Hide([]byte("e30.e30.c2ln")), Expect: expect}
}

// Only the verdict that is expected, and only with status 200, is good.
func TestCanaryHears(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter)
		expect config.Outcome
		wrong  string
	}{
		{"valid", valid, config.OutcomeValid, ""},
		{"invalid, as expected", invalid, config.OutcomeInvalid, ""},
		{"invalid", invalid, config.OutcomeValid, "INVALID EXPIRED, expected VALID"},
		{"valid, but should not be", valid, config.OutcomeInvalid, "VALID OK, expected INVALID"},
		{"indeterminate", indeterminate, config.OutcomeValid, "INDETERMINATE REGISTRY_UNAVAILABLE, expected VALID"},
		{"overloaded", says(503, `{"code":"OVERLOADED","verdict":"VALID"}`), config.OutcomeValid, "status 503 OVERLOADED"},
		{"page", says(200, "<html>VALID"), config.OutcomeValid, "not JSON"},
		{"nothing", says(200, ""), config.OutcomeValid, "not JSON"},
		{"no verdict", says(200, "{}"), config.OutcomeValid, "expected VALID"},
		{"broken off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "{")
		}, config.OutcomeValid, "half an answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pretend(t, c.answer)
			canary := newCanary(slog.New(slog.DiscardHandler))
			canary.round(t.Context(), sing(c.expect), p.Listener.Addr())
			parts := canary.part()
			if len(parts) != 1 || parts[0].OK != (c.wrong == "") || parts[0].Essential || !strings.Contains(parts[0].Problem, c.wrong) {
				t.Fatalf("%+v", parts)
			}
			r := <-p.asked
			body, _ := io.ReadAll(r.Body)
			if r.Method+r.URL.Path != "POST/v1/verify" || string(body) != "e30.e30.c2ln" || r.Header.Get("Authorization") != "Bearer "+canary.key {
				t.Errorf("asked %s %s with %q", r.Method, r.URL, body)
			}
		})
	}
}

// Its age grows from the last good verdict, or from when it began; both turns
// are logged once; without a credential there is no canary.
func TestCanaryAges(t *testing.T) {
	p := pretend(t, invalid)
	var log strings.Builder
	canary := newCanary(slog.New(slog.NewTextHandler(&log, nil)))
	if !math.IsNaN(canary.age()) || canary.part() != nil {
		t.Fatal("it has an age before it is there")
	}
	at := p.Listener.Addr()
	canary.round(t.Context(), sing(config.OutcomeValid), at)
	began := canary.since
	canary.round(t.Context(), sing(config.OutcomeValid), at)
	if canary.since != began || canary.age() <= 0 {
		t.Fatal("it grew younger without a good verdict")
	}
	p.answer.Store(valid)
	for range 2 {
		canary.round(t.Context(), sing(config.OutcomeValid), at)
	}
	if !canary.since.After(began) || canary.age() > time.Since(began).Seconds() {
		t.Fatal("it did not grow younger")
	}
	good := canary.since
	p.Close()
	for range 2 {
		canary.round(t.Context(), sing(config.OutcomeValid), at)
	}
	if canary.since != good || !strings.Contains(canary.part()[0].Problem, "no answer") {
		t.Fatalf("%+v", canary.part())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	before := canary.part()[0].Problem
	canary.round(ended, sing(config.OutcomeValid), at)
	if canary.part()[0].Problem != before {
		t.Fatal("the end counts as a failure")
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want bad, good, bad:\n%s", n, log.String())
	}
	canary.round(t.Context(), nil, at)
	if !math.IsNaN(canary.age()) || canary.part() != nil {
		t.Fatal("it is still there")
	}
}

func TestCanaryRuns(t *testing.T) {
	p := pretend(t, valid)
	ctx, end := context.WithCancel(t.Context())
	canary, done := newCanary(slog.New(slog.DiscardHandler)), make(chan struct{})
	go func() {
		defer close(done)
		canary.run(ctx, time.Millisecond, func() *config.Canary { return sing(config.OutcomeValid) }, p.Listener.Addr())
	}()
	for range 3 {
		<-p.asked
	}
	end()
	<-done
}
