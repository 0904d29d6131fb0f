package registry

import (
	"slices"
	"sync"
	"time"
)

// remembered is how many calls a Latency is about.
const remembered = 256

// A Latency sums up the last calls, answered or not, from the request to the
// end of the answer. Calls whose caller went away are not among them.
type Latency struct {
	Calls    int // how many it is about; 0: none was made, and the rest is 0
	P50, P99 time.Duration
}

// latency remembers how long the last calls took.
type latency struct {
	mu    sync.Mutex // guards all; held for a store or a copy
	took  [remembered]time.Duration
	next  int
	calls int
}

func (l *latency) add(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[l.next] = took
	l.next = (l.next + 1) % remembered
	l.calls = min(l.calls+1, remembered)
}

func (l *latency) summary() Latency {
	l.mu.Lock()
	took, n := l.took, l.calls
	l.mu.Unlock()
	if n == 0 {
		return Latency{}
	}
	sorted := took[:n]
	slices.Sort(sorted)
	return Latency{Calls: n, P50: sorted[n/2], P99: sorted[min(n-1, n*99/100)]}
}
