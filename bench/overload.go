package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"tongyan/sandbox"
)

var dialer = &net.Dialer{Timeout: 10 * time.Second}

// overload offers ten times what a gateway on one core can do, from a bank's
// thousand users, who wait as long as they are told when they are refused, as
// gateway/client does. Halls ask for less than half of the capacity meanwhile.
func overload(ctx context.Context, b *bench) (*table, error) { return b.crowd(ctx, 1000, true) }

// deaf is overload by a bank that pays no heed to Retry-After: all that it sends
// must be received, decrypted, read and refused.
func deaf(ctx context.Context, b *bench) (*table, error) { return b.crowd(ctx, 256, false) }

// crowd offers ten times the capacity by so many connections.
//
// Every request is an ES384 check of its own: the signatures are forged, and
// what is forged is not remembered. The dearest work is the one of which ten
// times the capacity can be sent, and refused, by one core each.
func (b *bench) crowd(ctx context.Context, conns int, obey bool) (*table, error) {
	lasting := 30 * b.duration
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	forged, err := s.forged(ctx, "ES384", 200)
	if err != nil {
		return nil, err
	}
	g, err := s.startWith(ctx, serverCore, setup{parties: party("bank", "bank-key", "bank")})
	if err != nil {
		return nil, err
	}
	defer g.kill()
	back, err := pin(clientCore)
	if err != nil {
		return nil, err
	}
	defer back()
	streamOf := func(key string, rate float64, conns int) *stream {
		st := &stream{addr: g.addr, key: key, rate: rate, conns: conns, want: `"verdict":"INVALID","code":"SIGNATURE_INVALID"`}
		for _, token := range forged {
			st.requests = append(st.requests, rawRequest(key, "application/jwt", token))
		}
		return st
	}
	// capacity: as many at once as keep the core busy, none of them refused.
	capacity := func() (float64, *outcome, error) {
		o, err := streamOf(s.key, 0, 4).run(ctx, 5*time.Second)
		if err == nil && len(o.refused)+o.unlike > 0 {
			err = fmt.Errorf("%d of %d were refused in a closed loop of 4; %v", len(o.refused), o.sent(), o.first)
		}
		return float64(len(o.accepted)) / o.took.Seconds(), o, err
	}
	if _, _, err := capacity(); err != nil { // what the first ones cost
		return nil, err
	}
	before, full, err := capacity()
	if err != nil {
		return nil, fmt.Errorf("capacity: %w", err)
	}
	both := func(hallRate, bankRate float64, hallConns, bankConns int, window, d time.Duration) (hall, bank *outcome, err error) {
		var group sync.WaitGroup
		var hallErr error
		group.Go(func() {
			st := streamOf(s.key, hallRate, hallConns)
			st.window, st.obeys = window, obey
			hall, hallErr = st.run(ctx, d)
		})
		st := streamOf("bank-key", bankRate, bankConns)
		st.window, st.obeys = window, obey
		bank, err = st.run(ctx, d)
		group.Wait()
		if err == nil {
			err = hallErr
		}
		return hall, bank, err
	}
	share := 0.4 * before
	calmHall, calmBank, err := both(share, share, 32, 32, 0, 8*time.Second)
	if err != nil {
		return nil, err
	}
	normal := latencies(append(calmHall.accepted, calmBank.accepted...)).at(0.99)

	quiet := g.memory("VmRSS")
	var resident []string
	var early, last float64
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				last = g.memory("VmRSS")
				if early == 0 {
					early = last
				}
				resident = append(resident, fmt.Sprintf("%.0f", last))
			case <-watching.Done():
				return
			}
		}
	})
	used := g.cpu()
	hall, bank, err := both(share, 10*before, 32, conns, time.Second, lasting)
	used = g.cpu() - used
	stop()
	watch.Wait()
	if err != nil {
		return nil, fmt.Errorf("overload: %w", err)
	}
	afterHall, afterBank, err := both(share, share, 32, 32, time.Second, 8*time.Second)
	if err != nil {
		return nil, err
	}
	after, _, err := capacity()
	if err != nil {
		return nil, fmt.Errorf("capacity afterwards: %w", err)
	}
	recovered := -1
	for i := len(afterHall.windows) - 1; i >= 0; i-- {
		w := new(outcome)
		w.add(afterHall.windows[i])
		if i < len(afterBank.windows) {
			w.add(afterBank.windows[i])
		}
		if len(w.refused) > w.sent()/100 || w.accepted.at(0.99) > 2*normal {
			break
		}
		recovered = i
	}
	accepted := append(hall.accepted, bank.accepted...)
	refused := append(hall.refused, bank.refused...)
	// A thousand come in the first tenth of a second, before anybody was told to wait.
	var lateRefusals latencies
	for _, o := range []*outcome{hall, bank} {
		for _, w := range o.windows[min(1, len(o.windows)):] {
			lateRefusals = append(lateRefusals, w.refused...)
		}
	}
	goodput := float64(len(accepted)) / lasting.Seconds()
	able := (before + after) / 2
	t := bounds()
	t.row("capacity (closed loop of 4), before and after", fmt.Sprintf("%.0f/s, %.0f/s", before, after), "", "")
	t.row("wanted, all lanes", fmt.Sprintf("%.1f × capacity", 10*before/able+share/able), "", "")
	t.row("requests that came", fmt.Sprintf("%.0f/s", float64(hall.sent()+bank.sent())/lasting.Seconds()), "", "")
	t.bound("goodput", fmt.Sprintf("%.0f/s, %.2f of capacity", goodput, goodput/able), "0.90", goodput >= 0.9*able)
	t.row("p99 in normal times (0.8 of capacity; full)", cell(normal)+"; "+cell(full.accepted.at(0.99)), "", "")
	t.bound("p99 of what is accepted, all", accepted.at(0.99), cell(2*normal), accepted.at(0.99) <= 2*normal)
	t.row("  hall's; bank's", cell(hall.accepted.at(0.99))+"; "+cell(bank.accepted.at(0.99)), "", "")
	harm := 100 * float64(len(hall.refused)) / float64(hall.sent())
	t.bound("hall refused, at 0.4 of capacity", fmt.Sprintf("%.2f %%", harm), "1 %", harm <= 1)
	t.bound("refusals, p99", refused.at(0.99), "5 ms", refused.at(0.99) < 5*time.Millisecond)
	t.row("  median; p99 without the first second", cell(refused.at(0.5))+"; "+cell(lateRefusals.at(0.99)), "", "")
	t.bound("memory, first ten seconds to last", fmt.Sprintf("%.0f → %.0f MiB", early, last), "flat", last <= early*1.1+4)
	t.bound("normal again after", fmt.Sprintf("%d s", recovered), "5 s", recovered >= 0 && recovered <= 5)
	t.bound("answers of another kind", hall.unlike+bank.unlike, "0", hall.unlike+bank.unlike == 0)
	// What is left of the core when all refusals are paid for.
	cost := (float64(used) - float64(len(accepted))*1e9/able) / float64(max(1, len(refused)))
	t.note("a refusal costs about %s of the core (all TLS and HTTP of a request are in it): goodput cannot be above %.2f of capacity at this rate",
		cell(time.Duration(cost)), 1-cost*float64(len(refused))/float64(lasting))
	t.note("the core was busy for %.2f of the time", float64(used)/float64(lasting))
	t.note("late by more than 5 ms: %d of %d sent; resident %.0f MiB before, then %s", hall.late+bank.late, hall.sent()+bank.sent(), quiet, strings.Join(resident, " "))
	for _, o := range []*outcome{hall, bank} {
		if o.first != nil {
			t.note("the first of another kind: %v", o.first)
		}
	}
	return t, nil
}

// forged makes credentials of one province, signed by a key of its own for that
// algorithm, whose signatures are wrong: each time they come they cost a whole
// check.
func (s *site) forged(ctx context.Context, alg string, count int) ([]string, error) {
	p := s.Provinces()[0]
	key, err := sandbox.NewKey(alg, "dear")
	if err == nil {
		err = p.Keys.Add(key)
	}
	if err == nil {
		_, err = s.Trust.Publish(func(l *sandbox.List) {
			issuer := &l.Province(p.Code).Issuers[0]
			issuer.Algs = append(issuer.Algs, alg)
		})
	}
	if err != nil {
		return nil, err
	}
	return parallel(ctx, count, func(n int) (string, error) {
		b := p.Business(sandbox.Company, n)
		b.OpScope = scope
		token, _, err := p.Mint(sandbox.LicenceSpec{Key: key, Business: &b})
		if err != nil {
			return "", err
		}
		at := strings.LastIndexByte(token, '.') + 20
		other := "A"
		if token[at] == 'A' {
			other = "B"
		}
		return token[:at] + other + token[at+1:], nil
	})
}
