// One TLS listener, its counters and its fault switch.

package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/internal/freeport"
)

// An Endpoint is one server of the sandbox: an address that stays the same
// for the life of the sandbox, HTTP/1.1 over TLS, with a switch for faults.
type Endpoint struct {
	name    string // for errors: "310000 registry"
	kind    Kind
	answer  func(request) reply
	sandbox *Sandbox

	setting atomic.Pointer[setting] // nil: no fault

	calls, inFlight, highWater atomic.Int64

	// life guards what follows and is held while the listener is opened or
	// closed, never while a request is answered.
	life   sync.Mutex
	addr   string // host:port, fixed by the first open
	server *http.Server
	closed bool
	serve  sync.WaitGroup // the goroutine in Serve

	// gate orders requests before close: a handler enters under a read lock,
	// close shuts the gate under the write lock and then waits.
	gate     sync.RWMutex
	shut     bool
	handlers sync.WaitGroup
}

// URL returns the endpoint's base, "https://127.0.0.1:port", without a slash.
func (e *Endpoint) URL() string { return "https://" + e.addr }

// Name says whose endpoint it is, for people: "310000 registry".
func (e *Endpoint) Name() string { return e.name }

// Calls returns how many requests have arrived, those answered badly or never
// included. Requests that found the listener gone are not seen.
func (e *Endpoint) Calls() int64 { return e.calls.Load() }

// InFlight returns how many requests are being answered, or kept waiting.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// HighWater returns the most requests that were ever in flight together since
// the start or the last ResetCounters.
func (e *Endpoint) HighWater() int64 { return e.highWater.Load() }

// ResetCounters sets Calls to zero and HighWater to what is in flight now.
func (e *Endpoint) ResetCounters() {
	e.calls.Store(0)
	e.highWater.Store(e.inFlight.Load())
}

// Set puts the switch to f; the zero Fault clears it. It acts on requests that
// arrive from now on. Only Gone touches open connections, which it cuts. An
// error leaves the switch as it was; after Gone, one may be that the port has
// been taken by another process meanwhile.
func (e *Endpoint) Set(f Fault) error {
	if err := f.check(e.kind); err != nil {
		return err
	}
	e.life.Lock()
	defer e.life.Unlock()
	switch {
	case e.closed:
		return errors.New("sandbox: closed")
	case f.Mode == Gone:
		e.stop()
	case e.server == nil:
		if err := e.start(); err != nil {
			return err
		}
	}
	if f == (Fault{}) {
		e.setting.Store(nil)
		return nil
	}
	e.setting.Store(&setting{Fault: f, since: time.Now()})
	return nil
}

// Clear ends whatever fault is set.
func (e *Endpoint) Clear() error { return e.Set(Fault{}) }

func (e *Endpoint) open() error {
	e.life.Lock()
	defer e.life.Unlock()
	// It may go away and must come back where it was.
	port, err := freeport.Get(freeport.Highest)
	if err != nil {
		return fmt.Errorf("sandbox: %s: %w", e.name, err)
	}
	e.addr = freeport.Address(port)
	return e.start()
}

// start listens; e.life is held.
func (e *Endpoint) start() error {
	listener, err := net.Listen("tcp", e.addr)
	if err != nil {
		return fmt.Errorf("sandbox: %s: %w", e.name, err)
	}
	e.addr = listener.Addr().String()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // faults such as reset are about connections
	e.server = &http.Server{
		Handler:           e,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // faults on command are no news
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"http/1.1"},
			GetCertificate: e.certificate,
		},
	}
	server := e.server
	e.serve.Go(func() { server.ServeTLS(listener, "", "") }) // returns when closed
	return nil
}

// stop closes the listener and all connections; e.life is held.
func (e *Endpoint) stop() {
	if e.server != nil {
		e.server.Close()
		e.serve.Wait()
		e.server = nil
	}
}

func (e *Endpoint) close() {
	e.life.Lock()
	e.closed = true
	e.stop()
	e.life.Unlock()
	e.gate.Lock()
	e.shut = true
	e.gate.Unlock()
	e.handlers.Wait()
}

func (e *Endpoint) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s := e.setting.Load(); s != nil && s.Mode == WrongName && s.on() {
		return &e.sandbox.stranger, nil
	}
	return &e.sandbox.leaf, nil
}

func (e *Endpoint) enter() bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if !e.shut {
		e.handlers.Add(1)
	}
	return !e.shut
}

// ServeHTTP answers one request, under the fault that is set.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.enter() {
		panic(http.ErrAbortHandler)
	}
	defer e.handlers.Done()
	e.calls.Add(1)
	now := e.inFlight.Add(1)
	defer e.inFlight.Add(-1)
	for most := e.highWater.Load(); now > most && !e.highWater.CompareAndSwap(most, now); {
		most = e.highWater.Load()
	}

	// Read even by those who will not answer: net/http notices that a client
	// has left only once the body is read.
	var body []byte
	if r.ContentLength != 0 {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, requestCap)); err != nil {
			return
		}
	}
	good := e.answer(request{
		method: r.Method, path: strings.TrimPrefix(r.URL.Path, redirectPrefix),
		contentType: r.Header.Get("Content-Type"), appKey: r.Header.Get("X-App-Key"), body: body,
	})
	good.path = r.URL.Path
	var f Fault
	if s := e.setting.Load(); s != nil && s.hits() {
		f = s.Fault
	} else if s := good.fault; s != nil && s.hits() {
		f = s.Fault
	}
	if f.Mode == Hang {
		e.wait(r.Context(), -1)
		panic(http.ErrAbortHandler)
	}
	if f.Latency > 0 && !e.wait(r.Context(), f.Latency) {
		panic(http.ErrAbortHandler)
	}
	f.spoil(good).write(w, f)
}

// wait sleeps for d (for ever if negative), and says whether it slept it out:
// the client's leaving and the sandbox's closing end it.
func (e *Endpoint) wait(ctx context.Context, d time.Duration) bool {
	var over <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-ctx.Done():
	case <-e.sandbox.ctx.Done():
	}
	return false
}
