package report_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/stats"
)

// fakeRun has a p99 around the given one, with the jitter of a real run.
func fakeRun(seed uint64, p99 float64, n int) *report.Run {
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &report.Run{Schema: report.RunSchema, Settings: report.Settings{Profile: "x", Digest: "d", Gateways: 1}, Machine: report.ThisMachine()}
	for i := range n {
		jitter := 1 + 0.1*rng.NormFloat64()
		r.Series = append(r.Series, stats.Point{
			T: float64(i + 1), Planned: 100, Offered: 100, Correct: 99 + rng.Float64(),
			P50: 2 * jitter, P99: p99 * jitter, P999: 2 * p99 * jitter, Warmup: i < 2,
		})
	}
	return r
}

func judgement(t *testing.T, a, b *report.Run, name string) string {
	t.Helper()
	all, err := report.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Name.En == name {
			if d.Low > d.High || d.B-d.A < d.Low || d.B-d.A > d.High {
				t.Errorf("%s: %v outside of its interval %v to %v", name, d.B-d.A, d.Low, d.High)
			}
			return d.Judgment
		}
	}
	t.Fatalf("no %s in %v", name, all)
	return ""
}

func TestCompare(t *testing.T) {
	base := fakeRun(1, 10, 60)
	for want, p99 := range map[string]float64{"worse": 14, "better": 7, "noise": 10.1} {
		if got := judgement(t, base, fakeRun(2, p99, 60), "latency p99"); got != want {
			t.Errorf("p99 of 10 and %v: %s, want %s", p99, got, want)
		}
	}
	if got := judgement(t, base, fakeRun(2, 14, 60), "latency p50"); got != "noise" {
		t.Errorf("a p50 that is the same: %s", got)
	}
	better := fakeRun(3, 10, 60)
	for i := range better.Series {
		better.Series[i].Correct = 200
	}
	if got := judgement(t, base, better, "correct verdicts"); got != "better" {
		t.Errorf("twice the goodput: %s", got)
	}
}

func TestUnlikeRunsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*report.Run){
		"profiles differ": func(r *report.Run) { r.Settings.Digest = "e" },
		"gateways and 2":  func(r *report.Run) { r.Settings.Gateways = 2 },
		"machines differ": func(r *report.Run) { r.Machine.Cores += 2 },
		"cut short":       func(r *report.Run) { r.Interrupted = true },
		"inconclusive":    func(r *report.Run) { r.Generator.Limited = true },
		"at least":        func(r *report.Run) { r.Series = r.Series[:10] },
	} {
		b := fakeRun(2, 10, 60)
		change(b)
		if _, err := report.Compare(fakeRun(1, 10, 60), b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
