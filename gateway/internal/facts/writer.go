package facts

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxQueued values wait to be written in each queue, and of all together
	// maxQueuedBytes. What comes on top is dropped: it can be found out again.
	maxQueued      = 4096
	maxQueuedBytes = 8 << 20
	// linger is how long a writer waits for more to write. Nobody waits for it,
	// and one round trip for many costs much less than many.
	linger = 2 * time.Millisecond
	// lastWords is how long a closing cache goes on writing.
	lastWords = 200 * time.Millisecond
)

// A write is one fact on its way to Redis. Without a name it only gives a lease
// back.
type write struct {
	kind  Kind
	name  string
	stamp string // of a standing
	plain []byte
	ttl   time.Duration
	news  []byte // said to the other gateways once it is written; nil: nothing

	// The lease under which it was asked for, given back once it is written.
	lease      string
	leaseValue []byte
}

func (w *write) size() int64 { return int64(len(w.plain)) }

// write queues w and returns at once.
func (s *shared) write(w *write) {
	queue := s.bulk
	if w.lease != "" {
		queue = s.urgent
	}
	if !s.health.up() {
		s.cache.drop(1, DropDown)
		return
	}
	if s.queued.Add(w.size()) > maxQueuedBytes && w.lease == "" {
		s.queued.Add(-w.size())
		s.cache.drop(1, DropQueue)
		return
	}
	s.pending.Add(1)
	select {
	case queue <- w:
	default:
		s.pending.Add(-1)
		s.queued.Add(-w.size())
		s.cache.drop(1, DropQueue)
	}
}

// keepWriting writes what is queued until the end, and then for a moment what
// is left.
func (s *shared) keepWriting(queue <-chan *write, linger time.Duration) {
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case w := <-queue:
			batch = append(batch[:0], w)
		case <-s.quit:
			s.writeRest(queue, batch)
			return
		}
		if linger > 0 {
			batch = s.gather(queue, batch, linger)
		}
		batch = drain(queue, batch)
		s.writeAll(batch)
		clear(batch)
	}
}

// gather waits for a batch to fill up, but not longer than linger.
func (s *shared) gather(queue <-chan *write, batch []*write, linger time.Duration) []*write {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case w := <-queue:
			batch = append(batch, w)
		case <-timer.C:
			return batch
		case <-s.quit:
			return batch
		}
	}
	return batch
}

// drain takes what is there, up to a batch.
func drain(queue <-chan *write, batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case w := <-queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

func (s *shared) writeRest(queue <-chan *write, batch []*write) {
	end := time.Now().Add(lastWords)
	for {
		batch = drain(queue, batch[:0])
		if len(batch) == 0 {
			return
		}
		if time.Now().After(end) {
			s.cache.drop(len(batch), DropDown)
			continue
		}
		s.writeAll(batch)
	}
}

// standingScript keeps the newer of two standings. A stamp beyond ARGV[2], our
// own time and a little, is nobody's: it would keep all later answers out. So
// would a value of another type, whose error is no number.
const standingScript = `
local old = tonumber(redis.pcall('GETRANGE', KEYS[1], 0, 15))
if old and old > tonumber(ARGV[1]) and old <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1`

// releaseScript gives a lease back unless it has passed to somebody else.
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// writeAll writes a batch in one round trip, and gives its leases back and tells
// its news in a second one: in a cluster the orders could else be carried out in
// any order, and who gets the lease or hears the news must find the standing.
func (s *shared) writeAll(batch []*write) {
	defer func() {
		for _, w := range batch {
			s.queued.Add(-w.size())
		}
		s.pending.Add(-int64(len(batch)))
	}()
	if !s.health.up() {
		s.cache.drop(len(batch), DropDown)
		return
	}
	pipe := s.client.Pipeline()
	for _, w := range batch {
		if w.name != "" {
			s.set(pipe, w)
		}
	}
	s.exec(pipe, true)
	for _, w := range batch {
		if w.lease != "" {
			pipe.Eval(context.Background(), releaseScript, []string{w.lease}, w.leaseValue)
		}
		if w.news != nil {
			channel := s.newsChannel()
			pipe.Publish(context.Background(), channel, s.seal.seal(channel, "", w.news))
		}
	}
	s.exec(pipe, false)
}

func (s *shared) set(pipe redis.Pipeliner, w *write) {
	ctx := context.Background()
	value := s.seal.seal(w.name, w.stamp, w.plain)
	if w.kind != KindStanding {
		pipe.Set(ctx, w.name, value, w.ttl)
		return
	}
	limit := stampOf(time.Now().Add(clockError))
	pipe.Eval(ctx, standingScript, []string{w.name}, w.stamp, limit, value, w.ttl.Milliseconds())
}

// exec carries commands out. Its failures do not count for the breaker: no
// caller waits for a write, and a Redis that is full still answers.
func (s *shared) exec(pipe redis.Pipeliner, facts bool) {
	if pipe.Len() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.socket)
	defer cancel()
	down, refused := 0, 0
	for _, command := range carryOut(ctx, pipe) {
		switch err := command.Err(); {
		case err == nil || errors.Is(err, redis.Nil):
		case isAnswered(err):
			refused++
		default:
			down++
		}
	}
	if down > 0 {
		s.cache.failed(OpWrite)
	}
	if facts {
		s.cache.drop(down, DropDown)
		s.cache.drop(refused, DropRefused)
	}
}
