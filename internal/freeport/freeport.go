// Package freeport finds loopback addresses for servers that must be told where
// to listen, or must come back where they were.
//
// An address that the system hands out for ":0" does not do for that: it stands
// in the range from which the system also takes the near ends of outgoing
// connections, so that any client may sit on it while the server is away.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// From Lowest to Highest, below what Linux gives to outgoing connections (32768
// and up unless told otherwise).
const (
	Lowest  = 10000
	Highest = 32767
)

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Get returns a port, between Lowest and highest, on which nobody listens and
// that it has not returned before.
func Get(highest int) (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		port := Lowest + rand.IntN(highest-Lowest+1)
		if given[port] {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue
		}
		given[port] = true
		return port, l.Close()
	}
	return 0, errors.New("no port of loopback is free")
}

// Address is the port on loopback.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
