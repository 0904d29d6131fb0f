package statuslist

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/verifiers"
)

// A Getter makes one bounded https GET; *fetch.Client is one.
type Getter interface {
	Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error)
}

// A Store is memory that gateways share: it keeps the signed token, which is
// verified again whenever it is read, so that it need not be believed. If it
// lies, what it gives is refused, or is an older list that has not ended, and
// then no older than one seen here; if it forgets or is slow, the list is
// fetched.
type Store interface {
	// Load returns what was kept under key, nil where there is nothing. A
	// fault is nothing.
	Load(ctx context.Context, key string) []byte
	// Save keeps a token of at most MaxToken bytes until a time. It may fail.
	Save(ctx context.Context, key string, token []byte, until time.Time)
}

// Options are what a [Keeper] works with.
type Options struct {
	Fetch Getter
	// Trust gives what is trusted at the moment; *keys.Book does.
	Trust interface{ Current() *keys.Snapshot }
	// Store may be nil: then only memory.
	Store Store
	// Refetch renews an issuer's key set, because a list names a kid that is
	// not in it, and reports whether it was renewed. It bounds itself how often
	// it does (contract §3). nil: the set is renewed in its own time only.
	Refetch func(context.Context, keys.Issuer) bool
	// OnFetch hears of every attempt to get a list from its host: nil for a
	// good one, else an *Error. It may be nil, and must return at once.
	OnFetch func(keys.Issuer, error)

	// The bounds of what is kept: one issuer can name any number of lists, and
	// must not crowd out the others'. Zero means the default.
	MaxBytes          int // of all lists, inflated; default 256 MiB
	MaxBytesPerIssuer int // default 64 MiB
	MaxListsPerIssuer int // addresses known at a time; default 256
}

// The times of a keeper, besides those of contract §4.
const (
	// A list that could not be had is fetched again after 5, 10, 20, 20 … s:
	// one request, and until it succeeds all who need the list are told that it
	// could not be checked.
	firstRetry = 5 * time.Second
	lastRetry  = 20 * time.Second
	// fetchTime bounds a flight, from waiting for its turn to the last check.
	fetchTime = 15 * time.Second
	// storeTime bounds the wait for the store, which is only a short cut.
	storeTime = 300 * time.Millisecond
	// minInterval is between two fetches of one list, whatever the reason.
	minInterval = time.Second
	// idleTime after its last use a list is no longer renewed, and forgotten.
	// It is no less than MaxTTL: by then an older list than the one forgotten
	// has ended too, and cannot come back.
	idleTime = MaxTTL
	// retryIdle after its last use a list that cannot be had is left alone.
	retryIdle = 5 * time.Minute
	// tick is how often the keeper looks at what is due.
	tick = time.Second
	// flightsPerIssuer is how many lists of one issuer are fetched at a time.
	flightsPerIssuer = 4
	// readers is how many lists are verified and unpacked at a time: each may
	// need some 40 MiB meanwhile.
	readers = 2
)

// An address is where a list stands, and whose it is: one issuer's list never
// answers for another's credential, whatever its address.
type address struct {
	issuer keys.Issuer
	uri    string
}

// An entry is what is known of one address.
type entry struct {
	at      address
	used    atomic.Int64                   // when it was last asked for, nanoseconds since 1970
	allowed atomic.Pointer[keys.Authority] // whose prefixes allow the address

	// The rest is guarded by Keeper.mu.
	list     *List     // nil: none
	floor    int64     // the newest iat seen
	renew    time.Time // when to fetch the list again, ahead of its end
	next     time.Time // before this it is not fetched, whoever asks
	failures int       // in a row
	flight   *flight   // the fetch under way; nil: none
}

// A flight is one fetch, for everybody who waits for it.
type flight struct{ done chan struct{} }

// A Keeper keeps status lists: it fetches each when first asked for, and from
// then on ahead of its end, so that its host does not learn when which licence
// is shown. It is safe for concurrent use; call Close at the end.
type Keeper struct {
	options Options
	ctx     context.Context // ends at Close
	stop    context.CancelFunc
	wait    sync.WaitGroup
	reading chan struct{} // holds readers

	// mu guards what follows and the entries. It is not held while fetching,
	// verifying or asking the store.
	mu      sync.RWMutex
	closed  bool
	entries map[address]*entry
	turns   map[keys.Issuer]chan struct{} // each holds flightsPerIssuer
}

