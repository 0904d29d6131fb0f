// Package jwks keeps issuers' key sets fresh: fetched from the addresses that
// the trust list names and from no other, bounded in size, time and frequency
// (contract §3).
//
// A server that lies about a set can take its own issuer's keys away, and no
// more; one that is slow or gone delays its own issuer only, whose last good set
// counts on. The folder with the last good sets is believed, as far as the
// trust list still names the address they came from.
package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
)

// MaxSet is the length of the longest key set, in bytes (contract §3).
const MaxSet = 256 << 10

// A Fetcher makes one bounded https GET. [fetch.Client] is one. Errors that are
// a *fetch.Error are told apart by its Reason.
type Fetcher interface {
	Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error)
}

// A Source is whose keys are at which address.
type Source struct {
	Issuer keys.Issuer
	URL    string
}

// Issuers returns the sources of a trust list's issuers.
func Issuers(l *keys.List) (sources []Source) {
	for _, p := range l.Provinces {
		for _, a := range p.Issuers {
			if a.KeySetURL != "" {
				sources = append(sources, Source{a.Issuer, a.KeySetURL})
			}
		}
	}
	return sources
}

// Gateways returns the sources of a trust list's peer gateways. Follow them
// with a Keeper of their own: their names are not issuers' names.
func Gateways(l *keys.List) (sources []Source) {
	for _, g := range l.Gateways {
		sources = append(sources, Source{keys.Issuer(g.Issuer), g.KeySetURL})
	}
	return sources
}

// A Config says how sets are kept.
type Config struct {
	Fetch           Fetcher       // required
	Refresh         time.Duration // between two renewals of a set; default 15 min
	RefetchInterval time.Duration // between two fetches that unknown kids cause, per issuer; default 60 s
	MaxStale        time.Duration // how long a set on disk counts after its last renewal; default 24 h

	// Dir is the folder for the last good sets. Empty: they are forgotten at the end.
	Dir string

	// OnSet is told of every set that was fetched, or confirmed, or read from
	// disk; OnGone of every issuer that is not followed any more. For one issuer
	// they are called in order. They must be quick.
	OnSet  func(keys.Issuer, *keys.Set)
	OnGone func(keys.Issuer)
	// OnFetch is told how each fetch ended, for a metric: "" is a success.
	OnFetch func(keys.Issuer, Reason)
	Log     *slog.Logger // nil: silent
}

// A Reason says in one word why a set could not be renewed. The set is closed,
// so that it can be a metric's label.
type Reason string

// The reasons. Those of fetch.Reasons stand for themselves.
const (
	NotJSON Reason = "not-json" // not JSON as strictly read: an error page, a duplicate member
	Private Reason = "private"  // a private or symmetric key stands in it: its owner has lost it
	Refused Reason = "refused"  // a kid that stands twice, too many keys, or none
	Other   Reason = "other"
)

// Reasons lists every Reason.
func Reasons() []Reason {
	all := []Reason{NotJSON, Private, Refused, Other}
	for _, r := range fetch.Reasons() {
		all = append(all, Reason(r))
	}
	return all
}

// Status says how one issuer's set stands, for people and monitoring.
type Status struct {
	Keys      int       // usable ones
	LeftOut   int       // unusable ones that stand in the set
	WhyOut    []string  // why, one each; they quote nothing of the keys
	Renewed   time.Time // the last success; zero for never
	Failed    Reason    // why the last try failed, "" if it did not
	FailedAt  time.Time
	FromDisk  bool // the set is the last good one of an earlier run
	Refetches int  // fetches that unknown kids caused, since the start
}

// A Keeper follows issuers. It is safe for concurrent use; call Close at the end.
type Keeper struct {
	config Config
	ctx    context.Context // ends with Close: fetches belong to the keeper, not to those who wait for them
	stop   context.CancelFunc
	wait   sync.WaitGroup

	mu        sync.Mutex // guards followers and closed; never held while fetching
	followers map[keys.Issuer]*follower
	closed    bool
}

// New returns a keeper that follows nobody yet.
func New(c Config) (*Keeper, error) {
	if c.Fetch == nil {
		return nil, errors.New("key sets need a fetcher")
	}
	for _, d := range [...]struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Refresh, 15 * time.Minute}, {&c.RefetchInterval, time.Minute}, {&c.MaxStale, 24 * time.Hour}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dir != "" {
		if err := makeFolder(c.Dir); err != nil {
			return nil, fmt.Errorf("folder for key sets: %w", err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Keeper{config: c, ctx: ctx, stop: stop, followers: map[keys.Issuer]*follower{}}, nil
}

// Follow says whose sets are kept from now on. Who is new is fetched at once,
// after the last good set was read from disk; who is missing is dropped, and so
// is a set from an address that is not the issuer's any more. It does not wait
// for the fetches.
func (k *Keeper) Follow(sources []Source) {
	wanted := make(map[keys.Issuer]string, len(sources))
	for _, s := range sources {
		wanted[s.Issuer] = s.URL
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	for iss, f := range k.followers {
		if wanted[iss] != f.source.URL {
			delete(k.followers, iss)
			f.drop()
		}
	}
	for iss, url := range wanted {
		if k.followers[iss] == nil {
			k.followers[iss] = k.follow(Source{iss, url})
		}
	}
}

// Refetch asks for an issuer's set because a credential names a kid that is not
// in it. It reports whether the set was renewed meanwhile. At most one such
// fetch begins per issuer and RefetchInterval, whatever the traffic: within the
// interval it returns at once. Callers share the fetch, and one who stops
// waiting does not end it.
func (k *Keeper) Refetch(ctx context.Context, iss keys.Issuer) (renewed bool) {
	k.mu.Lock()
	f := k.followers[iss]
	k.mu.Unlock()
	if f == nil {
		return false
	}
	fl := f.ask(time.Now())
	if fl == nil {
		return false
	}
	select {
	case <-fl.done:
		return fl.renewed
	case <-ctx.Done():
		return false
	}
}

// WaitFirst waits until every issuer followed now has a set, be it the last good
// one, or its first fetch failed, or ctx ends. It is for the start.
func (k *Keeper) WaitFirst(ctx context.Context) {
	k.mu.Lock()
	var first []<-chan struct{}
	for _, f := range k.followers {
		first = append(first, f.first)
	}
	k.mu.Unlock()
	for _, done := range first {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// Status returns how an issuer's set stands; ok is false for one not followed.
func (k *Keeper) Status(iss keys.Issuer) (s Status, ok bool) {
	k.mu.Lock()
	f := k.followers[iss]
	k.mu.Unlock()
	if f == nil {
		return Status{}, false
	}
	return f.snapshot(), true
}

// Close ends all fetches and waits for their ends. Sets stay in force.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.wait.Wait()
}
