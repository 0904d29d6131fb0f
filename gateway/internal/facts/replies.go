package facts

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"
)

// What one reply of Redis may be. The library makes room for as many bytes or
// elements as a reply says it has, before one has come, and calls itself for
// each array within an array: whoever stands in Redis's place could otherwise
// end the gateway with one line.
const (
	maxBulk     = 8 << 20  // bytes of one string; the longest kept is a status list, 4 MiB and its seal
	maxReply    = 64 << 20 // bytes of all strings of one reply
	maxElements = 1 << 17  // of all arrays of one reply; each takes the library 16 bytes
	maxDepth    = 16       // arrays within arrays; a cluster's COMMAND has the deepest
	maxLine     = 16 << 10 // bytes of any other line
)

var errReply = errors.New("facts: a reply that no Redis of ours gives")

// dialer connects to Redis. What comes from there passes through a replies.
func dialer(o *RedisOptions, socket time.Duration) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: socket}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if o.TLS != nil {
			conn, err := (&tls.Dialer{NetDialer: plain, Config: o.TLS}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &boundedConn{Conn: conn}, nil
		}
		conn, err := plain.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if raw, ok := conn.(syscall.Conn); ok {
			return &peekedConn{boundedConn{Conn: conn}, raw}, nil
		}
		return &boundedConn{Conn: conn}, nil
	}
}

// A boundedConn breaks off at the first reply that is out of bounds.
type boundedConn struct {
	net.Conn
	replies replies
}

// NetConn gives the library what lies below.
func (c *boundedConn) NetConn() net.Conn { return c.Conn }

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.replies.pass(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// A peekedConn lets the library see that a kept connection was closed meanwhile.
type peekedConn struct {
	boundedConn
	raw syscall.Conn
}

func (c *peekedConn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

// replies follows a stream of replies, in RESP2, and in RESP3, which the library
// speaks with sentinels whatever we say. Attributes, which no Redis sends unasked,
// are out of bounds: the library calls itself for each.
type replies struct {
	bad  bool // for ever
	skip int  // bytes of a string that are still to come, its line end with them

	// The line under way: its first byte, 0 before it has come, its length, and
	// where it is a number of bytes or elements, that.
	kind   byte
	length int
	number [24]byte

	// The reply under way.
	open            []int // elements still to come of each array that has begun
	bytes, elements int
}

// pass takes the next bytes. Its error is errReply, and stays.
func (r *replies) pass(b []byte) error {
	for len(b) > 0 && !r.bad {
		switch {
		case r.skip > 0:
			n := min(r.skip, len(b))
			b, r.skip = b[n:], r.skip-n
			if r.skip == 0 {
				r.ended()
			}
			continue
		case r.kind == 0:
			r.begin(b[0])
		case b[0] == '\n':
			r.line()
		default:
			r.within(b[0])
		}
		b = b[1:]
	}
	if r.bad {
		return errReply
	}
	return nil
}

func (r *replies) begin(kind byte) {
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(', '$', '=', '!', '*', '~', '>', '%':
		r.kind, r.length = kind, 0
	default:
		r.bad = true
	}
}

// isString: the line says how many bytes follow it. isArray: how many values.
func (r *replies) isString() bool { return r.kind == '$' || r.kind == '=' || r.kind == '!' }
func (r *replies) isArray() bool {
	return r.kind == '*' || r.kind == '~' || r.kind == '>' || r.kind == '%'
}

func (r *replies) within(c byte) {
	switch {
	case !r.isString() && !r.isArray():
		r.bad = r.length == maxLine
	case r.length < len(r.number):
		r.number[r.length] = c
	default:
		r.bad = true
	}
	r.length++
}

// line ends a line.
func (r *replies) line() {
	isString, isMap := r.isString(), r.kind == '%'
	isLine := !isString && !r.isArray()
	r.kind = 0
	if isLine {
		r.ended()
		return
	}
	if r.length == 0 || r.number[r.length-1] != '\r' {
		r.bad = true
		return
	}
	n, err := strconv.Atoi(string(r.number[:r.length-1]))
	if err != nil || n < -1 || n > max(maxBulk, maxElements) {
		r.bad = true
		return
	}
	if isMap {
		n *= 2
	}
	switch {
	case n < 0, n == 0 && !isString:
		r.ended()
	case isString:
		r.bytes, r.skip = r.bytes+n, n+len("\r\n")
		r.bad = n > maxBulk || r.bytes > maxReply
	default:
		r.elements, r.open = r.elements+n, append(r.open, n)
		r.bad = r.elements > maxElements || len(r.open) > maxDepth
	}
}

// ended ends a value, with all arrays whose last it is.
func (r *replies) ended() {
	for last := len(r.open) - 1; last >= 0; last-- {
		if r.open[last]--; r.open[last] > 0 {
			return
		}
		r.open = r.open[:last]
	}
	r.bytes, r.elements = 0, 0
}
