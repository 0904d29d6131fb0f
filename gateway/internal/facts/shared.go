package facts

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// RedisOptions say where the shared memory is and how it is sealed.
type RedisOptions struct {
	Addrs    []string // host:port each; several are a cluster's, or the sentinels
	Cluster  bool     // a single address belongs to a cluster
	Sentinel string   // name of the master; then Addrs are sentinels

	Username, Password string // of the servers
	SentinelPassword   string
	DB                 int         // not with a cluster
	TLS                *tls.Config // nil: plain TCP

	// SealKey, 32 bytes, is the same for all gateways that share this Redis.
	SealKey []byte

	// Patience bounds what one call waits for Redis, its queue included. Default
	// 19 ms: see defaultPatience.
	Patience time.Duration
}

const (
	// defaultPatience: a request makes at most three such calls before the breaker
	// opens, and so never waits 60 ms for a Redis that does not answer.
	defaultPatience = 19 * time.Millisecond
	// socketPatience bounds dialling, and the round trips that nobody waits for,
	// unless a caller's patience is longer.
	socketPatience = 50 * time.Millisecond

	// readers share out the questions of all callers. Few of them make for
	// larger batches, which cost less.
	readers = 2
	// maxQuestions wait at most; more go without Redis.
	maxQuestions = 1024
	// maxBatch questions or writes share a round trip.
	maxBatch = 64

	// poolSize is more connections than are ever needed at a time (readers, two
	// writers, the probe, an announcement, a few tokens). It is also after how
	// many failed dials the library dials only once a second, by itself: with
	// ten it found a new master up to a second after our probes could have.
	poolSize = 100
)

// shared is the Redis behind the memory. Its own goroutines put the questions of
// requests and write, so no request ever hangs on a socket; announcements and
// tokens, for which no request waits, go to Redis directly, each with a deadline.
type shared struct {
	cache  *Cache
	client redis.UniversalClient
	seal   *sealer
	health *health

	patience time.Duration // of callers
	socket   time.Duration // of round trips for which nobody waits

	questions chan *question
	bulk      chan *write  // kept for later
	urgent    chan *write  // somebody waits for these
	queued    atomic.Int64 // bytes in both queues
	pending   atomic.Int64 // writes in both queues, or under way

	listeners listeners

	quit  chan struct{}
	works sync.WaitGroup
}

var silenceOnce sync.Once

func (c *Cache) openShared(o *RedisOptions) error {
	if len(o.Addrs) == 0 {
		return errors.New("facts: Redis without an address")
	}
	seal, err := newSealer(o.SealKey)
	if err != nil {
		return err
	}
	if o.Patience < 0 {
		return errors.New("facts: Patience is negative")
	}
	patience := cmp.Or(o.Patience, defaultPatience)
	socket := max(socketPatience, patience)
	// The library logs to stderr by itself, every failed dial; health tells once.
	silenceOnce.Do(logging.Disable)
	s := &shared{
		cache:     c,
		client:    dial(o, socket),
		seal:      seal,
		health:    newHealth(),
		patience:  patience,
		socket:    socket,
		questions: make(chan *question, maxQuestions),
		bulk:      make(chan *write, maxQueued),
		urgent:    make(chan *write, maxQueued),
		quit:      make(chan struct{}),
	}
	c.shared = s
	for range readers {
		s.works.Go(s.read)
	}
	s.works.Go(func() { s.keepWriting(s.bulk, linger) })
	s.works.Go(func() { s.keepWriting(s.urgent, 0) })
	s.works.Go(func() { s.health.watch(s.quit, s.ping, socket, c.log, c.observer) })
	s.works.Go(s.listen)
	return nil
}

func dial(o *RedisOptions, socket time.Duration) redis.UniversalClient {
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:            o.Addrs,
		IsClusterMode:    o.Cluster && o.Sentinel == "",
		MasterName:       o.Sentinel,
		Username:         o.Username,
		Password:         o.Password,
		SentinelPassword: o.SentinelPassword,
		DB:               o.DB,
		Dialer:           dialer(o, socket),

		// A request is not worth a second try, which would double its wait.
		MaxRetries:            -1,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
		DialTimeout:           socket,
		ReadTimeout:           socket,
		WriteTimeout:          socket,
		PoolTimeout:           socket,
		PoolSize:              poolSize,
		PipelinePoolSize:      -1, // everything is a pipeline

		// RESP2 and no CLIENT SETINFO: the less is said on a new connection, the
		// less can be answered to the wrong question (CVE-2025-29923).
		Protocol:        2,
		DisableIdentity: true,
	})
}

func (s *shared) close() {
	close(s.quit)
	s.works.Wait()
	_ = s.client.Close() // its connections are of no further interest
}

// carryOut has Redis carry a pipeline out; the commands carry their errors. The
// library gives them none when a new connection is refused its password: they
// would look carried out, and a nonce that nobody keeps would be a fresh one.
func carryOut(ctx context.Context, pipe redis.Pipeliner) []redis.Cmder {
	commands, err := pipe.Exec(ctx)
	if err == nil || slices.ContainsFunc(commands, func(c redis.Cmder) bool { return c.Err() != nil }) {
		return commands
	}
	for _, command := range commands {
		command.SetErr(err)
	}
	return commands
}

func (s *shared) ping(ctx context.Context) error {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return node.Ping(ctx).Err()
		})
	}
	return s.client.Ping(ctx).Err()
}

// isCluster: commands about several keys may be carried out in any order.
func (s *shared) isCluster() bool {
	_, ok := s.client.(*redis.ClusterClient)
	return ok
}
