package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"
)

// dial opens a connection to the target whose turn it is, passing over those
// that refused a moment ago, as any edge in front of gateways would.
func (e *Engine) dial(k kind, cert bool, deadline time.Time) (*conn, error) {
	target := e.choose()
	config := e.paths[target].fresh
	switch {
	case k == resumed:
		config = e.paths[target].resumed
	case cert:
		config = e.paths[target].certified
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", e.cfg.Targets[target])
	if err != nil {
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
			e.noSocket.Add(1)
		default:
			e.down[target].Store(int64(e.now() + 500*time.Millisecond))
		}
		return nil, err
	}
	c := tls.Client(raw, config)
	if !e.own(raw) {
		return nil, errEnded
	}
	if err := c.HandshakeContext(ctx); err != nil {
		e.drop(&conn{Conn: raw})
		return nil, e.why(err)
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 4<<10), target: target, used: time.Now()}, nil
}

func (e *Engine) choose() int {
	n := uint64(len(e.cfg.Targets))
	first := e.turn.Add(1)
	for i := range n {
		target := int((first + i) % n)
		if int64(e.now()) >= e.down[target].Load() {
			return target
		}
	}
	return int(first % n)
}
