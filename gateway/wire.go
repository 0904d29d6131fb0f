package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/fetch"
	"tongyan/gateway/internal/admin"
	"tongyan/gateway/internal/config"
	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/verify"
	"tongyan/keys"
	"tongyan/keys/jwks"
	"tongyan/keys/trustlist"
	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/registry"
	"tongyan/verifiers/sdjwt"
	"tongyan/verifiers/statuslist"
	"tongyan/verifiers/vcjwt"
)

// envelopes are the formats that are read: adding one is a package and a line.
var envelopes = []verify.Envelope{
	envelope.Envelope{},
	sdjwt.Envelope{},
	vcjwt.Envelope{},
}

// parts are what verifies: all of the gateway but its listeners.
type parts struct {
	config     *config.Config // that of the start, for what never changes
	log        *slog.Logger
	metrics    *admin.Metrics
	fetch      *fetch.Client
	book       *keys.Book
	list       *trustlist.Keeper
	sets       *jwks.Keeper
	facts      *facts.Cache
	statuses   *statuslist.Keeper
	statements *statements
	current    atomic.Pointer[generation] // in force; nil only while building

	stop context.CancelFunc // ends what runs beside the requests
	runs sync.WaitGroup     // one for each such goroutine
	life context.Context    // ended by stop
}

// build makes the parts and has them ready to answer: the trust list is in
// force, and every key set has been asked for once. Whoever got parts closes
// them.
func build(ctx context.Context, cfg *config.Config, log *slog.Logger) (*parts, error) {
	p := &parts{config: cfg, log: log, metrics: admin.NewMetrics()}
	p.life, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.fetch = fetch.New(fetch.Options{CAs: cfg.Trust.CAs, UserAgent: "tongyan/" + version})
	for _, step := range []func() error{p.buildFacts, func() error { return p.buildTrust(ctx) }} {
		if err := step(); err != nil {
			p.close()
			return nil, err
		}
	}
	p.statuses = statuslist.New(statuslist.Options{Fetch: p.fetch, Trust: p.book, Store: p.facts, Refetch: p.sets.Refetch, OnFetch: p.listFetched})
	first, err := p.newGeneration(cfg)
	if err != nil {
		p.close()
		return nil, err
	}
	p.current.Store(first)
	return p, nil
}

func (p *parts) close() {
	p.stop()
	p.runs.Wait()
	if p.statuses != nil {
		p.statuses.Close()
	}
	if p.statements != nil && p.statements.keeper != nil {
		p.statements.keeper.Close()
	}
	if p.sets != nil {
		p.sets.Close()
	}
	if g := p.current.Load(); g != nil {
		g.close()
	}
	if p.facts != nil {
		p.facts.Close()
	}
	if p.fetch != nil {
		p.fetch.Close()
	}
}

// buildTrust puts the trust list and the key sets in force. Without a trust
// list nothing starts.
func (p *parts) buildTrust(ctx context.Context) error {
	cfg := p.config
	roots, err := trustlist.NewRoots(cfg.Trust.Threshold, cfg.Trust.Roots...)
	if err != nil {
		return err
	}
	source := cfg.Trust.SourceFile
	if cfg.Trust.SourceURL != nil {
		source = cfg.Trust.SourceURL.String()
	}
	p.list, err = trustlist.Open(trustlist.Config{
		Source: source, Roots: roots, Refresh: cfg.Trust.Refresh, Skew: cfg.Policy.ClockSkew,
		Fetch: p.fetch, Dir: filepath.Join(cfg.StateDir, "trust"), Log: p.log,
		OnList:    p.trust,
		OnRefused: func(r trustlist.Reason) { p.metrics.TrustRefused(string(r)) },
	})
	if err != nil {
		return err
	}
	p.book = keys.NewBook(p.list.Remembered(), keys.Terms{Refresh: cfg.Keys.Refresh, MaxStale: cfg.Keys.MaxStale, Skew: cfg.Policy.ClockSkew})
	p.sets, err = jwks.New(jwks.Config{
		Fetch: p.fetch, Refresh: cfg.Keys.Refresh, RefetchInterval: cfg.Keys.RefetchInterval, MaxStale: cfg.Keys.MaxStale,
		Dir:   filepath.Join(cfg.StateDir, "keys"),
		OnSet: p.book.SetKeys, OnGone: p.book.Forget, Log: p.log,
	})
	if err != nil {
		return err
	}
	if p.statements, err = newStatements(p); err != nil {
		return err
	}
	if err := p.list.Start(ctx); err != nil {
		return fmt.Errorf("no trust list: %w", err)
	}
	p.runs.Go(func() { p.list.Run(p.life) })
	p.facts.OnAnnounce(func(version int64) {
		if version == 0 {
			version = math.MaxInt64 // announcements may have been missed: look
		}
		p.list.OnHint(version)
	})
	wait, cancel := context.WithTimeout(ctx, firstSets)
	defer cancel()
	p.sets.WaitFirst(wait)
	return nil
}

