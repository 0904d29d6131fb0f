// Package client asks a gateway to verify electronic business licences. It
// needs the standard library only, and speaks the HTTP API of the gateway's
// /openapi.json.
//
// A verdict of any kind is an answer; an error means that there is none. Only
// [Verdict.Valid] says that a licence is good: an error, and the zero Verdict,
// say that nobody knows.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options describe the gateway and who asks. Either Key or Certificate says
// who; both must then belong to the same relying party.
type Options struct {
	// URL is the gateway's address, https://host or https://host:port.
	URL string
	// Key is the API key, sent as Authorization: Bearer.
	Key string
	// Certificate is a client certificate with its private key.
	Certificate *tls.Certificate
	// Roots are the authorities that the gateway's own certificate must come
	// from; nil: those of the system.
	Roots *x509.CertPool

	// Timeout bounds one try, its answer included; 0 is 10 s. Batches are not
	// bound by it, see [Client.Batch].
	Timeout time.Duration
	// Tries is how often a question is put at most; 0 is 4, 1 never tries again.
	Tries int
	// MaxWait is how long is waited at most for the next try. A gateway that
	// asks for more patience (Retry-After) gets it from the caller, as the
	// error's RetryAfter. 0 is 10 s.
	MaxWait time.Duration
}

// The bounds of what is read, in bytes.
const (
	maxAnswer  = 4 << 20
	maxProblem = 64 << 10
)

// idleTimeout is how long a batch may stand still while answers are due.
const idleTimeout = time.Minute

// A Client asks one gateway. It is safe for concurrent use; one is enough.
type Client struct {
	base    string
	key     string
	http    *http.Client
	timeout time.Duration
	tries   int
	maxWait time.Duration
	budget  budget
}

// New makes a client. It connects to nobody yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("client: URL is not an address such as https://gateway.example")
	case u.Scheme != "https":
		return nil, errors.New("client: URL does not begin with https://; the key would travel in the clear")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("client: URL holds a user, a query or a fragment")
	case strings.ContainsAny(o.Key, " \t\r\n"):
		return nil, errors.New("client: Key holds a blank or a line feed; was it read from a file?")
	}
	config := &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	if o.Certificate != nil {
		config.Certificates = []tls.Certificate{*o.Certificate}
	}
	return &Client{
		base: strings.TrimRight(o.URL, "/"),
		key:  o.Key,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSClientConfig:       config,
				TLSHandshakeTimeout:   5 * time.Second,
				ForceAttemptHTTP2:     true,
				MaxIdleConnsPerHost:   32,
				IdleConnTimeout:       90 * time.Second,
				ResponseHeaderTimeout: idleTimeout,
			},
			// A redirected key is a key given away.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: or(o.Timeout, 10*time.Second),
		tries:   or(o.Tries, 4),
		maxWait: or(o.MaxWait, 10*time.Second),
		budget:  budget{left: budgetMost},
	}, nil
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Close drops the connections that are kept open. Questions under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Verify asks for a verdict.
func (c *Client) Verify(ctx context.Context, r *Request) (*Verdict, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	q := question{path: "/v1/verify", body: body, idempotencyKey: r.IdempotencyKey}
	// A holder's nonce serves once. A try whose end is unknown may have spent
	// it, unless the gateway knows the next try for the same question.
	q.once = r.Holder != nil && r.Holder.Nonce != "" && r.IdempotencyKey == ""
	return into[Verdict](ctx, c, q)
}

// VerifyReceipt asks whether a receipt of this gateway or of a peer is good. To
// check receipts without asking, use package verifiers/receipt.
func (c *Client) VerifyReceipt(ctx context.Context, receipt string) (*ReceiptAnswer, error) {
	body, err := json.Marshal(map[string]string{"receipt": receipt})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return into[ReceiptAnswer](ctx, c, question{path: "/v1/receipts/verify", body: body})
}

// Whoami asks what the gateway takes the caller for.
func (c *Client) Whoami(ctx context.Context) (*Party, error) {
	return into[Party](ctx, c, question{path: "/v1/whoami"})
}

// Codes asks for all codes with their wording.
func (c *Client) Codes(ctx context.Context) ([]CodeInfo, error) {
	type list struct {
		Codes []CodeInfo `json:"codes"`
	}
	answer, err := into[list](ctx, c, question{path: "/v1/codes"})
	if err != nil {
		return nil, err
	}
	return answer.Codes, nil
}

// into asks for a T. Nothing is returned beside an error.
func into[T any](ctx context.Context, c *Client, q question) (*T, error) {
	answer := new(T)
	if err := c.ask(ctx, q, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// A question is what is sent, as often as it takes.
type question struct {
	path           string
	body           []byte // nil: GET
	idempotencyKey string
	once           bool // not to be put again unless it was certainly refused
}

func (q *question) request(ctx context.Context, c *Client) (*http.Request, error) {
	method := http.MethodPost
	if q.body == nil {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.idempotencyKey != "" {
		r.Header.Set("Idempotency-Key", q.idempotencyKey)
	}
	if q.once {
		// The transport puts again what it believes to be unread, unless the
		// body cannot be had twice.
		r.GetBody = nil
	}
	c.name(r)
	return r, nil
}

// name says who asks.
func (c *Client) name(r *http.Request) {
	r.Header.Set("Accept", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
}
