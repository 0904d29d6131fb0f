package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"tongyan/sandbox"
)

// lists verifies 100,000 different credentials of four provinces whose status
// lists stand in place of their registries.
func lists(ctx context.Context, b *bench) (*table, error) {
	const count = 100_000
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	provinces := s.Provinces()
	published := make([]*sandbox.StatusList, len(provinces))
	for i, p := range provinces {
		if published[i], err = p.Status.Publish(1, sandbox.StatusSpec{Size: 1 << 20}); err != nil {
			return nil, err
		}
	}
	const bad = 1000 // every so many is revoked
	tokens, err := parallel(ctx, count, func(n int) (string, error) {
		i := n % len(provinces)
		token, _, err := provinces[i].Mint(sandbox.LicenceSpec{Number: n, Status: published[i].Entry(n), Unregistered: true})
		return token, err
	})
	if err != nil {
		return nil, err
	}
	for n := 0; n < count; n += bad {
		if err := published[n%len(provinces)].Set(n, 1); err != nil {
			return nil, err
		}
	}
	g, err := s.startWith(ctx, anyCore, setup{more: "policy: { status: instead-of-registry }\n"})
	if err != nil {
		return nil, err
	}
	defer g.kill()
	for _, e := range s.Endpoints() {
		e.ResetCounters()
	}
	c := newClient(s.key)
	defer c.close()
	var verdicts mishaps
	var next atomic.Int64
	began := time.Now()
	together(16, func(int) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= len(tokens) || ctx.Err() != nil {
				return nil
			}
			verdict, code := "VALID", "OK"
			if n%bad == 0 {
				verdict, code = "INVALID", "STATUS_REVOKED"
			}
			a, err := c.ask(ctx, g.addr, tokens[n])
			verdicts.judge(a, err, verdict, code)
		}
	})
	took := time.Since(began)
	var calls, trust int64
	var kinds string
	for _, e := range s.Endpoints() {
		if e == s.Trust.Endpoint {
			trust = e.Calls()
			continue
		}
		if n := e.Calls(); n > 0 {
			calls += n
			kinds += fmt.Sprintf(" %s %d", e.Name(), n)
		}
	}
	t := bounds()
	t.bound("outgoing calls (registries, status lists, key sets)", calls, "8", calls <= 8)
	verdicts.report(t)
	t.note("%d different credentials, one in %d revoked in its list of 2²⁰ entries, verified in %s; calls:%s; trust list %d", count, bad, cell(took), kinds, trust)
	return t, nil
}
