package search_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/search"
)

// model is an installation with a knee, a generator with an end, and goodput
// that may fall past the knee.
type model struct {
	knee, generator float64
	falls           bool
	wrongAt         float64
	flaky           int // trials at or near the knee that fail though they should not
	tries           int
	recovered       [2]float64
}

func (m *model) Try(_ context.Context, _ string, rate float64) (report.Step, error) {
	m.tries++
	s := report.Step{Goodput: min(rate, m.knee), Held: rate <= m.knee, Limited: m.generator > 0 && rate > m.generator}
	if rate > m.knee && m.falls {
		s.Goodput = m.knee * m.knee / rate
	}
	if m.wrongAt > 0 && rate >= m.wrongAt {
		s.Wrong = 1
	}
	if m.flaky > 0 && rate > 0.9*m.knee && s.Held && m.tries > 8 {
		m.flaky--
		s.Held = false
	}
	return s, nil
}

func (m *model) Recover(_ context.Context, high, low float64) (float64, error) {
	m.recovered = [2]float64{high, low}
	return 2, nil
}

func TestKnee(t *testing.T) {
	for _, tc := range []struct {
		name  string
		m     model
		holds float64
		limit string
	}{
		{"slo", model{knee: 1234}, 1234, "slo"},
		{"generator", model{knee: 9000, generator: 3000}, 3000, "generator"},
		{"wrong verdicts", model{knee: 9000, wrongAt: 500}, 500, "wrong"},
		{"ceiling", model{knee: 1e9}, 20_000, "ceiling"},
		{"flaky", model{knee: 1234, flaky: 1}, 1234, "slo"},
	} {
		got, err := search.Run(t.Context(), &tc.m, search.Options{Start: 100})
		if err != nil {
			t.Fatal(tc.name, err)
		}
		if got.Holds > tc.holds || got.Holds < 0.8*tc.holds || got.Limit != tc.limit {
			t.Errorf("%s: holds %.0f limited by %s; want %.0f, %s", tc.name, got.Holds, got.Limit, tc.holds, tc.limit)
		}
		if got.Breaks > 0 && (got.Breaks <= got.Holds || got.Breaks > 1.2*got.Holds) {
			t.Errorf("%s: bracket %.0f to %.0f", tc.name, got.Holds, got.Breaks)
		}
		if got.Recovery != -2 {
			t.Errorf("%s: recovery %v without being asked", tc.name, got.Recovery)
		}
	}
}

func TestBaselineFails(t *testing.T) {
	got, err := search.Run(t.Context(), &model{knee: 50}, search.Options{Start: 100})
	if !errors.Is(err, search.ErrBaseline) || got.Holds != 0 || got.Breaks != 100 || len(got.Steps) != 1 {
		t.Errorf("%v %+v", err, got)
	}
}

func TestCollapseAndRecovery(t *testing.T) {
	m := &model{knee: 1000, falls: true}
	got, err := search.Run(t.Context(), m, search.Options{Start: 100, Beyond: true})
	if err != nil || got.Collapse == 0 || got.Collapse > 1600 || got.Recovery != 2 {
		t.Errorf("%v %+v", err, got)
	}
	if m.recovered[0] <= got.Holds || m.recovered[1] >= got.Holds {
		t.Errorf("recovered from %.0f at %.0f", m.recovered[0], m.recovered[1])
	}
	if got, err = search.Run(t.Context(), &model{knee: 1000}, search.Options{Start: 100, Beyond: true}); err != nil || got.Collapse != 0 {
		t.Errorf("goodput that stays is taken for a collapse: %v %+v", err, got)
	}
}

func TestFit(t *testing.T) {
	law := report.Fit{One: 1000, Contention: 0.1, Crosstalk: 0.01}
	fit := search.FitScaling(map[int]float64{1: law.At(1), 2: law.At(2), 3: law.At(3)})
	for n := 1; n <= 6; n++ {
		if got, want := fit.At(n), law.At(n); math.Abs(got-want) > 0.02*want {
			t.Errorf("%d gateways: %.0f, want %.0f", n, got, want)
		}
	}
	if search.FitScaling(map[int]float64{1: 5}) != nil {
		t.Error("a law from one figure")
	}
}

func TestNeeded(t *testing.T) {
	one := map[int]float64{1: 1000}
	three := map[int]float64{1: 1000, 2: 2000, 3: 3000}
	fit := search.FitScaling(three)
	for _, tc := range []struct {
		name  string
		holds map[int]float64
		fit   *report.Fit
		peak  float64
		want  int
	}{
		{"one is enough", one, nil, 840, 1},
		{"nothing known of two", one, nil, 1200, 0},
		{"measured", three, fit, 2500, 3},
		{"by the fit", three, fit, 4500, 5},
		{"beyond twice what was measured", three, fit, 7000, 0},
	} {
		if got := search.Needed(tc.holds, tc.fit, tc.peak); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
