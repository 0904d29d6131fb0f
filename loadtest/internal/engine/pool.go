package engine

import (
	"context"
	"sync"
	"time"

	"tongyan/loadtest/internal/verdict"
)

// maxQueue bounds the work that waits for a connection; past it work is given
// up at once.
const maxQueue = 1 << 16

// pool hands work to connections: to the one used last, so that few are used
// while few are needed; to a new one up to the limit; else into the queue.
type pool struct {
	engine *Engine
	most   int

	mu    sync.Mutex // guards what follows; held for no I/O
	idle  []*worker  // a stack
	count int        // of workers
	queue []job      // a ring: from head, size long
	head  int
	size  int
	over  bool // no more work comes
}

func (p *pool) submit(j job) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		w.jobs <- j // it is idle: there is room for one
		return
	}
	if p.count < p.most {
		p.count++
		w := newWorker(p.engine, p.count)
		p.mu.Unlock()
		p.engine.workers.Go(func() { w.run(p) })
		w.jobs <- j
		return
	}
	j.waited = true
	full := p.size == maxQueue
	if !full {
		p.push(j)
	}
	p.mu.Unlock()
	if full {
		p.engine.neverSent(j.planned, j.item, verdict.Unsent)
	}
}

// push adds to the ring; p.mu is held.
func (p *pool) push(j job) {
	if p.size == len(p.queue) {
		grown := make([]job, max(256, 2*len(p.queue)))
		for i := range p.size {
			grown[i] = p.queue[(p.head+i)%len(p.queue)]
		}
		p.queue, p.head = grown, 0
	}
	p.queue[(p.head+p.size)%len(p.queue)] = j
	p.size++
}

// next returns waiting work, or makes w idle. Work that has waited beyond the
// patience is given up here.
func (p *pool) next(w *worker) (job, bool) {
	patience := p.engine.cfg.Connections.Patience.Duration
	for {
		p.mu.Lock()
		if p.size == 0 {
			if p.over {
				p.mu.Unlock()
				close(w.jobs)
				return job{}, false
			}
			p.idle = append(p.idle, w)
			p.mu.Unlock()
			return job{}, false
		}
		j := p.queue[p.head]
		p.queue[p.head] = job{}
		p.head, p.size = (p.head+1)%len(p.queue), p.size-1
		p.mu.Unlock()
		if p.engine.now()-j.planned <= patience {
			return j, true
		}
		p.engine.neverSent(j.planned, j.item, verdict.Unsent)
	}
}

func (p *pool) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// grace is what work under way is given after an interrupt.
const grace = 500 * time.Millisecond

// drain lets idle workers go, and the busy ones when they are done. Should ctx
// end (or have ended), what waits is dropped, and connections are cut after the
// grace.
func (p *pool) drain(ctx context.Context) {
	p.mu.Lock()
	p.over = true
	for _, w := range p.idle {
		close(w.jobs)
	}
	p.idle = nil
	p.mu.Unlock()
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		p.mu.Lock()
		p.size, p.queue = 0, nil
		p.mu.Unlock()
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			p.engine.cut()
		}
	})
	p.engine.workers.Wait()
	close(done)
	watch.Wait()
}
