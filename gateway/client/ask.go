package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// firstWait is how long is waited before the second try where the gateway does
// not say; it doubles, and half of it is chance.
const firstWait = 100 * time.Millisecond

// ask puts a question until it is answered, into answer, or until trying again
// is of no use, not allowed, or beyond the client's means.
func (c *Client) ask(ctx context.Context, q question, answer any) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := c.try(ctx, q, answer)
		if err == nil {
			c.budget.earn()
			return nil
		}
		if ctx.Err() != nil || try >= c.tries || !worthwhile(err, q.once) {
			return err
		}
		pause := wait/2 + rand.N(wait)
		if p := problemOf(err); p != nil && p.RetryAfter > 0 {
			// A little chance on top, so that not all come back at once.
			pause = p.RetryAfter + rand.N(firstWait)
		}
		if pause > c.maxWait+firstWait || beyond(ctx, pause) || !c.budget.spend() {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		case <-timer.C:
		}
		wait *= 2
	}
}

func beyond(ctx context.Context, pause time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < pause
}

// worthwhile reports whether the same question may get an answer next time, and
// may be put again at all.
func worthwhile(err error, once bool) bool {
	p := problemOf(err)
	if p == nil {
		// No answer, or half of one: it may have been dealt with.
		var broken *answerError
		return !once && !errors.As(err, &broken)
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true // refused before any work was done
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return !once
	}
	return false
}

func problemOf(err error) *Problem {
	var p *Problem
	errors.As(err, &p)
	return p
}

// An answerError is an answer that came whole and makes no sense here.
type answerError struct{ err error }

func (e *answerError) Error() string { return "client: the answer cannot be used: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

func (c *Client) try(ctx context.Context, q question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := q.request(ctx, c)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return readProblem(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("client: reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return &answerError{fmt.Errorf("longer than %d bytes", maxAnswer)}
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return &answerError{err}
	}
	return nil
}

// readProblem reads an answer without a verdict. What is no problem document,
// from a proxy for instance, is reported by its status alone.
func readProblem(r *http.Response) *Problem {
	p := &Problem{Status: r.StatusCode, RequestID: r.Header.Get("Request-Id"), RetryAfter: retryAfter(r.Header.Get("Retry-After"), time.Now())}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxProblem))
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); err == nil && media == "application/problem+json" {
		p.read(body)
	}
	return p
}

func (p *Problem) read(body []byte) {
	var d struct {
		Status    int    `json:"status"`
		Title     string `json:"title"`
		Detail    string `json:"detail"`
		Code      Code   `json:"code"`
		RequestID string `json:"request_id"`
	}
	if json.Unmarshal(body, &d) != nil {
		return
	}
	p.Status, p.RequestID = or(p.Status, d.Status), or(d.RequestID, p.RequestID)
	p.Title, p.Detail, p.Code = d.Title, d.Detail, d.Code
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3); 0 is not said.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// A budget keeps tries beyond the first to a part of all questions, so that a
// gateway in trouble is not given several times the work.
type budget struct {
	mu   sync.Mutex // guards left
	left float64
}

const (
	budgetMost  = 10  // tries that may be saved up
	budgetShare = 0.1 // of a try, for every answer
)

func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+budgetShare, budgetMost)
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
