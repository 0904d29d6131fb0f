package faults

import (
	"net"
	"testing"
)

// A hog holds connections to a gateway and says nothing.
type hog struct {
	t     testing.TB
	to    string
	conns []net.Conn
}

func newHog(t testing.TB, to string) *hog {
	h := &hog{t: t, to: to}
	t.Cleanup(h.leave)
	return h
}

// take opens so many connections. The kernel takes more than the gateway can.
func (h *hog) take(n int) {
	for range n {
		c, err := net.Dial("tcp", h.to)
		if err != nil {
			return // the gateway's queue is full as well
		}
		h.conns = append(h.conns, c)
	}
}

func (h *hog) leave() {
	for _, c := range h.conns {
		c.Close()
	}
	h.conns = nil
}
