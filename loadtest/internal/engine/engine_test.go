package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/schedule"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const answer = `{"id":"vrf_1","verdict":"VALID","code":"OK","checks":[]}`

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write([]byte(body))
}

// hang waits until the client leaves, which the server notices only once the
// body has been read.
func hang(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// fake is a gateway that does what its handler says.
func fake(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

var item = &workload.Item{Body: []byte("eyJ.e30.c2ln"), Media: "application/jwt", Want: verdict.Want{Verdict: "VALID", Code: "OK"}, Class: "x", Name: "one"}

// config is a run of rate for d against one fake.
func config(s *httptest.Server, c *tls.Config, rate float64, d time.Duration) engine.Config {
	return engine.Config{
		Targets: []string{s.Listener.Addr().String()}, TLS: c, Key: "k",
		Connections: profile.Connections{Max: 16, Timeout: profile.Duration{Duration: 20 * time.Second}, Patience: profile.Duration{Duration: time.Minute}},
		Schedule:    schedule.New([]schedule.Piece{{For: d, From: rate, To: rate}}, nil, false, 1),
		Work:        func() *workload.Item { return item },
		Recorder:    stats.NewRecorder(stats.Options{}),
		MaxLate:     time.Minute, // whatever else the machine has to do
	}
}

func run(t *testing.T, ctx context.Context, cfg engine.Config) (stats.Totals, *engine.Engine, error) {
	t.Helper()
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = e.Run(ctx, start)
	cfg.Recorder.Tick(time.Since(start))
	if load := e.Load(); load.Sockets != 0 || load.InFlight != 0 {
		t.Errorf("left behind: %+v", load)
	}
	return cfg.Recorder.Totals(), e, err
}

// A server that stands still for two seconds: what was planned meanwhile
// waited, and says so; seen from the moment of sending nearly nothing happened.
func TestStalledServer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	var began atomic.Int64
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		began.CompareAndSwap(0, time.Now().UnixNano())
		if in := time.Since(time.Unix(0, began.Load())); in > time.Second && in < 3*time.Second {
			time.Sleep(3*time.Second - in)
		}
		say(w, 200, answer)
	})
	cfg := config(s, c, 250, 4*time.Second)
	cfg.Connections.Max = 4
	tot, _, err := run(t, t.Context(), cfg)
	if err != nil || tot.Correct < 500 {
		t.Fatalf("%v, %+v", err, tot.Outcomes)
	}
	if tot.Raw.P90 > 100 || tot.Lag.P99 > 100 {
		t.Skipf("this machine is too busy to tell: raw p90 %.0f ms, lag %.0f ms", tot.Raw.P90, tot.Lag.P99)
	}
	if tot.Corrected.P99 < 1500 || tot.Raw.P99 > 200 {
		t.Errorf("p99 corrected %.0f ms, raw %.0f ms; want above 1500, and raw to hide it", tot.Corrected.P99, tot.Raw.P99)
	}
}

func TestEveryAnswerIsChecked(t *testing.T) {
	var n atomic.Int64
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%1000 == 0 {
			say(w, 200, `{"verdict":"INVALID","code":"EXPIRED"}`)
			return
		}
		say(w, 200, answer)
	})
	tot, _, err := run(t, t.Context(), config(s, c, 2500, time.Second))
	if err != nil || tot.Count(verdict.Wrong) == 0 || len(tot.WrongOnes) == 0 {
		t.Errorf("a gateway that lies once in a thousand was not caught: %v %v", err, tot.Outcomes)
	}
}

func TestOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		want verdict.Outcome
	}{
		"overloaded": {func(w http.ResponseWriter, r *http.Request) { say(w, 503, "{}") }, verdict.Refused},
		"fault":      {func(w http.ResponseWriter, r *http.Request) { say(w, 500, "{}") }, verdict.Fault},
		"no verdict": {func(w http.ResponseWriter, r *http.Request) { say(w, 200, "<html>") }, verdict.Malformed},
		"endless":    {func(w http.ResponseWriter, r *http.Request) { say(w, 200, strings.Repeat(" ", 2<<20)) }, verdict.Malformed},
		"torn":       {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, verdict.Broken},
		"hangs":      {func(w http.ResponseWriter, r *http.Request) { hang(r) }, verdict.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := fake(t, tc.h)
			cfg := config(s, c, 100, 100*time.Millisecond)
			cfg.Connections.Timeout.Duration = 4 * time.Second
			if tc.want == verdict.Timeout {
				cfg.Connections.Timeout.Duration = 100 * time.Millisecond
			}
			tot, _, err := run(t, t.Context(), cfg)
			if err != nil || tot.Count(tc.want) == 0 || tot.Count(tc.want)+tot.Count(verdict.Late) != tot.Offered {
				t.Errorf("%v: %+v", err, tot.Outcomes)
			}
		})
	}
}

