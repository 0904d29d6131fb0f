package trustlist

import (
	"errors"
	"fmt"
	"slices"
)

// A Reason says in one word why a list was refused. The set is closed (see
// [Reasons]), so that it can be a metric's label. Words are never renamed.
type Reason string

// The reasons. Each refusal has exactly one.
const (
	Fetch           Reason = "FETCH"            // the source could not be read; nothing is known about the list there
	TooLarge        Reason = "TOO_LARGE"        // longer than MaxToken
	Malformed       Reason = "MALFORMED"        // not a JWS, not strict JSON, not canonical base64url
	DuplicateMember Reason = "DUPLICATE_MEMBER" // a member name that stands twice
	Header          Reason = "HEADER"           // a protected header with something missing, wrong or not allowed
	UnknownRoot     Reason = "UNKNOWN_ROOT"     // none of the signatures names a pinned root
	Signature       Reason = "SIGNATURE"        // no signature of a pinned root is good
	Mixed           Reason = "MIXED"            // too few good ones, and a pinned root's signature beside them is over something else
	Threshold       Reason = "THRESHOLD"        // good signatures, but of fewer different roots than the threshold
	Content         Reason = "CONTENT"          // signed, but a member is missing or makes no sense
	DuplicateIssuer Reason = "DUPLICATE_ISSUER" // one iss, province code or gateway stands twice
	Address         Reason = "ADDRESS"          // a URL that is not plain https, or may be read in two ways
	Expired         Reason = "EXPIRED"          // exp has passed
	NotYet          Reason = "NOT_YET"          // iat lies in the future
	Clock           Reason = "CLOCK"            // at start: our own clock is behind a list that was good before
	Rollback        Reason = "ROLLBACK"         // an older version than one accepted before, or the same with other content
	FastForward     Reason = "FAST_FORWARD"     // a version so far ahead that none could follow it
	State           Reason = "STATE"            // what must be remembered could not be written or read
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{Fetch, TooLarge, Malformed, DuplicateMember, Header, UnknownRoot, Signature, Mixed, Threshold,
		Content, DuplicateIssuer, Address, Expired, NotYet, Clock, Rollback, FastForward, State}
}

// A Refusal is why a list is not put in force. Every error about a list is one.
// Its text quotes the list only where the roots have signed it.
type Refusal struct {
	Reason Reason
	Why    string
	cause  error
}

func (r *Refusal) Error() string {
	if r.cause != nil {
		return fmt.Sprintf("trust list refused: %s: %s: %v", r.Reason, r.Why, r.cause)
	}
	return fmt.Sprintf("trust list refused: %s: %s", r.Reason, r.Why)
}

// Unwrap returns the cause, if another package's error was one.
func (r *Refusal) Unwrap() error { return r.cause }

// ReasonOf returns the reason of an error of this package, "" for another error.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Why: fmt.Sprintf(format, args...)}
}

// Valid reports whether r is one of the closed set.
func (r Reason) Valid() bool { return slices.Contains(Reasons(), r) }
