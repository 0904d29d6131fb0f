package front

// Certificates, accounts, challenges and locks that several gateways share, as
// certmagic's Storage over a Store.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// A Store keeps what gateways share: a private key is safe in it, names and
// values are sealed. It must be safe for concurrent use, and end each call but
// Lock by itself in a few seconds.
type Store interface {
	// Put keeps a value under a name, in place of the one there was.
	Put(ctx context.Context, name string, value []byte) error
	// Get returns a value and when it was put. Its error wraps fs.ErrNotExist
	// if, and only if, the store was asked and has none.
	Get(ctx context.Context, name string) (value []byte, put time.Time, err error)
	// List returns the names that begin with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes names, whether they are there or not.
	Delete(ctx context.Context, names ...string) error
	// Lock waits until no other gateway holds the lock of that name. It is held
	// until release is called, or this process has ended.
	Lock(ctx context.Context, name string) (release func(context.Context) error, err error)
}

// copied is what each gateway also has on its own disk: certificates and their
// keys, so that it can start while the store is down.
const copied = "certificates/"

// sharedStorage is a Store as certmagic wants it.
//
// If the store lies, its values do not open and the copy on disk counts. If it
// forgets, a new certificate is obtained. If it is slow or gone, what was ever
// seen of certificates is read from disk; nothing is written or renewed.
type sharedStorage struct {
	store Store
	disk  *certmagic.FileStorage
	log   *slog.Logger

	// mu guards held. It is not held while waiting for a lock.
	mu   sync.Mutex
	held map[string]func(context.Context) error // by lock name
}

func newSharedStorage(store Store, disk *certmagic.FileStorage, log *slog.Logger) *sharedStorage {
	return &sharedStorage{store: store, disk: disk, log: log, held: map[string]func(context.Context) error{}}
}

func (s *sharedStorage) String() string { return "shared storage" }

func (s *sharedStorage) Store(ctx context.Context, key string, value []byte) error {
	if err := s.store.Put(ctx, key, value); err != nil {
		return err
	}
	s.copy(ctx, key, value)
	return nil
}

func (s *sharedStorage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.store.Get(ctx, key)
	switch {
	case err == nil:
		s.copy(ctx, key, value)
		return value, nil
	case errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(key, copied):
		return nil, err
	}
	value, diskErr := s.disk.Load(ctx, key)
	if diskErr != nil {
		return nil, err
	}
	s.log.Warn("certificates: the shared storage cannot be had; the copy on disk is used", "error", err)
	return value, nil
}

// copy writes a value to disk unless it is there. A disk that is full is no
// reason to refuse what the others can use.
func (s *sharedStorage) copy(ctx context.Context, key string, value []byte) {
	if !strings.HasPrefix(key, copied) {
		return
	}
	if old, err := s.disk.Load(ctx, key); err == nil && bytes.Equal(old, value) {
		return
	}
	if err := s.disk.Store(ctx, key, value); err != nil {
		s.log.Warn("certificates: no copy could be kept on disk", "error", err)
	}
}

// Delete removes a key and everything below it.
func (s *sharedStorage) Delete(ctx context.Context, key string) error {
	below, err := s.store.List(ctx, key+"/")
	if err == nil {
		err = s.store.Delete(ctx, append(below, key)...)
	}
	if err == nil && strings.HasPrefix(key, copied) {
		err = s.disk.Delete(ctx, key)
	}
	return err
}

// Exists reports whether there is a key or something below it. There is no way
// to say that nobody knows: then it is no.
func (s *sharedStorage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

func (s *sharedStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, put, err := s.store.Get(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: put, Size: int64(len(value)), IsTerminal: true}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if below, listErr := s.store.List(ctx, key+"/"); listErr == nil && len(below) > 0 {
			return certmagic.KeyInfo{Key: key}, nil
		}
	}
	return certmagic.KeyInfo{}, err
}

// List returns what lies in a folder: its entries, or with recursive everything
// below it, folders included, as on a disk.
func (s *sharedStorage) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	if prefix == "/" {
		prefix = ""
	}
	names, err := s.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w", folder, fs.ErrNotExist)
	}
	var keys []string
	for _, name := range names {
		for ; len(name) > len(prefix); name = path.Dir(name) {
			if recursive || !strings.Contains(name[len(prefix):], "/") {
				keys = append(keys, name)
			}
			if !strings.Contains(name[len(prefix):], "/") {
				break
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func (s *sharedStorage) Lock(ctx context.Context, name string) error {
	release, err := s.store.Lock(ctx, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name] = release
	return nil
}

func (s *sharedStorage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	release, ok := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("certificates: the lock %s is not held", name)
	}
	return release(ctx)
}
