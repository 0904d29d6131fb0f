package drive_test

import (
	"testing"
	"time"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/stats"
)

func TestRecovery(t *testing.T) {
	slo := profile.SLO{P99: profile.Duration{Duration: 50 * time.Millisecond}}
	point := func(t, p99, failed float64) stats.Point {
		return stats.Point{T: t, Planned: 100, Offered: 100, Correct: 100 - failed, Failed: failed, P99: p99}
	}
	series := func(bad ...float64) (all []stats.Point) {
		for i := 1; i <= 12; i++ {
			p := point(float64(i), 10, 0)
			for _, b := range bad {
				if b == p.T {
					p = point(p.T, 300, 0)
				}
				if b == -p.T {
					p = point(p.T, 10, 30)
				}
			}
			all = append(all, p)
		}
		return all
	}
	for name, tc := range map[string]struct {
		series []stats.Point
		want   float64
	}{
		"at once":       {series(), 0},
		"three seconds": {series(6, 7, 8), 3},
		"relapse":       {series(6, -8), 3},
		"errors only":   {series(-6), 1},
		"never":         {series(6, 7, 8, 9, 10), -1},
	} {
		if got := drive.Recovery(tc.series, 5, drive.Well(slo)); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
