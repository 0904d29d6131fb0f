// Package sandbox plays the alliance: four provinces with keys, key sets,
// registries and status lists, and the server of the trust list, all on
// loopback, all able to lie, stall and die on command.
//
// It is the only fake in the house and imports nothing of it: what it signs
// and serves is made a second time here, so that a mistake in the gateway's
// reading is not repeated, and thereby hidden, in what it is given to read.
// Nothing in it is fit for use outside of demonstrations and tests.
package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Options say what a sandbox is to be. The zero value is a good one.
type Options struct {
	// Now is the clock of everything signed (not of TLS certificates).
	// Default time.Now.
	Now func() time.Time

	// Roots is how many root keys the alliance has; every list is signed by
	// all of them: one makes JWS Compact, more make JWS General JSON.
	// Default 1, at most 8.
	Roots int

	// Dialect names, by province code, the registries that speak the second
	// dialect (see [Dialect]); the others speak the plain protocol.
	Dialect map[string]Dialect
}

// A Sandbox is the running alliance. Close ends it; all methods are safe for
// concurrent use.
type Sandbox struct {
	// Trust is the alliance's trust list and its server.
	Trust *TrustList

	now       func() time.Time
	authority *authority
	leaf      tls.Certificate // for 127.0.0.1 and localhost
	stranger  tls.Certificate // same CA, another host's name
	provinces []*Province

	samples func() ([]Sample, error) // made once; see Samples

	stop context.CancelFunc
	ctx  context.Context // ends waits in handlers

	mu        sync.Mutex // guards endpoints and closed
	endpoints []*Endpoint
	closed    bool
}

// Start brings up the alliance and returns when everything answers. It lives
// until Close, or until ctx ends, after which Close must still be called.
func Start(ctx context.Context, opts Options) (*Sandbox, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Roots == 0 {
		opts.Roots = 1
	}
	if opts.Roots < 1 || opts.Roots > 8 {
		return nil, fmt.Errorf("sandbox: %d roots: want 1 to 8", opts.Roots)
	}
	for code := range opts.Dialect {
		if !slices.ContainsFunc(members, func(m member) bool { return m.code == code }) {
			return nil, fmt.Errorf("sandbox: dialect for %q: not one of the four provinces", code)
		}
	}
	s := &Sandbox{now: opts.Now}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.samples = sync.OnceValues(s.makeSamples)
	if err := s.build(opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return s, nil
}

func (s *Sandbox) build(opts Options) error {
	// One RSA key costs more than all the rest together: begin with it.
	keys := make(chan map[string][]*Key, 1)
	failed := make(chan error, 1)
	go func() {
		made, err := memberKeys()
		failed <- err
		keys <- made
	}()
	err := s.buildTLS()
	made, keyErr := <-keys, <-failed
	if err := errors.Join(err, keyErr); err != nil {
		return err
	}
	for _, m := range members {
		p, err := s.newProvince(m, made[m.code], opts.Dialect[m.code])
		if err != nil {
			return err
		}
		s.provinces = append(s.provinces, p)
	}
	s.Trust, err = s.newTrustList(opts.Roots)
	return err
}

func (s *Sandbox) buildTLS() (err error) {
	if s.authority, err = newAuthority(); err != nil {
		return err
	}
	if s.leaf, err = s.authority.issue("localhost", true); err != nil {
		return err
	}
	s.stranger, err = s.authority.issue("elsewhere.example", false)
	return err
}

// Close stops every server and waits for every goroutine. Requests that hang
// end. A second call does nothing.
func (s *Sandbox) Close() {
	s.stop()
	s.mu.Lock()
	endpoints := s.endpoints
	s.endpoints, s.closed = nil, true
	s.mu.Unlock()
	for _, e := range endpoints {
		e.close()
	}
}

// CAPEM returns the development CA's certificate: what a client must trust to
// reach any server of the sandbox.
func (s *Sandbox) CAPEM() []byte { return slices.Clone(s.authority.pem) }

// Provinces returns the four provinces in the order of their codes.
func (s *Sandbox) Provinces() []*Province { return slices.Clone(s.provinces) }

// Province returns the province of that GB/T 2260 code, or nil.
func (s *Sandbox) Province(code string) *Province {
	for _, p := range s.provinces {
		if p.Code == code {
			return p
		}
	}
	return nil
}

// Endpoints returns every server of the sandbox, for whoever wants to watch
// or break all of them.
func (s *Sandbox) Endpoints() []*Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.endpoints)
}

// listen opens one more server and makes the sandbox its owner.
func (s *Sandbox) listen(name string, kind Kind, answer func(request) reply) (*Endpoint, error) {
	e := &Endpoint{name: name, kind: kind, answer: answer, sandbox: s}
	if err := e.open(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		e.close()
		return nil, errors.New("the sandbox is closed")
	}
	s.endpoints = append(s.endpoints, e)
	return e, nil
}
