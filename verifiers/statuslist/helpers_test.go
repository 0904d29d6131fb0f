package statuslist_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers/statuslist"
)

const (
	shanghai keys.Issuer = "https://ebl.sh.example"
	jiangsu  keys.Issuer = "https://ebl.js.example"
	listURI              = "https://ebl.sh.example/status/1"
)

type object = map[string]any

// Fixed keys, so that the seeds in testdata stay good.
func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

var (
	shKey, shNewKey, jsKey = key(1), key(2), key(3)
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// A jwk is a key of a set, under its kid.
func jwk(kid string, key ed25519.PrivateKey, more ...any) object {
	out := object{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(key.Public().(ed25519.PublicKey))}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

func set(t testing.TB, jwks ...object) *keys.Set {
	t.Helper()
	v, err := strict.Parse(marshal(object{"keys": jwks}))
	if err != nil {
		t.Fatal(err)
	}
	s, out, err := keys.ParseSet(v, time.Time{})
	if err != nil || len(out) > 0 {
		t.Fatal(out, err)
	}
	return s
}

// trustList returns a list of two provinces; edit may change it.
func trustList(t testing.TB, edit ...func(*keys.List)) *keys.List {
	t.Helper()
	authority := func(iss keys.Issuer, jwks ...object) []keys.Authority {
		return []keys.Authority{{
			Issuer: iss, Types: []string{"business-licence"}, Algorithms: []keys.Algorithm{keys.EdDSA},
			Inline: set(t, jwks...), StatusLists: []string{string(iss) + "/status/"}, Divisions: []string{"31", "32"},
		}}
	}
	l := &keys.List{Version: 1, Expires: time.Now().AddDate(100, 0, 0), Revoked: map[keys.Thumbprint]keys.Revocation{}, Provinces: []keys.Province{
		{Code: "310000", Active: true, Issuers: authority(shanghai, jwk("k1", shKey), jwk("k2", shNewKey))},
		{Code: "320000", Active: true, Issuers: authority(jiangsu, jwk("k1", jsKey))},
	}}
	for _, e := range edit {
		e(l)
	}
	return l
}

func newBook(t testing.TB, edit ...func(*keys.List)) *keys.Book {
	t.Helper()
	b := keys.NewBook(nil, keys.Terms{Refresh: time.Hour, MaxStale: 24 * time.Hour})
	b.SetList(trustList(t, edit...))
	return b
}

func sign(header, claims object, key ed25519.PrivateKey) []byte {
	input := b64(marshal(header)) + "." + b64(marshal(claims))
	return []byte(input + "." + b64(ed25519.Sign(key, []byte(input))))
}

func signBytes(input []byte) []byte { return ed25519.Sign(shKey, input) }

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// A draft is a status list token in the making.
type draft struct {
	header, claims object
	key            ed25519.PrivateKey
}

// newList returns a good list of Shanghai, to be spoilt.
func newList(now time.Time, bits int, entries ...byte) *draft {
	return &draft{
		header: object{"alg": "EdDSA", "kid": "k1", "typ": "statuslist+jwt"},
		claims: object{"iss": shanghai, "sub": listURI, "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(), "ttl": 300,
			"status_list": object{"bits": bits, "lst": b64(deflate(entries))}},
		key: shKey,
	}
}

func (d *draft) list() object  { return d.claims["status_list"].(object) }
func (d *draft) bytes() []byte { return sign(d.header, d.claims, d.key) }

func reasonOf(err error) statuslist.Reason {
	var e *statuslist.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// A host is a fake server of status lists. It holds its callers to the
// contract of a fetch.
type host struct {
	t testing.TB

	mu    sync.Mutex
	serve func(uri string) ([]byte, error)
	hold  chan struct{} // not nil: answers wait until it is closed
	calls []string
}

func (h *host) set(serve func(uri string) ([]byte, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve = serve
}

// give serves the same draft from now on, made anew for each call.
func (h *host) give(make func() *draft) {
	h.set(func(string) ([]byte, error) { return make().bytes(), nil })
}

func (h *host) fail(err error) { h.set(func(string) ([]byte, error) { return nil, err }) }

func (h *host) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.calls)
}

func (h *host) Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error) {
	if want.Accept != "application/statuslist+jwt" || !slices.Equal(want.MediaTypes, []string{"application/statuslist+jwt"}) ||
		want.MaxBytes != 4<<20 {
		h.t.Errorf("asked with %+v", want)
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
		h.t.Error("asked without a deadline")
	}
	h.mu.Lock()
	h.calls = append(h.calls, address)
	serve, hold := h.serve, h.hold
	h.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return fetch.Answer{}, &fetch.Error{Reason: fetch.Timeout}
		}
	}
	body, err := serve(address)
	if err != nil {
		return fetch.Answer{}, err
	}
	return fetch.Answer{Body: body, MediaType: want.MediaTypes[0]}, nil
}

// A store is memory that keepers share.
type store struct {
	mu     sync.Mutex
	tokens map[string][]byte
	saves  int
}

func (s *store) Load(_ context.Context, key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[key]
}

func (s *store) Save(_ context.Context, key string, token []byte, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string][]byte{}
	}
	s.tokens[key], s.saves = bytes.Clone(token), s.saves+1
}
