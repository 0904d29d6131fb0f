package facts

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
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
	// 25 ms: a request makes at most two such calls and so stays below 60 ms.
	Patience time.Duration
}

const (
	defaultPatience = 25 * time.Millisecond
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
)

// shared is the Redis behind the memory. Nobody but its own goroutines talks to
// Redis, so no caller ever hangs on a socket.
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
		TLSConfig:        o.TLS,

		// A request is not worth a second try, which would double its wait.
		MaxRetries:            -1,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
		DialTimeout:           socket,
		ReadTimeout:           socket,
		WriteTimeout:          socket,
		PoolTimeout:           socket,
		PoolSize:              readers + 8, // two writers, the probe, an announcement, a few tokens
		MaxActiveConns:        readers + 8,
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

// A question is what one caller wants to know in one round trip. Names that
// are empty are not asked for.
type question struct {
	lease      string // first of all try to get this lease
	leaseValue []byte
	leaseLife  time.Duration
	finding    string
	standing   string

	// The answers, to be read only after put returned true. nil: not there.
	findingValue  []byte
	standingValue []byte
	leased        bool   // the lease is ours
	heldValue     []byte // it is somebody's, ours or not

	err   error
	until time.Time // nobody waits any longer
	done  chan struct{}
}

// put puts a question to Redis and reports whether it was answered. It waits no
// longer than patience, and not at all while Redis is left alone.
func (s *shared) put(ctx context.Context, q *question) bool {
	if !s.health.up() {
		return false
	}
	q.until = time.Now().Add(s.patience)
	q.done = make(chan struct{})
	select {
	case s.questions <- q:
	default:
		return false
	}
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.err == nil
	case <-timer.C:
	case <-ctx.Done():
	case <-s.quit:
	}
	return false
}

var errGone = errors.New("facts: redis is left alone")

// read answers questions until the end.
func (s *shared) read() {
	batch := make([]*question, 0, maxBatch)
	for {
		select {
		case <-s.quit:
			return
		case q := <-s.questions:
			batch = append(batch[:0], q)
		}
	more:
		for len(batch) < maxBatch {
			select {
			case q := <-s.questions:
				batch = append(batch, q)
			default:
				break more
			}
		}
		s.answer(batch)
		clear(batch)
	}
}

// answer answers a batch in one round trip.
func (s *shared) answer(batch []*question) {
	defer func() {
		for _, q := range batch {
			close(q.done)
		}
	}()
	now := time.Now()
	pipe := s.client.Pipeline()
	answers := make([]answers, len(batch))
	for i, q := range batch {
		if q.until.Before(now) {
			q.err = context.DeadlineExceeded
			continue
		}
		answers[i].ask(pipe, q)
	}
	if pipe.Len() == 0 {
		return
	}
	err := errGone
	if s.health.up() {
		err = s.health.try(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), s.patience*9/10)
			defer cancel()
			commands, _ := pipe.Exec(ctx) // the commands carry their errors
			return outage(commands)
		})
		if err != nil {
			s.cache.failed(OpRead)
		}
	}
	for i, q := range batch {
		if q.err == nil {
			answers[i].tell(q, err)
		}
	}
}

// answers are the commands of one question.
type answers struct {
	leased                  *redis.StatusCmd
	held, finding, standing *redis.StringCmd
}

func (a *answers) ask(pipe redis.Pipeliner, q *question) {
	ctx := context.Background()
	if q.lease != "" {
		a.leased = pipe.SetArgs(ctx, q.lease, q.leaseValue, redis.SetArgs{Mode: "NX", TTL: q.leaseLife})
		a.held = pipe.Get(ctx, q.lease)
	}
	if q.finding != "" {
		a.finding = pipe.Get(ctx, q.finding)
	}
	if q.standing != "" {
		a.standing = pipe.Get(ctx, q.standing)
	}
}

// tell hands the answers over. In a batch that failed, what was answered before
// the failure still counts.
func (a *answers) tell(q *question, batch error) {
	take := func(c *redis.StringCmd) []byte {
		if c == nil {
			return nil
		}
		value, err := c.Bytes()
		if err != nil && !errors.Is(err, redis.Nil) {
			q.err = err
		}
		if err != nil {
			return nil
		}
		return value
	}
	if errors.Is(batch, errGone) {
		q.err = batch
		return
	}
	q.findingValue, q.standingValue, q.heldValue = take(a.finding), take(a.standing), take(a.held)
	if a.leased != nil {
		err := a.leased.Err()
		q.leased = err == nil
		if err != nil && !errors.Is(err, redis.Nil) {
			q.err = err
		}
	}
}
