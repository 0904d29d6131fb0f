// Package statuslist reads token status lists (draft-ietf-oauth-status-list)
// and keeps them at hand: one fetch of a list answers for every licence in it.
//
// A list is believed only as far as an issuer's own key signs it, now (contract
// §4). One that cannot be had, or is wrong, says nothing: neither "revoked" nor
// "valid".
package statuslist

import (
	"errors"
	"fmt"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers/claims"
)

// Type is the typ of a status list token; its media type is "application/" and
// the same.
const Type = "statuslist+jwt"

// The bounds of contract §4, in bytes.
const (
	MaxToken    = 4 << 20
	MaxInflated = 16 << 20
)

// The bounds of how long a list counts after its iat, whatever its ttl says.
const (
	MinTTL = 30 * time.Second
	MaxTTL = time.Hour
)

// maxAhead is by how much the clock of a list's issuer may be ahead of ours.
const maxAhead = 60 * time.Second

// A Reason says in one word why there is no list. The set is closed.
type Reason string

// The reasons.
const (
	NotFetched   Reason = "not-fetched" // the list's host did not give it
	Malformed    Reason = "malformed"   // not a status list token, or not read strictly
	WrongIssuer  Reason = "issuer"      // not this issuer's, or its issuer is unknown
	UnknownKey   Reason = "unknown-key" // its kid is not known to be the issuer's
	WrongKey     Reason = "key"         // the issuer's, but it may not sign this list now
	BadSignature Reason = "signature"
	WrongSubject Reason = "subject"  // the list of another address
	NotCurrent   Reason = "time"     // ended, or from the future
	BadStream    Reason = "stream"   // lst does not inflate to one list within the bounds
	RolledBack   Reason = "rollback" // older than one already seen
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{NotFetched, Malformed, WrongIssuer, UnknownKey, WrongKey, BadSignature, WrongSubject, NotCurrent, BadStream, RolledBack}
}

// An Error says why there is no list. It quotes nothing of the list, and of its
// address it names at most the host.
type Error struct {
	Reason Reason
	Err    error // the cause; nil where Reason says all
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "status list: " + string(e.Reason)
	}
	return fmt.Sprintf("status list: %s: %v", e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(reason Reason, err error) error { return &Error{reason, err} }

// A List is one verified status list. It is immutable.
type List struct {
	issued    int64
	ends      time.Time
	bits      int // per entry: 1, 2, 4 or 8
	entries   []byte
	keyID     keys.KeyID
	key       keys.Thumbprint
	algorithm keys.Algorithm
}

// Read verifies a status list token that was got from uri as the list of
// issuer, as trust stands at now. Errors are *Error.
func Read(token []byte, issuer keys.Issuer, uri string, trust *keys.Snapshot, now time.Time) (*List, error) {
	signed, err := jws.Parse(token, MaxToken, Type)
	if err != nil {
		return nil, refuse(Malformed, err)
	}
	payload, err := strict.Parse(signed.Payload)
	if err != nil {
		return nil, refuse(Malformed, err)
	}
	l := &List{keyID: signed.KeyID}
	packed, err := l.read(payload, issuer, uri, now)
	if err != nil {
		return nil, err
	}
	var ok bool
	if l.algorithm, ok = keys.ParseAlgorithm(signed.Algorithm); !ok {
		return nil, refuse(WrongKey, errors.New("algorithm is not allowed"))
	}
	key, reason := l.signer(issuer, trust, now)
	if key == nil {
		return nil, refuse(reason, nil)
	}
	l.key = key.Thumbprint()
	if !signed.VerifiedBy(key) {
		return nil, refuse(BadSignature, nil)
	}
	// Only now: nobody but the issuer makes us unpack anything.
	if l.entries, err = inflate(packed); err != nil {
		return nil, refuse(BadStream, err)
	}
	return l, nil
}

// read reads the claims, and returns the packed list.
func (l *List) read(payload strict.Value, issuer keys.Issuer, uri string, now time.Time) (packed []byte, err error) {
	if payload.Kind() != strict.Object {
		return nil, refuse(Malformed, errors.New("payload is not a JSON object"))
	}
	// iss may be left out, but then the key alone says whose list it is.
	if iss := payload.Get("iss"); iss.Kind() != strict.Absent {
		if s, _ := iss.Text(); s != string(issuer) {
			return nil, refuse(WrongIssuer, nil)
		}
	}
	if sub, _ := payload.Get("sub").Text(); sub == "" || sub != uri {
		return nil, refuse(WrongSubject, nil)
	}
	if err := l.readTimes(payload, now); err != nil {
		return nil, err
	}
	list := payload.Get("status_list")
	bits, ok := list.Get("bits").Integer(8)
	if !ok || bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return nil, refuse(Malformed, errors.New("bits is not 1, 2, 4 or 8"))
	}
	l.bits = int(bits)
	lst, ok := list.Get("lst").Text()
	if !ok {
		return nil, refuse(Malformed, errors.New("lst is not a text"))
	}
	if packed, err = strict.Base64URL(lst); err != nil {
		return nil, refuse(Malformed, err)
	}
	return packed, nil
}

