package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"tongyan/gateway/internal/admin"
	"tongyan/gateway/internal/config"
	"tongyan/gateway/internal/parties"
)

const (
	// canaryEvery is the pace; canaryPatience leaves a moment before the next.
	canaryEvery    = 10 * time.Second
	canaryPatience = 8 * time.Second
	// canaryParty is a name that no configuration can give: it has a blank.
	canaryParty = "canary (internal)"
	// maxCanaryAnswer bounds what is read of an answer, in bytes.
	maxCanaryAnswer = 1 << 20
)

// A canary has the gateway verify a known credential on the way that
// everybody's takes: through its listener, with TLS and a bearer key, past rate
// and crowd, to trust list, keys, register and record. It tells, and decides
// nothing: a gateway that is unready because one province is down helps nobody.
type canary struct {
	key    string // of its party; made at each start, known to nobody else
	digest [sha256.Size]byte
	log    *slog.Logger

	mu    sync.Mutex // guards the rest; not held while asking
	asked bool       // there has been an answer, good or not
	since time.Time  // when it was first to sing, or sang last
	wrong string     // what the last one was instead of good; "" if it was good
}

func newCanary(log *slog.Logger) *canary {
	key := rand.Text()
	return &canary{key: key, digest: sha256.Sum256([]byte(key)), log: log}
}

// party is who the canary is to the API.
func (c *canary) party() parties.Spec {
	return parties.Spec{ID: canaryParty, Keys: [][sha256.Size]byte{c.digest}, Scopes: parties.Verify, Rate: 10, Burst: 10, Lane: parties.Lane(config.LaneHall)}
}

// run asks until ctx ends. settings and the address to ask at are read each
// time: a reload may bring another credential, or none.
func (c *canary) run(ctx context.Context, every time.Duration, settings func() *config.Canary, address net.Addr) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		c.round(ctx, settings(), address)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *canary) round(ctx context.Context, settings *config.Canary, address net.Addr) {
	if settings == nil {
		c.mu.Lock()
		c.asked, c.since, c.wrong = false, time.Time{}, ""
		c.mu.Unlock()
		return
	}
	c.mu.Lock()
	if c.since.IsZero() {
		c.since = time.Now()
	}
	c.mu.Unlock()
	wrong := ""
	if err := c.ask(ctx, settings, address); err != nil {
		wrong = err.Error()
	}
	if ctx.Err() != nil {
		return // the end, which says nothing about the gateway
	}
	c.mu.Lock()
	before, first := c.wrong, !c.asked
	c.asked, c.wrong = true, wrong
	if wrong == "" {
		c.since = time.Now()
	}
	c.mu.Unlock()
	switch {
	case wrong != "" && (before == "" || first):
		c.log.Error("the canary does not get its verdict", "cause", wrong)
	case wrong == "" && before != "":
		c.log.Info("the canary gets its verdict again")
	}
}

// ask verifies the credential once, over a connection of its own.
func (c *canary) ask(ctx context.Context, settings *config.Canary, address net.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, canaryPatience)
	defer cancel()
	transport := &http.Transport{
		// To the listener itself, whatever its certificate is called. An
		// unspecified address, [::]:8443, means this machine.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, address.Network(), address.String())
		},
		// Whom we reach is known by the address. That clients believe the
		// certificate cannot be told from here, but that it has ended can.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, VerifyConnection: inItsTime},
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://localhost/v1/verify", bytes.NewReader(settings.Credential.Reveal()))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Content-Type", "application/jwt") // any format, by its typ
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxCanaryAnswer))
	if err != nil {
		return fmt.Errorf("half an answer: %w", err)
	}
	var said struct{ Verdict, Code string }
	switch err := json.Unmarshal(body, &said); {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d %s", answer.StatusCode, said.Code)
	case err != nil:
		return errors.New("an answer that is not JSON")
	case said.Verdict != string(settings.Expect):
		return fmt.Errorf("%s %s, expected %s", said.Verdict, said.Code, settings.Expect)
	}
	return nil
}

func inItsTime(state tls.ConnectionState) error {
	leaf, now := state.PeerCertificates[0], time.Now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return errors.New("the gateway's certificate is not in its time")
	}
	return nil
}

// age is how long ago the canary last got its verdict, or how long it has been
// waiting for the first; NaN where there is none.
func (c *canary) age() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return math.NaN()
	}
	return time.Since(c.since).Seconds()
}

// part is what /readyz?verbose says of it: nothing where there is none.
func (c *canary) part() []admin.Part {
	age := c.age()
	if math.IsNaN(age) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return []admin.Part{{Name: "canary", OK: c.asked && c.wrong == "", Problem: c.wrong, Detail: map[string]any{"age_seconds": math.Round(age)}}}
}
