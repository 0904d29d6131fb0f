package facts

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

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
			return outage(carryOut(ctx, pipe))
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
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			return []byte{} // somebody put it there: it does not open, like any other
		}
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
		word, err := a.leased.Result()
		q.leased = err == nil && word == "OK"
		if err != nil && !errors.Is(err, redis.Nil) {
			q.err = err
		}
	}
}
