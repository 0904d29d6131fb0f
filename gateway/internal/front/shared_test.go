package front_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"tongyan/gateway/internal/front"
	"tongyan/internal/freeport"
)

var errDown = errors.New("the store is down")

// store is a Store in memory that can be down.
type store struct {
	mu     sync.Mutex
	down   bool
	values map[string]string
	locks  map[string]chan struct{} // closed when the lock is given back
	gets   int
}

func newStore() *store {
	return &store{values: map[string]string{}, locks: map[string]chan struct{}{}}
}

func (s *store) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.down {
		return errDown
	}
	return f()
}

func (s *store) fail(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *store) Put(ctx context.Context, name string, value []byte) error {
	return s.do(ctx, func() error { s.values[name] = string(value); return nil })
}

func (s *store) Get(ctx context.Context, name string) (value []byte, put time.Time, err error) {
	err = s.do(ctx, func() error {
		s.gets++
		text, ok := s.values[name]
		if !ok {
			return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		value, put = []byte(text), time.Now()
		return nil
	})
	return value, put, err
}

func (s *store) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.do(ctx, func() error {
		for name := range maps.Keys(s.values) {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}

func (s *store) Delete(ctx context.Context, names ...string) error {
	return s.do(ctx, func() error {
		for _, name := range names {
			delete(s.values, name)
		}
		return nil
	})
}

func (s *store) Lock(ctx context.Context, name string) (func(context.Context) error, error) {
	for {
		var held chan struct{}
		mine := make(chan struct{})
		if err := s.do(ctx, func() error {
			if held = s.locks[name]; held == nil {
				s.locks[name] = mine
			}
			return nil
		}); err != nil {
			return nil, err
		}
		if held == nil {
			return func(ctx context.Context) error {
				return s.do(ctx, func() error { delete(s.locks, name); close(mine); return nil })
			}, nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// The shared storage behaves as the one on disk does, which certmagic made.
func TestSharedStorageIsLikeFiles(t *testing.T) {
	for name, s := range map[string]certmagic.Storage{
		"files":  &certmagic.FileStorage{Path: t.TempDir()},
		"shared": front.NewSharedStorage(newStore(), t.TempDir()),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for _, key := range []string{"certificates/ca/a/a.crt", "certificates/ca/a/a.key", "certificates/ca/b/b.crt", "acme/account.json"} {
				for _, text := range []string{"old " + key, "of " + key} {
					if err := s.Store(ctx, key, []byte(text)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got, err := s.Load(ctx, "certificates/ca/a/a.key"); err != nil || string(got) != "of certificates/ca/a/a.key" {
				t.Errorf("%q, error %v", got, err)
			}
			info, err := s.Stat(ctx, "acme/account.json")
			if err != nil || !info.IsTerminal || info.Size != int64(len("of acme/account.json")) || time.Since(info.Modified) > time.Minute {
				t.Errorf("%+v, error %v", info, err)
			}
			if info, err := s.Stat(ctx, "certificates/ca"); err != nil || info.IsTerminal {
				t.Errorf("folder: %+v, error %v", info, err)
			}
			list := func(folder string, recursive bool, want ...string) {
				t.Helper()
				got, err := s.List(ctx, folder, recursive)
				slices.Sort(got)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("list of %q, recursive %t: %q, error %v; want %q", folder, recursive, got, err, want)
				}
			}
			list("certificates/ca", false, "certificates/ca/a", "certificates/ca/b")
			list("certificates/ca/a", false, "certificates/ca/a/a.crt", "certificates/ca/a/a.key")
			list("certificates", true, "certificates/ca", "certificates/ca/a", "certificates/ca/a/a.crt",
				"certificates/ca/a/a.key", "certificates/ca/b", "certificates/ca/b/b.crt")
			for _, key := range []string{"nothing", "certificates/c", "certificates/ca/a/a"} {
				_, loadErr := s.Load(ctx, key)
				_, statErr := s.Stat(ctx, key)
				_, listErr := s.List(ctx, key, true)
				for _, err := range []error{loadErr, statErr, listErr} {
					if !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s: %v", key, err)
					}
				}
				if s.Exists(ctx, key) {
					t.Errorf("%s exists", key)
				}
				if err := s.Delete(ctx, key); err != nil {
					t.Errorf("%s: delete: %v", key, err)
				}
			}
			if !s.Exists(ctx, "certificates/ca/a") || !s.Exists(ctx, "acme/account.json") {
				t.Error("what is there does not exist")
			}
			if err := s.Delete(ctx, "certificates/ca/a"); err != nil {
				t.Error(err)
			}
			list("certificates", true, "certificates/ca", "certificates/ca/b", "certificates/ca/b/b.crt")
		})
	}
}

func TestSharedStorageLocks(t *testing.T) {
	shared := newStore()
	a, b := front.NewSharedStorage(shared, t.TempDir()), front.NewSharedStorage(shared, t.TempDir())
	ctx := t.Context()
	if err := a.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() { got <- b.Lock(ctx, "x") }()
	if err := b.Lock(ctx, "y"); err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Fatal("two hold it")
	}
	if err := a.Unlock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if err := a.Unlock(ctx, "x"); err == nil {
		t.Error("another's lock was given back")
	}
	if err := errors.Join(b.Unlock(ctx, "x"), b.Unlock(ctx, "y")); err != nil {
		t.Error(err)
	}
}

// While the store is down, certificates come from the copy on disk, also those
// that another gateway obtained; nothing else does, and what the store has
// forgotten is not there.
func TestSharedStorageDown(t *testing.T) {
	const cert, account = "certificates/ca/a/a.crt", "acme/account.json"
	shared, ctx := newStore(), t.Context()
	dir := t.TempDir()
	a, b := front.NewSharedStorage(shared, t.TempDir()), front.NewSharedStorage(shared, dir)
	for _, key := range []string{cert, account} {
		if err := a.Store(ctx, key, []byte("of "+key)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Load(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	shared.fail(true)
	b = front.NewSharedStorage(shared, dir) // after a restart
	if got, err := b.Load(ctx, cert); err != nil || string(got) != "of "+cert {
		t.Errorf("%q, error %v", got, err)
	}
	for _, key := range []string{account, "certificates/ca/b/b.crt"} {
		if got, err := b.Load(ctx, key); !errors.Is(err, errDown) || got != nil {
			t.Errorf("%s: %q, error %v", key, got, err)
		}
	}
	if err := b.Store(ctx, cert, []byte("new")); !errors.Is(err, errDown) {
		t.Error(err)
	}
	if err := b.Lock(ctx, "x"); !errors.Is(err, errDown) {
		t.Error(err)
	}
	shared.fail(false)
	if err := a.Delete(ctx, cert); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(ctx, cert); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted by another gateway: %v", err)
	}
}

// Strangers who ask for challenges learn nothing, and make the store look only
// for names that are ours.
func TestChallengesForStrangers(t *testing.T) {
	ca := newAuthority(t)
	shared := newStore()
	port := freePort(t)
	// A certificate of ours is there, so that the start needs no CA.
	keep(t, shared, ca)
	f, err := front.New(t.Context(), front.Options{
		Mode: front.ACME, StateDir: t.TempDir(), Names: []string{"localhost"}, Shared: shared,
		ACME: front.ACMEOptions{Directory: "https://127.0.0.1:1/dir", HTTPPort: port},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	ask := func(method, host, path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.Close = host, true
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	looked := func() int { shared.mu.Lock(); defer shared.mu.Unlock(); return shared.gets }
	before := looked()
	for _, c := range []struct{ host, path string }{
		{"elsewhere.example", "/.well-known/acme-challenge/x"}, {"localhost", "/"}, {"localhost", "/v1/verify"}, {"", "/.well-known/acme-challenge/x"},
	} {
		if status := ask("GET", c.host, c.path); status != http.StatusNotFound {
			t.Errorf("%s%s: %d", c.host, c.path, status)
		}
	}
	if n := looked(); n != before {
		t.Errorf("the store was asked %d times", n-before)
	}
	if status := ask("GET", "LOCALHOST:80", "/.well-known/acme-challenge/x"); status != http.StatusNotFound || looked() == before {
		t.Errorf("our own name: %d, looked %d times", status, looked()-before)
	}
	many := 0
	for range 150 {
		if ask("GET", "localhost", "/.well-known/acme-challenge/x") == http.StatusServiceUnavailable {
			many++
		}
	}
	if many == 0 {
		t.Error("look-ups are not limited")
	}
}

// keep puts a good certificate for localhost where certmagic looks for it.
func keep(t *testing.T, s *store, ca authority) {
	t.Helper()
	certPEM, keyPEM := ca.fresh(t, 1)
	issuer := (&certmagic.ACMEIssuer{CA: "https://127.0.0.1:1/dir"}).IssuerKey()
	for key, value := range map[string][]byte{
		certmagic.StorageKeys.SiteCert(issuer, "localhost"):       certPEM,
		certmagic.StorageKeys.SitePrivateKey(issuer, "localhost"): keyPEM,
		certmagic.StorageKeys.SiteMeta(issuer, "localhost"):       []byte(`{"sans":["localhost"]}`),
	} {
		if err := s.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := freeport.Get(freeport.Highest)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A gateway starts while the store is down if it has seen its certificate before.
func TestStartWithoutTheStore(t *testing.T) {
	shared, dir := newStore(), t.TempDir()
	keep(t, shared, newAuthority(t))
	options := front.Options{Mode: front.ACME, StateDir: dir, Names: []string{"localhost"}, Shared: shared,
		ACME: front.ACMEOptions{Directory: "https://127.0.0.1:1/dir", HTTPPort: freePort(t)}}
	for _, down := range []bool{false, true} {
		shared.fail(down)
		f, err := front.New(t.Context(), options)
		if err != nil {
			t.Fatalf("down %t: %v", down, err)
		}
		if left := time.Until(f.Expires()); left <= 0 {
			t.Errorf("down %t: ends in %v", down, left)
		}
		f.Close()
	}
}
