package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client asks gateways over kept-alive HTTP/1.1. Whom it speaks with is
// beyond doubt: it started them.
type client struct {
	http http.Client
	key  string
}

func newClient(key string) *client {
	return &client{key: key, http: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // no HTTP/2
		MaxIdleConnsPerHost: 1000,
	}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// An answer is a verdict, and how it came.
type answer struct {
	Verdict, Code string
	Freshness     struct{ Source string }

	status  int
	closing bool // the gateway asked for another connection
	took    time.Duration
}

// is reports whether the answer is that verdict.
func (a *answer) is(verdict, code string) bool {
	return a.status == http.StatusOK && a.Verdict == verdict && a.Code == code
}

// ask sends one credential. headers come in pairs.
func (c *client) ask(ctx context.Context, addr, credential string, headers ...string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/v1/verify", strings.NewReader(credential))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/jwt")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, closing: resp.Close, took: time.Since(began)}
	if err := json.Unmarshal(body, a); err != nil {
		return nil, fmt.Errorf("status %d with a body that is no JSON: %w", resp.StatusCode, err)
	}
	return a, nil
}

// expect sends one credential and wants that verdict.
func (c *client) expect(ctx context.Context, addr, credential, verdict, code string) error {
	a, err := c.ask(ctx, addr, credential)
	if err == nil && !a.is(verdict, code) {
		err = fmt.Errorf("%d %s %s in place of %s %s", a.status, a.Verdict, a.Code, verdict, code)
	}
	return err
}

// dialFailed reports that no connection was had: nothing was sent.
func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// all asks for every credential once, several at a time, and wants VALID.
func (c *client) all(ctx context.Context, addr string, credentials []string) error {
	var next atomic.Int64
	return together(16, func(int) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= len(credentials) {
				return nil
			}
			if err := c.expect(ctx, addr, credentials[n], "VALID", "OK"); err != nil {
				return fmt.Errorf("credential %d: %w", n, err)
			}
		}
	})
}

// together runs the same thing several times at once, and returns one error.
func together(n int, do func(worker int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
