package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tongyan/loadtest/internal/report"
)

// site is a folder with everything that a running target needs.
type site struct {
	dir    string
	server *httptest.Server
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), server: httptest.NewTLSServer(h)}
	t.Cleanup(s.server.Close)
	s.write(t, "expected.csv", "file,verdict,code\na.jwt,VALID,OK\nbad.jwt,INVALID,SIGNATURE_INVALID\n")
	s.write(t, "a.jwt", "e30.e30.AA")
	s.write(t, "bad.jwt", "e30.e30.BB")
	s.write(t, "key", "secret\n")
	s.write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})))
	return s
}

func (s *site) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *site) profile(t *testing.T, text string) string {
	return s.write(t, "p.yaml", "version: 1\nname: p\n"+text)
}

func (s *site) args(profile string, more ...string) []string {
	return append([]string{"run", profile, "--target", s.server.URL, "--ca", filepath.Join(s.dir, "ca.pem"), "--key-file", filepath.Join(s.dir, "key"),
		"--samples", s.dir, "--out", filepath.Join(s.dir, "out"), "--lang", "en"}, more...)
}

// report reads the one run that was written.
func (s *site) report(t *testing.T) *report.Run {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "out", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("reports: %v %v", files, err)
	}
	v, err := report.Read(files[0])
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(strings.TrimSuffix(files[0], ".json") + ".html")
	if err != nil || len(page) < 4000 {
		t.Errorf("no page: %v", err)
	}
	return v.(*report.Run)
}

// honest answers as the sample says, for whoever has the key.
func honest(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(string(body), "BB"):
		fmt.Fprint(w, `{"verdict":"INVALID","code":"SIGNATURE_INVALID"}`)
	default:
		fmt.Fprint(w, `{"verdict":"VALID","code":"OK"}`)
	}
}

const brief = "warmup: 200ms\narrivals: { stages: [ { for: 1200ms, rate: 150/s } ] }\n"

func TestExitPassAndSLO(t *testing.T) {
	for slo, want := range map[string]int{"p99=4s,error=1%": report.ExitPass, "p50=1ns": report.ExitSLO} {
		s := newSite(t, honest)
		got := execute(t.Context(), s.args(s.profile(t, brief), "--slo", slo))
		if r := s.report(t); r.Generator.Limited {
			t.Skip("this machine is too busy to tell: ", r.Generator.Why)
		}
		if got != want {
			t.Errorf("%s: exit %d, want %d", slo, got, want)
		}
	}
}

// A gateway that gives a wrong verdict now and then is found out. (One in a
// thousand: see the engine's tests, which no busy machine disturbs.)
func TestExitWrong(t *testing.T) {
	var n atomic.Int64
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%20 == 0 {
			fmt.Fprint(w, `{"verdict":"VALID","code":"OK","checks":[]}`)
			return
		}
		fmt.Fprint(w, `{"verdict":"INVALID","code":"SIGNATURE_INVALID"}`)
	})
	p := s.profile(t, "arrivals: { stages: [ { for: 1500ms, rate: 500/s } ] }\nworkload: { verdicts: { INVALID: 1 }, prime: 0 }\n")
	if got := execute(t.Context(), s.args(p)); got != report.ExitWrong {
		t.Errorf("exit %d", got)
	}
	if r := s.report(t); len(r.Totals.WrongOnes) == 0 || r.Totals.WrongOnes[0].Name != "bad.jwt" {
		t.Errorf("examples: %v", r.Totals.WrongOnes)
	}
}

func TestExitUnreachable(t *testing.T) {
	s := newSite(t, honest)
	p := s.profile(t, brief)
	s.server.Close()
	if got := execute(t.Context(), s.args(p)); got != report.ExitUnreachable {
		t.Errorf("gone: exit %d", got)
	}
	s = newSite(t, honest)
	s.write(t, "key", "another")
	if got := execute(t.Context(), s.args(s.profile(t, brief))); got != report.ExitUnreachable {
		t.Errorf("wrong key: exit %d", got)
	}
}

