package facts

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// tripAfter failures in a row Redis is left alone.
	tripAfter = 3
	// probeEvery is how often it is then tried; jitter takes up to half away.
	probeEvery = 100 * time.Millisecond
	// breakerRest is how long the breaker wants to be left alone: less than any
	// time between probes, which set the pace.
	breakerRest = probeEvery / 3
)

// health knows whether Redis is to be used. Requests open its breaker; only
// probes in the background close it again, so no request ever pays for one.
type health struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	closed  atomic.Bool
	since   atomic.Int64 // Unix nanoseconds when closed last changed
	back    atomic.Int64 // Unix nanoseconds when Redis last came back; 0: it was never gone
	why     atomic.Value // string: the last failure
	changed chan bool    // every change of closed, as far as there is room
}

func newHealth() *health {
	h := &health{changed: make(chan bool, 16)}
	h.closed.Store(true)
	h.since.Store(time.Now().UnixNano())
	h.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        "redis",
		Timeout:     breakerRest,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= tripAfter },
		// Runs under the breaker's lock: neither its methods nor any I/O in here.
		OnStateChange: func(_ string, _, to gobreaker.State) {
			up := to == gobreaker.StateClosed
			if h.closed.Swap(up) == up {
				return // half open is as good as open
			}
			now := time.Now().UnixNano()
			h.since.Store(now)
			if up {
				h.back.Store(now)
			}
			select {
			case h.changed <- up:
			default:
			}
		},
	})
	return h
}

func (h *health) up() bool { return h.closed.Load() }

func (h *health) state() (up bool, since time.Time) {
	return h.closed.Load(), time.Unix(0, h.since.Load())
}

// returned is when Redis last came back; the zero Unix time if it was never gone.
func (h *health) returned() time.Time { return time.Unix(0, h.back.Load()) }

// try runs one round trip and counts its result.
func (h *health) try(trip func() error) error {
	_, err := h.breaker.Execute(func() (struct{}, error) {
		err := trip()
		if err != nil {
			h.why.Store(err.Error())
		}
		return struct{}{}, err
	})
	return err
}

// outage returns the first of the commands' errors that means that Redis is not
// to be had. Other errors are answers: a full Redis refuses writes and goes on
// answering reads.
func outage(commands []redis.Cmder) error {
	for _, command := range commands {
		err := command.Err()
		if err == nil || errors.Is(err, redis.Nil) {
			continue
		}
		if !isAnswered(err) {
			return err
		}
	}
	return nil
}

// isAnswered reports whether err is Redis's own word on one command.
func isAnswered(err error) bool {
	var word redis.Error
	return errors.As(err, &word) && !redis.IsLoadingError(err) && !redis.IsClusterDownError(err) &&
		!redis.IsMasterDownError(err) && !redis.IsTryAgainError(err) && !redis.IsAuthError(err) && !redis.IsMaxClientsError(err)
}

// watch probes Redis at the start and while the breaker is open, and tells of
// every change. It returns when quit is closed.
func (h *health) watch(quit <-chan struct{}, ping func(context.Context) error, patience time.Duration, log *slog.Logger, o Observer) {
	probe := time.NewTimer(0)
	defer probe.Stop()
	for {
		select {
		case <-quit:
			return
		case up := <-h.changed:
			if up {
				log.Info("redis is back")
			} else {
				log.Warn("redis is not to be had: going on with memory and registries", "error", h.why.Load())
				probe.Reset(untilProbe())
			}
			if o.Breaker != nil {
				o.Breaker(!up)
			}
		case <-probe.C:
			err := h.try(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				err := ping(ctx)
				if err != nil && o.Failed != nil {
					o.Failed(OpProbe)
				}
				return err
			})
			if err != nil {
				probe.Reset(untilProbe())
			}
		}
	}
}

func untilProbe() time.Duration { return probeEvery - rand.N(probeEvery/2) }
