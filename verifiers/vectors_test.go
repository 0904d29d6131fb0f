package verifiers_test

import (
	"errors"
	"testing"

	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/testworld"
)

// decide leads a credential through the library, with nothing kept and nobody
// in between. asked says how often the registry was.
func decide(t testing.TB, w *testworld.World, v testworld.Vector) (got verifiers.Verdict, f *verifiers.Finding, asked int) {
	t.Helper()
	c := verifiers.Case{Trust: w.Book.Current(), Bounds: allowed, Policy: policy, Now: v.Now}
	u, err := envelope.Envelope{}.Open(v.Credential)
	var fault *verifiers.FormatError
	switch {
	case errors.As(err, &fault):
		c.Fault = fault.Code
	case err != nil:
		t.Fatalf("an error that is no fault of the credential: %v", err)
	default:
		c.Finding = &u.Finding
	}
	for steps := 0; ; steps++ {
		got = verifiers.Decide(&c)
		switch got.Wants {
		case verifiers.WantNothing:
			return got, c.Finding, asked
		case verifiers.WantKeys:
			c.KeysSought = true
		case verifiers.WantSignature:
			if proven, ok := u.Prove(got.Ask); ok {
				c.Finding = proven
			} else {
				c.Refuted = got.Ask.Thumbprint()
			}
		case verifiers.WantStanding:
			asked++
			c.Standing.Sought = true
			s, err := testworld.Says(v.Registry, got.Province.Code, licence.USCC(c.Finding.Licence.Uniscid), v.Now)
			if err == nil {
				c.Standing.Standing, c.Standing.Live = s, true
			}
		default:
			t.Fatalf("wants %d", got.Wants)
		}
		if steps > 4 {
			t.Fatal("the decision does not end")
		}
	}
}

func TestVectors(t *testing.T) {
	w := testworld.New(t)
	codes := map[verifiers.Code]bool{}
	for _, v := range testworld.Vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			got, _, asked := decide(t, w, v)
			wellFormed(t, got)
			if got.Outcome.String() != v.Verdict || got.Code != v.Code {
				t.Errorf("%v %s, want %s %s: %s", got.Outcome, got.Code, v.Verdict, v.Code, v.Comment)
			}
			if asked > 0 && !got.Proven {
				t.Error("the registry was asked about a credential that nobody has proven")
			}
		})
		codes[v.Code] = true
	}
	for _, code := range []verifiers.Code{
		verifiers.OK, verifiers.FormatMalformed, verifiers.FormatDuplicateMember, verifiers.HeaderInvalid, verifiers.HeaderNotAllowed,
		verifiers.ClaimMissing, verifiers.ClaimInvalid, verifiers.IssuerNotRecognised, verifiers.IssuerSuspended, verifiers.IssuerNotAuthorised,
		verifiers.TrustListExpired, verifiers.KeyNotFound, verifiers.KeyRevoked, verifiers.KeyOutsideWindow, verifiers.AlgorithmNotAllowed,
		verifiers.SignatureInvalid, verifiers.NotYetValid, verifiers.Expired, verifiers.IssuedInFuture, verifiers.USCCInvalid,
		verifiers.SubjectMismatch, verifiers.StatusReferenceInvalid, verifiers.RegistrationRevoked, verifiers.RegistrationNotFound,
		verifiers.LicenceSuperseded, verifiers.RegistryUnavailable, verifiers.RegistrationStateUnknown,
	} {
		if !codes[code] {
			t.Errorf("no vector for %s", code)
		}
	}
}