func TestWorkThatFindsNoConnection(t *testing.T) {
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) { hang(r) })
	cfg := config(s, c, 400, 500*time.Millisecond)
	cfg.Connections.Max = 2
	cfg.Connections.Timeout.Duration = 400 * time.Millisecond
	cfg.Connections.Patience.Duration = 100 * time.Millisecond
	tot, _, err := run(t, t.Context(), cfg)
	if err != nil || tot.Count(verdict.Unsent) < 100 || tot.Abandoned != 0 {
		t.Errorf("%v: %+v", err, tot.Outcomes)
	}
}

// A timekeeper that oversleeps gives up what it missed: no burst follows.
func TestNoCatchingUp(t *testing.T) {
	var asked atomic.Int64
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); say(w, 200, answer) })
	cfg := config(s, c, 1000, time.Second)
	cfg.MaxLate = 0
	slept := false
	cfg.Sleep = func(until time.Time) {
		if !slept {
			slept, until = true, until.Add(500*time.Millisecond)
		}
		time.Sleep(time.Until(until))
	}
	tot, e, err := run(t, t.Context(), cfg)
	late := tot.Count(verdict.Late)
	if err != nil || late < 400 || e.Load().Late != late || asked.Load() != tot.Offered-late || tot.Lag.Max < 400 {
		t.Errorf("%v: asked %d of %d, %d given up, lag %v", err, asked.Load(), tot.Offered, late, tot.Lag)
	}
}

func TestInterrupt(t *testing.T) {
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) { hang(r) })
	ctx, cancel := context.WithCancel(t.Context())
	cfg := config(s, c, 200, time.Hour)
	cfg.Connections.Timeout.Duration = time.Hour
	time.AfterFunc(300*time.Millisecond, cancel)
	start := time.Now()
	tot, _, err := run(t, ctx, cfg)
	if !errors.Is(err, context.Canceled) || time.Since(start) > 3*time.Second {
		t.Errorf("ended after %s with %v", time.Since(start), err)
	}
	if tot.Abandoned == 0 || tot.Offered-tot.Abandoned != tot.Count(verdict.Late) {
		t.Errorf("work that we ourselves cut off is counted against the target: %+v", tot)
	}
}

func TestKindsOfConnections(t *testing.T) {
	var http2, resumed, closing, certified, both atomic.Int64
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor == 2:
			http2.Add(1)
		case r.Close && r.TLS.DidResume:
			resumed.Add(1)
		case r.Close:
			closing.Add(1)
		case len(r.TLS.PeerCertificates) > 0:
			certified.Add(1)
			if r.Header.Get("Authorization") != "" {
				both.Add(1)
			}
		}
		say(w, 200, answer)
	})
	cfg := config(s, c, 800, time.Second)
	cfg.Connections.New, cfg.Connections.Resumed, cfg.Connections.HTTP2, cfg.Connections.Certificates = 0.1, 0.1, 0.2, 1
	cfg.Certificate = &s.TLS.Certificates[0]
	tot, _, err := run(t, t.Context(), cfg)
	if err != nil || tot.Correct+tot.Count(verdict.Late) != tot.Offered {
		t.Fatalf("%v %+v", err, tot.Outcomes)
	}
	for name, n := range map[string]int64{"http2": http2.Load() / 2, "resumed": resumed.Load(), "new": closing.Load(), "certified": certified.Load() / 6} {
		if n < 50 || n > 115 {
			t.Errorf("%s: %d, want about 80", name, n)
		}
	}
	if both.Load() > 0 {
		t.Error("a certificate and a key were shown together: two parties at once")
	}
}

func TestDeadGatewayIsPassedOver(t *testing.T) {
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) { say(w, 200, answer) })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	cfg := config(s, c, 500, time.Second)
	cfg.Targets = append(cfg.Targets, gone.Addr().String())
	cfg.Connections.New = 1
	tot, _, err := run(t, t.Context(), cfg)
	if n := tot.Count(verdict.Broken); err != nil || n == 0 || 4*n > tot.Offered || tot.Correct+n+tot.Count(verdict.Late) != tot.Offered {
		t.Errorf("%v: %+v", err, tot.Outcomes)
	}
}

// The closed model: as many under way as there are connections, none planned.
func TestClosed(t *testing.T) {
	var now, most atomic.Int64
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		say(w, 200, answer)
	})
	cfg := config(s, c, 1, time.Second)
	cfg.Schedule, cfg.Closed, cfg.Connections.Max = nil, 500*time.Millisecond, 4
	tot, _, err := run(t, t.Context(), cfg)
	if err != nil || tot.Correct < 20 || tot.Correct != tot.Offered || most.Load() != 4 || tot.Corrected.P99 != tot.Raw.P99 {
		t.Errorf("%v: %d of %d, %d at once, %v", err, tot.Correct, tot.Offered, most.Load(), tot.Corrected)
	}
}

func TestBytesAreBounded(t *testing.T) {
	s, c := fake(t, func(w http.ResponseWriter, r *http.Request) { say(w, 200, answer) })
	cfg := config(s, c, 1000, time.Minute)
	cfg.MaxBytes = 100_000
	if tot, _, err := run(t, t.Context(), cfg); !errors.Is(err, engine.ErrBytes) || tot.Offered > 20_000 {
		t.Errorf("%v after %d", err, tot.Offered)
	}
}
