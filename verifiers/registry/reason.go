package registry

import (
	"time"

	"tongyan/verifiers"
)

// A Reason says in one word why a question was not answered. The set is closed
// (see [Reasons]), so that it can be a metric's label.
type Reason string

// The reasons. Those that are the registry's fault count for its breaker.
const (
	ReasonTimeout      Reason = "timeout"       // fault: no whole answer within the time
	ReasonConnection   Reason = "connection"    // fault: no connection, or it broke
	ReasonStatus       Reason = "status"        // fault: a status that is no answer, redirects and other 404s included
	ReasonMalformed    Reason = "malformed"     // fault: wrong type, too long, not strict JSON, or members that make no sense
	ReasonOtherLicence Reason = "other_licence" // fault: an answer about another licence than asked for

	ReasonBreakerOpen Reason = "breaker_open" // not asked: too many faults of late, or a probe is under way
	ReasonBackedOff   Reason = "backed_off"   // the registry said when to come again (429 or 503 with Retry-After)
	ReasonNoPlace     Reason = "no_place"     // not asked: no place in flight within half the time-out
	ReasonNoBudget    Reason = "no_budget"    // not asked: no call left in the budget within half the time-out
	ReasonCallerGone  Reason = "caller_gone"  // the caller's context ended first
	ReasonClosed      Reason = "closed"       // the Client was closed
	ReasonNotACode    Reason = "not_a_code"   // not asked: what came is no credit code
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{ReasonTimeout, ReasonConnection, ReasonStatus, ReasonMalformed, ReasonOtherLicence,
		ReasonBreakerOpen, ReasonBackedOff, ReasonNoPlace, ReasonNoBudget, ReasonCallerGone, ReasonClosed, ReasonNotACode}
}

// Fault reports whether r is the registry's fault. Only faults count for the
// breaker: neither our own limits nor callers who went away do, and a registry
// that says "not now, but then" has answered, and is obeyed instead (contract
// §4 gives that answer a row of its own, before "anything else").
func (r Reason) Fault() bool {
	switch r {
	case ReasonTimeout, ReasonConnection, ReasonStatus, ReasonMalformed, ReasonOtherLicence:
		return true
	}
	return false
}

// unavailable makes the error that Ask returns. What is said in it is fixed
// text: nothing of a licence, nothing that the server wrote.
func unavailable(r Reason, retryAfter time.Duration, cause error) *verifiers.UnavailableError {
	return &verifiers.UnavailableError{Reason: string(r), RetryAfter: retryAfter, Err: cause}
}
