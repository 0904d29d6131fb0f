// Package verify leads one credential from its bytes to its verdict: it gathers
// the evidence that [verifiers.Decide] wants, and nothing that it does not.
package verify

import (
	"context"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// An Envelope reads credentials of one format. Open returns an error, always a
// *verifiers.FormatError, for a credential with a fault of its own.
type Envelope interface {
	Format() verifiers.Format
	Open(credential []byte) (*verifiers.Unverified, error)
}

// A HolderVerifier is an Envelope whose credentials may come with a proof that
// the holder made. want may be nil: the caller expects nothing. It keeps no
// account of nonces.
type HolderVerifier interface {
	VerifyHolder(proof, body []byte, f *verifiers.Finding, want *verifiers.HolderExpectation, now time.Time) verifiers.HolderResult
}

// Nonces remembers, for all gateways that share a store, which nonces were
// spent. Spend reports whether this is the first time, and must not be believed
// where it fails: a proof that may have been used before is not right.
type Nonces interface {
	Spend(ctx context.Context, nonce verifiers.Digest, until time.Time) (first bool, err error)
}

// Trust tells what is trusted now.
type Trust interface {
	Current() *keys.Snapshot
}

// KeySets renews an issuer's key set because a credential names a kid that it
// lacks. Refetch returns when it was renewed, when it cannot be or may not be
// again so soon, or when ctx ends; what came of it stands in the next snapshot.
type KeySets interface {
	Refetch(ctx context.Context, iss keys.Issuer) (renewed bool)
}

// Facts keeps findings and standings. See package facts for the promises.
type Facts interface {
	// Finding returns what is known of a credential by its digest. hint names
	// the standing that will likely be wanted next, fetched along with it where
	// memory knows nothing; it was taken from unproven bytes, not to be believed.
	// It is called only where the shared store is waited for next.
	Finding(ctx context.Context, d verifiers.Digest, hint func() verifiers.StandingKey) *verifiers.Finding
	KeepFinding(d verifiers.Digest, f *verifiers.Finding)
	// Recall returns a standing from memory, without waiting; none while another
	// gateway may know a newer one.
	Recall(key verifiers.StandingKey) (verifiers.Standing, bool)
	// Lookup returns a standing from memory or from the shared store; it asks
	// no registry.
	Lookup(ctx context.Context, key verifiers.StandingKey) (verifiers.Standing, bool)
	// Standing returns a kept standing that is fresh, or asks, so that
	// concurrent questions about one licence become one. live says that it was
	// asked for this question.
	Standing(ctx context.Context, key verifiers.StandingKey, fresh func(*verifiers.Standing) bool,
		ask func(context.Context) (verifiers.Standing, error), wait time.Duration) (s verifiers.Standing, live bool, err error)
}

// A Registry knows how licences of one province stand. Ask returns an error
// that is a verifiers.ErrUnavailable if no answer could be had within Timeout.
type Registry interface {
	Ask(ctx context.Context, code licence.USCC) (verifiers.Standing, error)
	Timeout() time.Duration
	// Pace waits for the turn of a question that can wait, as long as ctx
	// allows, and returns how to give the turn back.
	Pace(ctx context.Context) (done func(), err error)
}

// StatusLists answers what a status list says of a credential. Lookup marks its
// answer as sought; an answer that it could not get is not a "no".
type StatusLists interface {
	Lookup(ctx context.Context, iss keys.Issuer, ref verifiers.StatusRef, trust *keys.Snapshot, now time.Time) verifiers.StatusEvidence
}

// An Observer is told what each step cost. It must return quickly.
type Observer interface {
	Step(check verifiers.Check, format verifiers.Format, alg string, took time.Duration)
	Done(r *verifiers.Response)
}

// Options are the parts of a [Service]. Status and Observer may be nil; without
// Nonces no proof with a nonce is right, without Gateways no receipt is.
type Options struct {
	Trust      Trust
	KeySets    KeySets
	Facts      Facts
	Registries map[keys.ProvinceCode]Registry
	Status     StatusLists
	Nonces     Nonces
	Gateways   Gateways
	Envelopes  []Envelope
	Policy     verifiers.Policy
	Observer   Observer
	Now        func() time.Time
	// Outside is told that the work begins to wait for others; what it returns
	// is called when the work goes on. nil: nobody cares.
	Outside func(context.Context) (back func())
}

// A Service answers requests. It is safe for concurrent use.
type Service struct {
	Options
	envelopes map[verifiers.Format]Envelope
}

// New puts a service together.
func New(o Options) *Service {
	s := &Service{Options: o, envelopes: make(map[verifiers.Format]Envelope)}
	for _, e := range o.Envelopes {
		s.envelopes[e.Format()] = e
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Outside == nil {
		s.Outside = func(context.Context) func() { return func() {} }
	}
	if s.Observer == nil {
		s.Observer = silent{}
	}
	return s
}

type silent struct{}

func (silent) Step(verifiers.Check, verifiers.Format, string, time.Duration) {}
func (silent) Done(*verifiers.Response)                                      {}

// Verify answers one request. It returns within ctx, and within the registry's
// time-out where that must be asked; what could not be had by then is
// inconclusive. It never returns an error: not knowing is a verdict.
func (s *Service) Verify(ctx context.Context, req *verifiers.Request) *verifiers.Response {
	w := work{Service: s, ctx: ctx, req: req}
	w.c = verifiers.Case{Trust: s.Trust.Current(), Bounds: req.Bounds, Policy: s.Policy, Now: s.Now()}
	w.read()
	r := w.decide()
	s.Observer.Done(r)
	return r
}

// decide works the verdict out, gathering what it wants.
func (w *work) decide() *verifiers.Response {
	if w.receipt {
		return w.restate()
	}
	v := verifiers.Decide(&w.c)
	for v.Wants != verifiers.WantNothing {
		w.gather(v)
		w.c.Now = w.Now()
		v = verifiers.Decide(&w.c)
	}
	return &verifiers.Response{Verdict: v, Finding: w.c.Finding, Digest: w.digest, Format: w.format, At: w.c.Now, RetryAfter: w.retryAfter}
}
