package drive

import (
	"context"
	"fmt"
	"time"

	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/schedule"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/workload"
)

// few is how many questions show whether anybody is there.
const few = 3

// reach asks a few times, so that a wrong address or key is told at once and
// not after a day.
func reach(ctx context.Context, o Options) error {
	first := o.Work.Prime()[0]
	t, err := aside(ctx, o, few, 20, func() *workload.Item { return first })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case t.Count(verdict.Late) == t.Offered: // nothing was asked: the run itself will tell
	case t.Completed == 0:
		return fmt.Errorf("%w: %v is not there, or speaks no TLS that is trusted here (see --ca)", ErrUnreachable, o.Engine.Targets)
	case t.Count(verdict.Fault) == t.Completed:
		return fmt.Errorf("%w with verdicts: every answer of %v is a fault; is the key right (see --key-file)?", ErrUnreachable, o.Engine.Targets)
	}
	return nil
}

// prime sends everything that comes again once, so that the run begins with
// the caches of an ordinary day.
func prime(ctx context.Context, o Options) error {
	items, i := o.Work.Prime(), 0
	_, err := aside(ctx, o, len(items), float64(*o.Profile.Workload.Prime), func() *workload.Item {
		i++
		return items[(i-1)%len(items)]
	})
	return err
}

// aside sends n pieces of work that are in no report.
func aside(ctx context.Context, o Options, n int, rate float64, next func() *workload.Item) (stats.Totals, error) {
	length := time.Duration(float64(n) / rate * float64(time.Second))
	cfg := o.Engine
	cfg.Connections = profile.Connections{Max: 32, Timeout: o.Profile.Connections.Timeout, Patience: o.Profile.Connections.Patience}
	cfg.Schedule = schedule.New([]schedule.Piece{{For: length + time.Millisecond, From: rate, To: rate}}, nil, false, 1)
	cfg.Sleep = nil
	cfg.Work, cfg.Recorder = next, stats.NewRecorder(stats.Options{})
	e, err := engine.New(cfg)
	if err != nil {
		return stats.Totals{}, err
	}
	start := time.Now()
	err = e.Run(ctx, start)
	cfg.Recorder.Tick(time.Since(start))
	return cfg.Recorder.Totals(), err
}
