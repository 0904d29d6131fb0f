package keys

import (
	"slices"
	"time"
)

// A List is the content of one accepted trust list (contract §3). Who makes
// one has verified it; nobody changes it afterwards.
type List struct {
	Issuer    string // who publishes it, for people: trust comes from the roots' signatures
	Digest    string // SHA-256 of the signed content, base64url
	Version   int64
	IssuedAt  time.Time
	Expires   time.Time
	Provinces []Province
	Revoked   map[Thumbprint]Revocation
	Gateways  []Gateway
}

// A Province is one member of the alliance.
type Province struct {
	Code      ProvinceCode
	Name      string // 上海市
	NameEn    string // Shanghai
	Authority string // 上海市市场监督管理局
	Active    bool   // false: suspended, its issuers sign nothing that counts
	Issuers   []Authority
}

// An Authority is one issuer as the trust list describes it.
type Authority struct {
	Issuer      Issuer
	Types       []string    // what it may issue, e.g. business-licence
	Algorithms  []Algorithm // with which its keys may sign
	KeySetURL   string      // https, "" where the keys stand inline only
	Inline      *Set        // nil where there are none
	StatusLists []string    // URL prefixes of its status lists
	Divisions   []string    // two-digit prefixes of regorg
	ValidFrom   int64       // seconds; window of iat
	ValidUntil  int64       // 0 is open
}

// A Gateway is a peer whose receipts count.
type Gateway struct {
	Issuer    string
	KeySetURL string
}

// Allows reports whether the trust list lets the issuer sign with alg.
func (a *Authority) Allows(alg Algorithm) bool {
	return slices.Contains(a.Algorithms, alg)
}

// Covers reports whether the authority may, at iat (seconds), issue a document
// of this type for the registration authority regorg (six digits).
func (a *Authority) Covers(docType, regorg string, iat int64) bool {
	return iat >= a.ValidFrom && (a.ValidUntil == 0 || iat < a.ValidUntil) &&
		slices.Contains(a.Types, docType) &&
		len(regorg) == 6 && slices.Contains(a.Divisions, regorg[:2])
}

// A Snapshot is what the gateway trusts at one moment: the trust list, every
// issuer's key set, and every revocation it ever learned of. It is immutable.
// The zero Snapshot trusts nobody and has expired.
type Snapshot struct {
	list    *List
	issuers map[Issuer]entry
	revoked map[Thumbprint]Revocation
	terms   Terms
}

// Terms say how long a fetched key set is believed.
type Terms struct {
	// Refresh is how often sets are renewed (default 15 min): a set renewed
	// within it is known to be complete, so that a kid it lacks does not exist.
	Refresh time.Duration
	// MaxStale is how long a set counts after its last renewal (default 24 h).
	MaxStale time.Duration
	// Skew is how far the trust list's iat may lie ahead of our clock, as where
	// it was accepted. Default 0, not at all.
	Skew time.Duration
}

type entry struct {
	province  *Province
	authority *Authority
	fetched   *Set // nil until the first fetch succeeded
}

// Version returns the trust list's version, 0 where there is no list.
func (s *Snapshot) Version() int64 {
	if s.list == nil {
		return 0
	}
	return s.list.Version
}

// Expires returns when the trust list stops to decide; zero without a list.
func (s *Snapshot) Expires() time.Time {
	if s.list == nil {
		return time.Time{}
	}
	return s.list.Expires
}

// Expired reports whether the trust list does not decide at now: it has ended,
// or was issued later than that. One from the future is never accepted, so in
// that case it is our clock that has gone back; by such a clock good credentials
// would be ISSUED_IN_FUTURE, and it is not they that are wrong.
func (s *Snapshot) Expired(now time.Time) bool {
	return s.list == nil || !now.Before(s.list.Expires) || s.list.IssuedAt.After(now.Add(s.terms.Skew))
}

// List returns the trust list, nil where there is none.
func (s *Snapshot) List() *List { return s.list }

// Issuer returns what the trust list says of an issuer; ok is false for a
// stranger.
func (s *Snapshot) Issuer(iss Issuer) (p *Province, a *Authority, ok bool) {
	e, ok := s.issuers[iss]
	return e.province, e.authority, ok
}

// A Found says how the search for a key ended.
type Found int

const (
	// Unavailable: it is not known whether there is such a key. The zero value.
	Unavailable Found = iota
	// Missing: the issuer has no such key.
	Missing
	// Known: there is such a key.
	Known
)

// Key looks up an issuer's key. A set that could not be renewed for
// [Terms.MaxStale] counts as unavailable, and past [Terms.Refresh] it does not
// prove that a kid does not exist. Known does not say that the key is good:
// see [Snapshot.Revocation], [Key.Fits] and [Key.Signs].
func (s *Snapshot) Key(iss Issuer, kid KeyID, now time.Time) (*Key, Found) {
	e, ok := s.issuers[iss]
	if !ok {
		return nil, Missing
	}
	// Inline keys come first: the alliance's roots vouch for them.
	if k := e.authority.Inline.Key(kid); k != nil {
		// What the issuer says against its own key counts all the same.
		if own := e.fetched.Key(kid); own != nil && own.thumbprint == k.thumbprint && own.revoked != nil {
			k = k.alsoRevoked(*own.revoked)
		}
		return k, Known
	}
	switch {
	case e.authority.KeySetURL == "":
		return nil, Missing
	case e.fetched == nil || now.Sub(e.fetched.Renewed) > s.terms.MaxStale:
		return nil, Unavailable
	}
	if k := e.fetched.Key(kid); k != nil {
		return k, Known
	}
	if now.Sub(e.fetched.Renewed) > s.terms.Refresh {
		return nil, Unavailable
	}
	return nil, Missing
}

// Renewed returns when the issuer's key set was last fetched, zero for never
// and for issuers whose keys stand inline only.
func (s *Snapshot) Renewed(iss Issuer) time.Time {
	if e, ok := s.issuers[iss]; ok && e.fetched != nil {
		return e.fetched.Renewed
	}
	return time.Time{}
}

// KeysOf returns all keys of an issuer, inline and fetched, in no order.
func (s *Snapshot) KeysOf(iss Issuer) []*Key {
	e, ok := s.issuers[iss]
	if !ok {
		return nil
	}
	return append(e.authority.Inline.Keys(), e.fetched.Keys()...)
}

// Revocation returns the strictest revocation known of a key, its own included.
func (s *Snapshot) Revocation(k *Key) (r Revocation, ok bool) {
	r, ok = s.revoked[k.thumbprint]
	if own, has := k.Revocation(); has {
		if ok {
			own = own.Stricter(r)
		}
		return own, true
	}
	return r, ok
}

// RevokedThumbprint returns the revocation of a key known by its thumbprint.
func (s *Snapshot) RevokedThumbprint(t Thumbprint) (Revocation, bool) {
	r, ok := s.revoked[t]
	return r, ok
}
