// Package rig starts everything that a run needs on this machine: four
// simulated provinces in this process, gateways as processes of their own, a
// redis-server if wanted; and breaks each of them on command.
package rig

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tongyan/sandbox"
)

// Options of a rig.
type Options struct {
	// Gateway is the gateway's binary. Required.
	Gateway string

	// Dir takes configurations, logs and state. Required; it must exist.
	Dir string

	Gateways     int  // at first; see Scale
	Redis        bool // they share one
	RegistryRate int  // each gateway's budget per province and second
}

// A Rig is what was started. Close ends all of it.
type Rig struct {
	Sandbox *sandbox.Sandbox

	opts   Options
	key    string
	ca     *authority
	client tls.Certificate
	redis  *process // nil: none

	mu       sync.Mutex // guards gateways; held while one is started or ended
	gateways []*gateway
}

type gateway struct {
	*process
	listen, admin string
}

// Start brings everything up and returns when every gateway is ready.
func Start(ctx context.Context, opts Options) (_ *Rig, err error) {
	r := &Rig{opts: opts, key: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rig: %w", err), r.Close())
		}
	}()
	if r.Sandbox, err = sandbox.Start(ctx, sandbox.Options{}); err != nil {
		return nil, err
	}
	// The samples bring issuers and keys of their own: before a gateway looks.
	if _, err = r.Sandbox.Samples(); err != nil {
		return nil, err
	}
	if err = r.writeFiles(); err != nil {
		return nil, err
	}
	if opts.Redis {
		if err = r.startRedis(ctx); err != nil {
			return nil, err
		}
	}
	return r, r.Scale(ctx, opts.Gateways)
}

// Close ends gateways, Redis and provinces, and waits for them.
func (r *Rig) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gateways {
		g.end()
	}
	r.gateways = nil
	if r.redis != nil {
		r.redis.end()
	}
	if r.Sandbox != nil {
		r.Sandbox.Close()
	}
	return nil
}

// Scale starts or ends gateways until there are n, and returns when all are
// ready.
func (r *Rig) Scale(ctx context.Context, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.gateways) > n {
		last := len(r.gateways) - 1
		r.gateways[last].end()
		r.gateways = r.gateways[:last]
	}
	for len(r.gateways) < n {
		g, err := r.newGateway(len(r.gateways))
		if err != nil {
			return err
		}
		if err := g.start(); err != nil {
			return err
		}
		r.gateways = append(r.gateways, g)
	}
	for _, g := range r.gateways {
		if err := g.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Targets are the gateways' addresses.
func (r *Rig) Targets() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gateways {
		all = append(all, g.listen)
	}
	return all
}

// Metrics are the addresses of the gateways' figures.
func (r *Rig) Metrics() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gateways {
		all = append(all, "http://"+g.admin+"/metrics")
	}
	return all
}

// Key is the bearer key that the gateways take.
func (r *Rig) Key() string { return r.key }

// Certificate is a client certificate that they take.
func (r *Rig) Certificate() *tls.Certificate { return &r.client }

// TLS trusts the gateways.
func (r *Rig) TLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(r.ca.cert)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func (r *Rig) path(name string) string { return filepath.Join(r.opts.Dir, name) }

// writeFiles writes what the configurations name.
func (r *Rig) writeFiles() error {
	var err error
	if r.ca, err = newAuthority(); err != nil {
		return err
	}
	chain, key, err := r.ca.issue("gateway", false)
	if err != nil {
		return err
	}
	clientChain, clientKey, err := r.ca.issue("loadtest", true)
	if err != nil {
		return err
	}
	if r.client, err = tls.X509KeyPair(clientChain, clientKey); err != nil {
		return err
	}
	root, err := r.Sandbox.Trust.Roots()[0].JWK()
	if err != nil {
		return err
	}
	seal := make([]byte, 32)
	if _, err := rand.Read(seal); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"gateway.pem": chain, "gateway.key": key, "client-ca.pem": r.ca.pem,
		"sandbox-ca.pem": r.Sandbox.CAPEM(), "root.jwk": root,
		"seal.key": []byte(base64.StdEncoding.EncodeToString(seal)),
	} {
		if err := os.WriteFile(r.path(name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rig) newGateway(n int) (*gateway, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	g := &gateway{listen: ports[0], admin: ports[1]}
	keySum, certSum := sha256.Sum256([]byte(r.key)), sha256.Sum256(r.client.Certificate[0])
	var registries strings.Builder
	for _, p := range r.Sandbox.Provinces() {
		fmt.Fprintf(&registries, "  %q: { url: %q, ca_file: sandbox-ca.pem, rate: %d }\n", p.Code, p.Registry.URL(), r.opts.RegistryRate)
	}
	redis := ""
	if r.redis != nil {
		redis = fmt.Sprintf("redis: { url: \"redis://%s/0\", seal_key_file: seal.key }\n", r.redis.addr)
	}
	text := fmt.Sprintf(configText, g.listen, g.admin, n, r.Sandbox.Trust.URI(), redis, registries.String(),
		hex.EncodeToString(keySum[:]), hex.EncodeToString(certSum[:]))
	file := r.path(fmt.Sprintf("gateway-%d.yaml", n))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	g.process = &process{
		name: fmt.Sprintf("gateway %d", n), addr: g.listen, log: r.path(fmt.Sprintf("gateway-%d.log", n)),
		command: []string{r.opts.Gateway, "serve", "--config", file},
	}
	return g, nil
}

// configText leaves the contract's defaults where a run does not need others:
// the list is looked at every second, so that it can expire within a run.
const configText = `listen: %q
admin: %q
state_dir: state-%d
tls: { mode: files, cert_file: gateway.pem, key_file: gateway.key, client_ca_file: client-ca.pem }
trust: { source: %q, roots: [ root.jwk ], refresh: 1s, ca_file: sandbox-ca.pem }
keys: { refresh: 1m, refetch_interval: 5s }
%sregistries:
%srelying_parties:
  - { id: load, key_sha256: %q, scopes: [verify, batch, licence], rate: 1000000, lane: hall }
  - { id: load-certificate, certificate_sha256: %q, scopes: [verify, batch, licence], rate: 1000000, lane: hall }
`
