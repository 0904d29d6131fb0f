package apitest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
)

// maxBody is how much of a body is kept to be checked, in bytes. Of longer ones
// only status and headers are, and of a batch the lines that fit.
const maxBody = 1 << 20

// Transport checks whatever goes through next, and reports what is wrong, in
// the goroutine that reads the answer's body to its end or closes it. Answers
// are passed on as they come.
func (c *Checker) Transport(next http.RoundTripper, report func(error)) http.RoundTripper {
	return &transport{c, next, report}
}

type transport struct {
	checker *Checker
	next    http.RoundTripper
	report  func(error)
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := askedBody(r)
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return res, err
	}
	e := &Exchange{Method: r.Method, Path: r.URL.Path, Asked: r.Header.Clone(), AskedBody: asked, Status: res.StatusCode, Answered: res.Header.Clone()}
	endless := strings.HasPrefix(res.Header.Get("Content-Type"), "application/x-ndjson")
	res.Body = &watched{ReadCloser: res.Body, endless: endless, done: func(body []byte) {
		e.Body = body
		if err := t.checker.Check(e); err != nil {
			t.report(err)
		}
	}}
	return res, nil
}

// CloseIdleConnections is what http.Client calls.
func (t *transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// askedBody returns the body of a request that can be had twice, else nil.
func askedBody(r *http.Request) []byte {
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil || len(b) > maxBody {
		return nil
	}
	return b
}

// watched keeps what is read, and calls done once: with all of the body where
// it was read to its end, with nil where it was not.
type watched struct {
	io.ReadCloser
	done func([]byte)

	endless bool // a batch: the end may never come

	once sync.Once
	kept bytes.Buffer
	cut  bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if w.kept.Len()+n > maxBody {
		w.cut = true
	} else if !w.cut {
		w.kept.Write(b[:n])
	}
	if err == io.EOF {
		w.once.Do(func() { w.done(w.whole()) })
	}
	return n, err
}

// whole returns the body, of a longer one the lines that were kept, nil where
// there is not even one.
func (w *watched) whole() []byte {
	b := w.kept.Bytes()
	if !w.cut {
		return append([]byte{}, b...)
	}
	if end := bytes.LastIndexByte(b, '\n'); end >= 0 {
		return b[:end+1]
	}
	return nil
}

// Close reads what is left of an answer that has an end: who decodes one JSON
// value stops short of it.
func (w *watched) Close() error {
	if !w.endless {
		_, _ = io.Copy(io.Discard, io.LimitReader(w, maxBody)) // what cannot be read is not checked
	}
	w.once.Do(func() { w.done(nil) })
	return w.ReadCloser.Close()
}
