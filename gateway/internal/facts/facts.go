// Package facts keeps what was once found out: findings about credentials and
// standings of licences, in memory and behind it in a Redis that gateways
// share. It is the only room that knows Redis. Verdicts are never kept.
//
// The memory is bounded by bytes. It forgets what is used least, and everything
// at a restart; then Redis, or the credential and the registry themselves, are
// asked again. It keeps the newest standing that it has seen of a licence, so
// an older one never takes its place.
//
// Redis is shared memory, not a witness.
//   - If it lies: every value is sealed with the gateways' common key, bound to
//     its Redis key and to [schema], and names what it is about. A value that
//     does not open, or that is about something else, is a miss. Who writes to
//     Redis can put back an older value of the same key. A finding never
//     changes, so that changes nothing; a standing says itself when it was
//     asked for, so it passes only for what it is, and never replaces a newer
//     one in memory. A question that must be live takes another gateway's
//     standing only if it was asked under a lease that began no longer ago than
//     a question may take; so much older a replayed pair can make it. Values
//     from the future are misses. Names in Redis are keyed hashes: it reads
//     neither names nor licence numbers.
//   - If it forgets: a miss, and the registry is asked.
//   - If it is slow or gone: no call waits for it longer than its patience, and a
//     breaker opens after a few failures in a row; while it is open no call
//     waits at all, and a probe in the background finds out when it is back.
//     If it is full, writes are dropped and counted, and reads go on.
package facts

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"tongyan/verifiers"
)

// Options say what a [Cache] may use.
type Options struct {
	// MemoryBytes bounds the memory for findings and standings together,
	// bookkeeping included. Default 64 MiB, at least 1 MiB.
	MemoryBytes int64

	// Redis is the memory that gateways share. nil: memory only.
	Redis *RedisOptions

	// NegativeTTL is how long Redis keeps an answer of "no such licence".
	// Default 60 s.
	NegativeTTL time.Duration

	// Ceiling says how long a standing is worth keeping in Redis: MaxAge +
	// StaleIfError after it was asked for. Where that is zero none is kept there.
	Ceiling verifiers.Bounds

	// Logger hears of Redis gone and back. nil: silence.
	Logger *slog.Logger

	Observer Observer
}

// A Layer is where a fact was found.
type Layer string

// The layers, from far to near.
const (
	Nowhere Layer = "nowhere"
	Redis   Layer = "redis"
	Memory  Layer = "memory"
)

// A Kind is a kind of fact, or of message between gateways.
type Kind string

// The kinds. Each has its own names in Redis.
const (
	KindFinding      Kind = "finding"
	KindStanding     Kind = "standing"
	KindLease        Kind = "lease"
	KindAnnouncement Kind = "announcement"
	KindNonce        Kind = "nonce"
	KindToken        Kind = "token"
	KindAnswer       Kind = "answer"
	KindTally        Kind = "tally"
	KindNews         Kind = "news"
	KindSecret       Kind = "secret"
	KindLock         Kind = "lock"
)

// An Observer is told what happens, for metrics. Every member may be nil; they
// are called from many goroutines and must return at once. All labels are from
// closed sets.
type Observer struct {
	// Looked: one look-up of a finding or standing, and where it was found.
	// [Cache.Recall] is not counted: only its caller knows whether what it got
	// was fresh enough.
	Looked func(kind Kind, at Layer)
	// Unsealed: a value in Redis that was not what it should be.
	Unsealed func(kind Kind)
	// Dropped: n values that were not written to Redis.
	Dropped func(n int, why DropReason)
	// Failed: one failed round trip to Redis.
	Failed func(op Operation)
	// Breaker: Redis is used (closed) or left alone (open).
	Breaker func(open bool)
}

// A DropReason says why a value was not written to Redis.
type DropReason string

// The reasons.
const (
	DropQueue   DropReason = "queue"   // more to write than Redis takes
	DropDown    DropReason = "down"    // Redis is left alone, or failed now
	DropRefused DropReason = "refused" // Redis is full, or forbids it
)

// An Operation is a kind of round trip to Redis.
type Operation string

// The operations.
const (
	OpRead     Operation = "read"
	OpWrite    Operation = "write"
	OpProbe    Operation = "probe"
	OpAnnounce Operation = "announce"
)

// Status is how a cache stands, for people and metrics.
type Status struct {
	Findings  int    // in memory, about
	Standings int    // in memory, about
	Bytes     uint64 // of both, about

	Shared    bool      // a Redis is configured
	Up        bool      // it is being used
	Since     time.Time // when Up last changed
	Queued    int       // writes that wait or are under way
	Waiting   int64     // callers waiting for an answer about a licence
	Dropped   uint64    // values never written, since the start
	NotOpened uint64    // values that did not open, since the start
}

