package api

import (
	"context"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"tongyan/gateway/internal/batch"
	"tongyan/gateway/internal/crowd"
	"tongyan/strict"
)

const (
	typeLines = "application/x-ndjson"
	// batchWorkers are the lines of one batch under way. More would only wait
	// for the province's budget.
	batchWorkers = 32
	// batchPatience is how long a batch may neither bring nor take a byte.
	batchPatience = 30 * time.Second
)

// batch is POST /v1/verify/batch: JSON requests in, verdicts out, a line each,
// in the order of arrival (contract §6.2).
func (a *API) batch(c *call) error {
	media, err := mediaType(c.r.Header)
	if err != nil {
		return err
	}
	if media != typeLines {
		return problem(UnsupportedMediaType, "send the requests as "+typeLines+", a JSON object a line")
	}
	if len(c.r.Header["Content-Encoding"]) > 0 {
		return problem(UnsupportedMediaType, "send the body without Content-Encoding")
	}
	if err := a.enterBatch(); err != nil {
		return err
	}
	defer a.leaveBatch()
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	rc := http.NewResponseController(c.w)
	// HTTP/1.1 servers finish reading before they answer unless told otherwise;
	// HTTP/2 needs no telling, and says that it is not supported.
	_ = rc.EnableFullDuplex()
	c.w.Header().Set("Content-Type", typeLines)
	c.w.WriteHeader(http.StatusOK)
	c.begun = true
	s := &stream{rc: rc, in: c.r.Body, out: c.w}
	_, err = batch.Run(ctx, s, s, batch.Options{
		MaxLine: int(a.MaxBody), Workers: batchWorkers,
		Answer: func(ctx context.Context, seq int64, line, dst []byte) []byte {
			return a.line(ctx, c, seq, line, dst)
		},
		TooLarge: func(seq int64, dst []byte) []byte {
			return appendFault(dst, c, seq, problem(TooLarge, "the line is longer than limits.max_body"))
		},
		Interrupt: s.interrupt,
	})
	if err != nil {
		a.Meter.Refused("GONE") // half an answer cannot be taken back: cut it off
		panic(http.ErrAbortHandler)
	}
	return nil
}

// line answers one line. Batches go last: they wait until there is room.
func (a *API) line(ctx context.Context, c *call, seq int64, line, dst []byte) []byte {
	ask, err := a.readLine(c, line)
	if err != nil {
		return appendFault(dst, c, seq, err)
	}
	ticket, err := a.Gate.Await(ctx, crowd.Batch, crowd.Peek(ask.Credential))
	if err != nil {
		return appendFault(dst, c, seq, crowded(err))
	}
	defer ticket.Leave()
	out := answers.Get().(*[]byte)
	defer answers.Put(out)
	ids := newIDs()
	if _, err := a.judge(crowd.With(ctx, ticket), c, ask, "vrf_"+string(ids[:16]), out); err != nil {
		return appendFault(dst, c, seq, err)
	}
	dst = appendSeq(dst, seq)
	return append(append(dst, ','), (*out)[1:]...) // the verdict's members, without its brace
}

func (a *API) readLine(c *call, line []byte) (*ask, error) {
	v, err := strict.Parse(line)
	if err != nil {
		return nil, problem(BadRequest, "the line is not acceptable JSON: "+err.Error())
	}
	ask, err := a.readRequest(c.r.Header, v, "the line")
	if err != nil {
		return nil, err
	}
	ask.Patient = true
	return ask, nil
}

func appendSeq(b []byte, seq int64) []byte {
	b = append(b, `{"seq":`...)
	return strconv.AppendInt(b, seq, 10)
}

// appendFault answers a line that got no verdict.
func appendFault(b []byte, c *call, seq int64, err error) []byte {
	p, ok := err.(*Problem)
	if !ok {
		p = problem(Internal, "")
	}
	b = appendSeq(b, seq)
	b = append(b, `,"error":`...)
	b = p.appendJSON(b, string(c.id[16:]))
	return append(b, '}')
}

// A stream moves the time-outs on as long as bytes move: a million lines take
// their time, a peer that does nothing does not.
type stream struct {
	rc  *http.ResponseController
	in  io.Reader
	out io.Writer

	// mu guards ended, and is held while a deadline is set: one that is set
	// after interrupt would undo it.
	mu    sync.Mutex
	ended bool
}

func (s *stream) Read(b []byte) (int, error) {
	if err := s.extend(s.rc.SetReadDeadline); err != nil {
		return 0, err
	}
	return s.in.Read(b)
}

func (s *stream) Write(b []byte) (int, error) {
	if err := s.extend(s.rc.SetWriteDeadline); err != nil {
		return 0, err
	}
	return s.out.Write(b)
}

func (s *stream) extend(set func(time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return os.ErrDeadlineExceeded
	}
	return set(time.Now().Add(batchPatience))
}

// Flush sends what was written on its way.
func (s *stream) Flush() error { return s.rc.Flush() }

// interrupt makes a Read and a Write under way return, and later ones fail.
func (s *stream) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	past := time.Unix(1, 0)
	s.rc.SetReadDeadline(past)
	s.rc.SetWriteDeadline(past)
}
