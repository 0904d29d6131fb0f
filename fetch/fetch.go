// Package fetch makes one bounded https GET: the way trust lists, key sets and
// status lists come in.
//
// The server is believed in nothing: time, header, body, type and connections
// are bounded, redirects lead nowhere, and no proxy, cookie or credential is
// ever used. Plain http cannot be switched on. What the bytes say is the
// caller's to check.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultTimeout bounds a whole fetch, body included, where Options names none.
const DefaultTimeout = 5 * time.Second

const (
	maxHeader       = 64 << 10 // bytes of response header
	maxETag         = 256      // bytes; a longer one is not worth sending back
	maxBody         = 64 << 20 // bytes; a caller who allows more has made a mistake
	maxConnsPerHost = 8        // a hanging server holds no more of our descriptors
	maxIdle         = 16       // over all hosts
	idleTimeout     = 30 * time.Second
)

// Options are the settings of a Client. All may be left out.
type Options struct {
	CAs       *x509.CertPool // who may vouch for servers; nil means the system's
	Timeout   time.Duration  // for a whole fetch, from name lookup to the last byte; default DefaultTimeout
	UserAgent string         // default "tongyan"
}

// A Client fetches. It is safe for concurrent use; call Close at the end.
type Client struct {
	transport *http.Transport
	timeout   time.Duration
	agent     string
}

// A Request says what is wanted of an address. The zero value gets nothing.
type Request struct {
	Accept     string   // header Accept; empty means */*
	MaxBytes   int64    // size of the longest body that is taken; 1 … 64 MiB
	MediaTypes []string // lower case, without parameters; the answer must be one of these. nil takes any
	ETag       string   // of the copy already held; makes NotModified possible
}

// An Answer is a whole, bounded body, or word that the copy held is current.
type Answer struct {
	Body        []byte      // nil if NotModified
	MediaType   string      // lower case, without parameters; empty if none was given or it is malformed
	ETag        string      // to be sent next time; empty if there is none
	NotModified bool        // the copy with Request.ETag is still current
	Header      http.Header // as received, unverified
}

// New returns a Client with its own connections.
func New(o Options) *Client {
	c := &Client{timeout: o.Timeout, agent: o.UserAgent}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.agent == "" {
		c.agent = "tongyan"
	}
	config := &tls.Config{RootCAs: o.CAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	c.transport = &http.Transport{
		Proxy: nil, // the environment does not decide whom we talk to
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(ctx, network, address, config, c.timeout)
		},
		DisableCompression:     true, // a small answer cannot unfold into a large one
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        maxConnsPerHost,
		MaxIdleConnsPerHost:    1,
		MaxIdleConns:           maxIdle,
		IdleConnTimeout:        idleTimeout,
	}
	return c
}

// Close releases idle connections. Fetches under way go on to their own end.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Get fetches one https address. Every error is an [*Error], and with an error
// the Answer is zero: half an answer is none.
func (c *Client) Get(ctx context.Context, address string, want Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, address, want)
	if err != nil {
		return Answer{}, err
	}
	host := req.URL.Host
	// Not http.Client: it would follow redirects, keep cookies and put the whole address into its errors.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return Answer{}, failure(ctx, host, err, Protocol)
	}
	// An unread rest is not drained: closing drops the connection with it.
	defer resp.Body.Close()
	// A header can still slip in while the transport hangs up on a server that was too slow.
	if err := ctx.Err(); err != nil {
		return Answer{}, failure(ctx, host, err, Protocol)
	}

	fail := func(r Reason) (Answer, error) {
		return Answer{}, &Error{Host: host, Reason: r, Status: resp.StatusCode, RetryAfter: retryAfter(resp, time.Now())}
	}
	answer := Answer{ETag: resp.Header.Get("ETag"), Header: resp.Header}
	if len(answer.ETag) > maxETag {
		answer.ETag = ""
	}
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && want.ETag != "":
		if answer.ETag == "" {
			answer.ETag = want.ETag
		}
		answer.NotModified = true
		return answer, nil
	case code == http.StatusNotModified:
		return fail(Status)
	case code >= 300 && code <= 399:
		return fail(Redirect)
	case code != http.StatusOK:
		return fail(Status)
	}
	if coding := resp.Header.Values("Content-Encoding"); len(coding) > 0 &&
		!strings.EqualFold(strings.Join(coding, ","), "identity") {
		return fail(Encoding)
	}
	if mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		answer.MediaType = mediaType
	}
	if want.MediaTypes != nil && !slices.Contains(want.MediaTypes, answer.MediaType) {
		return fail(MediaType)
	}
	if resp.ContentLength > want.MaxBytes {
		return fail(TooLarge)
	}
	// Read on past the limit by one byte: the header's length is only a claim.
	answer.Body, err = io.ReadAll(io.LimitReader(resp.Body, want.MaxBytes+1))
	if err != nil {
		return Answer{}, failure(ctx, host, err, Truncated)
	}
	if int64(len(answer.Body)) > want.MaxBytes {
		return fail(TooLarge)
	}
	return answer, nil
}

// request builds the GET, or refuses the address before anything is sent.
func (c *Client) request(ctx context.Context, address string, want Request) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		// url.Error repeats the address, which may hold a secret in its query.
		return nil, &Error{Reason: BadRequest, cause: errors.New("the address is not a URL")}
	}
	refuse := func(why string) (*http.Request, error) {
		return nil, &Error{Host: u.Host, Reason: BadRequest, cause: errors.New(why)}
	}
	switch {
	case u.Scheme != "https":
		return refuse("the address must begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return refuse("the address names no host")
	case u.User != nil:
		return refuse("the address must not hold a user or password")
	case want.MaxBytes <= 0 || want.MaxBytes > maxBody:
		return refuse("no size limit was given, or one above 64 MiB")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return refuse("the address cannot be requested")
	}
	if want.Accept == "" {
		want.Accept = "*/*"
	}
	req.Header.Set("Accept", want.Accept)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.agent)
	if want.ETag != "" {
		req.Header.Set("If-None-Match", want.ETag)
	}
	return req, nil
}

// dial opens a TLS connection and says which phase failed. Its own time-out
// counts because the transport lets a dial outlive the request that began it.
func dial(ctx context.Context, network, address string, config *tls.Config, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, phaseError{Dial, err}
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = raw.Close()
		return nil, phaseError{Dial, err}
	}
	config = config.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, phaseError{TLS, err}
	}
	return conn, nil
}

// retryAfter reads Retry-After of a 429 or 503, in either of its two forms.
// SPEC: RFC 9110 §10.2.3 "Retry-After = HTTP-date / delay-seconds".
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	value := resp.Header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}