// A Cache keeps findings and standings. It is safe for concurrent use.
type Cache struct {
	findings  *otter.Cache[verifiers.Digest, *keptFinding]
	standings *otter.Cache[verifiers.StandingKey, *keptStanding]
	negative  time.Duration
	ceiling   time.Duration
	log       *slog.Logger
	observer  Observer
	shared    *shared // nil: memory only
	nonces    nonces  // used in memory only
	answers   *otter.Cache[AnswerKey, []byte]

	// epoch counts how often news may have been missed; see doubts.
	epoch     atomic.Uint64
	dropped   atomic.Uint64
	notOpened atomic.Uint64
	waiting   atomic.Int64

	// alive ends with Close, and with it every question under way.
	alive context.Context
	stop  context.CancelFunc

	// mu guards flights and closed. It is not held while asking.
	mu      sync.Mutex
	flights map[verifiers.StandingKey]*flight
	closed  bool
	ending  sync.Once
	flying  sync.WaitGroup // one for each flight
}

const (
	defaultMemory   = 64 << 20
	leastMemory     = 1 << 20
	defaultNegative = time.Minute
)

// New returns a cache. It does not wait for Redis, which may come later. An
// error means that the options make no sense.
func New(o Options) (*Cache, error) {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = defaultMemory
	}
	if o.MemoryBytes < leastMemory {
		return nil, errors.New("facts: MemoryBytes is below 1 MiB")
	}
	if o.NegativeTTL == 0 {
		o.NegativeTTL = defaultNegative
	}
	if o.NegativeTTL < 0 || o.Ceiling.MaxAge < 0 || o.Ceiling.StaleIfError < 0 {
		return nil, errors.New("facts: NegativeTTL or Ceiling is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cache{
		negative: o.NegativeTTL,
		ceiling:  max(o.Ceiling.MaxAge, o.Ceiling.MaxAge+o.Ceiling.StaleIfError), // the sum may overflow
		log:      o.Logger,
		observer: o.Observer,
		flights:  make(map[verifiers.StandingKey]*flight),
	}
	if err := c.openMemory(uint64(o.MemoryBytes)); err != nil {
		return nil, err
	}
	var err error
	if c.answers, err = openAnswers(); err != nil {
		return nil, err
	}
	c.epoch.Store(inDoubt + 1)
	c.alive, c.stop = context.WithCancel(context.Background())
	if o.Redis != nil {
		if err := c.openShared(o.Redis); err != nil {
			c.Close() // the memory has a goroutine already
			return nil, err
		}
	}
	return c, nil
}

// Close ends the questions under way, writes what is still queued as far as a
// moment allows, and waits for every goroutine. Afterwards the cache still
// answers from memory.
func (c *Cache) Close() { c.ending.Do(c.end) }

func (c *Cache) end() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.flying.Wait()
	if c.shared != nil {
		c.shared.close()
	}
	c.findings.StopAllGoroutines()
	c.answers.StopAllGoroutines()
	c.standings.StopAllGoroutines()
}

// Status says how the cache stands.
func (c *Cache) Status() Status {
	s := Status{
		Findings:  c.findings.EstimatedSize(),
		Standings: c.standings.EstimatedSize(),
		Bytes:     c.findings.WeightedSize() + c.standings.WeightedSize(),
		Dropped:   c.dropped.Load(),
		NotOpened: c.notOpened.Load(),
		Waiting:   c.waiting.Load(),
	}
	if c.shared != nil {
		s.Shared = true
		s.Up, s.Since = c.shared.health.state()
		s.Queued = int(c.shared.pending.Load())
	}
	return s
}

func (c *Cache) looked(kind Kind, at Layer) {
	if c.observer.Looked != nil {
		c.observer.Looked(kind, at)
	}
}

func (c *Cache) unsealed(kind Kind) {
	c.notOpened.Add(1)
	if c.observer.Unsealed != nil {
		c.observer.Unsealed(kind)
	}
}

func (c *Cache) drop(n int, why DropReason) {
	if n == 0 {
		return
	}
	c.dropped.Add(uint64(n))
	if c.observer.Dropped != nil {
		c.observer.Dropped(n, why)
	}
}

func (c *Cache) failed(op Operation) {
	if c.observer.Failed != nil {
		c.observer.Failed(op)
	}
}
