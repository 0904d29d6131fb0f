package drive

import (
	"context"
	"slices"
	"sync"
	"time"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
)

// timeline brings the profile's faults about, each at its moment, and returns
// what became of them. When ctx ends, those that last are ended too.
func (d *driver) timeline(ctx context.Context) []report.Fault {
	out := make([]report.Fault, len(d.Profile.Faults))
	var all sync.WaitGroup
	for i, f := range d.Profile.Faults {
		all.Go(func() { out[i] = d.fault(ctx, f) })
	}
	all.Wait()
	out = slices.DeleteFunc(out, func(f report.Fault) bool { return f.To == 0 })
	return out
}

// fault is one; its zero value means that the run ended before its moment.
func (d *driver) fault(ctx context.Context, f profile.Fault) (r report.Fault) {
	if !wait(ctx, d.start.Add(f.At.Duration)) {
		return r
	}
	r = report.Fault{From: time.Since(d.start).Seconds(), What: f.Fault, Province: f.Province}
	action, err := f.Action()
	var mend func() error
	if err == nil {
		mend, err = d.Breaker.Break(action, f.Province)
	}
	if err == nil {
		wait(ctx, d.start.Add(f.At.Duration+f.For.Duration))
		err = mend()
	}
	r.To = time.Since(d.start).Seconds()
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// wait says whether the moment came before ctx ended.
func wait(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
