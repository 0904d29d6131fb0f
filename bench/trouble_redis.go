package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tongyan/sandbox"
)

// frozen stops Redis while it is asked for every request.
func frozen(ctx context.Context, b *bench) (*table, error) {
	const (
		bound   = 60 * time.Millisecond
		callers = 4
		each    = 400 // requests of a caller in each phase
	)
	r, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer r.kill()
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.redis = r.addr
	g, err := s.start(ctx, anyCore)
	if err != nil {
		return nil, err
	}
	defer g.kill()
	c := newClient(s.key)
	defer c.close()
	// New credentials of new businesses: Redis is asked for the finding, for the
	// standing and for the lease of the question to the registry.
	tokens, err := mintOf(ctx, s.Provinces()[1], 0, 4*callers*each)
	if err != nil {
		return nil, err
	}
	var bad mishaps
	phase := func() latencies {
		part := tokens[:callers*each]
		tokens = tokens[callers*each:]
		all := make([]latencies, callers)
		together(callers, func(i int) error {
			for _, token := range part[i*each : (i+1)*each] {
				a, err := c.ask(ctx, g.addr, token)
				bad.judge(a, err, "VALID", "OK")
				if err == nil {
					all[i] = append(all[i], a.took)
				}
			}
			return nil
		})
		return slices.Concat(all...)
	}
	phase() // connections
	before := phase()
	r.freeze()
	stopped := time.Now()
	first := phase()
	lasted := time.Since(stopped)
	after := phase()
	f, err := g.figures(ctx)
	if err != nil {
		return nil, err
	}
	r.thaw()
	t := &table{head: []string{"phase", "median", "p99", "slowest", "bound", ""}}
	t.row("before", before.at(0.5), before.at(0.99), before.at(1), "", "")
	word := func(kept bool) string {
		if kept {
			return "kept"
		}
		t.missed = true
		return "MISSED"
	}
	t.row("from the freeze on", first.at(0.5), first.at(0.99), first.at(1), "slowest at most 60 ms more", word(first.at(1) <= before.at(1)+bound))
	t.row("breaker open", after.at(0.5), after.at(0.99), after.at(1), "p99 as before (1.5 ×)", word(after.at(0.99) <= before.at(0.99)*3/2))
	waited := 0
	for _, took := range first {
		if took > 20*time.Millisecond {
			waited++
		}
	}
	t.note("%d of %d requests in the first %s waited for Redis; round trips that failed: %d", waited, len(first), cell(lasted), f.sum("tongyan_redis_events_total", `event="failed"`))
	bad.note(t)
	return t, nil
}

// redisTroubles kills, restarts and freezes Redis under load. Every sample of
// the sandbox, good, bad and hostile, must go on getting its verdict and code.
func redisTroubles(ctx context.Context, b *bench) (*table, error) {
	r, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.kill() }()
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.redis = r.addr
	samples, err := s.Samples() // before the gateway starts: they bring issuers
	if err != nil {
		return nil, err
	}
	fresh, err := mint(ctx, s.Sandbox, "ES256", sandbox.EBLJWT, 20_000)
	if err != nil {
		return nil, err
	}
	var gateways []*gateway
	for range 2 { // what one learned, the other may find
		g, err := s.start(ctx, anyCore)
		if err != nil {
			return nil, err
		}
		defer g.kill()
		gateways = append(gateways, g)
	}
	c := newClient(s.key)
	defer c.close()
	type work struct{ token, verdict, code string }
	var all []work
	for i, token := range fresh {
		sample := samples[i%len(samples)]
		all = append(all, work{token, "VALID", "OK"}, work{sample.Token, sample.Verdict, sample.Code})
	}
	var bad mishaps
	var mu sync.Mutex
	var took latencies
	loading, stop := context.WithCancel(ctx)
	defer stop()
	const workers = 8
	loaded := make(chan error, 1)
	go func() {
		loaded <- together(workers, func(w int) error {
			for i := w; loading.Err() == nil; i += workers {
				job := all[i%len(all)]
				a, err := c.ask(ctx, gateways[(i/workers+i/len(all))%2].addr, job.token)
				bad.judge(a, err, job.verdict, job.code)
				if err == nil && i%2 == 0 { // some samples wait for what does not answer
					mu.Lock()
					took = append(took, a.took)
					mu.Unlock()
				}
			}
			return nil
		})
	}()
	const spell = 1500 * time.Millisecond
	steps := []struct {
		name string
		do   func() error
	}{
		{"well", func() error { return nil }},
		{"killed", func() error { r.kill(); return nil }},
		{"restarted, empty", func() error { return r.restart(ctx) }},
		{"frozen", func() error { r.freeze(); return nil }},
		{"thawed", func() error { r.thaw(); return nil }},
		{"killed while frozen", func() error { r.freeze(); r.kill(); return nil }},
		{"restarted again", func() error { return r.restart(ctx) }},
	}
	t := &table{head: []string{"redis", "requests", "median", "p99", "slowest"}}
	for _, step := range steps {
		if err = step.do(); err != nil {
			break
		}
		time.Sleep(spell)
		mu.Lock()
		t.row(step.name, len(took), took.at(0.5), took.at(0.99), took.at(1))
		took = nil
		mu.Unlock()
	}
	stop()
	<-loaded
	if err == nil {
		err = used(ctx, s, c, gateways[0], r)
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	bad.note(t)
	return t, nil
}

// used returns nil once the gateway writes to Redis again.
func used(ctx context.Context, s *site, c *client, g *gateway, r *redis) error {
	for n := range 100 { // each a licence that was never seen
		tokens, err := mintOf(ctx, s.Provinces()[0], 1_000_000+n, 1)
		if err != nil {
			return err
		}
		if err := c.expect(ctx, g.addr, tokens[0], "VALID", "OK"); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
		if kept, err := r.size(); err != nil || kept > 0 {
			return err
		}
	}
	return errors.New("it is not used again")
}
