// A province's key set: what stands in it now, and its server.

package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// A KeySet is the JWK set of one issuer and the endpoint that serves it, at
// /jwks.json. Changes are served from the next request on.
type KeySet struct {
	*Endpoint

	mu   sync.Mutex // guards keys and orders stores to body
	keys []*Key
	body atomic.Pointer[[]byte]
}

func (s *Sandbox) newKeySet(name string, keys []*Key) (*KeySet, error) {
	set := &KeySet{}
	if err := set.Add(keys...); err != nil {
		return nil, err
	}
	var err error
	set.Endpoint, err = s.listen(name+" jwks", KindKeys, set.reply)
	return set, err
}

// URI is the set's address, as the trust list's jwks_uri says it.
func (s *KeySet) URI() string { return s.URL() + "/jwks.json" }

// Key returns the first key in the set for that algorithm, or nil. The first
// key is the one in use; those added later are old ones, or ones to come.
func (s *KeySet) Key(alg string) *Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.Alg == alg {
			return k
		}
	}
	return nil
}

// Add publishes keys behind those in the set.
func (s *KeySet) Add(keys ...*Key) error {
	return s.Replace(func(old []*Key) []*Key { return append(old, keys...) })
}

// Remove takes the keys of that kid out of the set.
func (s *KeySet) Remove(kid string) error {
	return s.Replace(func(old []*Key) []*Key {
		return slices.DeleteFunc(old, func(k *Key) bool { return k.KID == kid })
	})
}

// Revoke puts a "revoked" member on the keys of that kid. at is in seconds,
// reason compromised or superseded (contract §3).
func (s *KeySet) Revoke(kid string, at int64, reason string) error {
	return s.Replace(func(old []*Key) []*Key {
		for i, k := range old {
			if k.KID == kid {
				revoked := *k
				revoked.Revoked = &Revocation{RevokedAt: at, Reason: reason}
				old[i] = &revoked
			}
		}
		return old
	})
}

// Replace publishes what edit makes of a copy of the present keys.
func (s *KeySet) Replace(edit func([]*Key) []*Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := edit(slices.Clone(s.keys))
	body, err := marshalKeys(keys)
	if err != nil {
		return fmt.Errorf("sandbox: key set: %w", err)
	}
	s.keys = keys
	s.body.Store(&body)
	return nil
}

// SetRaw serves these bytes in place of the set, until the next change to it:
// for sets that no honest issuer would publish.
func (s *KeySet) SetRaw(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body = slices.Clone(body)
	s.body.Store(&body)
}

// Bytes returns the set as served.
func (s *KeySet) Bytes() []byte { return slices.Clone(*s.body.Load()) }

func (s *KeySet) reply(r request) reply {
	if r.path != "/jwks.json" {
		return notFound
	}
	return reply{status: 200, contentType: "application/jwk-set+json", body: *s.body.Load()}
}

// marshalKeys writes a JWK set (RFC 7517 §5).
func marshalKeys(keys []*Key) ([]byte, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, k := range keys {
		jwk, err := k.JWK()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jwk)
	}
	return json.Marshal(set)
}

var notFound = reply{status: 404, contentType: "application/json", body: []byte(`{"code":"not_found"}`)}
