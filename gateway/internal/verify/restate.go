package verify

import (
	"context"
	"errors"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// Gateways knows the keys of gateways whose receipts count: this one's and
// those of the trust list.
type Gateways interface {
	// Keys returns a gateway's key set: (nil, true) where it cannot be had now,
	// (nil, false) for a stranger.
	Keys(iss string) (set *keys.Set, ok bool)
	// Refetch renews a gateway's set because a receipt names a kid that it
	// lacks, at most once in a while, and returns when that is done or not done.
	Refetch(ctx context.Context, iss string)
}

// Receipt checks a receipt for who only wants to know whether it is good. The
// claims are there only beside the code OK.
func (s *Service) Receipt(ctx context.Context, token []byte) (*receipt.Claims, verifiers.Code) {
	claims, code := s.checkReceipt(ctx, token, s.Trust.Current())
	if code != verifiers.OK {
		return nil, code
	}
	return claims, code
}

// checkReceipt checks a receipt. Of one that is genuine and does not count any more
// the claims are there beside the code.
func (s *Service) checkReceipt(ctx context.Context, token []byte, trust *keys.Snapshot) (*receipt.Claims, verifiers.Code) {
	u, err := receipt.Open(token)
	if err != nil {
		return nil, verifiers.ReceiptMalformed
	}
	if s.Gateways == nil {
		return nil, verifiers.ReceiptIssuerNotRecognised
	}
	if set, ok := s.Gateways.Keys(u.Gateway()); ok && set.Key(u.KeyID()) == nil {
		back := s.Outside(ctx)
		s.Gateways.Refetch(ctx, u.Gateway())
		back()
	}
	return u.Prove(receipt.Trust{Keys: s.Gateways.Keys, List: trust}, s.Now(), s.Policy.ClockSkew)
}

// restate answers for a receipt that stands in place of a credential.
func (w *work) restate() *verifiers.Response {
	c := receipt.Case{Trust: w.c.Trust, Bounds: w.req.Bounds, Policy: w.Policy, HolderRequired: w.req.Holder != nil && w.req.Holder.Required}
	claims, code := w.checkReceipt(w.ctx, w.req.Credential, c.Trust)
	if typ, err := jws.Type(w.req.Credential); err == nil && w.envelopes[verifiers.Format(typ)] != nil {
		code = verifiers.HeaderInvalid // announced as a receipt, and known as something else
	}
	r := &verifiers.Response{Format: receipt.Type, Digest: verifiers.DigestOf(w.req.Credential)}
	if claims != nil {
		// What was asked about is the credential behind the receipt.
		r.Digest, r.Finding = claims.Digest, claims.Finding()
	}
	if code == verifiers.OK {
		c.Claims = claims
	} else {
		c.Fault = code
	}
	key, known := receipt.StandingKey(c.Claims, c.Trust)
	if known {
		c.Standing.Standing, _ = w.Facts.Recall(key)
	}
	c.Now = w.Now()
	v := receipt.Decide(&c)
	for v.Wants != verifiers.WantNothing {
		back := w.Outside(w.ctx)
		c.Standing = w.standing(key)
		back()
		c.Now = w.Now()
		v = receipt.Decide(&c)
	}
	r.Verdict, r.At, r.RetryAfter = v, c.Now, w.retryAfter
	return r
}

// decideTime is more than passes between the finding of a standing and the verdict.
const decideTime = 100 * time.Millisecond

// standing gets a standing that the bounds allow, or the best that is kept.
func (w *work) standing(key verifiers.StandingKey) (e verifiers.StandingEvidence) {
	e.Sought = true
	if w.req.Bounds.OnlyIfCached {
		e.Standing, _ = w.Facts.Lookup(w.ctx, key)
		return e
	}
	registry, ok := w.Registries[key.Province]
	if !ok {
		return e
	}
	// Freshness is judged by a clock that goes on while the question waits, and
	// a moment ahead: the standing must still count when the verdict is decided.
	fresh := func(s *verifiers.Standing) bool {
		return w.req.Bounds.Fresh(s, w.Policy.NegativeTTL, w.Now().Add(decideTime))
	}
	var err error
	if w.req.Patient {
		// Somebody may have asked before: then there is nothing to wait for.
		if kept, ok := w.Facts.Lookup(w.ctx, key); ok && fresh(&kept) {
			e.Standing = kept
			return e
		}
		done, err := registry.Pace(w.ctx)
		if err != nil {
			return e
		}
		defer done()
	}
	ask := func(ctx context.Context) (verifiers.Standing, error) { return registry.Ask(ctx, key.USCC) }
	e.Standing, e.Live, err = w.Facts.Standing(w.ctx, key, fresh, ask, registry.Timeout())
	if err != nil {
		var why *verifiers.UnavailableError
		if errors.As(err, &why) {
			w.retryAfter = why.RetryAfter
		}
		// However old, and even one that another gateway may know better of: the
		// bounds decide what it is worth.
		e.Standing, _ = w.Facts.Lookup(w.ctx, key)
	}
	return e
}
