// Package engine sends work at the moments that a schedule plans, whatever the
// target does, and reports what became of each piece.
//
// One goroutine keeps the time; others, one a connection, send and wait. Work
// that finds no connection free waits, at most the profile's patience, and its
// latency counts from the planned moment all the same. Work for which the
// generator itself was late is not sent afterwards: a burst that nobody
// planned would measure something else.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/workload"
)

// MaxLate is how late the generator may be with a piece of work before the
// piece is given up, unless the configuration says otherwise. What it makes up
// for within that is the largest burst that it causes itself.
const MaxLate = 20 * time.Millisecond

// ErrBytes ends a run that has moved more than it may.
var ErrBytes = errors.New("engine: the run's limit of bytes is reached")

// A Schedule yields planned moments in order, then false.
type Schedule interface {
	Next() (time.Duration, bool)
}

// Config of a run.
type Config struct {
	// Targets are host:port of the gateways; work is spread evenly. At least one.
	Targets []string

	// Path is asked, by POST. Default /v1/verify.
	Path string

	// Key is the bearer key; "" sends none.
	Key string

	// TLS holds the trusted roots and, if need be, a server name. Required.
	TLS *tls.Config

	// Certificate is what the profile's share of connections shows.
	Certificate *tls.Certificate

	Connections profile.Connections
	Schedule    Schedule
	Closed      time.Duration         // not 0: no schedule; every connection asks without a pause for so long
	Work        func() *workload.Item // called by one goroutine
	Recorder    *stats.Recorder
	MaxBytes    int64 // 0: no limit
	Seed        uint64

	// MaxLate in place of the constant. 0: the constant. Longer only in tests
	// about other things, which a busy machine must not disturb.
	MaxLate time.Duration

	// Sleep waits until a moment, in place of the engine's own precise wait.
	// For tests that starve the generator.
	Sleep func(until time.Time)
}

// path is how to reach one target. Each has its own cache of TLS sessions,
// since one gateway's ticket means nothing to another.
type path struct {
	fresh, resumed, certified *tls.Config
	h2                        *http.Transport // nil where none is wanted
}

// An Engine is one run.
type Engine struct {
	cfg   Config
	start time.Time
	paths []path // by target
	pool  pool

	down     []atomic.Int64 // by target: no dialling before, in nanoseconds from the start
	turn     atomic.Uint64  // of the targets
	sockets  atomic.Int64
	inFlight atomic.Int64
	bytes    atomic.Int64
	noSocket atomic.Int64
	late     atomic.Int64
	workers  sync.WaitGroup

	connsMu sync.Mutex // guards conns, which a hard end closes
	conns   map[net.Conn]struct{}
	ended   bool
}

// New checks the configuration.
func New(cfg Config) (*Engine, error) {
	if len(cfg.Targets) == 0 || cfg.TLS == nil || cfg.Schedule == nil && cfg.Closed == 0 || cfg.Work == nil || cfg.Recorder == nil {
		return nil, errors.New("engine: a target, TLS, a schedule, work and a recorder are needed")
	}
	if cfg.Path == "" {
		cfg.Path = "/v1/verify"
	}
	if cfg.Connections.Certificates > 0 && cfg.Certificate == nil {
		return nil, errors.New("engine: connections.client_certificates needs a client certificate")
	}
	if cfg.MaxLate == 0 {
		cfg.MaxLate = MaxLate
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleepUntil
	}
	e := &Engine{cfg: cfg, down: make([]atomic.Int64, len(cfg.Targets)), conns: map[net.Conn]struct{}{}}
	for _, target := range cfg.Targets {
		host, _, err := net.SplitHostPort(target)
		if err != nil {
			return nil, fmt.Errorf("engine: target %q: want host:port", target)
		}
		e.paths = append(e.paths, e.path(host))
	}
	e.pool.engine, e.pool.most = e, cfg.Connections.Max
	return e, nil
}

