package receipt

import (
	"fmt"
	"time"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
)

// maxJWKS is the longest key set that is read, in bytes (contract §3).
const maxJWKS = 256 << 10

// LoadJWKS reads a gateway's key set as /.well-known/jwks.json serves it, by
// the rules for issuers' key sets (contract §3). Errors quote nothing of it.
func LoadJWKS(file []byte) (*keys.Set, error) {
	if len(file) > maxJWKS {
		return nil, fmt.Errorf("longer than %d bytes", maxJWKS)
	}
	v, err := strict.Parse(file)
	if err != nil {
		return nil, err
	}
	set, _, err := keys.ParseSet(v, time.Time{})
	return set, err
}

// Trust tells what a checker believes. The zero Trust believes nobody.
type Trust struct {
	// Keys returns the key set of the gateway called iss; ok is false for one
	// that is not recognised. A recognised gateway whose keys cannot be had now
	// is (nil, true).
	Keys func(iss string) (set *keys.Set, ok bool)

	// List knows which keys are revoked, gateways' and licence issuers' alike.
	// nil for checkers without a trust list, who learn of a revoked licence key
	// only by the receipt's end.
	List *keys.Snapshot
}

// Whoever returns the Trust of an offline checker: every receipt that a key of
// set has signed, whichever gateway it names.
func Whoever(set *keys.Set) Trust {
	return Trust{Keys: func(string) (*keys.Set, bool) { return set, true }}
}

// Only is like [Whoever], for receipts of the gateway called iss alone.
func Only(iss string, set *keys.Set) Trust {
	return Trust{Keys: func(named string) (*keys.Set, bool) { return set, named == iss }}
}

// key returns the key that a receipt must be signed by; the code is OK then.
func (t Trust) key(u *Unverified) (*keys.Key, verifiers.Code) {
	if t.Keys == nil {
		return nil, verifiers.ReceiptIssuerNotRecognised
	}
	set, ok := t.Keys(u.claims.Gateway)
	switch {
	case !ok:
		return nil, verifiers.ReceiptIssuerNotRecognised
	case set == nil:
		return nil, verifiers.KeysUnavailable
	}
	key, iat := set.Key(u.signed.KeyID), u.claims.IssuedAt.Unix()
	if key == nil || !key.Signs(iat) {
		return nil, verifiers.ReceiptSignatureInvalid
	}
	r, revoked := key.Revocation()
	if t.List != nil {
		r, revoked = t.List.Revocation(key)
	}
	if revoked && r.Ends(iat) {
		return nil, verifiers.KeyRevoked
	}
	return key, verifiers.OK
}

// revoked reports whether the key that signed the licence behind a genuine
// receipt no longer counts.
func (t Trust) revoked(c *Claims) bool {
	if t.List == nil || c.Key == "" {
		return false
	}
	r, revoked := t.List.RevokedThumbprint(c.Key)
	for _, key := range t.List.KeysOf(c.Issuer) {
		if key.Thumbprint() == c.Key {
			if own, ok := t.List.Revocation(key); ok {
				r, revoked = own, true
				break
			}
		}
	}
	if !revoked || r.Reason != keys.ReasonSuperseded {
		return revoked
	}
	// A key that was superseded ends what it signed from then on. A receipt does
	// not state the licence's own iat; it was no later than the receipt's. And a
	// gateway whose list was as new as ours has judged that iat already.
	return r.Ends(c.IssuedAt.Unix()) && c.TrustVersion < t.List.Version()
}
