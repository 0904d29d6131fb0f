package engine

import (
	"context"
	"math/rand/v2"
	"sync"
)

// closed starts every connection's own loop. Nothing is planned: each piece of
// work counts from the moment of its sending, as other tools count.
func (e *Engine) closed(ctx context.Context) {
	var mu sync.Mutex // guards Work
	for n := range e.cfg.Connections.Max {
		w := newWorker(e, n+1)
		rng := rand.New(rand.NewPCG(e.cfg.Seed, uint64(n)))
		e.workers.Go(func() {
			defer func() { e.drop(w.conn) }()
			for ctx.Err() == nil && e.now() < e.cfg.Closed {
				if limit := e.cfg.MaxBytes; limit > 0 && e.bytes.Load() > limit {
					return
				}
				mu.Lock()
				item := e.cfg.Work()
				mu.Unlock()
				e.cfg.Recorder.Offer(e.now())
				w.serve(job{item: item, kind: e.draw(rng)})
			}
		})
	}
}
