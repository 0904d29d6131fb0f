package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync/atomic"
	"time"
)

// A Line is the answer to one request of a batch: a verdict, or why there is
// none.
type Line struct {
	Seq     int64 // of the request, from 0
	Verdict *Verdict
	Problem *Problem // nil beside a verdict
}

// The errors of a batch that did not come to its end.
var (
	// ErrCutShort: the answers ended before the last request had its own.
	ErrCutShort = errors.New("client: the batch was cut short")
	// ErrIdle: answers were due, and for a minute nothing moved.
	ErrIdle = errors.New("client: the batch stands still")
)

// Batch puts many requests in one stream and yields their answers in the same
// order, while requests are still being taken: memory does not grow with the
// batch, and who reads slowly slows the requests down. It needs the scope batch
// and is served behind everybody who waits for a single answer.
//
// A bad request has its Problem in its place, and the others go on. An error
// comes last, with a zero Line: what was answered before it counts, the rest
// was not answered. A batch is never tried again by itself; the error of one
// that was not taken is a *Problem with its RetryAfter.
//
// requests runs in a goroutine of its own, which Batch waits for: it must end
// when ctx does, or when yield says so. A request that cannot be written as
// JSON ends the batch.
func (c *Client) Batch(ctx context.Context, requests iter.Seq[*Request]) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		b := &batch{requests: requests, out: newLines(), produced: make(chan struct{}), watched: make(chan struct{})}
		go b.produce()
		go b.watch(ctx, cancel)
		// In the opposite order: the connection is given up, nobody takes lines
		// any more, and both goroutines have ended.
		defer func() { <-b.produced; <-b.watched }()
		defer b.out.abandon()
		defer cancel(nil)
		err := b.run(ctx, c, yield)
		if err == nil || err == errStopped {
			return
		}
		if errors.Is(context.Cause(ctx), ErrIdle) {
			err = fmt.Errorf("%w: %w", ErrIdle, err)
		}
		yield(Line{}, err)
	}
}

// errStopped: who reads the answers has had enough.
var errStopped = errors.New("stopped")

// A batch is the state of one run.
type batch struct {
	requests iter.Seq[*Request]
	out      *lines
	sent     atomic.Int64
	answered atomic.Int64
	moved    atomic.Bool   // since watch looked last
	away     atomic.Bool   // the caller has an answer in hand and did not come back yet
	produced chan struct{} // closed when produce has ended; then failed may be read
	watched  chan struct{} // closed when watch has ended
	failed   error
}

// produce writes the requests as lines.
func (b *batch) produce() {
	defer close(b.produced)
	defer b.out.close()
	for r := range b.requests {
		line, err := json.Marshal(r)
		if err != nil {
			b.failed = fmt.Errorf("client: request %d: %w", b.sent.Load(), err)
			return
		}
		if !b.out.write(append(line, '\n')) {
			return
		}
		b.sent.Add(1)
		b.moved.Store(true)
	}
}

// watch gives up where answers are due and nothing has moved for idleTimeout.
func (b *batch) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(b.watched)
	tick := time.NewTicker(idleTimeout)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !b.moved.Swap(false) && !b.away.Load() && b.sent.Load() != b.answered.Load() {
			cancel(ErrIdle)
			return
		}
	}
}

func (b *batch) run(ctx context.Context, c *Client, yield func(Line, error) bool) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/verify/batch", b.out)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	c.name(request)
	request.Header.Set("Accept", "application/x-ndjson, application/json")
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return readProblem(response)
	}
	if err := b.read(response.Body, yield); err != nil {
		return err
	}
	// The gateway says that it is done. If not all was written, it is not.
	if !b.out.ended() {
		return fmt.Errorf("%w after %d answers", ErrCutShort, b.answered.Load())
	}
	<-b.produced
	if b.failed != nil {
		return b.failed
	}
	if sent, answered := b.sent.Load(), b.answered.Load(); sent != answered {
		return fmt.Errorf("%w: %d requests, %d answers", ErrCutShort, sent, answered)
	}
	return nil
}

func (b *batch) read(body io.Reader, yield func(Line, error) bool) error {
	scanner := bufio.NewScanner(body)
	scanner.Buffer(make([]byte, 0, 16<<10), maxAnswer)
	for scanner.Scan() {
		line, err := readLine(scanner.Bytes(), b.answered.Load())
		if err != nil {
			return err
		}
		b.answered.Add(1)
		b.away.Store(true)
		more := yield(line, nil)
		b.moved.Store(true)
		b.away.Store(false)
		if !more {
			return errStopped
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%w after %d answers: %w", ErrCutShort, b.answered.Load(), err)
	}
	return nil
}

// readLine reads answer number want.
func readLine(text []byte, want int64) (Line, error) {
	var envelope struct {
		Seq   *int64          `json:"seq"`
		Error json.RawMessage `json:"error"`
	}
	err := json.Unmarshal(text, &envelope)
	switch {
	case err != nil:
		return Line{}, &answerError{fmt.Errorf("line %d: %w", want, err)}
	case envelope.Seq == nil || *envelope.Seq != want:
		return Line{}, &answerError{fmt.Errorf("line %d is about another request", want)}
	}
	line := Line{Seq: want}
	if envelope.Error != nil {
		line.Problem = new(Problem)
		line.Problem.read(envelope.Error)
		return line, nil
	}
	line.Verdict = new(Verdict)
	if err := json.Unmarshal(text, line.Verdict); err != nil {
		return Line{}, &answerError{fmt.Errorf("line %d: %w", want, err)}
	}
	return line, nil
}
