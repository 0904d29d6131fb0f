package testworld

import (
	"context"
	"sync"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// Facts keeps findings and standings in maps, and holds its users to the
// contract: what is kept must be proven, what is asked for must be named.
type Facts struct {
	t testing.TB

	// mu guards the rest. It is not held while asking.
	mu        sync.Mutex
	findings  map[verifiers.Digest]*verifiers.Finding
	standings map[verifiers.StandingKey]verifiers.Standing
	Far       map[verifiers.StandingKey]verifiers.Standing // known to the shared store only
	Used      func()                                       // called once a kept standing was found fresh; may be nil
	Hints     []verifiers.StandingKey
	Recalled  []verifiers.StandingKey
	kept      int
}

// NewFacts returns an empty store.
func NewFacts(t testing.TB) *Facts {
	return &Facts{t: t, findings: map[verifiers.Digest]*verifiers.Finding{}, standings: map[verifiers.StandingKey]verifiers.Standing{},
		Far: map[verifiers.StandingKey]verifiers.Standing{}}
}

// Finding implements the contract of verify.Facts.
func (f *Facts) Finding(_ context.Context, d verifiers.Digest, hint func() verifiers.StandingKey) *verifiers.Finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.findings[d]
	if found == nil && hint != nil {
		likely := hint()
		f.Hints = append(f.Hints, likely)
		if s, ok := f.Far[likely]; ok {
			f.standings[likely] = s
		}
	}
	return found
}

// KeepFinding implements the contract of verify.Facts.
func (f *Facts) KeepFinding(d verifiers.Digest, finding *verifiers.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if finding == nil || finding.Key == "" {
		f.t.Error("an unproven finding was handed over to be kept")
		return
	}
	if finding.Body != d {
		f.t.Error("a finding was kept under another credential's digest")
	}
	own := *finding
	f.findings[d] = &own
	f.kept++
}

// Kept returns how many findings were handed over.
func (f *Facts) Kept() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept
}

// Forge puts a finding where it does not belong, as a broken store might.
func (f *Facts) Forge(d verifiers.Digest, finding *verifiers.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.findings[d] = finding
}

// Recall implements the contract of verify.Facts.
func (f *Facts) Recall(key verifiers.StandingKey) (verifiers.Standing, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Recalled = append(f.Recalled, key)
	s, ok := f.standings[key]
	return s, ok
}

// Lookup implements the contract of verify.Facts.
func (f *Facts) Lookup(_ context.Context, key verifiers.StandingKey) (verifiers.Standing, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.Far[key]; ok {
		f.standings[key] = s
	}
	s, ok := f.standings[key]
	return s, ok
}

// Put keeps a standing under a key, be it about that key or not.
func (f *Facts) Put(key verifiers.StandingKey, s verifiers.Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standings[key] = s
}

// Standing implements the contract of verify.Facts, without coalescing.
func (f *Facts) Standing(ctx context.Context, key verifiers.StandingKey, fresh func(*verifiers.Standing) bool,
	ask func(context.Context) (verifiers.Standing, error), wait time.Duration) (verifiers.Standing, bool, error) {
	if key.Province == "" || key.USCC == "" || wait <= 0 {
		f.t.Errorf("a standing was asked for without naming it: %q within %v", key.Province, wait)
	}
	if s, ok := f.Lookup(ctx, key); ok && fresh(&s) {
		if f.Used != nil {
			f.Used()
		}
		return s, false, nil
	}
	if err := ctx.Err(); err != nil {
		return verifiers.Standing{}, false, &verifiers.UnavailableError{Reason: "gave_up", Err: err}
	}
	s, err := ask(ctx)
	if err != nil {
		return verifiers.Standing{}, false, err
	}
	if s.Key != key {
		return verifiers.Standing{}, false, &verifiers.UnavailableError{Reason: "not_asked"}
	}
	f.Put(key, s)
	return s, true, nil
}

// A Registry answers as its word says: see [Says].
type Registry struct {
	Province keys.ProvinceCode
	Now      func() time.Time
	Wait     chan struct{} // nil, or closed when it may answer

	mu    sync.Mutex
	word  string
	asked []licence.USCC
}

// Tell makes the registry answer otherwise from now on.
func (r *Registry) Tell(word string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.word = word
}

// Asked returns the codes that it was asked about.
func (r *Registry) Asked() []licence.USCC {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]licence.USCC(nil), r.asked...)
}

// Timeout implements the contract of verify.Registry.
func (r *Registry) Timeout() time.Duration { return 800 * time.Millisecond }

// Pace implements the contract of verify.Registry: it is always its turn.
func (r *Registry) Pace(ctx context.Context) (done func(), err error) {
	return func() {}, ctx.Err()
}

// Ask implements the contract of verify.Registry.
func (r *Registry) Ask(ctx context.Context, code licence.USCC) (verifiers.Standing, error) {
	r.mu.Lock()
	word, wait := r.word, r.Wait
	r.asked = append(r.asked, code)
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return verifiers.Standing{}, &verifiers.UnavailableError{Reason: "gave_up", Err: ctx.Err()}
		}
	}
	return Says(word, r.Province, code, r.Now())
}

// KeySets counts refetches, and does what its function says.
type KeySets struct {
	mu     sync.Mutex
	asked  []keys.Issuer
	Answer func(keys.Issuer) bool // nil: cannot
}

// Refetch implements the contract of verify.KeySets.
func (k *KeySets) Refetch(_ context.Context, iss keys.Issuer) bool {
	k.mu.Lock()
	k.asked = append(k.asked, iss)
	k.mu.Unlock()
	return k.Answer != nil && k.Answer(iss)
}

// Asked returns for whom a refetch was wanted.
func (k *KeySets) Asked() []keys.Issuer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]keys.Issuer(nil), k.asked...)
}
