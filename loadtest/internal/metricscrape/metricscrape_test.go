package metricscrape_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/loadtest/internal/metricscrape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// figures is a gateway's /metrics at its nth second: a registry breaks at 8,
// memory grows without harm, requests are refused from 10 on.
func figures(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# HELP x y\n# TYPE x counter\nprocess_cpu_seconds_total %g\ngo_sched_gomaxprocs_threads 2\n", 0.01*float64(n))
	fmt.Fprintf(&b, "process_resident_memory_bytes %d\n", 50<<20+n<<18)
	fmt.Fprintf(&b, "tongyan_in_flight %d\n", 3+n%2)
	fmt.Fprintf(&b, "tongyan_verdicts_total{code=\"OK\",province=\"310000\",verdict=\"VALID\"} %d\n", n*100)
	fmt.Fprintf(&b, "tongyan_registry_seconds_count{province=\"320000\",result=\"timeout\"} %d\n", max(0, n-8)*2000)
	fmt.Fprintf(&b, "tongyan_registry_breaker_moves_total{province=\"320000\",state=\"open\"} %d\n", max(0, min(n-9, 1)))
	fmt.Fprintf(&b, "tongyan_refused_total{code=\"OVERLOADED\"} %d\n", max(0, n-10)*50)
	b.WriteString("nonsense\nbroken{ 1\n")
	return b.String()
}

func TestWhatBreaksFirst(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, figures(int(n.Load())))
	}))
	defer s.Close()
	w := metricscrape.New([]string{s.URL})
	// A second by the figures is a millisecond here: the start is moved so that
	// each look is a whole second after the one before.
	start := time.Now()
	for i := range 15 {
		n.Store(int64(i))
		w.Scrape(t.Context(), s.URL, start.Add(-time.Duration(i)*time.Second))
	}
	http.DefaultClient.CloseIdleConnections()
	w.Close()
	var names []string
	for _, f := range w.Findings() {
		names = append(names, f.Metric)
		if strings.Contains(f.Metric, "timeout") && (f.At < 9 || f.At > 10) {
			t.Errorf("%s turned at %.1f s, want 9", f.Metric, f.At)
		}
	}
	want := "tongyan_registry_seconds{province=320000,result=timeout} tongyan_registry_breaker_moves_total{province=320000,state=open} tongyan_refused_total{code=OVERLOADED}"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("found %s\nwant  %s", got, want)
	}
	moves := w.Moves()
	if len(moves) != 1 || moves[0].Province != "320000" || moves[0].State != "open" {
		t.Errorf("moves %v", moves)
	}
	if w.Coverage() != "15/15" {
		t.Errorf("coverage %s", w.Coverage())
	}
}

func TestRestartedGatewayIsNoFinding(t *testing.T) {
	var up atomic.Bool
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(503)
			return
		}
		fmt.Fprintf(w, "tongyan_refused_total{code=\"X\"} %d\n", n.Load())
	}))
	defer s.Close()
	w := metricscrape.New([]string{s.URL})
	defer w.Close()
	for i, step := range []struct {
		up bool
		n  int64
	}{{true, 900}, {true, 900}, {false, 0}, {true, 5000}, {true, 5000}} {
		up.Store(step.up)
		n.Store(step.n)
		w.Scrape(t.Context(), s.URL, time.Now().Add(-time.Duration(i)*time.Second))
	}
	if f := w.Findings(); len(f) != 0 {
		t.Errorf("found %+v", f)
	}
	if w.Coverage() != "4/5" {
		t.Errorf("coverage %s", w.Coverage())
	}
}