func TestExitUsage(t *testing.T) {
	s := newSite(t, honest)
	p := s.profile(t, brief)
	faulty := s.write(t, "f.yaml", "version: 1\nname: f\n"+brief+"faults: [ { at: 500ms, for: 100ms, fault: hang } ]\n")
	for name, args := range map[string][]string{
		"no command":        {"nonsense"},
		"no profile":        {"run"},
		"unknown profile":   {"run", "nothing-like-it"},
		"stranger":          {"run", p, "--target", "https://gateway.example", "--samples", s.dir},
		"plain http":        {"run", p, "--target", "http://127.0.0.1:1", "--samples", s.dir},
		"strange metrics":   s.args(p, "--metrics", "http://192.0.2.1/metrics"),
		"no samples":        {"run", p, "--target", s.server.URL},
		"too fast":          s.args(p, "--peak", "30000/s"),
		"time backwards":    s.args(p, "--time-scale", "0.5"),
		"bad slo":           s.args(p, "--slo", "p99=quick"),
		"faults of others":  s.args(faulty),
		"report of nothing": {"report", filepath.Join(s.dir, "none.json")},
		"compare one":       {"compare", p},
		"plan's peak":       {"plan", "--peak", "0"},
		"faults on target":  {"faults", "--target", s.server.URL},
	} {
		if got := execute(t.Context(), args); got != report.ExitUsage {
			t.Errorf("%s: exit %d", name, got)
		}
	}
}

func TestPlanOfATarget(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	s := newSite(t, honest)
	args := s.args("x", "--peak", "120/s", "--window", "1s", "--warmup", "100ms", "--slo", "p99=4s,error=50%", "--spare", "2", "--profile",
		s.profile(t, "arrivals: { stages: [ { for: 10s, rate: 5/s } ] }\nlimits: { rate: 150/s }\nconnections: { max: 32 }\n"))
	args = append([]string{"plan"}, args[2:]...)
	got := execute(t.Context(), args)
	files, err := filepath.Glob(filepath.Join(s.dir, "out", "plan-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	v, err := report.Read(files[0])
	if err != nil {
		t.Fatal(err)
	}
	p := v.(*report.Plan)
	if p.Searches[0].Limit == "generator" {
		t.Skip("this machine is too busy to tell")
	}
	if got != report.ExitPass || p.Needs != 3 || p.Searches[0].Limit != "ceiling" || !strings.Contains(p.Answer.En, "3 gateways for 120/s") {
		t.Errorf("exit %d: %s", got, p.Answer.En)
	}
}

// binary builds the command once for the tests that need a process.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the command")
	}
	path := filepath.Join(t.TempDir(), "loadtest")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestInterrupt(t *testing.T) {
	asked := make(chan struct{}, 1)
	var n atomic.Int64
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 100 {
			asked <- struct{}{}
		}
		honest(w, r)
	})
	cmd := exec.Command(binary(t), s.args(s.profile(t, "arrivals: { stages: [ { for: 1h, rate: 200/s } ] }\n"))...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != report.ExitInterrupted {
		t.Errorf("exit %d", got)
	}
	if r := s.report(t); !r.Interrupted || r.Totals.Correct < 50 {
		t.Errorf("%+v", r.Conclusion)
	}
}

// A generator that gets the CPU only now and then says so.
func TestStarvedGenerator(t *testing.T) {
	s := newSite(t, honest)
	cmd := exec.Command(binary(t), s.args(s.profile(t, "arrivals: { stages: [ { for: 4s, rate: 300/s } ] }\n"), "--slo", "p99=4s")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(60 * time.Millisecond)
			cmd.Process.Signal(syscall.SIGCONT)
			time.Sleep(60 * time.Millisecond)
		}
	}()
	_ = cmd.Wait()
	stop()
	<-done
	if got := cmd.ProcessState.ExitCode(); got != report.ExitInconclusive {
		t.Errorf("exit %d", got)
	}
	if r := s.report(t); !r.Generator.Limited || len(r.Generator.Why) == 0 {
		t.Errorf("%+v", r.Generator)
	}
}

// A target that stood still: the report says what the raw figures hide.
func TestStalledTarget(t *testing.T) {
	var began atomic.Int64
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		began.CompareAndSwap(0, time.Now().UnixNano())
		if in := time.Since(time.Unix(0, began.Load())); in > time.Second && in < 3*time.Second {
			time.Sleep(3*time.Second - in)
		}
		honest(w, r)
	})
	p := s.profile(t, "arrivals: { stages: [ { for: 4s, rate: 250/s } ] }\nconnections: { max: 4 }\nworkload: { prime: 0 }\nslo: { p99: 50ms }\n")
	execute(t.Context(), s.args(p))
	r := s.report(t)
	if r.Generator.Limited || r.Totals.Raw.P90 > 100 {
		t.Skip("this machine is too busy to tell: ", r.Generator.Why)
	}
	if r.Totals.Corrected.P99 < 1500 || r.Totals.Raw.P99 > 500 || !strings.Contains(report.Twins(r).En, "hides") {
		t.Errorf("corrected %v, raw %v ms: %s", r.Totals.Corrected.P99, r.Totals.Raw.P99, report.Twins(r).En)
	}
}
