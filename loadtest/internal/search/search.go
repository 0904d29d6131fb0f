// Package search finds what an installation holds: the highest rate within the
// SLO, where more load gives less work done, and how long it takes to recover.
// It knows rates and trials, and nothing of how a trial is made.
package search

import (
	"context"
	"errors"
	"fmt"

	"tongyan/loadtest/internal/report"
)

// A Lab tries rates.
type Lab interface {
	// Try loads at a rate, warm-up first, and says how it went.
	Try(ctx context.Context, phase string, rate float64) (report.Step, error)

	// Recover loads at high, drops to low, and returns the seconds until the
	// SLO holds again; -1 if it did not while watched.
	Recover(ctx context.Context, high, low float64) (float64, error)
}

// Options of a search. The zero values are good ones, but for Start.
type Options struct {
	Start     float64 // the baseline's rate: one that should hold easily
	Ceiling   float64 // no rate above is tried; 0: 20000/s
	Factor    float64 // between steps up; 0: 1.6
	Precision float64 // the bracket of the knee, relative; 0: 0.08
	Beyond    bool    // load past the knee, for collapse and recovery
}

// ErrBaseline says that even the baseline did not hold.
var ErrBaseline = errors.New("search: the SLO does not hold at the baseline")

// maxSteps bounds every search.
const maxSteps = 40

// Run searches. With ErrBaseline the result says what was seen.
func Run(ctx context.Context, lab Lab, o Options) (report.Search, error) {
	if o.Ceiling == 0 {
		o.Ceiling = 20_000
	}
	if o.Factor <= 1 {
		o.Factor = 1.6
	}
	if o.Precision <= 0 {
		o.Precision = 0.08
	}
	s := &state{lab: lab, o: o}
	s.out.Recovery = -2
	err := s.run(ctx)
	return s.out, err
}

type state struct {
	lab Lab
	o   Options
	out report.Search
}

func (s *state) run(ctx context.Context) error {
	base, err := s.try(ctx, "baseline", s.o.Start)
	if err != nil {
		return err
	}
	if !base.Held {
		s.broke(base)
		return ErrBaseline
	}
	s.out.Holds = base.Rate
	for rate := base.Rate * s.o.Factor; s.out.Breaks == 0; rate *= s.o.Factor {
		at := min(rate, s.o.Ceiling)
		step, err := s.try(ctx, "up", at)
		if err != nil {
			return err
		}
		s.take(step)
		if step.Held && at == s.o.Ceiling {
			s.out.Limit = "ceiling"
			return nil
		}
	}
	for s.out.Breaks > s.out.Holds*(1+s.o.Precision) {
		step, err := s.try(ctx, "bisect", (s.out.Holds+s.out.Breaks)/2)
		if err != nil {
			return err
		}
		s.take(step)
	}
	if err := s.again(ctx); err != nil {
		return err
	}
	if s.o.Beyond && s.out.Limit == "slo" {
		return s.beyond(ctx)
	}
	return nil
}

func (s *state) try(ctx context.Context, phase string, rate float64) (report.Step, error) {
	if len(s.out.Steps) >= maxSteps {
		return report.Step{}, fmt.Errorf("search: no end after %d trials: what is measured does not hold still", maxSteps)
	}
	step, err := s.lab.Try(ctx, phase, rate)
	if err == nil && step.Limited {
		// A generator disturbed once may only have had bad luck.
		step, err = s.lab.Try(ctx, phase, rate)
	}
	if err != nil {
		return step, err
	}
	step.Phase, step.Rate = phase, rate
	// A trial in which the generator was the limit proves nothing of the target:
	// it cannot count as held.
	step.Held = step.Held && !step.Limited && step.Wrong == 0
	s.out.Steps = append(s.out.Steps, step)
	return step, nil
}

func (s *state) take(step report.Step) {
	if step.Held {
		s.out.Holds = step.Rate
		return
	}
	s.broke(step)
}

func (s *state) broke(step report.Step) {
	s.out.Breaks = step.Rate
	switch {
	case step.Wrong > 0:
		s.out.Limit = "wrong"
	case step.Limited:
		s.out.Limit = "generator"
	default:
		s.out.Limit = "slo"
	}
}

// again tries the found rate once more: a knee that holds once in two is none.
func (s *state) again(ctx context.Context) error {
	for {
		step, err := s.try(ctx, "again", s.out.Holds)
		if err != nil {
			return err
		}
		if step.Held {
			return nil
		}
		s.broke(step)
		s.out.Holds = step.Rate * 0.9
		if s.out.Holds < s.o.Start {
			s.out.Holds = 0
			return ErrBaseline
		}
	}
}

// beyond loads past the knee: goodput below nine tenths of the best is a
// collapse.
func (s *state) beyond(ctx context.Context) error {
	best := 0.0
	for _, step := range s.out.Steps {
		best = max(best, step.Goodput)
	}
	high := s.out.Holds
	for _, f := range []float64{1.5, 2.2} {
		if s.out.Holds*f > s.o.Ceiling {
			break
		}
		step, err := s.try(ctx, "beyond", s.out.Holds*f)
		if err != nil {
			return err
		}
		if step.Limited {
			break // what falls now may be the generator
		}
		high = step.Rate
		if step.Goodput < 0.9*best && s.out.Collapse == 0 {
			s.out.Collapse = step.Rate
		}
		best = max(best, step.Goodput)
	}
	if high == s.out.Holds {
		return nil
	}
	var err error
	s.out.Recovery, err = s.lab.Recover(ctx, high, s.out.Holds/2)
	return err
}
