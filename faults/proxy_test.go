package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// A proxy stands before one dependency and spoils what is on the wire.
type proxy struct {
	*toxiproxy.Proxy
	t testing.TB

	mu   sync.Mutex
	flap func() // ends the flapping; nil: there is none
}

func newProxy(t testing.TB, name, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{Proxy: toxiproxy.NewProxy(server, name, freeAddress(t), upstream), t: t}
	must(t, p.Start())
	t.Cleanup(func() {
		p.steady()
		p.Stop()
	})
	return p
}

// cut ends the connections that there are; new ones can be made.
func (p *proxy) cut() {
	p.t.Helper()
	p.Stop()
	must(p.t, p.Start())
}

// toxic spoils all that comes back from the dependency, on every connection.
func (p *proxy) toxic(kind, attributes string) {
	p.t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"attributes":{%s}}`, kind, attributes)))
	must(p.t, err)
	if kind != "latency" { // connections that know nothing of it would go on
		p.cut()
	}
}

// clear ends all faults. What hung was lost, so the connections end as well.
func (p *proxy) clear() {
	p.t.Helper()
	p.steady()
	p.Toxics.ResetToxics(context.Background())
	p.Stop()
	must(p.t, p.Start())
}

// redirect has connections go to another server.
func (p *proxy) redirect(upstream string) {
	p.t.Helper()
	must(p.t, p.Update(&toxiproxy.Proxy{Listen: p.Listen, Upstream: upstream, Enabled: true}))
	if !p.Enabled {
		must(p.t, p.Start())
	}
}

// flapping takes it away and brings it back in turns, until steady is called.
func (p *proxy) flapping(period time.Duration) {
	stop, done := make(chan struct{}), make(chan struct{})
	p.Stop()
	go func() {
		defer close(done)
		tick := time.NewTicker(period)
		defer tick.Stop()
		for up := false; ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if up = !up; !up {
				p.Stop()
			} else if err := p.Start(); err != nil {
				p.t.Error(err)
			}
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flap = func() {
		close(stop)
		<-done
	}
}

func (p *proxy) steady() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flap != nil {
		p.flap()
		p.flap = nil
	}
}

// junk turns every byte into another.
type junk struct{}

func registerToxics() { toxics.Register(garbage, new(junk)) }

// Pipe is a toxic's work.
func (*junk) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			spoilt := make([]byte, len(chunk.Data))
			for i, b := range chunk.Data {
				spoilt[i] = b ^ 0x55
			}
			stub.Output <- &stream.StreamChunk{Data: spoilt, Timestamp: chunk.Timestamp}
		}
	}
}
