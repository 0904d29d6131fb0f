package main

import (
	"context"

	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/config"
	"tongyan/gateway/internal/crowd"
	"tongyan/gateway/internal/parties"
	"tongyan/gateway/internal/verify"
	"tongyan/keys"
	"tongyan/keys/trustlist"
	"tongyan/verifiers/registry"
)

// A generation is what a reload replaces: all that one configuration says about
// relying parties, registries, policy and limits. It is built whole and then
// put in force at once; requests under way end in the one that they began in.
type generation struct {
	config     *config.Config
	registries map[keys.ProvinceCode]*pacedRegistry
	service    *verify.Service
	handler    http.Handler // nil where nobody listens
}

func (p *parts) newGeneration(cfg *config.Config) (*generation, error) {
	g := &generation{config: cfg, registries: map[keys.ProvinceCode]*pacedRegistry{}}
	asked := map[keys.ProvinceCode]verify.Registry{}
	for _, r := range cfg.Registries {
		client, err := registry.New(registryOf(&r, p.metrics))
		if err != nil {
			g.close()
			return nil, fmt.Errorf("registry of %s: %w", r.Province, err)
		}
		g.registries[r.Province] = pace(client, r.Rate, r.MaxInFlight)
		asked[r.Province] = g.registries[r.Province]
	}
	g.service = verify.New(verify.Options{
		Trust: p.book, KeySets: p.sets, Facts: p.facts, Registries: asked, Status: p.statuses, Nonces: p.facts, Gateways: p.statements,
		Outside: crowd.Outside, Envelopes: envelopes, Policy: policyOf(cfg), Observer: p.metrics,
	})
	return g, nil
}

func registryOf(r *config.Registry, observer registry.Observer) registry.Config {
	return registry.Config{
		Province: r.Province, URL: r.URL.String(), Timeout: r.Timeout, MaxInFlight: r.MaxInFlight,
		Rate: r.Rate, CAs: r.CAs, Dialect: dialectOf(r.Dialect), Observer: observer,
	}
}

func (g *generation) close() {
	for _, r := range g.registries {
		r.Close()
	}
}

// handlerOf makes what answers under a generation.
func (s *server) handlerOf(g *generation) http.Handler {
	p, cfg := s.parts, g.config
	specs, anonymous, edge := specsOf(cfg)
	if cfg.Canary != nil {
		specs = append(specs, s.canary.party())
	}
	return forEdge(edge, s.admin, s.newAPI(api.Options{
		Verifier: g.service, Parties: parties.New(specs, anonymous, edge), Provinces: p.provinces, Receipts: p.statements,
		Gate: s.gate, Quota: s.quotas, Once: p.facts, Audit: s.record, Policy: policyName(cfg),
		Ceiling: ceilingOf(cfg), Formats: mediaTypes(), MaxBody: cfg.Limits.MaxBody, MaxInFlight: int64(cfg.Limits.MaxInFlight),
		Meter: p.metrics, Log: p.log,
	}))
}

// ServeHTTP answers under the generation in force.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A connection closed under a client loses the request that it just sent: a
	// gateway that is to end asks its clients to leave with their next answer.
	if s.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	s.parts.current.Load().handler.ServeHTTP(w, r)
}

// reload takes the configuration file up anew: all of it, or on any error
// nothing. notes name what is different and needs a restart.
func (s *server) reload(ctx context.Context) (notes []string, err error) {
	s.tell(stateReloading())
	defer func() {
		s.tell(stateReady) // with the old configuration too
		result := "done"
		if err != nil {
			result = "refused"
			s.parts.log.Error("reload refused, everything stays as it was", "cause", err)
		} else {
			s.parts.log.Info("reloaded", "needs_restart", notes)
		}
		s.parts.metrics.Reloaded(result)
	}()
	s.reloading.Lock()
	defer s.reloading.Unlock()
	old := s.parts.current.Load()
	cfg, err := config.Load(old.config.File)
	if err != nil {
		return nil, err
	}
	next, err := s.parts.newGeneration(cfg)
	if err != nil {
		return nil, err
	}
	next.handler = s.handlerOf(next)
	if err := s.take(ctx, old.config, cfg); err != nil {
		next.close()
		return nil, err
	}
	s.parts.current.Store(next)
	// Requests under way may still ask the old registries: they are closed when
	// the last of those must have ended.
	s.parts.runs.Go(func() {
		select {
		case <-time.After(drainTime):
		case <-s.parts.life.Done():
		}
		old.close()
	})
	return needRestart(old.config, cfg), nil
}

// take puts the parts in force that are not a generation's: certificates,
// client authorities, trust roots.
func (s *server) take(ctx context.Context, old, cfg *config.Config) error {
	if err := s.front.Reload(); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if !sameRoots(old, cfg) {
		roots, err := trustlist.NewRoots(cfg.Trust.Threshold, cfg.Trust.Roots...)
		if err == nil {
			err = s.parts.list.Repin(ctx, roots)
		}
		if err != nil {
			return fmt.Errorf("trust roots: %w", err)
		}
	} else if err := s.parts.list.Reload(ctx); err != nil {
		// The list in force counts on; that its source is down is no reason to
		// refuse what else the operator wants.
		s.parts.log.Warn("the trust list was not renewed", "cause", err)
	}
	s.front.SetClientCAs(cfg.TLS.ClientCAs, pinned(cfg))
	return nil
}

func sameRoots(a, b *config.Config) bool {
	thumbprints := func(c *config.Config) (all []string) {
		for _, k := range c.Trust.Roots {
			all = append(all, string(k.Thumbprint()))
		}
		slices.Sort(all)
		return all
	}
	return a.Trust.Threshold == b.Trust.Threshold && slices.Equal(thumbprints(a), thumbprints(b))
}

// needRestart names the keys that differ and count only after a restart.
func needRestart(old, cfg *config.Config) []string {
	names := []string{}
	note := func(name string, same bool) {
		if !same {
			names = append(names, name)
		}
	}
	note("listen", old.Listen == cfg.Listen)
	note("admin", old.Admin == cfg.Admin)
	note("state_dir", old.StateDir == cfg.StateDir)
	note("tls.mode", old.TLS.Mode == cfg.TLS.Mode && old.TLS.CertFile == cfg.TLS.CertFile && old.TLS.KeyFile == cfg.TLS.KeyFile && slices.Equal(old.TLS.Names, cfg.TLS.Names))
	note("trust.source", reflect.DeepEqual(old.Trust.SourceURL, cfg.Trust.SourceURL) && old.Trust.SourceFile == cfg.Trust.SourceFile && old.Trust.Refresh == cfg.Trust.Refresh)
	note("keys", old.Keys == cfg.Keys)
	note("redis", sameRedis(old.Redis, cfg.Redis))
	note("receipts", sameReceipts(old.Receipts, cfg.Receipts))
	note("audit", reflect.DeepEqual(old.Audit, cfg.Audit))
	return names
}

func sameRedis(a, b *config.Redis) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(a.Addrs, b.Addrs) && a.Cluster == b.Cluster && a.Sentinel == b.Sentinel && a.DB == b.DB && a.TLS == b.TLS &&
		a.Username == b.Username && a.Password.Reveal() == b.Password.Reveal() && a.SealKey.Reveal() == b.SealKey.Reveal()
}

func sameReceipts(a, b *config.Receipts) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Issuer == b.Issuer && slices.EqualFunc(a.Keys, b.Keys, func(x, y config.ReceiptKey) bool {
		return x.ID == y.ID && x.Public.Thumbprint() == y.Public.Thumbprint() && x.Signs == y.Signs
	})
}