func (e *Engine) path(host string) path {
	p := path{fresh: e.cfg.TLS.Clone()}
	p.fresh.NextProtos = []string{"http/1.1"}
	if p.fresh.ServerName == "" {
		p.fresh.ServerName = host
	}
	p.resumed, p.certified = p.fresh.Clone(), p.fresh.Clone()
	p.resumed.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	if e.cfg.Certificate != nil {
		p.certified.Certificates = []tls.Certificate{*e.cfg.Certificate}
	}
	if e.cfg.Connections.HTTP2 > 0 {
		p.h2 = e.transport()
	}
	return p
}

// A Load is what the engine is busy with now.
type Load struct {
	Sockets, InFlight int64
	Bytes             int64 // moved so far
	NoSocket          int64 // connections that this machine could not open for want of ports or files
	Late              int64 // pieces given up because the generator was late
	Waiting           int   // pieces that wait for a connection
}

// Load returns the present load.
func (e *Engine) Load() Load {
	return Load{e.sockets.Load(), e.inFlight.Load(), e.bytes.Load(), e.noSocket.Load(), e.late.Load(), e.pool.waiting()}
}

// kind is how one piece of work travels.
type kind uint8

const (
	kept kind = iota
	fresh
	resumed
	http2
)

// job is one piece of work on its way. planned counts from the start.
type job struct {
	planned time.Duration
	item    *workload.Item
	kind    kind
	waited  bool // for a connection
}

// Run sends until the schedule ends, and returns when every answer is in or
// has timed out. It starts counting at start. When ctx ends it stops sending
// and gives what is under way half a second; the rest stays abandoned. A
// second Run is not possible.
func (e *Engine) Run(ctx context.Context, start time.Time) error {
	e.start = start
	var err error
	if e.cfg.Closed > 0 {
		e.closed(ctx)
		err = ctx.Err()
	} else {
		err = e.dispatch(ctx)
	}
	e.pool.drain(ctx)
	e.workers.Wait()
	for _, p := range e.paths {
		if p.h2 != nil {
			p.h2.CloseIdleConnections()
		}
	}
	return err
}

func (e *Engine) now() time.Duration { return time.Since(e.start) }

// dispatch is the timekeeper.
func (e *Engine) dispatch(ctx context.Context) error {
	release := ownThread()
	defer release()
	rng := rand.New(rand.NewPCG(e.cfg.Seed, 0x6b1d))
	for {
		planned, ok := e.cfg.Schedule.Next()
		if !ok {
			return nil
		}
		now := e.now()
		for ; now < planned; now = e.now() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// Long waits in parts, so that an interrupt is heard.
			e.cfg.Sleep(e.start.Add(min(planned, now+100*time.Millisecond)))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if limit := e.cfg.MaxBytes; limit > 0 && e.bytes.Load() > limit {
			return fmt.Errorf("%w: %d bytes", ErrBytes, limit)
		}
		item := e.cfg.Work()
		e.cfg.Recorder.Offer(planned)
		if lag := now - planned; lag > e.cfg.MaxLate {
			e.late.Add(1)
			e.cfg.Recorder.Lag(planned, lag)
			e.neverSent(planned, item, verdict.Late)
			continue
		}
		e.pool.submit(job{planned: planned, item: item, kind: e.draw(rng)})
	}
}

func (e *Engine) draw(rng *rand.Rand) kind {
	c, u := e.cfg.Connections, profile.Share(rng.Float64())
	switch {
	case u < c.New:
		return fresh
	case u < c.New+c.Resumed:
		return resumed
	case u < c.New+c.Resumed+c.HTTP2:
		return http2
	}
	return kept
}

func (e *Engine) neverSent(planned time.Duration, item *workload.Item, o verdict.Outcome) {
	e.cfg.Recorder.Done(stats.Sample{
		Planned: planned, Done: e.now(), Outcome: o, Want: item.Want, Class: item.Class, Name: item.Name,
	})
}