// New returns a keeper of no lists.
func New(o Options) *Keeper {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.MaxBytesPerIssuer <= 0 {
		o.MaxBytesPerIssuer = 64 << 20
	}
	if o.MaxListsPerIssuer <= 0 {
		o.MaxListsPerIssuer = 256
	}
	k := &Keeper{options: o, entries: map[address]*entry{}, turns: map[keys.Issuer]chan struct{}{},
		reading: make(chan struct{}, readers)}
	k.ctx, k.stop = context.WithCancel(context.Background())
	k.wait.Go(k.run)
	return k
}

// Close ends every fetch and waits for the keeper's goroutines. Look-ups then
// find nothing.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	clear(k.entries)
	k.mu.Unlock()
	k.stop()
	k.wait.Wait()
}

// Lookup answers what the issuer's status list says of a credential that is
// proven to be the issuer's, as trust stands at now. Where the list is not at
// hand it waits for one fetch of it, together with everybody else, but no
// longer than ctx. What it cannot have is not Had.
func (k *Keeper) Lookup(ctx context.Context, issuer keys.Issuer, ref verifiers.StatusRef, trust *keys.Snapshot, now time.Time) verifiers.StatusEvidence {
	none := verifiers.StatusEvidence{Sought: true}
	if ref.Malformed || ref.Unsupported() {
		return none
	}
	_, authority, ok := trust.Issuer(issuer)
	if !ok {
		return none
	}
	at := address{issuer, ref.URI}
	list := k.held(at, authority, trust, now)
	if list == nil {
		f := k.ask(at, authority)
		if f == nil {
			return none
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return none
		}
		if list = k.held(at, authority, trust, now); list == nil {
			return none
		}
	}
	value, inside := list.Value(ref.Index)
	return verifiers.StatusEvidence{Sought: true, Had: true, Outside: !inside, Value: value, Ends: list.ends}
}

// held returns the list at hand, nil if there is none that counts.
func (k *Keeper) held(at address, authority *keys.Authority, trust *keys.Snapshot, now time.Time) *List {
	k.mu.RLock()
	e := k.entries[at]
	var list *List
	if e != nil {
		list = e.list
	}
	k.mu.RUnlock()
	if list == nil || !e.allows(authority) || !list.Counts(at.issuer, trust, now) {
		return nil
	}
	e.used.Store(time.Now().UnixNano())
	return list
}

// allows reports whether the trust list lets the issuer's lists stand at the
// entry's address. It remembers for which words of the trust list it looked.
func (e *entry) allows(authority *keys.Authority) bool {
	if e.allowed.Load() == authority {
		return true
	}
	if !authority.MayFetchStatus(e.at.uri) {
		return false
	}
	e.allowed.Store(authority)
	return true
}

// ask returns the flight that fetches a list, nil where none may start.
func (k *Keeper) ask(at address, authority *keys.Authority) *flight {
	// Decide has looked already; but here is the one door to the outside.
	if !authority.MayFetchStatus(at.uri) {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	e := k.entries[at]
	if e == nil {
		if !k.makeRoom(at.issuer) {
			return nil
		}
		e = &entry{at: at, floor: -1}
		k.entries[at] = e
	}
	now := time.Now()
	e.used.Store(now.UnixNano())
	return k.launch(e, now)
}

// launch starts the fetch of a list unless it is under way, or came to nothing
// a moment ago. k.mu is held.
func (k *Keeper) launch(e *entry, now time.Time) *flight {
	if e.flight != nil || now.Before(e.next) {
		return e.flight
	}
	turn := k.turns[e.at.issuer]
	if turn == nil {
		turn = make(chan struct{}, flightsPerIssuer)
		k.turns[e.at.issuer] = turn
	}
	f := &flight{make(chan struct{})}
	e.flight = f
	held := int64(-1)
	if e.list != nil {
		held = e.list.issued
	}
	floor := e.floor
	k.wait.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, fetchTime)
		defer cancel()
		list, err := k.obtain(ctx, turn, e.at, held, floor)
		k.land(e, list, err)
		close(f.done)
	})
	return f
}

// Status says how many lists are at hand, and how many bytes they hold, about.
func (k *Keeper) Status() (lists, bytes int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, e := range k.entries {
		if e.list != nil {
			lists++
			bytes += e.list.Size()
		}
	}
	return lists, bytes
}
