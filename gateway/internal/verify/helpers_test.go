package verify_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tongyan/gateway/internal/verify"
	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/testworld"
)

var bounds = verifiers.Bounds{MaxAge: 5 * time.Minute, StaleIfError: time.Hour}

// A rig is a service with everything around it under the test's hands.
type rig struct {
	*verify.Service
	t          testing.TB
	world      *testworld.World
	facts      *testworld.Facts
	sets       *testworld.KeySets
	registries map[keys.ProvinceCode]*testworld.Registry
	seen       *observer

	mu  sync.Mutex
	now time.Time
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, world: testworld.New(t), facts: testworld.NewFacts(t), sets: &testworld.KeySets{}, seen: &observer{},
		registries: map[keys.ProvinceCode]*testworld.Registry{}, now: testworld.Now}
	asked := map[keys.ProvinceCode]verify.Registry{}
	for _, code := range []keys.ProvinceCode{"310000", "320000", "330000", "340000"} {
		r.registries[code] = &testworld.Registry{Province: code, Now: r.clock}
		r.registries[code].Tell("1")
		asked[code] = r.registries[code]
	}
	r.Service = verify.New(verify.Options{
		Trust: r.world.Book, KeySets: r.sets, Facts: r.facts, Registries: asked, Envelopes: []verify.Envelope{envelope.Envelope{}},
		Policy:   verifiers.Policy{ClockSkew: time.Minute, MaxAge: 5 * time.Minute, NegativeTTL: time.Minute},
		Observer: r.seen, Now: r.clock,
	})
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// asked returns how many questions all registries got together.
func (r *rig) asked() (n int) {
	for _, registry := range r.registries {
		n += len(registry.Asked())
	}
	return n
}

func (r *rig) verify(token string) *verifiers.Response {
	return r.Verify(context.Background(), &verifiers.Request{Credential: []byte(token), Bounds: bounds})
}

// expect verifies and compares the outcome.
func (r *rig) expect(token string, outcome verifiers.Outcome, code verifiers.Code) *verifiers.Response {
	r.t.Helper()
	return r.said(r.verify(token), outcome, code)
}

func (r *rig) said(got *verifiers.Response, outcome verifiers.Outcome, code verifiers.Code) *verifiers.Response {
	r.t.Helper()
	if got.Verdict.Outcome != outcome || got.Verdict.Code != code {
		r.t.Fatalf("%v %s, want %v %s; checks %v", got.Verdict.Outcome, got.Verdict.Code, outcome, code, got.Verdict.Checks)
	}
	return got
}

// An observer counts what was done.
type observer struct {
	mu    sync.Mutex
	steps map[verifiers.Check]int
	done  int
}

func (o *observer) Step(check verifiers.Check, _ verifiers.Format, _ string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.steps == nil {
		o.steps = map[verifiers.Check]int{}
	}
	o.steps[check]++
}

func (o *observer) Done(*verifiers.Response) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done++
}

func (o *observer) count(check verifiers.Check) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.steps[check]
}

func (r *rig) key() verifiers.StandingKey {
	return verifiers.StandingKey{Province: "310000", USCC: testworld.USCC}
}
