package trustlist

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/keys"
)

// A Config says which list to keep, and how.
type Config struct {
	Source  string        // an https address, or a file
	Roots   *Roots        // whose signatures count; required
	Refresh time.Duration // between two looks at the source; default 5 min. A file is looked at every second besides
	Skew    time.Duration // how far a signer's clock may be ahead of ours
	Fetch   Fetcher       // required for https

	// Dir is the folder for the highest version ever accepted, the last good
	// list and all revoked keys. Empty: they are forgotten at the end, and with
	// them the promise never to go back.
	Dir string

	// OnList is told of every list that comes into force, in their order, by one
	// goroutine at a time. It must be quick.
	OnList func(*keys.List)
	// OnRefused is told of every refusal, for a metric. It must be quick.
	OnRefused func(Reason)
	Log       *slog.Logger // nil: silent
}

// A Keeper holds the list in force and looks for newer ones. Use: [Open],
// [Keeper.Start], then [Keeper.Run] in a goroutine. It is safe for concurrent use.
type Keeper struct {
	config Config
	source source
	hints  chan struct{} // holds one: a peer says that there is a newer list

	// turn holds one token while a list is loaded, so that lists come into force
	// one after the other. Waiting for it can be given up, unlike for a mutex.
	// It guards source and roots.
	turn  chan struct{}
	roots *Roots

	// remembered is what the state folder holds, or would if it could be
	// written. Changed by whoever has the turn; read by anyone.
	remembered atomic.Pointer[state]
	unsaved    bool // remembered is not on disk; with the turn

	mu     sync.Mutex // guards status; held for copying only
	status Status
}

// Status says how the keeper stands, for people and monitoring.
type Status struct {
	Version     int64     // of the list in force, 0 for none
	IssuedAt    time.Time // of the list in force
	Expires     time.Time // of the list in force; it may have passed
	Highest     int64     // the highest version ever accepted
	LastSuccess time.Time // when the source last gave the list in force, or a newer one
	Reachable   bool      // the source could be read at the last try
	FromDisk    bool      // the list in force is the last good one of an earlier run
	Unsaved     bool      // what must outlive a restart could not be written
	Refused     Reason    // the latest refusal, "" for none since the last success
	RefusedAt   time.Time
	RefusedWhy  string // for the log and for people within the house
}

