package registry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/verifiers/registry"
)

// A door stands in front of a server and slams shut on command: it takes TCP
// connections and passes them on, or closes them at once.
type door struct {
	net.Listener
	server string
	slam   atomic.Int32 // how many of the next connections to close at once
	taken  atomic.Int32
	done   chan struct{}
}

func openDoor(t *testing.T, s *server) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Listener: l, server: s.Listener.Addr().String(), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		open := 0
		closed := make(chan struct{})
		defer func() {
			for range open {
				<-closed
			}
		}()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.taken.Add(1)
			if d.slam.Add(-1) >= 0 {
				_ = conn.Close()
				continue
			}
			open++
			go func() {
				defer func() { closed <- struct{}{} }()
				d.pass(conn)
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-d.done })
	return d
}

func (d *door) pass(in net.Conn) {
	out, err := net.Dial("tcp", d.server)
	if err != nil {
		_ = in.Close()
		return
	}
	back := make(chan struct{})
	go func() {
		_, _ = io.Copy(in, out)
		_, _ = in.Close(), out.Close()
		close(back)
	}()
	_, _ = io.Copy(out, in)
	_, _ = in.Close(), out.Close()
	<-back
}

// A connection that breaks before or within the handshake is tried once more,
// and only once.
func TestRetryOfHandshake(t *testing.T) {
	s := serve(t, say(200, "application/json", plainBody))
	for slammed, right := range map[int32]bool{0: true, 1: true, 2: false} {
		t.Run(strconv.Itoa(int(slammed)), func(t *testing.T) {
			d := openDoor(t, s)
			d.slam.Store(slammed)
			seen := new(watcher)
			c := s.client(t, func(c *registry.Config) { c.URL = "https://" + d.Addr().String(); c.Observer = seen })
			_, err := c.Ask(t.Context(), code)
			if (err == nil) != right {
				t.Errorf("err = %v", err)
			}
			if calls := seen.last().Calls; int32(calls) != min(slammed+1, 2) || int32(calls) != d.taken.Load() {
				t.Errorf("%d calls, %d connections", calls, d.taken.Load())
			}
			if !right && seen.last().Reason != registry.ReasonConnection {
				t.Errorf("observed %+v", seen.last())
			}
		})
	}
}

// A port where nobody listens.
func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	seen := new(watcher)
	c, err := registry.New(registry.Config{Province: "310000", URL: "https://" + l.Addr().String(), Observer: seen})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want(t, c, registry.ReasonConnection)
	if o := seen.last(); o.Calls != 2 {
		t.Errorf("observed %+v", o)
	}
}

// A kept connection on which the server hangs up instead of answering is tried
// once more on a new one, GET and POST alike: however many were kept, the
// registry hears no question more than twice.
func TestRetryOfKeptConnection(t *testing.T) {
	const kept = 8
	for name, dialect := range map[string]*registry.Dialect{"GET": nil, "POST": second()} {
		for _, again := range []bool{false, true} {
			t.Run(name+" "+strconv.FormatBool(again), func(t *testing.T) {
				var hangUp atomic.Int32
				together := make(chan struct{})
				var waiting atomic.Int32
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						t.Error(err)
					}
					if waiting.Add(1) == kept {
						close(together) // all on connections of their own
					}
					<-together
					if hangUp.Add(-1) >= 0 {
						reset(w, r)
						return
					}
					body := plainBody
					if dialect != nil {
						body = secondBody
					}
					say(200, "application/json", body)(w, r)
				})
				seen := new(watcher)
				c := s.client(t, func(c *registry.Config) { c.Dialect = dialect; c.Observer = seen })
				done := make(chan error)
				for range kept {
					go func() {
						_, err := c.Ask(context.Background(), code)
						done <- err
					}()
				}
				for range kept {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				// A connection is kept a moment after its answer was handed on.
				for dials := int32(0); dials != s.dials.Load(); {
					dials = s.dials.Load()
					answered(t, c)
				}
				s.asked.Store(0)
				before := s.dials.Load()
				if hangUp.Store(1); again {
					hangUp.Store(1000)
				}
				_, err := c.Ask(t.Context(), code)
				if (err == nil) == again {
					t.Errorf("err = %v", err)
				}
				if asked, calls := s.asked.Load(), seen.last().Calls; asked != 2 || calls != 2 {
					t.Errorf("the registry heard it %d times in %d calls", asked, calls)
				}
				if dials := s.dials.Load() - before; dials != 1 {
					t.Errorf("%d new connections", dials)
				}
			})
		}
	}
}

// A retry has no time of its own.
func TestRetryWithinTheTime(t *testing.T) {
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	d := openDoor(t, hang)
	d.slam.Store(1)
	seen := new(watcher)
	c := hang.client(t, func(c *registry.Config) {
		c.URL, c.Timeout, c.Observer = "https://"+d.Addr().String(), 100*time.Millisecond, seen
	})
	want(t, c, registry.ReasonTimeout)
	if o := seen.last(); o.Calls != 2 || o.Took > time.Second {
		t.Errorf("observed %+v", o)
	}
}

// A retry comes out of the budget like any call.
func TestRetryNeedsBudget(t *testing.T) {
	s := serve(t, say(200, "application/json", plainBody))
	d := openDoor(t, s)
	d.slam.Store(1)
	seen := new(watcher)
	c := s.client(t, func(c *registry.Config) { c.URL, c.Rate, c.Observer = "https://"+d.Addr().String(), 1, seen })
	want(t, c, registry.ReasonConnection)
	if o := seen.last(); o.Calls != 1 || d.taken.Load() != 1 {
		t.Errorf("%d connections, observed %+v", d.taken.Load(), o)
	}
}

// The transport is given nothing that it could send twice of its own accord.
func TestTransportCannotRetry(t *testing.T) {
	for _, dialect := range []*registry.Dialect{nil, second()} {
		inTime(t, func(c *registry.Config) { c.Dialect = dialect }, func(t *testing.T, c *registry.Client, s *standIn, _ *watcher) {
			s.answer = func(r *http.Request) (*http.Response, error) {
				if r.GetBody != nil || r.Body == nil || r.Body == http.NoBody {
					t.Errorf("%s can be replayed", r.Method)
				}
				return reply(404, `{"code":"not_found"}`)
			}
			answered(t, c)
		})
	}
}
