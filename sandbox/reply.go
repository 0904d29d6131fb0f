// Answers: what an endpoint means to say, and how it is sent.

package sandbox

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// request is what an answer may depend on.
type request struct {
	method, path, contentType, appKey string
	body                              []byte
}

// reply is an answer before any fault is laid over it.
type reply struct {
	status      int
	contentType string
	body        []byte

	path       string       // the request's, filled in by the endpoint
	retryAfter string       // header, if not empty
	location   string       // header, if not empty
	other      func() reply // the same answer about another business
	fault      *setting     // of this one answer, if the endpoint has none
}

// requestCap bounds the request bodies read: the longest one is one USCC in JSON.
const requestCap = 64 << 10

const redirectPrefix = "/moved"

// write sends rep, down to the level of bytes and connections as f says.
func (rep reply) write(w http.ResponseWriter, f Fault) {
	if f.Mode == Reset {
		reset(w)
		return
	}
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Type": rep.contentType, "Retry-After": rep.retryAfter, "Location": rep.location,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	body := rep.body
	if f.Mode != Oversized {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if f.Mode == Truncated {
		body = body[:len(body)/2]
	}
	w.WriteHeader(rep.status)
	w.Write(body)
	switch f.Mode {
	case Truncated:
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case Oversized:
		blanks := []byte(strings.Repeat(" ", 64<<10))
		for sent := 0; sent < oversize; sent += len(blanks) {
			if _, err := w.Write(blanks); err != nil {
				return
			}
		}
	}
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // no close_notify either
	}
	if t, ok := conn.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	conn.Close()
}
