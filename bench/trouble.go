package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// note adds what went wrong below a table: nothing may.
func (m *mishaps) note(t *table) {
	t.note("wrong verdicts %d, 5xx %d, unanswered %d (bound 0)", m.wrong, m.fives, m.none)
	if m.first != nil {
		t.missed = true
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

// hang lets one province's registry hang while the others are asked. A second
// gateway, whose registries are all well, is asked the same in turns: what the
// machine does beside meets both.
func hang(ctx context.Context, b *bench) (*table, error) {
	const (
		timeout = 800 * time.Millisecond // the default of registries.timeout
		pace    = 3 * time.Millisecond
		count   = 1500
	)
	type half struct {
		*site
		*gateway
		sick, well *sandbox.Province
	}
	var halves [2]half
	for i := range halves {
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
		halves[i] = half{s, g, s.Provinces()[0], s.Provinces()[1]}
	}
	var bad mishaps
	next := 0
	// phase asks both, and about both provinces. Every credential is of another
	// business, so every one asks a registry.
	phase := func(count int, verdict, code string) (others [2]latencies, sicks [2]*fate, err error) {
		var group errgroup.Group
		for i, h := range halves {
			wells, err1 := mintOf(ctx, h.well, next, count)
			theirs, err2 := mintOf(ctx, h.sick, next, count/4)
			if err := errors.Join(err1, err2); err != nil {
				return others, sicks, err
			}
			sicks[i] = &fate{limit: timeout / 4}
			c := newClient(h.key)
			defer c.close()
			wantVerdict, wantCode := "VALID", "OK"
			if i == 1 {
				wantVerdict, wantCode = verdict, code
			}
			group.Go(func() error {
				return paced(ctx, c, h.addr, theirs, 8*pace, func(a *answer, err error) {
					bad.judge(a, err, wantVerdict, wantCode)
					sicks[i].add(a, err)
				})
			})
			group.Go(func() error {
				var mu sync.Mutex
				return paced(ctx, c, h.addr, wells, 2*pace, func(a *answer, err error) {
					bad.judge(a, err, "VALID", "OK")
					if err == nil {
						mu.Lock()
						others[i] = append(others[i], a.took)
						mu.Unlock()
					}
				})
			})
		}
		next += count
		return others, sicks, group.Wait()
	}
	if _, _, err := phase(count/5, "VALID", "OK"); err != nil { // what the first ones cost
		return nil, err
	}
	if err := halves[1].sick.Registry.Set(sandbox.Fault{Mode: sandbox.Hang}); err != nil {
		return nil, err
	}
	hung := time.Now()
	others, sicks, err := phase(count, "INDETERMINATE", "REGISTRY_UNAVAILABLE")
	if err != nil {
		return nil, err
	}
	calm, sick := sicks[0].quick, sicks[1]
	t := &table{head: []string{"questions", "median", "p99", "slowest", "bound", ""}}
	line := func(what string, l latencies, bound string, kept bool) {
		word := ""
		if bound != "" {
			word = "kept"
		}
		if !kept {
			word, t.missed = "MISSED", true
		}
		t.row(fmt.Sprintf("%s (%d)", what, len(l)), l.at(0.5), l.at(0.99), l.at(1), bound, word)
	}
	line("all registries well", slices.Concat(others[0], calm), "", true)
	line("one hangs: the other provinces", others[1], "p99 at most 1.5 × of the first line", others[1].at(0.99) <= others[0].at(0.99)*3/2)
	line("the hanging one, breaker closed", sick.slow, "slowest at most the time-out, 800 ms, and what the machine adds (first line)",
		sick.slow.at(1) <= timeout+others[0].at(1))
	line("the hanging one, breaker open", sick.quick, "p99 at most 5 ms, or that of the first line",
		len(sick.quick) > 0 && sick.quick.at(0.99) <= max(5*time.Millisecond, others[0].at(0.99)))
	if !sick.opened.IsZero() {
		t.note("the breaker opened %s after the registry hung", cell(sick.opened.Sub(hung)))
	}
	bad.note(t)
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

// paced sends credentials at a steady pace, whatever the answers do. each is
// called for every answer, several at once.
func paced(ctx context.Context, c *client, addr string, credentials []string, pace time.Duration, each func(*answer, error)) error {
	var group sync.WaitGroup
	tick := time.NewTicker(pace)
	defer tick.Stop()
	defer group.Wait()
	for _, credential := range credentials {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		group.Go(func() { each(c.ask(ctx, addr, credential)) })
	}
	return nil
}
