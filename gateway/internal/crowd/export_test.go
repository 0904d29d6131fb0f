package crowd

import "time"

// NewQueueing is New with another queue for the cores, where a unit takes another
// time; 0 is the real one.
func NewQueueing(o Options, unit time.Duration, queue func(busy bool) time.Duration) *Gate {
	o.queue, o.unit = queue, unit
	return New(o)
}

// Tick is what Run does every 100 ms.
func (g *Gate) Tick() { g.tick() }

// Hear has f called in place of what has the network heard.
func (g *Gate) Hear(f func()) { g.hear.Store(&f) }

// Bell runs what has the network heard until done, and returns it.
func Bell(done <-chan struct{}) (listen, ring func()) {
	b := newBell()
	return b.listen, func() { b.ring(done) }
}
