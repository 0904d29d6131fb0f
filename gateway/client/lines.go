package client

import (
	"errors"
	"io"
	"sync"
)

// linesMost is how many bytes of requests may wait to be sent.
const linesMost = 64 << 10

// lines is a pipe that gives its reader all that has been written: few large
// pieces where requests come fast, and each at once where they come slowly.
type lines struct {
	mu        sync.Mutex // guards what follows
	changed   sync.Cond
	waiting   []byte
	closed    bool // by the writer: the end
	abandoned bool // by the reader, or by whoever gives up
}

func newLines() *lines {
	l := new(lines)
	l.changed.L = &l.mu
	return l
}

// write waits for room and appends a line, which may be longer than the room
// there is. It reports whether anybody still reads.
func (l *lines) write(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) >= linesMost && !l.abandoned {
		l.changed.Wait()
	}
	if l.abandoned {
		return false
	}
	l.waiting = append(l.waiting, line...)
	l.changed.Broadcast()
	return true
}

// close says that no line follows.
func (l *lines) close() { l.set(&l.closed) }

// ended reports whether the writer has closed, and all was read.
func (l *lines) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed && len(l.waiting) == 0
}

// abandon makes writers stop and readers fail.
func (l *lines) abandon() { l.set(&l.abandoned) }

func (l *lines) set(flag *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*flag = true
	l.changed.Broadcast()
}

var errAbandoned = errors.New("client: the batch was given up")

// Read implements io.Reader for the request's body.
func (l *lines) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.closed && !l.abandoned {
		l.changed.Wait()
	}
	switch {
	case l.abandoned:
		return 0, errAbandoned
	case len(l.waiting) == 0:
		return 0, io.EOF
	}
	n := copy(p, l.waiting)
	// The rest moves to the front, so that the buffer is used again.
	l.waiting = l.waiting[:copy(l.waiting, l.waiting[n:])]
	l.changed.Broadcast()
	return n, nil
}

// Close implements io.Closer: the transport takes no more.
func (l *lines) Close() error {
	l.abandon()
	return nil
}
