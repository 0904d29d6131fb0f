package trustlist_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
	"tongyan/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rootKeys are made once: their making is not what the tests are about.
var rootKeys = sync.OnceValue(func() (all [4]*signer.Key) {
	for i := range all {
		all[i] = newKey(keys.ES256)
	}
	return all
})

func newKey(alg keys.Algorithm) *signer.Key {
	k, err := signer.Generate(alg, "", "")
	if err != nil {
		panic(err)
	}
	return k
}

func pin(t testing.TB, threshold int, roots ...*signer.Key) *trustlist.Roots {
	t.Helper()
	var public []*keys.Key
	for _, k := range roots {
		public = append(public, k.Public())
	}
	r, err := trustlist.NewRoots(threshold, public...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type object = map[string]any

// issuerOf is an issuer that passes; changes are laid over it, nil removes.
func issuerOf(iss string, changes object) object {
	return with(object{
		"iss": iss, "types": []any{"business-licence"}, "algs": []any{"ES256", "SM2"},
		"jwks_uri": iss + "/jwks.json", "status_lists": []any{iss + "/status/"},
		"valid_from": 1700000000, "valid_until": nil,
	}, changes)
}

func provinceOf(code string, issuers ...any) object {
	return object{"code": code, "name": "上海市", "name_en": "Shanghai", "authority": "上海市市场监督管理局", "state": "active", "issuers": append([]any{}, issuers...)}
}

// listOf is a list that passes, issued a minute ago, for a week.
func listOf(version int64, changes object) object {
	now := time.Now()
	return with(object{
		"iss": "https://trust.example", "version": version,
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(7 * 24 * time.Hour).Unix(),
		"provinces": []any{provinceOf("310000", issuerOf("https://ebl.sh.example", nil))},
	}, changes)
}

func with(o, changes object) object {
	o = maps.Clone(o)
	for name, value := range changes {
		if value == remove {
			delete(o, name)
			continue
		}
		o[name] = value
	}
	return o
}

const remove = "\x00remove"

func encode(t testing.TB, o object) []byte {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed signs without looking: the tool would refuse to sign a bad list.
func signed(t testing.TB, payload []byte, roots ...*signer.Key) []byte {
	t.Helper()
	var token []byte
	var err error
	for i, root := range roots {
		if i == 0 {
			token, err = root.Compact(trustlist.Type, keys.KeyID(root.Public().Thumbprint()), payload)
		} else {
			token, err = trustlist.AddSignature(token, root)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return token
}

func wantReason(t testing.TB, err error, want trustlist.Reason) {
	t.Helper()
	if err == nil && want != "" {
		t.Errorf("taken, want it refused: %s", want)
	} else if got := trustlist.ReasonOf(err); got != want {
		t.Errorf("refused: %q (%v), want %q", got, err, want)
	}
}

// A server is a Fetcher that serves what it is told to.
type server struct {
	mu      sync.Mutex
	token   []byte
	err     error
	etags   bool
	fetches int
	at      []time.Time
}

func (s *server) Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if want.MaxBytes != trustlist.MaxToken {
		return fetch.Answer{}, errors.New("fetched without the bound")
	}
	s.fetches++
	s.at = append(s.at, time.Now())
	if s.err != nil {
		return fetch.Answer{}, s.err
	}
	if s.etags {
		tag := `"` + string(s.token[len(s.token)-20:]) + `"`
		if want.ETag == tag {
			return fetch.Answer{NotModified: true, ETag: tag}, nil
		}
		return fetch.Answer{Body: s.token, ETag: tag}, nil
	}
	return fetch.Answer{Body: s.token}, nil
}

func (s *server) serve(token []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.err = token, err
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// A log of what a keeper told.
type told struct {
	mu      sync.Mutex
	lists   []int64
	last    *keys.List
	refused []trustlist.Reason
}

func (o *told) list(l *keys.List) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lists, o.last = append(o.lists, l.Version), l
}

func (o *told) refuse(r trustlist.Reason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, r)
}

const address = "https://trust.example/list.jwt"

func open(t testing.TB, c trustlist.Config) *trustlist.Keeper {
	t.Helper()
	k, err := trustlist.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	// As whoever publishes a list should: beside, then renamed.
	if err := os.WriteFile(file+".tmp", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		t.Fatal(err)
	}
}

func stateOf(dir string) string { return filepath.Join(dir, "trust-list.state") }

func parseJWK(t testing.TB, text []byte) *keys.Key {
	t.Helper()
	v, err := strict.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
