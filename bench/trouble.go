package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tongyan/sandbox"
)

// Mishaps are answers that are not as they should be, or missing.
type mishaps struct {
	mu    sync.Mutex
	wrong int // verdicts or codes
	fives int // 5xx
	none  int // no answer at all
	first error
}

func (m *mishaps) judge(a *answer, err error, verdict, code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.none++
	case a.status >= 500:
		m.fives++
		err = fmt.Errorf("status %d", a.status)
	case !a.is(verdict, code):
		m.wrong++
		err = fmt.Errorf("%d %s %s in place of %s %s", a.status, a.Verdict, a.Code, verdict, code)
	}
	if err != nil && m.first == nil {
		m.first = err
	}
}

func (m *mishaps) report(t *table) {
	t.bound("wrong verdicts", m.wrong, "0", m.wrong == 0)
	t.bound("answers 5xx", m.fives, "0", m.fives == 0)
	t.bound("requests without an answer", m.none, "0", m.none == 0)
	if m.first != nil {
		t.note("the first that was not as it should be: %v", m.first)
	}
}

// coalesce asks 200 times at once about one licence that nobody knows yet.
func coalesce(ctx context.Context, b *bench) (*table, error) {
	const callers = 200
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	g, err := s.start(ctx, anyCore)
	if err != nil {
		return nil, err
	}
	defer g.kill()
	c := newClient(s.key)
	defer c.close()
	p := s.Provinces()[1]
	tokens, err := mintOf(ctx, p, 0, 2)
	if err != nil {
		return nil, err
	}
	// Connections first: the handshakes would spread the questions out.
	if err := together(callers, func(int) error {
		_, err := c.ask(ctx, g.addr, tokens[0])
		return err
	}); err != nil {
		return nil, err
	}
	p.Registry.ResetCounters()
	if err := p.Registry.Set(sandbox.Fault{Latency: 300 * time.Millisecond}); err != nil {
		return nil, err
	}
	var bad mishaps
	began := time.Now()
	together(callers, func(int) error {
		a, err := c.ask(ctx, g.addr, tokens[1])
		bad.judge(a, err, "VALID", "OK")
		return nil
	})
	t := bounds()
	t.bound("registry calls", p.Registry.Calls(), "1", p.Registry.Calls() == 1)
	bad.report(t)
	t.note("all %d answered within %s, of which the registry took 300 ms", callers, cell(time.Since(began)))
	return t, nil
}

// hang lets one province's registry hang while the others are asked.
func hang(ctx context.Context, b *bench) (*table, error) {
	const (
		timeout = 800 * time.Millisecond // the default of registries.timeout
		pace    = 4 * time.Millisecond
		count   = 1200
	)
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	g, err := s.start(ctx, anyCore)
	if err != nil {
		return nil, err
	}
	defer g.kill()
	c := newClient(s.key)
	defer c.close()
	sick, well := s.Provinces()[0], s.Provinces()[1]

	// Every credential is of another business, so every one asks a registry. The
	// load is the same before and while it hangs.
	next := 0
	var bad mishaps
	var sicks fate
	phase := func(verdict, code string) (latencies, error) {
		others, err := mintOf(ctx, well, next, count)
		if err != nil {
			return nil, err
		}
		theirs, err := mintOf(ctx, sick, next, count/4)
		if err != nil {
			return nil, err
		}
		next += count
		beside := make(chan error, 1)
		go func() {
			_, err := paced(ctx, c, g.addr, theirs, 4*pace, func(a *answer, err error) {
				bad.judge(a, err, verdict, code)
				sicks.add(a, err)
			})
			beside <- err
		}()
		took, err := paced(ctx, c, g.addr, others, pace, func(a *answer, err error) { bad.judge(a, err, "VALID", "OK") })
		return took, errors.Join(err, <-beside)
	}
	if _, err := phase("VALID", "OK"); err != nil { // connections, and what the first ones cost
		return nil, err
	}
	before, err := phase("VALID", "OK")
	if err != nil {
		return nil, err
	}
	if err := sick.Registry.Set(sandbox.Fault{Mode: sandbox.Hang}); err != nil {
		return nil, err
	}
	sicks = fate{limit: timeout / 4}
	hung := time.Now()
	during, err := phase("INDETERMINATE", "REGISTRY_UNAVAILABLE")
	if err != nil {
		return nil, err
	}
	slow, quick := sicks.slow, sicks.quick
	t := bounds()
	p99 := during.at(0.99)
	t.bound("p99 of the others, before and while it hangs", cell(before.at(0.99))+", "+cell(p99), "1.5 ×", p99 <= before.at(0.99)*3/2)
	t.row("median of the others, before and while", cell(before.at(0.5))+", "+cell(during.at(0.5)), "", "")
	t.bound(fmt.Sprintf("slowest of %d for the hanging one, breaker closed", len(slow)), slow.at(1), "time-out 800 ms + 50 ms", slow.at(1) <= timeout+50*time.Millisecond)
	t.bound(fmt.Sprintf("p99 of %d after it opened", len(quick)), quick.at(0.99), "5 ms", len(quick) > 0 && quick.at(0.99) <= 5*time.Millisecond)
	t.row("slowest after it opened", quick.at(1), "(a probe waits the time-out)", "")
	bad.report(t)
	if !sicks.opened.IsZero() {
		t.note("the breaker opened %s after the registry hung", cell(sicks.opened.Sub(hung)))
	}
	return t, nil
}

// A fate is what becomes of the questions for a registry that hangs: those
// that were put before the first quick answer waited for it, the others are to
// be answered at once.
type fate struct {
	limit time.Duration // below is quick

	mu          sync.Mutex
	opened      time.Time // when the first quick answer came
	slow, quick latencies
}

func (f *fate) add(a *answer, err error) {
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if a.took < f.limit && f.opened.IsZero() {
		f.opened = now
	}
	if f.opened.IsZero() || now.Add(-a.took).Before(f.opened) {
		f.slow = append(f.slow, a.took)
	} else {
		f.quick = append(f.quick, a.took)
	}
}

// paced sends credentials at a steady pace, whatever the answers do, and
// returns what the answers took. each is called for every answer, in no order.
func paced(ctx context.Context, c *client, addr string, credentials []string, pace time.Duration, each func(*answer, error)) (latencies, error) {
	var mu sync.Mutex
	var took latencies
	var group sync.WaitGroup
	tick := time.NewTicker(pace)
	defer tick.Stop()
	defer group.Wait()
	for _, credential := range credentials {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		group.Go(func() {
			a, err := c.ask(ctx, addr, credential)
			each(a, err)
			if err == nil && a.status == http.StatusOK {
				mu.Lock()
				took = append(took, a.took)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return took, nil
}
