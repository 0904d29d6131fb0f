package deploy_test

import (
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// A load asks steadily, whatever the answers take, as many relying parties do
// together; every request is a question whose answer may come from memory.
type load struct {
	stop chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []failure
	lost   int           // failed, and failed again when asked again after patience
	slow   time.Duration // the longest answer
}

type failure struct {
	at  time.Time
	why string
}

// patience is how long a client waits before he asks again. At once would be too
// soon: a gateway that is just dying takes a request without a word.
const patience = 250 * time.Millisecond

// begin starts a load of so many requests a second, half of them over HTTP/2.
func (f *fleet) begin(perSecond int) *load {
	l := &load{stop: make(chan struct{})}
	one := f.client(nil)
	one.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	clients := []*http.Client{f.client(nil), one}
	var tokens []string
	for n := range 50 {
		tokens = append(tokens, f.licence(n+1))
	}
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			case <-tick.C:
			}
			l.done.Go(func() {
				began := time.Now()
				client, token := clients[n%2], tokens[n%len(tokens)]
				err := f.verify(client, token)
				took := time.Since(began)
				lost := false
				if err != nil {
					time.Sleep(patience)
					lost = f.verify(client, token) != nil
				}
				l.mu.Lock()
				defer l.mu.Unlock()
				l.sent++
				l.slow = max(l.slow, took)
				if err != nil {
					l.failed = append(l.failed, failure{began, err.Error()})
				}
				if lost {
					l.lost++
				}
			})
		}
	})
	return l
}

// end stops the load and waits for its last answer.
func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// await waits until n more requests have been answered.
func (f *fleet) await(l *load, n int) {
	f.t.Helper()
	goal := l.count() + n
	f.until(f.edge, func() bool { return l.count() >= goal })
}

const perSecond = 200

// Three gateways are restarted one after the other behind the edge, and nobody
// notices: not one request fails.
func TestRollingRestart(t *testing.T) {
	f := newFleet(t, 3)
	l := f.begin(perSecond)
	f.await(l, 2*perSecond)
	for _, g := range f.gateways {
		g.restart()
		f.await(l, 2*perSecond)
	}
	l.end()
	t.Logf("%d requests, %d failed, the slowest took %v", l.sent, len(l.failed), l.slow)
	if l.sent < 8*perSecond {
		t.Errorf("only %d requests were sent: that proves nothing", l.sent)
	}
	for _, fail := range l.failed {
		t.Errorf("failed: %s", fail.why)
	}
}

// A gateway that is killed takes with it what it was working on, and what its
// dying sockets still swallowed. Who asks once more gets his answer, and
// who asks a second later notices nothing.
func TestKilledGateway(t *testing.T) {
	f := newFleet(t, 3)
	l := f.begin(perSecond)
	f.await(l, 2*perSecond)
	killed := time.Now()
	f.gateways[1].end(os.Kill)
	f.await(l, 4*perSecond)
	l.end()
	var last time.Duration
	for _, fail := range l.failed {
		late := fail.at.Sub(killed)
		last = max(last, late)
		if late > time.Second || late < -2*time.Second {
			t.Errorf("failed %v after the gateway was killed: %s", late, fail.why)
		}
	}
	t.Logf("%d requests, %d failed, the last sent %v after the kill; the slowest took %v", l.sent, len(l.failed), last, l.slow)
	if l.lost > 0 {
		t.Errorf("%d requests failed twice", l.lost)
	}
}
