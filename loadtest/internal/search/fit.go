package search

import (
	"math"

	"tongyan/loadtest/internal/report"
)

// FitScaling lays the scaling law through the rates that 1, 2, 3 … gateways
// held. One figure is no law: nil for fewer than two. Contention and crosstalk
// are never below zero: more machines than linear is noise.
func FitScaling(holds map[int]float64) *report.Fit {
	if len(holds) < 2 {
		return nil
	}
	best, least := report.Fit{}, math.Inf(1)
	for n := range holds {
		best.Measured = max(best.Measured, n)
	}
	for i := 0; i <= 200; i++ {
		for j := 0; j <= 100; j++ {
			f := report.Fit{One: 1, Contention: float64(i) / 200, Crosstalk: float64(j) / 500, Measured: best.Measured}
			// The best One for this shape, by least squares of relative errors.
			var num, den float64
			for n, c := range holds {
				if c > 0 {
					x := f.At(n) / c
					num, den = num+x, den+x*x
				}
			}
			if den == 0 {
				return nil
			}
			f.One = num / den
			sum := 0.0
			for n, c := range holds {
				if c > 0 {
					d := f.At(n)/c - 1
					sum += d * d
				}
			}
			if sum < least-1e-12 {
				best, least = f, sum
			}
		}
	}
	return &best
}

// Needed is the least number of gateways that hold the peak: by measurement
// where there is one, by the fit up to twice the most that was measured. 0
// says that this is not known.
func Needed(holds map[int]float64, fit *report.Fit, peak float64) int {
	most := 0
	for n := range holds {
		most = max(most, n)
	}
	for n := 1; n <= 2*most; n++ {
		capacity, measured := holds[n]
		if !measured {
			if fit == nil {
				return 0
			}
			capacity = fit.At(n)
		}
		if capacity >= peak {
			return n
		}
	}
	return 0
}