// readTimes reads iat, exp and ttl, and works out when the list ends: at iat +
// ttl or exp, whichever is first.
func (l *List) readTimes(payload strict.Value, now time.Time) error {
	var ok bool
	if l.issued, ok = payload.Get("iat").Integer(claims.MaxTime); !ok {
		return refuse(Malformed, errors.New("iat is not there, or not in whole seconds"))
	}
	ttl := int64(MaxTTL / time.Second) // also where it is not stated
	if v := payload.Get("ttl"); v.Kind() != strict.Absent {
		stated, ok := v.Integer(claims.MaxTime)
		if !ok {
			return refuse(Malformed, errors.New("ttl is not in whole seconds"))
		}
		ttl = min(max(stated, int64(MinTTL/time.Second)), ttl)
	}
	ends := l.issued + ttl
	if v := payload.Get("exp"); v.Kind() != strict.Absent {
		exp, ok := v.Integer(claims.MaxTime)
		if !ok {
			return refuse(Malformed, errors.New("exp is not in whole seconds"))
		}
		ends = min(ends, exp)
	}
	l.ends = time.Unix(ends, 0)
	if !now.Before(l.ends) {
		return refuse(NotCurrent, errors.New("it has ended"))
	}
	if time.Unix(l.issued, 0).Sub(now) > maxAhead {
		return refuse(NotCurrent, errors.New("it was issued in the future"))
	}
	return nil
}

// signer returns the issuer's key that signed the list, if it may sign it as
// trust stands at now; if not, the reason.
func (l *List) signer(issuer keys.Issuer, trust *keys.Snapshot, now time.Time) (*keys.Key, Reason) {
	province, authority, ok := trust.Issuer(issuer)
	if !ok || !province.Active || trust.Expired(now) {
		return nil, WrongIssuer
	}
	key, found := trust.Key(issuer, l.keyID, now)
	if found != keys.Known {
		return nil, UnknownKey
	}
	if !authority.Allows(l.algorithm) || !key.Fits(l.algorithm) || !key.Signs(l.issued) {
		return nil, WrongKey
	}
	if r, ok := trust.Revocation(key); ok && r.Ends(l.issued) {
		return nil, WrongKey
	}
	return key, ""
}

// Counts reports whether the list still counts at now: it has not ended, and
// the key that signed it is still one of the issuer's that may have.
func (l *List) Counts(issuer keys.Issuer, trust *keys.Snapshot, now time.Time) bool {
	if !now.Before(l.ends) {
		return false
	}
	key, _ := l.signer(issuer, trust, now)
	return key != nil && key.Thumbprint() == l.key
}

// Value returns the status at index; ok is false outside of the list.
// SPEC: draft-ietf-oauth-status-list §4.1: entries are packed from the least
// significant bit of each byte up.
func (l *List) Value(index int64) (value uint8, ok bool) {
	perByte := int64(8 / l.bits)
	if index < 0 || index/perByte >= int64(len(l.entries)) {
		return 0, false
	}
	shift := index % perByte * int64(l.bits)
	return l.entries[index/perByte] >> shift & (1<<l.bits - 1), true
}

// IssuedAt returns the list's iat, in seconds since 1970.
func (l *List) IssuedAt() int64 { return l.issued }

// Ends returns when the list no longer counts.
func (l *List) Ends() time.Time { return l.ends }

// Size returns how many bytes of memory the list holds, about.
func (l *List) Size() int { return len(l.entries) + 256 }
