package verify_test

import (
	"context"
	"testing"

	"tongyan/gateway/internal/verify"
	"tongyan/verifiers"
)

// remote is a store that knows nothing and has to be waited for.
type remote struct {
	verify.Facts
	waits func()
}

func (f remote) Finding(_ context.Context, _ verifiers.Digest, hint func() verifiers.StandingKey) *verifiers.Finding {
	hint()
	f.waits()
	return nil
}

func (f remote) KeepFinding(verifiers.Digest, *verifiers.Finding) {}

// Who waits for the shared store, or for a registry, holds no core meanwhile, and
// has one again for the signature.
func TestOutside(t *testing.T) {
	r := newRig(t)
	depth, outside := 0, 0
	r.Outside = func(context.Context) func() {
		depth++
		outside++
		return func() { depth-- }
	}
	waited := false
	r.Facts = remote{Facts: r.facts, waits: func() {
		waited = true
		if depth != 1 {
			t.Errorf("the shared store is waited for with %d pauses", depth)
		}
	}}
	r.expect(r.world.Good(), verifiers.Valid, verifiers.OK)
	if !waited || outside != 2 || depth != 0 {
		t.Errorf("waited %v; %d pauses, %d left open", waited, outside, depth)
	}
}
