package facts

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

const (
	// lockLife is how long a lock outlives its holder; it is renewed three times
	// as often.
	lockLife = 15 * time.Second
	// lockLook is how often whoever waits for a lock tries to get it; jitter
	// adds as much.
	lockLook = 200 * time.Millisecond
)

// Lock waits until it holds the lock of a name, among all gateways. It is held
// until release, or for a moment longer than this process lives. A lock saves
// double work and guards nothing: where Redis loses it, two may hold it.
func (v *Vault) Lock(ctx context.Context, name string) (release func(context.Context) error, err error) {
	s := v.cache.shared
	key, token := s.seal.name(KindLock, []byte(name)), rand.Text()
	for {
		held := false
		err := v.try(ctx, func(ctx context.Context) (err error) {
			// A try whose answer was lost may have got it.
			held, err = v.eval(ctx, lockScript, key, token)
			return err
		})
		if err != nil {
			return nil, err
		}
		if held {
			break
		}
		pause := time.NewTimer(lockLook + mathrand.N(lockLook))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, context.Cause(ctx)
		case <-s.quit:
			pause.Stop()
			return nil, ErrVault
		}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(done) })
	s.works.Go(func() {
		defer close(ended)
		v.renew(key, token, done)
	})
	return func(ctx context.Context) error {
		end()
		<-ended
		return v.try(ctx, func(ctx context.Context) error {
			_, err := v.eval(ctx, unlockScript, key, token)
			return err
		})
	}, nil
}

// renew prolongs a lock until it is given back, lost, or the cache closed.
func (v *Vault) renew(key, token string, done <-chan struct{}) {
	s := v.cache.shared
	tick := time.NewTicker(v.life / 3)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-s.quit:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.socket)
		held, err := v.eval(ctx, prolongScript, key, token)
		cancel()
		if err == nil && !held {
			return // lost, and perhaps another's
		}
	}
}

const (
	lockScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`
	prolongScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`
	unlockScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`
)

// eval runs a script about one lock and reports whether it did what it is for.
func (v *Vault) eval(ctx context.Context, script, key, token string) (bool, error) {
	n, err := v.cache.shared.client.Eval(ctx, script, []string{key}, token, v.life.Milliseconds()).Int()
	return n == 1, err
}
