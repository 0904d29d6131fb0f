package crowd

import "time"

// NewQueueing is New with another queue for the cores.
func NewQueueing(o Options, queue func(busy bool) time.Duration) *Gate {
	o.queue = queue
	return New(o)
}

// Tick is what Run does every 100 ms.
func (g *Gate) Tick() { g.tick() }
