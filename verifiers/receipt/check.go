package receipt

import (
	"errors"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/verifiers"
)

// Check checks a receipt. The code is OK and the claims are there, or the code
// is the first of
//
//	RECEIPT_MALFORMED             unreadable, alg none and other algorithms included
//	RECEIPT_ISSUER_NOT_RECOGNISED the gateway is a stranger
//	KEYS_UNAVAILABLE              the gateway's keys cannot be had: not the receipt's fault
//	KEY_REVOKED                   the gateway's key is revoked
//	RECEIPT_SIGNATURE_INVALID     altered, or the gateway has no such key
//	RECEIPT_MALFORMED             signed, and its claims contradict each other
//	KEY_REVOKED                   the key behind the licence is revoked
//	RECEIPT_EXPIRED               its time has ended, or not begun
//
// and the claims are nil. skew is by how much the gateway's clock may be off.
func Check(token []byte, trust Trust, now time.Time, skew time.Duration) (*Claims, verifiers.Code) {
	u, err := Open(token)
	if err != nil {
		return nil, verifiers.ReceiptMalformed
	}
	c, code := u.Prove(trust, now, skew)
	if code != verifiers.OK {
		return nil, code
	}
	return c, verifiers.OK
}

// An Unverified is a receipt that reads well. Nothing in it is true yet; who
// it says to be from, and under which key, tells whose keys to fetch.
type Unverified struct {
	signed *jws.Unverified
	claims *Claims
}

// Gateway returns who the receipt claims to be from.
func (u *Unverified) Gateway() string { return u.claims.Gateway }

// KeyID returns the kid under which the receipt claims to be signed.
func (u *Unverified) KeyID() keys.KeyID { return u.signed.KeyID }

// Open reads a receipt as strictly as a credential (contract §2.2). The error
// is a *verifiers.FormatError with RECEIPT_MALFORMED.
func Open(token []byte) (*Unverified, error) {
	signed, err := jws.Parse(token, jws.MaxToken, string(Type))
	if err != nil {
		return nil, malformed(err)
	}
	if alg := keys.Algorithm(signed.Algorithm); alg != keys.ES256 && alg != keys.SM2 {
		return nil, malformed(errors.New("alg is not one that receipts are signed with"))
	}
	claims, err := read(signed.Payload)
	if err != nil {
		return nil, malformed(err)
	}
	return &Unverified{signed, claims}, nil
}

func malformed(err error) error {
	return &verifiers.FormatError{Code: verifiers.ReceiptMalformed, Err: err}
}

// Prove checks what [Check] checks beyond form. Where the signature is good the
// claims are there even if the code is KEY_REVOKED or RECEIPT_EXPIRED: they are
// genuine, and no longer count. Otherwise they are nil.
func (u *Unverified) Prove(trust Trust, now time.Time, skew time.Duration) (*Claims, verifiers.Code) {
	key, code := trust.key(u)
	switch {
	case code != verifiers.OK:
		return nil, code
	case !u.signed.VerifiedBy(key):
		return nil, verifiers.ReceiptSignatureInvalid
	case u.claims.consistent() != nil:
		return nil, verifiers.ReceiptMalformed
	}
	c := *u.claims
	if trust.revoked(&c) {
		return &c, verifiers.KeyRevoked
	}
	// One from the future has no time of its own that could be believed.
	if skew = max(skew, 0); !now.Before(c.Expires.Add(skew)) || c.IssuedAt.After(now.Add(skew)) {
		return &c, verifiers.ReceiptExpired
	}
	return &c, verifiers.OK
}
