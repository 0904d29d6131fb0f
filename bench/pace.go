package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// paceOf has wrk send a load for a time with a pause before every request of a
// connection: users who do something with an answer before they ask again.
// Each connection sends at most 1/pause requests a second.
func paceOf(ctx context.Context, addr string, l *load, users int, pause, d time.Duration) (*tally, error) {
	t, err := wrk(ctx, addr, l, users, d, fmt.Sprint(pause.Milliseconds()))
	if errors.Is(err, errDisturbed) {
		// Whoever asks at a pace is never too many: this is no matter of the machine.
		return t, fmt.Errorf("%d of %d answers beside 2xx", t.Refused, t.Requests)
	}
	return t, err
}