// firstSets is how long the start waits for the first fetch of the key sets:
// an issuer that does not answer must not keep the others' from being verified.
const firstSets = 1500 * time.Millisecond

// trust puts a new trust list in force, and tells the other gateways of it.
func (p *parts) trust(l *keys.List) {
	p.book.SetList(l)
	p.sets.Follow(jwks.Issuers(l))
	p.statements.keeper.Follow(jwks.Gateways(l))
	p.runs.Go(func() {
		ctx, cancel := context.WithTimeout(p.life, time.Second)
		defer cancel()
		if err := p.facts.Announce(ctx, l.Version); err != nil && !errors.Is(err, facts.ErrNotShared) {
			p.log.Debug("the other gateways were not told of the trust list", "cause", err)
		}
	})
}

// listFetched counts and logs attempts to get a status list.
func (p *parts) listFetched(iss keys.Issuer, err error) {
	var why *statuslist.Error
	if !errors.As(err, &why) {
		p.metrics.StatusFetched("ok")
		return
	}
	p.metrics.StatusFetched(string(why.Reason))
	p.log.Warn("a status list cannot be had", "iss", iss, "reason", why.Reason, "cause", err)
}

func (p *parts) buildFacts() (err error) {
	cfg, m := p.config, p.metrics
	o := facts.Options{
		NegativeTTL: cfg.Registry.NegativeTTL, Ceiling: ceilingOf(cfg), Logger: p.log,
		Observer: facts.Observer{
			Looked:   func(kind facts.Kind, at facts.Layer) { m.Looked(string(kind), string(at)) },
			Unsealed: func(kind facts.Kind) { m.Shared("unsealed", string(kind), 1) },
			Dropped:  func(n int, why facts.DropReason) { m.Shared("dropped", string(why), n) },
			Failed:   func(op facts.Operation) { m.Shared("failed", string(op), 1) },
		},
	}
	if r := cfg.Redis; r != nil {
		o.Redis = &facts.RedisOptions{
			Addrs: r.Addrs, Cluster: r.Cluster, Sentinel: r.Sentinel, DB: r.DB,
			Username: r.Username, Password: r.Password.Reveal(), SentinelPassword: r.SentinelPassword.Reveal(),
		}
		seal := r.SealKey.Reveal()
		o.Redis.SealKey = seal[:]
		if r.TLS {
			o.Redis.TLS = &tls.Config{RootCAs: r.CAs, MinVersion: tls.VersionTLS12}
		}
	}
	p.facts, err = facts.New(o)
	return err
}

func dialectOf(d *config.Dialect) *registry.Dialect {
	if d == nil {
		return nil
	}
	headers := make(map[string]string, len(d.Headers))
	for name, value := range d.Headers {
		headers[name] = value.Reveal()
	}
	out := &registry.Dialect{Method: d.Method, Path: d.Path, Body: d.Body, Headers: headers, Record: d.Record,
		Fields: &registry.Fields{USCC: d.Fields.UniSCID, Entname: d.Fields.EntName, Regstate: d.Fields.RegState, Apprdate: d.Fields.ApprDate, AsOf: d.Fields.AsOf}}
	if d.OK != nil {
		out.OK = &registry.Match{Pointer: d.OK.Pointer, Equals: d.OK.Equals}
	}
	if d.Empty != nil {
		out.Empty = &registry.Match{Pointer: d.Empty.Pointer, Equals: d.Empty.Equals}
	}
	if d.States != nil {
		out.States = make(map[string]licence.RegState, len(d.States))
		for theirs, national := range d.States {
			out.States[theirs] = licence.RegState(national)
		}
	}
	return out
}

func ceilingOf(cfg *config.Config) verifiers.Bounds {
	return verifiers.Bounds{MaxAge: cfg.Freshness.MaxAge, StaleIfError: cfg.Freshness.StaleIfError}
}

func policyOf(cfg *config.Config) verifiers.Policy {
	words := map[config.StatusPolicy]verifiers.StatusPolicy{
		config.StatusIfPresent:         verifiers.StatusIfPresent,
		config.StatusRequired:          verifiers.StatusRequired,
		config.StatusInsteadOfRegistry: verifiers.StatusInsteadOfRegistry,
	}
	p := verifiers.Policy{
		ClockSkew: cfg.Policy.ClockSkew, MaxAge: cfg.Freshness.MaxAge, NegativeTTL: cfg.Registry.NegativeTTL,
		Status: words[cfg.Policy.Status], StatusByIssuer: map[keys.Issuer]verifiers.StatusPolicy{},
	}
	for iss, word := range cfg.Policy.StatusByIssuer {
		p.StatusByIssuer[iss] = words[word]
	}
	return p
}
