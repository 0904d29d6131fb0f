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
