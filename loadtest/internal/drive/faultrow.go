package drive

import (
	"slices"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
)

// FaultRow tabulates a run with one fault in its timeline: what happened from
// the fault's beginning to its end, and how long the way back took.
func FaultRow(r *report.Run, slo profile.SLO) report.FaultRow {
	row := report.FaultRow{Limited: r.Generator.Limited, Recovery: -1}
	if len(r.Faults) != 1 {
		row.Error = "the fault did not happen"
		return row
	}
	f := r.Faults[0]
	row.Error = f.Error
	var offered float64
	var before []float64
	for _, p := range r.Series {
		switch {
		case p.Warmup:
		case p.T <= f.From:
			before = append(before, p.P99)
		case p.T-r.Interval < f.To: // the interval overlaps with the fault
			offered += p.Offered
			row.Correct += p.Correct
			row.Degraded += p.Degraded
			row.Wrong += p.Wrong
			row.Refused += p.Refused
			row.Failed += p.Failed + p.Unsent
			row.P99 = max(row.P99, p.P99)
		}
	}
	if len(before) > 0 {
		slices.Sort(before)
		row.Before = before[len(before)/2]
	}
	// Of what ended: what is under way at the edges is in neither share.
	if ended := row.Correct + row.Degraded + row.Wrong + row.Refused + row.Failed; ended > 0 && offered > 0 {
		for _, share := range []*float64{&row.Correct, &row.Degraded, &row.Wrong, &row.Refused, &row.Failed} {
			*share /= ended
		}
	}
	// What the load costs without any fault is no part of the recovery.
	if ordinary := row.Before * 3; ordinary > float64(slo.P99.Milliseconds()) {
		slo.P99.Duration = millis(ordinary)
	}
	row.Recovery = Recovery(r.Series, f.To, Well(slo))
	return row
}
