package main

import (
	"context"
	"fmt"

	"tongyan/sandbox"
)

// hotSet is how many credentials are asked about again and again.
const hotSet = 500

// A stage is a site with its corpus, for the runs that compare throughput.
type stage struct {
	*bench
	*site
	client *client
	corpus []string // those of different businesses first
	load   *load
}

func (b *bench) newStage(ctx context.Context, alg string, format sandbox.Format) (*stage, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	st := &stage{bench: b, site: s, client: newClient(s.key)}
	if st.corpus, err = mint(ctx, s.Sandbox, alg, format, b.corpus+businesses); err == nil {
		st.load, err = b.newLoad("corpus-"+alg+"-"+string(format), s.key, st.corpus[businesses:])
	}
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (s *stage) close() {
	s.client.close()
	s.Close()
}

// contestant is a gateway as a contestant. Before each round it gets the
// credentials of prime, and after it, the counts that prove what was measured:
// expect returns an error if grown, over n requests, are not what they should be.
func (s *stage) contestant(name string, l *load, prime []string, expect func(grown figures, n int64) error) *contestant {
	var g *gateway
	var before figures
	return &contestant{name: name, load: l,
		start: func(ctx context.Context) (_ *process, _ string, err error) {
			if g, err = s.start(ctx, serverCore); err != nil {
				return nil, "", err
			}
			if err = s.client.all(ctx, g.addr, prime); err == nil {
				before, err = g.figures(ctx)
			}
			if err != nil {
				g.kill()
				return nil, "", err
			}
			return g.process, g.addr, nil
		},
		check: func(ctx context.Context, t *tally) error {
			after, err := g.figures(ctx)
			if err != nil {
				return err
			}
			grown := after.since(before)
			// wrk ends with requests under way: those may be counted or not.
			all := grown.sum("tongyan_verdicts_total")
			if good := grown.sum("tongyan_verdicts_total", `verdict="VALID"`, `code="OK"`); good != all || all < t.Requests || all > t.Requests+connections {
				return fmt.Errorf("%d requests, %d verdicts, %d of them VALID", t.Requests, all, good)
			}
			if asked := grown.sum("tongyan_registry_seconds_count"); asked > 0 {
				return fmt.Errorf("a registry was asked %d times", asked)
			}
			if err := expect(grown, all); err != nil {
				return err
			}
			// The very answers, too, for a few.
			return s.client.all(ctx, g.addr, s.corpus[:20])
		},
	}
}

// found returns an expectation: all look-ups of findings ended at that layer.
func found(layer string, atLeast float64) func(figures, int64) error {
	return func(grown figures, n int64) error {
		there := grown.sum("tongyan_cache_lookups_total", `kind="finding"`, `layer="`+layer+`"`)
		if float64(there) < atLeast*float64(n) {
			return fmt.Errorf("%w: %d of %d findings came from %s: is the corpus too small? (-corpus)", errDisturbed, there, n, layer)
		}
		return nil
	}
}

func cold(ctx context.Context, b *bench) (*table, error) {
	return b.coldOf(ctx, "ES256", "limit", 0.80)
}

func coldSM2(ctx context.Context, b *bench) (*table, error) {
	return b.coldOf(ctx, "SM2", "limit-sm2", 0.80)
}

func (b *bench) coldOf(ctx context.Context, alg, floor string, bound float64) (*table, error) {
	s, err := b.newStage(ctx, alg, sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	// One credential for each business makes its standing known; these do not
	// come again.
	gateway := s.contestant("gateway", s.load, s.corpus[:businesses], found("nowhere", 1))
	t, err := b.race(ctx, gateway, b.floor(floor, s.load), bound)
	if err == nil {
		t.note("credentials of %d bytes about %d businesses", len(s.corpus[0]), businesses)
	}
	return t, err
}

func hot(ctx context.Context, b *bench) (*table, error) {
	small := *b
	small.corpus = 0
	s, err := small.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	set := s.corpus[:hotSet]
	l, err := b.newLoad("hot", s.key, set)
	if err != nil {
		return nil, err
	}
	return b.race(ctx, s.contestant("gateway", l, set, found("memory", 1)), b.floor("bare", l), 0.65)
}

func sdjwt(ctx context.Context, b *bench) (*table, error) {
	plain, err := b.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer plain.close()
	selective, err := b.newStage(ctx, "ES256", sandbox.SDJWTVC)
	if err != nil {
		return nil, err
	}
	defer selective.close()
	return b.race(ctx, selective.contestant("SD-JWT", selective.load, selective.corpus[:businesses], found("nowhere", 1)),
		plain.contestant("plain", plain.load, plain.corpus[:businesses], found("nowhere", 1)), 1/1.3)
}

func fromRedis(ctx context.Context, b *bench) (*table, error) {
	r, err := b.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer r.kill()
	large := *b
	large.corpus = max(b.corpus, 60_000) // it is read faster than it is verified
	s, err := large.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.redis = r.addr
	// The first gateways learn everything and share it; the measured ones know
	// nothing and find it.
	if err := s.fill(ctx, r); err != nil {
		return nil, err
	}
	gateway := s.contestant("gateway", s.load, nil, found("redis", 0.98))
	t, err := b.race(ctx, gateway, b.floor("bare", s.load), 0.30)
	if err == nil {
		t.note("every gateway started with empty memory; by its metrics at least 98 %% of the findings came from Redis, and no registry was asked")
	}
	return t, err
}

// fill has gateways verify the corpus until all of it stands in Redis. They
// drop writes when Redis cannot keep up, so it may take more than one.
func (s *stage) fill(ctx context.Context, r *redis) error {
	want := len(s.corpus) + businesses // findings and standings
	have := 0
	for range 4 {
		teacher, err := s.start(ctx, anyCore)
		if err != nil {
			return err
		}
		err = s.client.all(ctx, teacher.addr, s.corpus)
		if err == nil {
			err = teacher.end() // and write what is queued
		} else {
			teacher.kill()
		}
		if err != nil {
			return err
		}
		if have, err = r.size(); err != nil || have >= want {
			return err
		}
	}
	return fmt.Errorf("there are %d of %d facts in Redis", have, want)
}
