package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/workload"
)

// Bounds of an answer.
const (
	maxAnswer = 1 << 20
	idleRetry = 5 * time.Second
)

var (
	errTooLong = errors.New("engine: an answer of more than 1 MiB")
	errEnded   = errors.New("engine: the run was cut short")
)

// worker is one connection's owner. Its request and answer are written and
// read by hand on the connection, with the standard library's parser: a
// Transport's two goroutines a connection cost more than the rest together
// (measured: 48 µs a request against 19).
type worker struct {
	engine *Engine
	jobs   chan job // one at most
	conn   *conn    // kept alive; nil: to be dialled
	cert   bool     // shows the client certificate
	out    []byte
	body   []byte
}

// conn is an open connection.
type conn struct {
	net.Conn
	in     *bufio.Reader
	target int
	used   time.Time
}

func newWorker(e *Engine, n int) *worker {
	// The nth connection shows a certificate where n·share passes an integer.
	share := float64(e.cfg.Connections.Certificates)
	return &worker{
		engine: e, jobs: make(chan job, 1),
		cert: int(float64(n)*share) > int(float64(n-1)*share),
		body: make([]byte, 0, 8<<10),
	}
}

func (w *worker) run(p *pool) {
	for j := range w.jobs {
		for ok := true; ok; j, ok = p.next(w) {
			w.serve(j)
		}
	}
	w.engine.drop(w.conn)
}

// serve sends one piece of work and records its end.
func (w *worker) serve(j job) {
	e := w.engine
	sent := e.now()
	if e.cfg.Closed > 0 {
		j.planned = sent
	} else if !j.waited {
		e.cfg.Recorder.Lag(j.planned, sent-j.planned)
	}
	e.inFlight.Add(1)
	status, body, err := w.ask(j)
	e.inFlight.Add(-1)
	s := stats.Sample{
		Planned: j.planned, Sent: sent, Done: e.now(),
		Want: j.item.Want, Class: j.item.Class, Name: j.item.Name,
	}
	switch {
	case errors.Is(err, errEnded):
		return // abandoned: the target is not to blame
	case err == nil:
		var v, code []byte
		s.Outcome, v, code = verdict.Classify(j.item.Want, status, body)
		s.Verdict, s.Code = spell(v), spell(code)
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		s.Outcome = verdict.Timeout
	case errors.Is(err, errTooLong):
		s.Outcome = verdict.Malformed
	default:
		s.Outcome = verdict.Broken
	}
	e.cfg.Recorder.Done(s)
}

// spell returns b as a string, without a new one for the usual words.
func spell(b []byte) string {
	switch string(b) {
	case "VALID":
		return "VALID"
	case "OK":
		return "OK"
	case "INVALID":
		return "INVALID"
	}
	return string(b)
}

func (w *worker) ask(j job) (int, []byte, error) {
	e := w.engine
	deadline := time.Now().Add(e.cfg.Connections.Timeout.Duration)
	switch j.kind {
	case http2:
		return w.askHTTP2(j, deadline)
	case fresh, resumed:
		c, err := e.dial(j.kind, false, deadline)
		if err != nil {
			return 0, nil, err
		}
		defer e.drop(c)
		status, body, _, err := w.exchange(c, j.item, true, false, deadline)
		return status, body, err
	}
	for {
		reused := w.conn != nil
		if !reused {
			c, err := e.dial(kept, w.cert, deadline)
			if err != nil {
				return 0, nil, err
			}
			w.conn = c
		}
		idle := time.Since(w.conn.used)
		status, body, last, err := w.exchange(w.conn, j.item, false, w.cert, deadline)
		if err != nil || last {
			e.drop(w.conn)
			w.conn = nil
		}
		// A server may close what has been idle for long; every client asks
		// again then, and so do we. Anything else is a failure.
		if reused && idle > idleRetry && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errEnded) {
			continue
		}
		return status, body, err
	}
}

// exchange writes one request and reads its answer. last says that the
// connection serves no other.
func (w *worker) exchange(c *conn, item *workload.Item, once, cert bool, deadline time.Time) (status int, body []byte, last bool, err error) {
	e := w.engine
	if err := c.SetDeadline(deadline); err != nil {
		return 0, nil, true, err
	}
	w.out = e.request(w.out[:0], item, c.target, once, cert)
	if _, err := c.Write(w.out); err != nil {
		return 0, nil, true, e.why(err)
	}
	resp, err := http.ReadResponse(c.in, &postRequest)
	if err != nil {
		return 0, nil, true, e.why(err)
	}
	body, err = w.read(resp.Body)
	resp.Body.Close()
	e.bytes.Add(int64(len(w.out) + len(body) + 512))
	c.used = time.Now()
	return resp.StatusCode, body, resp.Close, e.why(err)
}

// postRequest tells ReadResponse what was asked: answers to HEAD have no body.
var postRequest = http.Request{Method: http.MethodPost}

func (w *worker) read(from io.Reader) ([]byte, error) {
	w.body = w.body[:0]
	for {
		if len(w.body) == cap(w.body) {
			if len(w.body) >= maxAnswer {
				return nil, errTooLong
			}
			w.body = append(w.body, 0)[:len(w.body)]
		}
		n, err := from.Read(w.body[len(w.body):cap(w.body)])
		w.body = w.body[:len(w.body)+n]
		if err == io.EOF {
			return w.body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// request writes the whole request into out.
func (e *Engine) request(out []byte, item *workload.Item, target int, once, cert bool) []byte {
	out = append(out, "POST "...)
	out = append(out, e.cfg.Path...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, e.cfg.Targets[target]...)
	out = append(out, "\r\nUser-Agent: tongyan-loadtest\r\nAccept: application/json\r\n"...)
	if e.cfg.Key != "" && !cert {
		out = append(out, "Authorization: Bearer "...)
		out = append(out, e.cfg.Key...)
		out = append(out, "\r\n"...)
	}
	if once {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "Content-Type: "...)
	out = append(out, item.Media...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(item.Body)), 10)
	out = append(out, "\r\n\r\n"...)
	return append(out, item.Body...)
}
