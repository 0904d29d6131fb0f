package drive

import (
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/stats"
)

// calm is how many intervals in a row must be well for a recovery.
const calm = 3

// Recovery is how long after the moment (seconds from the start) all was well
// again: from then on, calm intervals hold. -1: not within the series.
func Recovery(series []stats.Point, after float64, well func(stats.Point) bool) float64 {
	row, since := 0, 0.0
	begin := after
	for _, p := range series {
		if p.T <= after || p.Planned == 0 {
			continue
		}
		if !well(p) {
			row = 0
			begin = p.T
			continue
		}
		if row == 0 {
			since = begin
		}
		if row++; row == calm {
			return max(since-after, 0)
		}
	}
	return -1
}

// Well says of intervals whether they keep to an SLO. Of errors one in a
// hundred is let pass: an interval is too short for less to mean anything.
func Well(slo profile.SLO) func(stats.Point) bool {
	errors := 0.01
	if slo.Error != nil {
		errors = max(errors, float64(*slo.Error))
	}
	return func(p stats.Point) bool {
		amiss := p.Degraded + p.Wrong + p.Refused + p.Failed + p.Unsent
		latency := slo.P99.Milliseconds() == 0 || p.P99 <= float64(slo.P99.Microseconds())/1000
		return latency && p.Correct > 0 && amiss <= errors*max(p.Offered, 1)
	}
}
