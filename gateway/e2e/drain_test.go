package e2e

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tongyan/sandbox"
)

// A gateway that is told to end answers what it has begun, says that no more
// should be sent, and ends with 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		w := newWorld(t)
		g := w.gateway(setup{})
		drained(t, w, g, signal)
	}
}

func drained(t *testing.T, w *world, g *gateway, signal syscall.Signal) {
	// Some clients of either protocol, and requests that wait for a registry.
	quick := w.patterns()
	for _, p := range quick {
		g.expect(p.verdict, p.code, p.token)
	}
	w.set(w.box.Province(anhui).Registry.Endpoint, sandbox.Fault{Latency: 2500 * time.Millisecond})
	h2 := &gateway{t: t, w: w, url: g.url, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: g.client.Transport.(*http.Transport).TLSClientConfig.RootCAs}, ForceAttemptHTTP2: true}}}
	var (
		load     sync.WaitGroup
		told     atomic.Bool
		answered atomic.Int64
		mu       sync.Mutex
		lost     []string
	)
	lose := func(why string) {
		mu.Lock()
		defer mu.Unlock()
		lost = append(lost, why)
	}
	for worker := range 8 {
		client := []*gateway{g, h2}[worker%2]
		load.Go(func() {
			for i := worker; ; i++ {
				p := quick[i%len(quick)]
				got, err := client.try(p.token)
				switch {
				case err != nil && told.Load() && (!got.Sent || refused(err)):
					return // no connection to be had: this one goes to another gateway
				case err != nil:
					lose([]string{"HTTP/1.1: ", "HTTP/2: "}[worker%2] + err.Error())
					return
				case !got.is(p.verdict, p.code):
					lose(got.String())
				}
				answered.Add(1)
			}
		})
	}
	for range 3 {
		token := w.good(anhui)
		load.Go(func() {
			if got, err := g.try(token); err != nil || !got.is("VALID", "OK") {
				lose(errors.Join(err, errorOf(got)).Error())
			}
		})
	}
	eventually(t, 10*time.Second, "some requests wait for a registry, others are answered", func() bool {
		return w.box.Province(anhui).Registry.InFlight() >= 3 && answered.Load() > 50
	})
	told.Store(true)
	g.signal(signal)
	eventually(t, 5*time.Second, "readyz says no", func() bool {
		page := g.page("/readyz")
		return page.status == http.StatusServiceUnavailable && strings.Contains(page.text, `"draining": true`)
	})
	if page := g.page("/livez"); page.status != http.StatusOK {
		t.Errorf("livez is %d while it drains: who kills it now loses requests", page.status)
	}
	load.Wait()
	h2.client.CloseIdleConnections()
	if len(lost) > 0 {
		t.Errorf("%v: %d of %d requests lost, such as %s", signal, len(lost), answered.Load(), lost[0])
	}
	if code := g.wait(20 * time.Second); code != 0 {
		t.Errorf("%v: exit %d:\n%s", signal, code, g.log)
	}
	t.Logf("%v: %d requests answered", signal, answered.Load())
}

// refused reports whether a connection could not be made: a client that was told
// that its request was not looked at (GOAWAY) tries once more by a new one.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
