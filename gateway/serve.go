package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tongyan/gateway/internal/admin"
	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/audit"
	"tongyan/gateway/internal/config"
	"tongyan/gateway/internal/crowd"
	"tongyan/gateway/internal/front"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

const (
	// crowdWait is how long a request may wait for a core before others are
	// refused: some ten times what a verification takes, and nothing to a person.
	crowdWait = 20 * time.Millisecond
	// crowdBurst is how many ES256 checks may be under way for each place in
	// flight before it is known to be crowded.
	crowdBurst = 2
	headEvery  = 5 * time.Minute
	// heapFloor is memory that is never touched, and so takes none but counts
	// for the collector. That runs when the heap has doubled, and a gateway which
	// keeps three megabytes doubles them every few hundred requests.
	heapFloor = 24 << 20
)

func newServeCommand() *cobra.Command {
	var file, profile string
	cmd := &cobra.Command{
		Use:     "serve --config FILE",
		Short:   "Run the gateway until SIGTERM or SIGINT, then drain",
		Example: "  gateway serve --config /etc/tongyan/gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, file)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
			run := func() error { return serve(cmd.Context(), cfg, log, plainAPI, func(*server) {}) }
			if profile != "" {
				return profiled(profile, run)
			}
			return run()
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (required)")
	cmd.Flags().StringVar(&profile, "cpu-profile", "", "file for a CPU profile from start to end, for go tool pprof")
	cmd.MarkFlagRequired("config")
	return cmd
}

// profiled writes to a file where the processor's time went while f ran.
func profiled(file string, f func() error) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err = pprof.StartCPUProfile(out); err == nil {
		err = f()
		pprof.StopCPUProfile()
	}
	return errors.Join(err, out.Close())
}

// A server is a gateway with its two listeners open.
type server struct {
	parts *parts
	front *front.Front
	admin *admin.Admin
	audit *audit.Log // nil: verdicts are not recorded

	newAPI func(api.Options) http.Handler
	gate   *crowd.Gate
	quotas *parties.Quotas
	record api.Audit
	canary *canary

	reloading sync.Mutex // one reload at a time

	public, private             net.Listener
	publicServer, privateServer *http.Server
	connections                 connections
	draining                    atomic.Bool
}

// plainAPI answers as the contract says, and in no other way.
func plainAPI(o api.Options) http.Handler { return api.New(o) }

// serve runs a gateway until ctx ends, then drains it. newAPI makes what answers
// under each generation. ready is called once, when both listeners are open.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger, newAPI func(api.Options) http.Handler, ready func(*server)) error {
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	p, err := build(ctx, cfg, log)
	if err != nil {
		return &exit{exitInvalid, err}
	}
	defer p.close()
	s := &server{parts: p, newAPI: newAPI, canary: newCanary(log)}
	if err := s.listen(ctx); err != nil {
		return &exit{exitInvalid, err}
	}
	defer s.front.Close()
	if s.audit != nil {
		defer s.audit.Close()
	}
	failed := make(chan error, 2)
	go func() { failed <- s.publicServer.ServeTLS(s.public, "", "") }()
	go func() { failed <- s.privateServer.Serve(s.private) }()
	singing, hush := context.WithCancel(ctx) // not while draining
	defer hush()
	p.runs.Go(func() {
		s.canary.run(singing, canaryEvery, func() *config.Canary { return p.current.Load().config.Canary }, s.public.Addr())
	})
	log.Info("serving", "listen", s.public.Addr().String(), "admin", s.private.Addr().String(), "trust_list_version", p.book.Current().Version())
	ready(s)
	s.tell(stateReady)
	err = s.wait(ctx, failed)
	return errors.Join(err, s.drain(log))
}

// tell tells the service manager. That it does not hear is its trouble: it ends
// the gateway after its own time-out, and the log says why.
func (s *server) tell(state string) {
	if err := notify(state); err != nil {
		s.parts.log.Warn("notify", "cause", err)
	}
}

// wait waits for the end, and reloads on SIGHUP meanwhile.
func (s *server) wait(ctx context.Context, failed <-chan error) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("a listener ended: %w", err)
		case <-hangup:
			s.reload(ctx) // says itself, in the log and a metric, what came of it
		}
	}
}