// Open reads what earlier runs left in the folder and fails if it is damaged:
// an empty memory would let an old list or a revoked key back in. To begin
// anew on purpose, remove the file that the error names.
func Open(c Config) (*Keeper, error) {
	if c.Roots == nil {
		return nil, errors.New("no trust root is pinned: nobody would be trusted")
	}
	if c.Refresh <= 0 {
		c.Refresh = 5 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{config: c, roots: c.Roots, hints: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	var err error
	if k.source, err = newSource(c.Source, c.Fetch); err != nil {
		return nil, err
	}
	memory := &state{revoked: map[keys.Thumbprint]keys.Revocation{}}
	if c.Dir != "" {
		if memory, err = openState(c.Dir); err != nil {
			return nil, &Refusal{Reason: State, Why: "the memory of earlier lists cannot be used; restore it, or remove it to begin anew", cause: err}
		}
	}
	k.remembered.Store(memory)
	k.status.Highest = memory.version
	return k, nil
}

// Remembered returns every key that any list ever revoked. The caller owns the map.
func (k *Keeper) Remembered() map[keys.Thumbprint]keys.Revocation {
	return maps.Clone(k.remembered.Load().revoked)
}

// Status returns how things stand now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Start puts the first list in force: the source's, else the last good one of
// an earlier run, which may have expired meanwhile. It fails if there is
// neither, and if our clock is behind the last good one.
func (k *Keeper) Start(ctx context.Context) error {
	if err := k.acquire(ctx); err != nil {
		return err
	}
	defer k.release()
	if err := k.startFromDisk(); err != nil {
		return k.refused(err)
	}
	err := k.load(ctx)
	if k.Status().Version != 0 {
		if err != nil {
			k.config.Log.Warn("trust list: the source's is not used, the last good one is", "reason", ReasonOf(err), "error", err)
		}
		return nil
	}
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) && refusal.Reason == NotYet {
		return &Refusal{Reason: Clock, Why: "our clock is behind the trust list, or the list was issued ahead of time", cause: err}
	}
	return err
}

// startFromDisk puts the last good list in force, if there is one that the
// roots of today have signed.
func (k *Keeper) startFromDisk() error {
	memory := k.remembered.Load()
	if len(memory.token) == 0 {
		return nil
	}
	list, err := Read(memory.token, k.roots)
	if err == nil {
		err = follows(list, memory.version, memory.digest)
	}
	if err != nil {
		k.config.Log.Warn("trust list: the last good one does not hold any more", "reason", ReasonOf(err), "error", err)
		return nil
	}
	if now := time.Now(); list.IssuedAt.After(now.Add(k.config.Skew)) {
		return refuse(Clock, "our clock says %s, but the last good trust list was issued at %s: set the clock", stamp(now), stamp(list.IssuedAt))
	}
	k.inForce(list, true)
	return nil
}

// Reload looks at the source now. nil says that the source's list is in force.
func (k *Keeper) Reload(ctx context.Context) error {
	if err := k.acquire(ctx); err != nil {
		return err
	}
	defer k.release()
	return k.load(ctx)
}

// Repin looks at the source now with other roots, which stay if its list is
// good by them. Otherwise nothing changes.
func (k *Keeper) Repin(ctx context.Context, roots *Roots) error {
	if roots == nil {
		return errors.New("no trust root is pinned: nobody would be trusted")
	}
	if err := k.acquire(ctx); err != nil {
		return err
	}
	defer k.release()
	before := k.roots
	k.roots = roots
	k.source.forget() // "unchanged" says nothing about signatures
	err := k.load(ctx)
	if err != nil {
		k.roots = before
	}
	return err
}

// load does the work, with the turn.
func (k *Keeper) load(ctx context.Context) error {
	if k.unsaved {
		k.save(k.remembered.Load())
	}
	token, unchanged, err := k.source.read(ctx)
	if err != nil {
		return k.refused(err)
	}
	memory := k.remembered.Load()
	if unchanged {
		token = memory.token
	}
	list, err := Read(token, k.roots)
	if err == nil {
		err = InTime(list, time.Now(), k.config.Skew)
	}
	if err == nil {
		err = follows(list, memory.version, memory.digest)
	}
	if err != nil {
		k.source.forget()
		return k.refused(err)
	}
	k.accept(list, token)
	k.source.accepted()
	return nil
}

// accept puts the list in force and then writes it down, in this order: a disk
// that hangs must not keep a stolen key alive. Who crashes in between comes back
// with the list of before, and finds this one at the source.
func (k *Keeper) accept(list *keys.List, token []byte) {
	memory := k.remembered.Load()
	if k.Status().Version != list.Version {
		k.inForce(list, false)
	}
	k.mu.Lock()
	k.status.LastSuccess, k.status.Reachable, k.status.FromDisk = time.Now(), true, false
	k.status.Refused, k.status.RefusedAt, k.status.RefusedWhy = "", time.Time{}, ""
	k.mu.Unlock()
	if list.Version != memory.version || string(token) != string(memory.token) {
		memory = memory.clone()
		memory.version, memory.digest, memory.token = list.Version, list.Digest, token
		memory.remember(list.Revoked)
		k.save(memory)
	}
}

// save keeps memory, and writes it down. If that fails the list stays in force:
// what is lost is the promise not to go back behind it after a restart, until a
// later write succeeds. It is tried again at every load, and Status says so.
func (k *Keeper) save(memory *state) {
	var err error
	if k.config.Dir != "" {
		err = memory.save(k.config.Dir)
	}
	k.remembered.Store(memory)
	k.unsaved = err != nil
	if err != nil {
		k.config.Log.Error("trust list: what must outlive a restart could not be written", "reason", State, "error", err)
		k.count(State)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Unsaved, k.status.Highest = err != nil, memory.version
}

func (k *Keeper) inForce(list *keys.List, fromDisk bool) {
	k.mu.Lock()
	k.status.Version, k.status.IssuedAt, k.status.Expires = list.Version, list.IssuedAt, list.Expires
	k.status.FromDisk = fromDisk
	k.mu.Unlock()
	k.config.Log.Info("trust list in force", "version", list.Version, "expires", list.Expires, "last_good", fromDisk)
	if k.config.OnList != nil {
		k.config.OnList(list)
	}
}

// refused notes a refusal and hands it on.
func (k *Keeper) refused(err error) error {
	reason := ReasonOf(err)
	k.mu.Lock()
	k.status.Reachable = reason != Fetch
	k.status.Refused, k.status.RefusedAt, k.status.RefusedWhy = reason, time.Now(), err.Error()
	k.mu.Unlock()
	k.count(reason)
	return err
}

func (k *Keeper) count(reason Reason) {
	if k.config.OnRefused != nil && reason != "" {
		k.config.OnRefused(reason)
	}
}

func (k *Keeper) acquire(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Keeper) release() { <-k.turn }

// jitter spreads gateways that were started together over the last tenth of a wait.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}
