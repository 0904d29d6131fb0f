package verifiers

import (
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
)

// An Unverified is a credential that reads well, and of which nothing is
// believed yet: its Finding has no Key.
type Unverified struct {
	Finding Finding
	Signed  *jws.Unverified
}

// Prove checks the signature with one key, and returns the proven finding. ok
// is false, and the finding nil, where the signature is wrong.
func (u *Unverified) Prove(key *keys.Key) (f *Finding, ok bool) {
	if !u.Signed.VerifiedBy(key) {
		return nil, false
	}
	proven := u.Finding
	proven.Key = key.Thumbprint()
	return &proven, true
}

// A Request is one question: is this credential good?
type Request struct {
	Credential []byte
	// Format is the one that the caller named; "" leaves it to the credential.
	Format Format
	// Bounds are what the caller accepts, the gateway's ceilings included.
	Bounds Bounds
	// Patient: nobody stands and waits. The question to a registry keeps to
	// the patient's share of the province's budget, and waits for it.
	Patient bool
	// Holder is what the caller expects of the holder's proof; nil: nothing.
	Holder *HolderExpectation
}

// A HolderExpectation says to whom, and in answer to which challenge, a holder
// must have made the proof.
type HolderExpectation struct {
	Audience string
	Nonce    string
	Required bool
}

// A Response is the answer to a Request.
type Response struct {
	Verdict Verdict
	// Finding is what the credential says; nil where it could not be read. It
	// may be shown only as far as Verdict.Proven allows.
	Finding *Finding
	Format  Format // "" where it is not known
	Digest  Digest // of the credential as received
	At      time.Time
	// RetryAfter is when asking again may help; 0 where that is not known.
	RetryAfter time.Duration
}
