package main

import (
	"context"

	"golang.org/x/time/rate"

	"tongyan/verifiers/registry"
)

// A pacedRegistry keeps questions that can wait (a batch's) to half of a
// province's budget and places, so that whoever stands at a counter finds the
// other half free.
type pacedRegistry struct {
	*registry.Client
	budget *rate.Limiter
	places chan struct{}
}

func pace(c *registry.Client, perSecond float64, maxInFlight int) *pacedRegistry {
	half := perSecond / 2
	return &pacedRegistry{c, rate.NewLimiter(rate.Limit(half), max(1, int(half/10))), make(chan struct{}, max(1, maxInFlight/2))}
}

// Pace waits for a turn, however long that takes within ctx, and returns how to
// give it back.
func (p *pacedRegistry) Pace(ctx context.Context) (done func(), err error) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := p.budget.Wait(ctx); err != nil {
		<-p.places
		return nil, err
	}
	return func() { <-p.places }, nil
}
