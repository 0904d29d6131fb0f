package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lastCall is how long a gateway that was told to end still takes requests,
	// and asks each client to come back by another connection: to another one.
	lastCall = time.Second
	// drainTime is how long requests under way may take after that. It covers
	// the slowest honest one: a body at the read time-out and a registry at its.
	drainTime = 25 * time.Second
	// quietEvery is how often it is looked whether connections are still busy.
	quietEvery = 10 * time.Millisecond
)

// drain ends the listeners and waits for the requests under way.
func (s *server) drain(log *slog.Logger) error {
	log.Info("draining")
	s.tell(stateStopping)
	s.draining.Store(true)
	s.admin.Drain()
	time.Sleep(lastCall)
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	// Shutdown comes last: from then on net/http reads requests and drops them
	// unanswered. Connections that were made before the port was closed are
	// served as ever until none of them has anything to say.
	s.public.Close()
	s.connections.quiet(ctx)
	err := s.publicServer.Shutdown(ctx)
	if errors.Is(err, net.ErrClosed) {
		err = nil // the port, closed above: Serve may not have noticed yet
	}
	if err != nil {
		err = fmt.Errorf("requests were still under way after %v: %w", drainTime, err)
		s.publicServer.Close()
	}
	s.privateServer.Close()
	log.Info("ended")
	return err
}

// connections counts the busy ones: new, until they say something or are closed
// for their silence, and those with a request under way.
type connections struct {
	known sync.Map // net.Conn → *atomic.Bool: it is busy
	busy  atomic.Int64
}

// note is an http.Server's ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	known, ok := c.known.Load(conn)
	if !ok {
		if state != http.StateNew {
			return // closed already
		}
		known = new(atomic.Bool)
		c.known.Store(conn, known)
	}
	now := state == http.StateNew || state == http.StateActive
	if known.(*atomic.Bool).Swap(now) != now {
		if now {
			c.busy.Add(1)
		} else {
			c.busy.Add(-1)
		}
	}
	if state == http.StateClosed || state == http.StateHijacked {
		c.known.Delete(conn)
	}
}

// quiet returns when no connection is busy, or when ctx ends.
func (c *connections) quiet(ctx context.Context) {
	look := time.NewTicker(quietEvery)
	defer look.Stop()
	for c.busy.Load() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}
