package keys

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A Book keeps the current [Snapshot] and makes the next one whenever a part of
// it changes. Readers never wait. It is safe for concurrent use.
type Book struct {
	current atomic.Pointer[Snapshot]

	// mu guards what the next snapshot is made of. It is held for the making
	// only, which copies maps and does no I/O.
	mu      sync.Mutex
	list    *List
	sets    map[Issuer]*Set
	revoked map[Thumbprint]Revocation
	terms   Terms
}

// NewBook returns a book that trusts nobody yet. remembered are revocations of
// earlier lists, which stay in force whatever later lists say.
func NewBook(remembered map[Thumbprint]Revocation, terms Terms) *Book {
	b := &Book{sets: map[Issuer]*Set{}, revoked: maps.Clone(remembered), terms: terms}
	if b.revoked == nil {
		b.revoked = map[Thumbprint]Revocation{}
	}
	b.publish()
	return b
}

// Current returns the snapshot in force; never nil.
func (b *Book) Current() *Snapshot { return b.current.Load() }

// SetList puts a verified trust list in force. Its revocations are added to
// those known before.
func (b *Book) SetList(l *List) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = l
	// The map of before belongs to snapshots in use.
	b.revoked = maps.Clone(b.revoked)
	for t, r := range l.Revoked {
		if old, ok := b.revoked[t]; ok {
			r = r.Stricter(old)
		}
		b.revoked[t] = r
	}
	b.publish()
}

// SetKeys puts an issuer's key set in force. Sets of issuers that the list does
// not name are kept aside until it does.
func (b *Book) SetKeys(iss Issuer, set *Set) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sets[iss] = set
	b.publish()
}

// Forget drops the set of an issuer, which is then unavailable.
func (b *Book) Forget(iss Issuer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sets, iss)
	b.publish()
}

func (b *Book) publish() {
	s := &Snapshot{list: b.list, revoked: b.revoked, terms: b.terms}
	if b.list != nil {
		s.issuers = make(map[Issuer]entry)
		for i := range b.list.Provinces {
			p := &b.list.Provinces[i]
			for j := range p.Issuers {
				a := &p.Issuers[j]
				e := entry{province: p, authority: a}
				if a.KeySetURL != "" {
					e.fetched = b.sets[a.Issuer]
				}
				s.issuers[a.Issuer] = e
			}
		}
	}
	b.current.Store(s)
}
