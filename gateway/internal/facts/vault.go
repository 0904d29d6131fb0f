package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Vault keeps a few small secrets that all gateways share, such as private
// keys and their certificates, sealed like everything else in Redis. They stand
// in one hash without an end of life: a Redis that may evict values without one
// (maxmemory-policy allkeys-…) forgets them under pressure.
//
// If Redis lies: what does not open, or belongs under another name, is an error.
// Who writes to Redis can put back an older value of the same name. If it
// forgets: names are not there. If it is slow or gone: each call goes on trying
// for vaultPatience, longer than a master takes to be replaced, and then fails.
// No request for a verdict ever waits for it.
type Vault struct {
	cache *Cache
	life  time.Duration // of a lock that is not renewed
}

const (
	// vaultPatience bounds each call.
	vaultPatience = 4 * time.Second
	vaultPause    = 100 * time.Millisecond
	// maxSecret bounds a value and its name, maxSecrets how many there are.
	maxSecret  = 256 << 10
	maxSecrets = 4096
)

var (
	// ErrVault is returned where Redis does not answer, or not as it should.
	ErrVault = errors.New("facts: the vault in Redis cannot be had")
	// ErrVaultFull is returned where a value is too large, or one too many.
	ErrVaultFull = errors.New("facts: too large for the vault, or one too many")
)

// Vault returns the vault in Redis, nil where none is configured.
func (c *Cache) Vault() *Vault {
	if c.shared == nil {
		return nil
	}
	return &Vault{cache: c, life: lockLife}
}

// Put keeps a value under a name, in place of the one there was.
func (v *Vault) Put(ctx context.Context, name string, value []byte) error {
	s := v.cache.shared
	if len(name)+len(value) > maxSecret {
		return ErrVaultFull
	}
	hash, field := s.vaultNames(name)
	plain := appendText(nil, name)
	plain = appendTime(plain, time.Now())
	plain = append(plain, value...)
	sealed := s.seal.seal(field, "", plain)
	full := false
	err := v.try(ctx, func(ctx context.Context) error {
		done, err := s.client.Eval(ctx, vaultPutScript, []string{hash}, field, sealed, maxSecrets).Int()
		full = done == 0
		return err
	})
	if err == nil && full {
		return ErrVaultFull
	}
	return err
}

const vaultPutScript = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`

// Get returns a value and when it was put; an error wrapping [fs.ErrNotExist] if
// there is none.
func (v *Vault) Get(ctx context.Context, name string) (value []byte, put time.Time, err error) {
	s := v.cache.shared
	hash, field := s.vaultNames(name)
	var sealed []byte
	err = v.try(ctx, func(ctx context.Context) (err error) {
		sealed, err = s.client.HGet(ctx, hash, field).Bytes()
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	found, value, put, err := v.open(field, sealed)
	if err == nil && found != name {
		err = v.unsealed()
	}
	return value, put, err
}

// List returns the names that begin with prefix, in no order.
func (v *Vault) List(ctx context.Context, prefix string) (names []string, err error) {
	s := v.cache.shared
	hash, _ := s.vaultNames("")
	var all map[string]string
	err = v.try(ctx, func(ctx context.Context) (err error) {
		all, err = s.client.HGetAll(ctx, hash).Result()
		return err
	})
	for field, sealed := range all {
		// What does not open is counted, and no reason to hide the rest.
		if name, _, _, err := v.open(field, []byte(sealed)); err == nil && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, err
}

// Delete removes names; those that are not there are removed already.
func (v *Vault) Delete(ctx context.Context, names ...string) error {
	s := v.cache.shared
	hash, _ := s.vaultNames("")
	fields := make([]string, len(names))
	for i, name := range names {
		_, fields[i] = s.vaultNames(name)
	}
	if len(fields) == 0 {
		return nil
	}
	return v.try(ctx, func(ctx context.Context) error { return s.client.HDel(ctx, hash, fields...).Err() })
}

// vaultNames are the hash of all secrets and the field of one.
func (s *shared) vaultNames(name string) (hash, field string) {
	return s.seal.name(KindSecret), s.seal.name(KindSecret, []byte(name))
}

func (v *Vault) open(field string, sealed []byte) (name string, value []byte, put time.Time, err error) {
	plain, err := v.cache.shared.seal.open(field, false, sealed)
	if err != nil {
		return "", nil, time.Time{}, v.unsealed()
	}
	r := reader{rest: string(plain)}
	name, put = r.text(), r.time()
	if r.bad {
		return "", nil, time.Time{}, v.unsealed()
	}
	return name, []byte(r.rest), put, nil
}

func (v *Vault) unsealed() error {
	v.cache.unsealed(KindSecret)
	return fmt.Errorf("%w: a value does not open", ErrVault)
}

// try does one thing in Redis, again and again until it is done, answered with a
// refusal, or patience ends. Its errors are ErrVault, fs.ErrNotExist or ctx's.
func (v *Vault) try(ctx context.Context, do func(context.Context) error) error {
	s := v.cache.shared
	patient, cancel := context.WithTimeout(ctx, vaultPatience)
	defer cancel()
	for {
		err := do(patient)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, redis.Nil):
			return fs.ErrNotExist
		case isAnswered(err) && !redis.IsReadOnlyError(err):
			return fmt.Errorf("%w: %w", ErrVault, err)
		}
		pause := time.NewTimer(vaultPause)
		select {
		case <-pause.C:
			continue
		case <-patient.Done():
		case <-s.quit:
		}
		pause.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", ErrVault, err)
	}
}
