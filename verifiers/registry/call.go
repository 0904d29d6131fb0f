package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tongyan/verifiers"
)

const (
	maxBody       = 64 << 10 // bytes (contract §4)
	maxHeader     = 16 << 10 // bytes of response header
	maxRetryAfter = time.Minute
	idleTimeout   = 30 * time.Second // shorter than the usual server's, so that we hang up first
)

// A failure is why a call gave no answer. Its text is ours alone: the server's
// words, the address and the transport's errors, which repeat it, stay out.
type failure struct {
	reason     Reason
	what       string
	retryAfter time.Duration // with ReasonBackedOff
	broke      bool          // no whole answer came: whose doing that was is open
	again      bool          // there was no connection: a second call is no second question
}

func (f *failure) Error() string { return f.what }

func wrong(r Reason, what string) *failure { return &failure{reason: r, what: what} }

// call makes one call and reads its answer.
func (c *Client) call(ctx context.Context, key verifiers.StandingKey) (verifiers.Standing, *failure) {
	var reused, heard atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { reused.Store(info.Reused) },
		GotFirstResponseByte: func() { heard.Store(true) },
	})
	req, err := c.speech.request(ctx, key.USCC)
	if err != nil {
		return verifiers.Standing{}, wrong(ReasonMalformed, "the request could not be built")
	}
	askedAt := time.Now()
	// Not http.Client: it would follow redirects and put the address into its errors.
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		stale := !ended(ctx) && reused.Load() && !heard.Load()
		if t, ok := c.http.(*http.Transport); ok && stale {
			t.CloseIdleConnections() // the others are as old: the retry shall have a new one
		}
		return verifiers.Standing{}, broken(err, stale)
	}
	// An unread rest is not drained: closing drops the connection with it.
	defer resp.Body.Close()
	body, failed := receive(resp, askedAt)
	if ended(ctx) {
		// While the transport hangs up on a server that was too slow, the end of
		// a torn answer can still slip in.
		return verifiers.Standing{}, &failure{reason: ReasonTimeout, what: "no answer in time", broke: true}
	}
	if failed != nil {
		return verifiers.Standing{}, failed
	}
	standing, err := c.speech.answer(resp.StatusCode, body, key, askedAt)
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			f = wrong(ReasonMalformed, err.Error())
		}
		return verifiers.Standing{}, f
	}
	return standing, nil
}

// broken sorts an error of the transport. stale says that a kept connection was
// closed before a byte of the answer: the server had most likely hung up before
// it saw the question, and a question may be put twice.
func broken(err error, stale bool) *failure {
	f := &failure{reason: ReasonConnection, what: "the connection broke before an answer", broke: true, again: stale}
	var dial dialError
	var certificate *tls.CertificateVerificationError
	var slow net.Error
	switch {
	case errors.As(err, &dial):
		f.what = dial.what
		// A certificate that is wrong now is wrong in a millisecond too.
		f.again = !errors.As(err, &certificate)
	case errors.As(err, &slow) && slow.Timeout():
		f.reason, f.what, f.again = ReasonTimeout, "no answer in time", false
	}
	return f
}

// receive takes the body of an answer that may be one, whole and bounded.
func receive(resp *http.Response, now time.Time) ([]byte, *failure) {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotFound:
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if wait, ok := retryAfter(resp.Header, now); ok {
			return nil, &failure{reason: ReasonBackedOff, retryAfter: wait}
		}
		fallthrough
	default:
		return nil, wrong(ReasonStatus, "HTTP status "+strconv.Itoa(resp.StatusCode))
	}
	types := resp.Header.Values("Content-Type")
	if len(types) != 1 {
		return nil, wrong(ReasonMalformed, "not one Content-Type")
	}
	if mediaType, _, err := mime.ParseMediaType(types[0]); err != nil || mediaType != "application/json" {
		return nil, wrong(ReasonMalformed, "Content-Type is not application/json")
	}
	if coding := resp.Header.Values("Content-Encoding"); len(coding) > 0 && !strings.EqualFold(strings.Join(coding, ","), "identity") {
		return nil, wrong(ReasonMalformed, "a Content-Encoding that was not asked for")
	}
	if resp.ContentLength > maxBody {
		return nil, wrong(ReasonMalformed, "body over 64 KiB")
	}
	// One byte more than allowed: the header's length is only a claim.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, &failure{reason: ReasonConnection, what: "the connection broke within an answer", broke: true}
	case len(body) > maxBody:
		return nil, wrong(ReasonMalformed, "body over 64 KiB")
	}
	return body, nil
}

// retryAfter reads Retry-After, clamped to 0 … 60 s; ok is false where there is
// none that can be read.
// SPEC: RFC 9110 §10.2.3 "Retry-After = HTTP-date / delay-seconds".
func retryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	value := h.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 64)
	switch {
	case err == nil, errors.Is(err, strconv.ErrRange):
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), maxRetryAfter), true
}

// newTransport returns a province's own connections. HTTP/1.1 alone: for one
// question a call it costs less than half of HTTP/2's time, and one stalled
// stream holds up no other.
func newTransport(closing context.Context, under *group, c Config) *http.Transport {
	config := &tls.Config{RootCAs: c.CAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	return &http.Transport{
		Proxy: nil, // the environment does not decide whom we talk to
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			// The transport lets a dial outlive the question that began it.
			if !under.enter() {
				return nil, dialError{"the client was closed", context.Canceled}
			}
			defer under.leave()
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			defer context.AfterFunc(closing, cancel)()
			return dial(ctx, network, address, config)
		},
		DisableCompression:     true, // a small answer cannot unfold into a large one
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        c.MaxInFlight,
		MaxIdleConnsPerHost:    c.MaxInFlight,
		MaxIdleConns:           c.MaxInFlight,
		IdleConnTimeout:        idleTimeout,
	}
}

// dialError marks an error of the dialer: nothing of a question was sent. It is
// not shown itself, since it may hold names and addresses that the server chose.
type dialError struct {
	what  string
	cause error
}

func (e dialError) Error() string { return e.what }
func (e dialError) Unwrap() error { return e.cause }

func dial(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, dialError{"no connection", err}
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = raw.Close()
		return nil, dialError{"no connection", err}
	}
	config = config.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, dialError{"TLS handshake failed", err}
	}
	return conn, nil
}
