package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// A Reason says in one word why a fetch failed. The set is closed (see
// [Reasons]), so that it can be a metric's label.
type Reason string

// The reasons. Each failed fetch has exactly one.
const (
	BadRequest Reason = "bad-request" // the address is not a plain https URL, or no size limit was given; nothing was sent
	Canceled   Reason = "canceled"    // the caller gave up
	Timeout    Reason = "timeout"     // time ran out, in whatever phase
	Dial       Reason = "dial"        // name not found, connection refused, network unreachable
	TLS        Reason = "tls"         // the handshake failed: certificate, name, version
	Protocol   Reason = "protocol"    // the connection broke before a header came, or the header was not HTTP
	Redirect   Reason = "redirect"    // a 3xx: followed nowhere
	Status     Reason = "status"      // any other status but 200, and 304 where no ETag was sent
	Encoding   Reason = "encoding"    // a Content-Encoding, although none was asked for
	MediaType  Reason = "media-type"  // none of the media types asked for
	TooLarge   Reason = "too-large"   // the body is longer than the caller allows
	Truncated  Reason = "truncated"   // the body broke off or its framing was wrong
)

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{BadRequest, Canceled, Timeout, Dial, TLS, Protocol,
		Redirect, Status, Encoding, MediaType, TooLarge, Truncated}
}

// An Error is what every failed fetch returns. It names the host but neither
// path nor query, and repeats nothing of the answer's header or body.
type Error struct {
	Host   string // host and port as in the address; empty if that could not be read
	Reason Reason
	Status int // the HTTP status where one came, else 0

	// RetryAfter is what the header Retry-After of a 429 or 503 asks for,
	// 0 without one, never above [MaxRetryAfter].
	RetryAfter time.Duration

	cause error // shown for Dial and TLS only: what the peer wrote stays out of logs
}

// MaxRetryAfter bounds Error.RetryAfter, so that no server silences us for long.
const MaxRetryAfter = time.Minute

func (e *Error) Error() string {
	switch {
	case e.Status != 0:
		return fmt.Sprintf("fetch from %s: %s (HTTP %d)", e.Host, e.Reason, e.Status)
	case e.cause != nil && (e.Reason == Dial || e.Reason == TLS || e.Reason == BadRequest):
		return fmt.Sprintf("fetch from %s: %s: %.300v", e.Host, e.Reason, e.cause)
	}
	return fmt.Sprintf("fetch from %s: %s", e.Host, e.Reason)
}

// Unwrap gives [context.Canceled] for Canceled, [context.DeadlineExceeded] for
// Timeout, and nothing else.
func (e *Error) Unwrap() error {
	switch e.Reason {
	case Canceled:
		return context.Canceled
	case Timeout:
		return context.DeadlineExceeded
	}
	return nil
}

// phaseError marks an error of the dialer with the phase it came from, since
// many of crypto/tls's errors have no type to tell them by.
type phaseError struct {
	reason Reason
	error
}

func (e phaseError) Unwrap() error { return e.error }

// failure turns an error of the transport into an *Error; otherwise is the
// reason for what is neither the clock's, the caller's nor the dialer's doing.
func failure(ctx context.Context, host string, err error, otherwise Reason) *Error {
	var phase phaseError
	var slow net.Error
	e := &Error{Host: host, Reason: otherwise, cause: err}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Reason = Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &slow) && slow.Timeout():
		e.Reason = Timeout
	case errors.As(err, &phase):
		e.Reason, e.cause = phase.reason, phase.error
	}
	return e
}
