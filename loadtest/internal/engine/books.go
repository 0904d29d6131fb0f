package engine

import (
	"crypto/tls"
	"net"
)

// own enters a connection into the books, or closes it if the run was cut.
func (e *Engine) own(c net.Conn) bool {
	e.connsMu.Lock()
	defer e.connsMu.Unlock()
	if e.ended {
		c.Close()
		return false
	}
	e.conns[c] = struct{}{}
	e.sockets.Add(1)
	return true
}

func (e *Engine) disown(c net.Conn) error {
	e.connsMu.Lock()
	if _, there := e.conns[c]; there {
		delete(e.conns, c)
		e.sockets.Add(-1)
	}
	e.connsMu.Unlock()
	return c.Close()
}

// drop closes a connection; nil is none.
func (e *Engine) drop(c *conn) {
	if c == nil {
		return
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		// Without close_notify: it could wait for a peer that does not read.
		e.disown(t.NetConn())
		return
	}
	e.disown(c.Conn)
}

// cut ends every connection at once.
func (e *Engine) cut() {
	e.connsMu.Lock()
	e.ended = true
	for c := range e.conns {
		c.Close()
	}
	e.connsMu.Unlock()
}

// why replaces an error that our own cut has caused.
func (e *Engine) why(err error) error {
	if err == nil {
		return nil
	}
	e.connsMu.Lock()
	defer e.connsMu.Unlock()
	if e.ended {
		return errEnded
	}
	return err
}
