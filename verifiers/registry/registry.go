// Package registry asks a province's online register how a licence stands now.
//
// A [Client] serves one province and keeps that province's troubles to itself:
// its own time-out, calls in flight, budget of calls, breaker and connections.
// What a register says is believed only as far as it can be read strictly and
// is about the licence asked for; whatever else comes back is a fault, and a
// fault is never read as "revoked" or "valid".
//
// Nothing is kept here, and equal questions are not joined: that is the
// business of whoever asks.
package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tongyan/keys"
)

// What a [Config] holds where it says nothing.
const (
	DefaultTimeout     = 800 * time.Millisecond
	DefaultMaxInFlight = 64
	DefaultRate        = 200 // calls a second
)

// The largest values that [Config.Mistakes] lets pass.
const (
	MaxTimeout     = 30 * time.Second
	MaxMaxInFlight = 4096
	MaxRate        = 100_000
)

// A Config describes one province's registry.
type Config struct {
	// Province is whose registry this is. Required: every Standing names it.
	Province keys.ProvinceCode
	// URL is the https address in front of the dialect's path. Required; without
	// user, query and fragment.
	URL string
	// Timeout bounds a whole question: waiting for a place, name lookup,
	// handshake, answer and the one retry. 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxInFlight is how many calls may be under way at once. 0 is
	// DefaultMaxInFlight.
	MaxInFlight int
	// Rate is the budget of calls a second; a tenth of it may come at once.
	// 0 is DefaultRate.
	Rate float64
	// CAs may vouch for the server; nil means the system's.
	CAs *x509.CertPool
	// Dialect is how the service speaks; nil is the plain protocol of contract §4.
	Dialect *Dialect
	// Observer hears of each question and each move of the breaker; nil is nobody.
	Observer Observer
}

// An Observer keeps the figures. Its methods are called in the goroutine of
// whoever asked, hold up that answer, and must be safe for concurrent use.
type Observer interface {
	// Asked is called once for each call of Ask.
	Asked(Observation)
	// Moved is called for each move of the breaker, outside of its lock: two
	// moves may be heard in the wrong order, so count them, and read the
	// present state from Client.State.
	Moved(province keys.ProvinceCode, from, to Breaker)
}

// An Observation is one question's fate.
type Observation struct {
	Province keys.ProvinceCode
	Reason   Reason        // "" where there was an answer
	Calls    int           // calls made to the registry: 0, 1, or 2 with a retry
	Waited   time.Duration // for a place in flight and in the budget
	Took     time.Duration // in calls
}

// A Client asks one province's registry. It is safe for concurrent use; call
// Close at the end.
type Client struct {
	province keys.ProvinceCode
	timeout  time.Duration
	speech   *speech
	http     http.RoundTripper
	observer Observer

	places  chan struct{} // one element for each call in flight
	budget  *rate.Limiter
	breaker *breaker
	pause   pause
	latency latency

	// closing ends all questions; under counts them and the dials they began.
	closing context.Context
	close   context.CancelFunc
	under   *group
}

// New returns a Client, or all the mistakes of c at once (each a [Mistake]).
// It opens no connection.
func New(c Config) (*Client, error) {
	return newClient(c, nil)
}

// newClient is New with another way to make a call, for tests that move time.
func newClient(c Config, transport http.RoundTripper) (*Client, error) {
	c = c.withDefaults()
	if err := c.err(); err != nil {
		return nil, err
	}
	client := &Client{
		province: c.Province,
		timeout:  c.Timeout,
		speech:   newSpeech(c.URL, c.Dialect),
		observer: c.Observer,
		places:   make(chan struct{}, c.MaxInFlight),
		// A tenth of a second's budget may come at once: enough for a hall's
		// morning queue, and no second ever sees more than 1.1 times the rate.
		budget:  rate.NewLimiter(rate.Limit(c.Rate), max(1, int(c.Rate/10))),
		breaker: newBreaker(),
		under:   new(group),
	}
	client.closing, client.close = context.WithCancel(context.Background())
	client.http = transport
	if transport == nil {
		client.http = newTransport(client.closing, client.under, c)
	}
	return client, nil
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = DefaultMaxInFlight
	}
	if c.Rate == 0 {
		c.Rate = DefaultRate
	}
	return c
}

func (c Config) err() error {
	var all []error
	for _, m := range c.Mistakes() {
		all = append(all, m)
	}
	return errors.Join(all...)
}

// Timeout returns within what time Ask answers.
func (c *Client) Timeout() time.Duration { return c.timeout }

// Close ends the questions under way, waits for them, and closes the
// connections. Whoever asks afterwards is answered with ReasonClosed.
func (c *Client) Close() {
	c.close()
	c.under.wait()
	if t, ok := c.http.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// A State is how a province's registry fares at this moment, for people and
// for monitoring.
type State struct {
	Province   keys.ProvinceCode
	Breaker    Breaker
	BackingOff bool          // the registry asked for silence (429 or 503 with Retry-After)
	RetryAfter time.Duration // until a question may be put again; 0 is now
	InFlight   int           // calls under way, or holding a place for one
	Latency    Latency       // of the last calls
}

// State returns the present state.
func (c *Client) State() State {
	now := time.Now()
	state, left := c.breaker.state(now)
	silent := c.pause.left(now)
	c.tellMoves()
	return State{
		Province:   c.province,
		Breaker:    state,
		BackingOff: silent > 0,
		RetryAfter: max(left, silent),
		InFlight:   len(c.places),
		Latency:    c.latency.summary(),
	}
}

func (c *Client) tellMoves() {
	for _, m := range c.breaker.moves() {
		if c.observer != nil {
			c.observer.Moved(c.province, m.from, m.to)
		}
	}
}

// A group counts what is under way, and lets nothing in once it is waited for.
// (A WaitGroup must not be added to while it is waited for at zero.)
type group struct {
	mu     sync.Mutex // guards closed, and is held while running is added to
	closed bool
	run    sync.WaitGroup
}

func (g *group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.run.Add(1)
	}
	return !g.closed
}

func (g *group) leave() { g.run.Done() }

func (g *group) wait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.run.Wait()
}
