package verifiers_test

import (
	"testing"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/testworld"
)

var (
	now     = testworld.Now
	allowed = verifiers.Bounds{MaxAge: 5 * time.Minute, StaleIfError: time.Hour}
	policy  = verifiers.Policy{ClockSkew: time.Minute, MaxAge: 5 * time.Minute, NegativeTTL: time.Minute}
	key     = verifiers.StandingKey{Province: "310000", USCC: testworld.USCC}
)

// open reads a token, which must be readable.
func open(t testing.TB, token string) *verifiers.Unverified {
	t.Helper()
	u, err := envelope.Envelope{}.Open([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// proven returns the finding about Shanghai's faultless credential.
func proven(t testing.TB, w *testworld.World) *verifiers.Finding {
	t.Helper()
	f, ok := open(t, w.Good()).Prove(w.Key("sh").Public())
	if !ok {
		t.Fatal("the good credential does not verify")
	}
	return f
}

// asked returns a standing of the good licence, asked for some time ago.
func asked(word string, ago time.Duration) verifiers.Standing {
	s, err := testworld.Says(word, key.Province, key.USCC, now.Add(-ago))
	if err != nil {
		panic(err)
	}
	return s
}

// goodCase is all evidence, and all of it good.
func goodCase(t testing.TB, w *testworld.World) verifiers.Case {
	return verifiers.Case{
		Finding: proven(t, w), Trust: w.Book.Current(), KeysSought: true,
		Standing: verifiers.StandingEvidence{Sought: true, Live: true, Standing: asked("1", 0)},
		Status:   verifiers.StatusEvidence{Sought: true}, Holder: verifiers.HolderEvidence{Sought: true},
		Bounds: allowed, Policy: policy, Now: now,
	}
}

// edit changes a copy of the finding: cases share theirs.
func edit(c *verifiers.Case, change func(*verifiers.Finding)) {
	f := *c.Finding
	change(&f)
	c.Finding = &f
}

// wellFormed checks what holds for every verdict that was ever decided.
func wellFormed(t testing.TB, v verifiers.Verdict) {
	t.Helper()
	var failed, unclear, passed int
	var code verifiers.Code
	for check, got := range v.Checks {
		switch got.Result {
		case verifiers.Passed, verifiers.Skipped:
			if got.Code != "" {
				t.Errorf("%v %v with code %s", verifiers.Check(check), got.Result, got.Code)
			}
			if got.Result == verifiers.Passed {
				passed++
			}
		case verifiers.Failed:
			failed++
			for _, later := range v.Checks[check+1:] {
				if later.Result != verifiers.Skipped {
					t.Errorf("work went on after %v failed", verifiers.Check(check))
				}
			}
			code = got.Code
		case verifiers.Inconclusive:
			unclear++
			if code == "" {
				code = got.Code
			}
		}
	}
	want := verifiers.Valid
	switch {
	case failed > 0:
		want = verifiers.Invalid
	case unclear > 0 || passed == 0:
		want = verifiers.Indeterminate
	default:
		code = verifiers.OK
	}
	if v.Outcome != want || v.Code != code || failed > 1 {
		t.Errorf("%v %s from checks %v, want %v %s", v.Outcome, v.Code, v.Checks, want, code)
	}
	if v.Proven != (v.Checks[verifiers.CheckSignature].Result == verifiers.Passed) || v.Proven != (v.Key != "") {
		t.Errorf("proven %v by %q with signature %v", v.Proven, v.Key, v.Checks[verifiers.CheckSignature])
	}
}
