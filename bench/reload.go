package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tongyan/sandbox"
)

// reloadList has the trust list grow to 200 issuers with 1,000 keys and change
// every second, while credentials that are in memory are asked about.
func reloadList(ctx context.Context, b *bench) (*table, error) {
	const (
		users = 16
		pause = 3 * time.Millisecond
	)
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.grow(200, 5); err != nil {
		return nil, err
	}
	set, err := mint(ctx, s.Sandbox, "ES256", sandbox.EBLJWT, hotSet)
	if err != nil {
		return nil, err
	}
	l, err := b.newLoad("reload", s.key, set)
	if err != nil {
		return nil, err
	}
	g, err := s.startWith(ctx, serverCore, setup{trust: ", refresh: 250ms"})
	if err != nil {
		return nil, err
	}
	defer g.kill()
	c := newClient(s.key)
	defer c.close()
	if err := c.all(ctx, g.addr, set); err != nil {
		return nil, err
	}
	first, err := g.gauge(ctx, "tongyan_trust_list_version")
	if err != nil {
		return nil, err
	}
	phase := func(publish bool) (p99 float64, used time.Duration, err error) {
		publishing, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for publish {
				if _, err := s.Trust.Publish(nil); err != nil {
					done <- err
					return
				}
				select {
				case <-publishing.Done():
					done <- nil
					return
				case <-tick.C:
				}
			}
			done <- nil
		}()
		before := g.cpu()
		t, err := paceOf(ctx, g.addr, l, users, pause, 5*time.Second)
		stop()
		if failed := <-done; err == nil {
			err = failed
		}
		if err != nil {
			return 0, 0, err
		}
		used = (g.cpu() - before) / time.Duration(t.Requests)
		return float64(t.P99), used, nil
	}
	var calm, changing, ratios []float64
	var cost, dear []time.Duration
	for i := range b.rounds {
		for _, publish := range []bool{i%2 == 0, i%2 != 0} {
			p99, used, err := phase(publish)
			if err != nil {
				return nil, err
			}
			if publish {
				changing, dear = append(changing, p99), append(dear, used)
			} else {
				calm, cost = append(calm, p99), append(cost, used)
			}
		}
		ratios = append(ratios, changing[i]/calm[i])
	}
	last, err := g.gauge(ctx, "tongyan_trust_list_version")
	if err != nil {
		return nil, err
	}
	t := bounds()
	t.row("p99 with the list at rest", time.Duration(median(calm))*time.Microsecond, "", "")
	t.row("p99 with a new list each second", time.Duration(median(changing))*time.Microsecond, "", "")
	t.ratio("ratio (median of rounds)", median(ratios), 1, 1.5)
	t.note("%d versions came into force, %d bytes each; CPU a request %s at rest, %s while lists change; rounds %.2f",
		int(last-first), len(s.Trust.Token()), cell(median(cost)), cell(median(dear)), ratios)
	t.note("%d connections with %s between answer and next request, gateway on one core", users, cell(pause))
	if int(last-first) < 4*b.rounds {
		t.missed = true
		t.note("TOO FEW versions came into force")
	}
	return t, nil
}

// grow publishes a list with so many issuers of so many inline keys each.
func (s *site) grow(issuers, keysEach int) error {
	pool := make([]json.RawMessage, 0, 40)
	for i := range cap(pool) {
		key, err := sandbox.NewKey([]string{"ES256", "SM2", "EdDSA"}[i%3], fmt.Sprint("key-", i))
		if err != nil {
			return err
		}
		jwk, err := key.JWK()
		if err != nil {
			return err
		}
		pool = append(pool, jwk)
	}
	_, err := s.Trust.Publish(func(l *sandbox.List) {
		for i := len(l.Provinces); i < issuers; i++ {
			set := make([]json.RawMessage, keysEach)
			for k := range set {
				set[k] = pool[(i*keysEach+k)%len(pool)]
			}
			inline, _ := json.Marshal(map[string]any{"keys": set})
			p := &l.Provinces[i%4]
			p.Issuers = append(p.Issuers, sandbox.ListIssuer{
				Iss: fmt.Sprintf("https://ebl-%d.example", i), Types: []string{"business-licence"}, Algs: []string{"ES256", "SM2", "EdDSA"},
				JWKS: inline, Divisions: []string{p.Code[:2]}, ValidFrom: 1577808000,
			})
		}
	})
	return err
}
