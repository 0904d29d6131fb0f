package freeport_test

import (
	"net"
	"testing"

	"tongyan/internal/freeport"
)

// No port is given twice, none that somebody listens on, all within bounds.
func TestGet(t *testing.T) {
	const highest = freeport.Lowest + 9
	first, err := freeport.Get(highest)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", freeport.Address(first))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := map[int]bool{first: true}
	for {
		port, err := freeport.Get(highest)
		if err != nil {
			break // all are given
		}
		if seen[port] || port < freeport.Lowest || port > highest {
			t.Fatalf("%d after %v", port, seen)
		}
		seen[port] = true
	}
	if len(seen) < 2 {
		t.Errorf("only %d of ten ports are free", len(seen))
	}
}
