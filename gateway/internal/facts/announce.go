package facts

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNotShared is returned where there is no Redis to announce to.
var ErrNotShared = errors.New("facts: no Redis is configured, or it is not to be had")

const (
	// silence after which a listener makes sure that Redis is still there; after
	// two of them it subscribes again.
	silence = 3 * time.Second
	// listenAgain is the pause after a subscription was lost; jitter adds as much.
	listenAgain = 250 * time.Millisecond
)

// listeners are the functions that want to hear announcements.
type listeners struct {
	mu  sync.Mutex // guards all; not held while calling them
	all []func(version int64)
}

// Announce tells the other gateways, and this one, that there is a trust list
// of this version. It is a hint: nobody believes it, they look for themselves.
func (c *Cache) Announce(ctx context.Context, version int64) error {
	if c.shared == nil || !c.shared.health.up() {
		return ErrNotShared
	}
	ctx, cancel := context.WithTimeout(ctx, c.shared.socket)
	defer cancel()
	s := c.shared
	channel := s.channel()
	message := s.seal.seal(channel, "", binary.AppendVarint(nil, version))
	if err := s.client.Publish(ctx, channel, message).Err(); err != nil {
		c.failed(OpAnnounce)
		return ErrNotShared
	}
	return nil
}

// OnAnnounce has f called, one call at a time, with every version announced from
// now on, in any gateway, and with 0 whenever announcements may have been
// missed: on the first contact with Redis and on each one after a break. f must
// not block for long, nor close the cache. A memory-only cache never calls it.
func (c *Cache) OnAnnounce(f func(version int64)) {
	if c.shared == nil {
		return
	}
	l := &c.shared.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, f)
}

func (l *listeners) tell(version int64) {
	l.mu.Lock()
	all := l.all[:len(l.all):len(l.all)]
	l.mu.Unlock()
	for _, f := range all {
		f(version)
	}
}

func (s *shared) channel() string { return s.seal.name(KindAnnouncement) }

// listen keeps a subscription until the end.
func (s *shared) listen() {
	for {
		s.subscribe()
		pause := time.NewTimer(listenAgain + rand.N(listenAgain))
		select {
		case <-s.quit:
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// subscribe listens until the subscription is lost or the end comes. The
// library would renew it by itself, but could not say what was missed.
func (s *shared) subscribe() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	channel, news := s.channel(), s.newsChannel()
	sub := s.client.Subscribe(ctx, channel, news)
	closed := make(chan struct{})
	done := make(chan struct{})
	go func() { // ends a receive that would otherwise go on for a while
		defer close(closed)
		select {
		case <-s.quit:
		case <-done:
		}
		_ = sub.Close()
	}()
	defer func() { close(done); <-closed }()
	for quiet := false; ; {
		message, err := sub.ReceiveTimeout(ctx, silence)
		var slow net.Error
		switch {
		case err == nil:
			quiet = false
		case errors.As(err, &slow) && slow.Timeout() && !quiet && sub.Ping(ctx) == nil:
			quiet = true
			continue
		default:
			return
		}
		switch m := message.(type) {
		case *redis.Subscription:
			if m.Channel == news {
				s.cache.epoch.Add(1) // any standing may have changed unheard
			} else {
				s.listeners.tell(0)
			}
		case *redis.Message:
			if m.Channel == news {
				s.hearNews(news, m.Payload)
			} else {
				s.hear(channel, m.Payload)
			}
		}
	}
}

func (s *shared) hear(channel, payload string) {
	plain, err := s.seal.open(channel, false, []byte(payload))
	if err != nil {
		s.cache.unsealed(KindAnnouncement)
		return
	}
	version, n := binary.Varint(plain)
	if n != len(plain) || version <= 0 {
		s.cache.unsealed(KindAnnouncement)
		return
	}
	s.listeners.tell(version)
}
