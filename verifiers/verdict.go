package verifiers

import (
	"time"

	"tongyan/keys"
)

// An Outcome is what came of the whole: the zero value is INDETERMINATE, so
// that forgetting never acquits.
type Outcome uint8

// The three outcomes.
const (
	Indeterminate Outcome = iota
	Valid
	Invalid
)

func (o Outcome) String() string {
	switch o {
	case Valid:
		return "VALID"
	case Invalid:
		return "INVALID"
	}
	return "INDETERMINATE"
}

// A Check is one question about a credential.
type Check uint8

// The checks, in the order in which they run and are listed (contract §5).
const (
	CheckFormat Check = iota
	CheckIssuer
	CheckKey
	CheckSignature
	CheckValidity
	CheckSubject
	CheckHolder
	CheckStatus
	CheckRegistry
	checks // how many there are
)

func (c Check) String() string {
	return [...]string{"format", "issuer", "key", "signature", "validity", "subject", "holder", "status", "registry"}[c]
}

// A Result is what came of one check.
type Result uint8

// The results. The zero one has acquitted nobody.
const (
	Skipped Result = iota
	Passed
	Failed
	Inconclusive
)

func (r Result) String() string {
	return [...]string{"skipped", "passed", "failed", "inconclusive"}[r]
}

// A Checked is one check's result, with the code of one that did not pass.
type Checked struct {
	Result Result
	Code   Code // "" where passed or skipped
}

// A Source tells where the standing behind a verdict came from.
type Source string

// The sources; "" where no standing was used.
const (
	Live  Source = "live"  // the registry was asked for this verdict
	Cache Source = "cache" // asked before, within the bounds
	Stale Source = "stale" // older than max_age, because the registry could not be had
)

// A Verdict is the answer: its outcome, the code that decided, and every check.
type Verdict struct {
	Outcome  Outcome
	Code     Code
	Checks   [checks]Checked
	Warnings []Code

	// Proven says that the signature is good under a key that counts. Only
	// then may anything that the credential claims be shown.
	Proven    bool
	Province  *keys.Province  // of the issuer; nil where it was not recognised
	Authority *keys.Authority // likewise
	Key       keys.Thumbprint // of the key that proved it; "" where unproven

	Source Source    // of the standing; "" where none was used
	AsOf   time.Time // of which moment the registry speaks
	Age    time.Duration

	// ValidUntil is the earliest end of the evidence behind a VALID verdict;
	// of any other the moment until which asking again is not worth it.
	ValidUntil time.Time
	// TrustVersion is the trust list's version; 0 where there was none.
	TrustVersion int64

	// Wants names the evidence without which the verdict could not be worked
	// out further, WantNothing where it is final.
	Wants Want
	// Ask is the key to check the signature with, where Wants is WantSignature.
	Ask *keys.Key
}

// A Want is a kind of evidence that [Decide] cannot go on without.
type Want uint8

// The kinds of evidence. Whoever gathers them marks each as sought, found or
// not, so that none is wanted twice.
const (
	WantNothing   Want = iota
	WantKeys           // the issuer's key set, renewed: its kid is unknown
	WantSignature      // whether the signature is good
	WantHolder         // whether the holder's proof is good
	WantStatus         // what the status list says
	WantStanding       // what the registry says
)
