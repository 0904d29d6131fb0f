package keys

import (
	"errors"
	"fmt"
	"time"

	"tongyan/strict"
)

// MaxKeys is how many keys a set may hold (contract §3).
const MaxKeys = 100

// ErrSet is wrapped by every error of [ParseSet]: the set is refused whole.
var ErrSet = errors.New("key set refused")

// A Set is one issuer's keys as they stood at one renewal. It is immutable.
type Set struct {
	keys map[KeyID]*Key
	// Renewed is when the set was last fetched, or confirmed unchanged. Zero
	// for a set that stands inline in the trust list: it ages with the list.
	Renewed time.Time
}

// A LeftOut tells of one key of a set that is unusable while the others are kept.
type LeftOut struct {
	Index int // its place in "keys", from 0
	Why   string
}

// ParseSet reads a JWK Set (RFC 7517 §5). It refuses a set with private or
// symmetric material, with a kid that stands twice, with more than MaxKeys
// keys, and one that lists none; it leaves unusable keys out, all of them if
// need be: they are not those of before, which the issuer no longer names.
func ParseSet(v strict.Value, renewed time.Time) (*Set, []LeftOut, error) {
	list := v.Get("keys")
	if list.Kind() != strict.Array {
		return nil, nil, fmt.Errorf("%w: no array of keys", ErrSet)
	}
	if list.Len() > MaxKeys {
		return nil, nil, fmt.Errorf("%w: %d keys, at most %d are read", ErrSet, list.Len(), MaxKeys)
	}
	set := &Set{keys: make(map[KeyID]*Key, list.Len()), Renewed: renewed}
	if list.Len() == 0 {
		return nil, nil, fmt.Errorf("%w: it lists no key", ErrSet)
	}
	var out []LeftOut
	seen := make(map[string]bool, list.Len())
	for i := range list.Len() {
		item := list.Item(i)
		if kid, ok := item.Get("kid").Text(); ok {
			if seen[kid] {
				return nil, nil, fmt.Errorf("%w: a kid stands twice (key %d)", ErrSet, i)
			}
			seen[kid] = true
		}
		key, err := readJWK(item)
		var why *KeyError
		switch {
		case errors.As(err, &why):
			out = append(out, LeftOut{i, why.Why})
		case err != nil:
			return nil, nil, fmt.Errorf("%w: key %d: %w", ErrSet, i, err)
		case key.id == "":
			out = append(out, LeftOut{i, "no kid"})
		default:
			set.keys[key.id] = key
		}
	}
	return set, out, nil
}

// Key returns the key called kid, nil where the set has none.
func (s *Set) Key(kid KeyID) *Key {
	if s == nil {
		return nil
	}
	return s.keys[kid]
}

// Keys returns every key, in no order.
func (s *Set) Keys() []*Key {
	if s == nil {
		return nil
	}
	all := make([]*Key, 0, len(s.keys))
	for _, k := range s.keys {
		all = append(all, k)
	}
	return all
}

// At returns the same keys, renewed at t: for a source that says "unchanged".
func (s *Set) At(t time.Time) *Set { return &Set{keys: s.keys, Renewed: t} }