// listen prepares certificates and opens both ports.
func (s *server) listen(ctx context.Context) (err error) {
	p := s.parts
	if s.front, err = front.New(ctx, frontOptions(p)); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	s.admin = admin.New(admin.Options{Parts: s.status, Gather: p.metrics, Reload: s.reload})
	s.gate = crowd.New(crowd.Options{
		Places: p.config.Limits.MaxInFlight, Wait: crowdWait, Burst: crowdBurst * p.config.Limits.MaxInFlight,
	})
	s.quotas = parties.NewQuotas(p.facts.Tally, func() { p.metrics.Shared("failed", "quota", 1) })
	p.runs.Go(func() { s.gate.Run(p.life) })
	p.runs.Go(func() { s.quotas.Run(p.life) })
	if s.record, err = s.openAudit(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	p.gauges()
	s.gauges()
	first := p.current.Load()
	first.handler = s.handlerOf(first)
	s.publicServer = front.Server(s, s.front.TLSConfig(), front.Timeouts{}, p.log)
	s.publicServer.ConnState = s.connections.note
	s.privateServer = &http.Server{Handler: s.admin, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	if s.public, err = net.Listen("tcp", p.config.Listen); err == nil {
		s.private, err = net.Listen("tcp", p.config.Admin)
		if err != nil {
			s.public.Close()
		}
	}
	if err != nil {
		s.front.Close()
	}
	return err
}

// openAudit opens the record of verdicts, nil where none is configured.
func (s *server) openAudit() (api.Audit, error) {
	cfg := s.parts.config.Audit
	if cfg == nil {
		return nil, nil
	}
	log, found, err := audit.Open(audit.Options{Path: cfg.File, MaxSize: cfg.MaxSize, Refuse: cfg.OnFull == config.FullRefuse})
	if err != nil {
		return nil, err
	}
	if found.Cut > 0 || found.Altered {
		s.parts.log.Warn("the audit file did not end as it should", "bytes_cut", found.Cut, "altered", found.Altered)
	}
	s.audit = log
	for name, read := range map[string]func(audit.Stats) int64{
		"tongyan_audit_lines":   func(t audit.Stats) int64 { return t.Lines },
		"tongyan_audit_lost":    func(t audit.Stats) int64 { return t.Lost },
		"tongyan_audit_refused": func(t audit.Stats) int64 { return t.Refused },
	} {
		s.parts.metrics.Gauge(name, "Audit lines since the start.", nil, func() float64 { return float64(read(log.Stats())) })
	}
	s.parts.runs.Go(func() { s.noteHead(log) })
	return log, nil
}

// noteHead writes the head of the record into the log, which is kept elsewhere:
// held against it, a record whose end was cut off or made anew is found out
// (gateway audit verify --noted).
func (s *server) noteHead(record *audit.Log) {
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.parts.life.Done():
			return
		}
		head := record.Head()
		s.parts.log.Info("audit head", "noted", fmt.Sprintf("%d:%s", head.Number, head.Hash))
	}
}

// policyName names the policy in force in the record of verdicts.
func policyName(cfg *config.Config) string {
	return fmt.Sprintf("max_age=%v stale_if_error=%v negative_ttl=%v clock_skew=%v status=%s",
		cfg.Freshness.MaxAge, cfg.Freshness.StaleIfError, cfg.Registry.NegativeTTL, cfg.Policy.ClockSkew, cfg.Policy.Status)
}

// mediaTypes returns which formats are sent under which media types (contract
// §2.4): each under its own, any under application/jwt and text/plain.
func mediaTypes() map[string]verifiers.Format {
	types := map[string]verifiers.Format{"application/jwt": "", "text/plain": "", "application/" + string(receipt.Type): receipt.Type}
	for _, e := range envelopes {
		types["application/"+string(e.Format())] = e.Format()
	}
	return types
}

func frontOptions(p *parts) front.Options {
	t := p.config.TLS
	o := front.Options{
		Mode: front.Mode(t.Mode), CertFile: t.CertFile, KeyFile: t.KeyFile, StateDir: p.config.StateDir, Names: t.Names,
		ClientCAs: t.ClientCAs, Pinned: pinned(p.config), Logger: p.log,
		OnReload: func(err error) {
			if err != nil {
				p.log.Error("the old certificate stays", "cause", err)
				return
			}
			p.log.Info("certificate replaced")
		},
	}
	if a := t.ACME; a != nil {
		o.ACME = front.ACMEOptions{Directory: a.Directory.String(), CAs: a.CAs, Email: a.Email, HTTPPort: a.HTTPPort, TLSALPNPort: a.TLSALPNPort}
		if vault := p.facts.Vault(); a.Storage == config.StorageRedis && vault != nil {
			o.Shared = vault
		}
	}
	return o
}

// pinned reports whether some relying party is known by its certificate's digest.
func pinned(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.RelyingParties, func(r config.RelyingParty) bool { return len(r.Certificates) > 0 })
}

// specsOf translates who may ask.
func specsOf(cfg *config.Config) ([]parties.Spec, parties.Scope, *parties.Edge) {
	specs := make([]parties.Spec, 0, len(cfg.RelyingParties))
	for _, r := range cfg.RelyingParties {
		spec := parties.Spec{ID: r.ID, Scopes: scopesOf(r.Scopes), Rate: r.Rate, Burst: r.Burst, Lane: parties.Lane(r.Lane), MonthlyQuota: r.MonthlyQuota}
		for _, k := range r.Keys {
			spec.Keys = append(spec.Keys, k)
		}
		for _, c := range r.Certificates {
			spec.Certificates = append(spec.Certificates, c)
		}
		for _, n := range r.CertificateNames {
			if n.DNS != "" {
				spec.DNSNames = append(spec.DNSNames, n.DNS)
			} else {
				spec.URINames = append(spec.URINames, n.URI)
			}
		}
		specs = append(specs, spec)
	}
	var edge *parties.Edge
	if e := cfg.Edge; e != nil {
		edge = &parties.Edge{Header: e.Header, CAs: cfg.TLS.ClientCAs}
		for _, c := range e.Certificates {
			edge.Certificates = append(edge.Certificates, c)
		}
	}
	return specs, scopesOf(cfg.Policy.Anonymous), edge
}

func scopesOf(names []config.Scope) (scopes parties.Scope) {
	for _, name := range names {
		for _, s := range parties.Scopes {
			if s.Name == string(name) {
				scopes |= s.Scope
			}
		}
	}
	return scopes
}
