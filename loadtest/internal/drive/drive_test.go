package drive_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T, text string, h http.HandlerFunc) drive.Options {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	p, err := profile.Parse([]byte("version: 1\nname: x\n"+text), "f")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, body := range map[string]string{"expected.csv": "file,verdict,code\na.jwt,VALID,OK\n", "a.jwt": "e30.e30.AA"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mix, err := workload.FromCorpus(dir, p.Workload, 1)
	if err != nil {
		t.Fatal(err)
	}
	return drive.Options{Profile: p, Work: mix, Source: "samples",
		Engine: engine.Config{Targets: []string{s.Listener.Addr().String()}, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"},
			MaxLate: time.Minute}} // whatever else the machine has to do
}

const short = "arrivals: { stages: [ { for: 1500ms, rate: 200/s } ] }\nwarmup: 300ms\n"

func good(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"verdict":"VALID","code":"OK"}`) }

type seen struct{ points []stats.Point }

func (s *seen) Point(p stats.Point, _ stats.Totals, _ string) { s.points = append(s.points, p) }

func TestRun(t *testing.T) {
	var log bytes.Buffer
	watch := &seen{}
	o := options(t, short+"slo: { p99: 1h, error: 100% }\n", good)
	o.HDRLog, o.Watch, o.Prime = &log, watch, true
	r, err := drive.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Correct == 0 || r.Totals.Correct+r.Totals.Outcomes["unsent"]+r.Totals.Outcomes["timeout"] != r.Totals.Offered || len(r.Series) < 2 || len(watch.points) != len(r.Series) || len(r.SLO) != 2 || !report.Held(r.SLO) {
		t.Errorf("%+v", r)
	}
	n := int64(0)
	reader := hdr.NewHistogramLogReader(&log)
	for {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		n += h.TotalCount()
	}
	if n < r.Totals.Corrected.Count { // warm-up included
		t.Errorf("the HdrHistogram log holds %d of %d latencies", n, r.Totals.Corrected.Count)
	}
	file := filepath.Join(t.TempDir(), "run.json")
	if err := report.Write(file, r); err != nil {
		t.Fatal(err)
	}
	back, err := report.Read(file)
	if got, ok := back.(*report.Run); err != nil || !ok || got.Totals.Correct != r.Totals.Correct || got.Settings.Digest != r.Settings.Digest {
		t.Errorf("read back: %v", err)
	}
}

func TestExitCodes(t *testing.T) {
	late := func(until time.Time) { time.Sleep(time.Until(until) + 30*time.Millisecond) }
	for name, tc := range map[string]struct {
		h     http.HandlerFunc
		slo   string
		sleep func(time.Time)
		exit  int
	}{
		"wrong":        {liar(), "error: 50%", nil, report.ExitWrong},
		"slo":          {good, "p50: 1ns", nil, report.ExitSLO},
		"inconclusive": {good, "p99: 4s", late, report.ExitInconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, short+"slo: { "+tc.slo+" }\n", tc.h)
			if o.Engine.Sleep = tc.sleep; tc.sleep != nil {
				o.Engine.MaxLate = 0
			}
			r, err := drive.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if name == "slo" && r.Generator.Limited {
				t.Skip("this machine is too busy to tell: ", r.Generator.Why)
			}
			if r.Conclusion.Exit != tc.exit || len(r.Conclusion.Reasons) == 0 {
				t.Errorf("%+v, want exit %d", r.Conclusion, tc.exit)
			}
		})
	}
}

// liar gives one wrong verdict in a hundred.
func liar() http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%100 == 0 {
			fmt.Fprint(w, `{"verdict":"INVALID","code":"EXPIRED"}`)
			return
		}
		good(w, r)
	}
}

func TestUnreachable(t *testing.T) {
	for name, change := range map[string]func(*drive.Options){
		"nobody":   func(o *drive.Options) { o.Engine.Targets = []string{"127.0.0.1:1"} },
		"stranger": func(o *drive.Options) { o.Engine.TLS = &tls.Config{ServerName: "example.com"} },
	} {
		o := options(t, short, good)
		change(&o)
		if _, err := drive.Run(t.Context(), o); !errors.Is(err, drive.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := options(t, short, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) })
	if _, err := drive.Run(t.Context(), o); !errors.Is(err, drive.ErrUnreachable) {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestInterruptedRunHasAReport(t *testing.T) {
	o := options(t, "arrivals: { stages: [ { for: 20m, rate: 100/s } ] }\n", good)
	ctx, cancel := context.WithCancel(t.Context())
	o.Watch = after(2, cancel)
	r, err := drive.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || r.Conclusion.Exit != report.ExitInterrupted || r.Totals.Correct == 0 {
		t.Errorf("%+v", r.Conclusion)
	}
}

type onPoint func()

func (f onPoint) Point(stats.Point, stats.Totals, string) { f() }

func after(n int, do func()) drive.Watcher {
	return onPoint(func() {
		if n--; n == 0 {
			do()
		}
	})
}

type switches struct {
	on, off atomic.Int64
	fail    bool
}

func (s *switches) Break(a profile.Action, province string) (func() error, error) {
	if s.fail {
		return nil, errors.New("no such thing")
	}
	s.on.Add(1)
	return func() error { s.off.Add(1); return nil }, nil
}

func TestTimeline(t *testing.T) {
	faults := "faults: [ { at: 200ms, for: 300ms, fault: hang }, { at: 1s, for: 1h, fault: redis killed } ]\n"
	o := options(t, short+faults, good)
	if _, err := drive.Run(t.Context(), o); err == nil {
		t.Fatal("faults are taken without anything that could be broken")
	}
	s := &switches{}
	o.Breaker = s
	r, err := drive.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.on.Load() != 2 || s.off.Load() != 2 || len(r.Faults) != 2 {
		t.Errorf("%d on, %d off, %v", s.on.Load(), s.off.Load(), r.Faults)
	}
	if f := r.Faults[0]; f.From < 0.2 || f.To < 0.5 || f.To > 1.4 || f.What != "hang" {
		t.Errorf("%+v", f)
	}
	o = options(t, short+faults, good)
	o.Breaker = &switches{fail: true}
	if r, err = drive.Run(t.Context(), o); err != nil || r.Conclusion.Exit != report.ExitInconclusive {
		t.Errorf("a fault that could not be had: %v %+v", err, r.Conclusion)
	}
}

func TestConclusionsOrder(t *testing.T) {
	r := &report.Run{Interrupted: true}
	r.Totals.Outcomes = map[string]int64{verdict.Wrong.String(): 1}
	r.Totals.Offered, r.Totals.Completed = 10, 10
	r.Generator.Limited = true
	for _, want := range []int{report.ExitInterrupted, report.ExitWrong, report.ExitInconclusive, report.ExitSLO} {
		if want == report.ExitSLO {
			r.SLO = []report.Bound{{Name: "p99"}}
		}
		if got := drive.Conclude(r).Exit; got != want {
			t.Errorf("exit %d, want %d", got, want)
		}
		switch want {
		case report.ExitInterrupted:
			r.Interrupted = false
		case report.ExitWrong:
			r.Totals.Outcomes = nil
		case report.ExitInconclusive:
			r.Generator.Limited = false
		}
	}
}
