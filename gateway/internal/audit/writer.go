package audit

import (
	"fmt"
	"os"
	"time"
)

// A writer is the one goroutine that writes a log's file.
type writer struct {
	log *Log
	store
	out   []byte // the lines of the group at hand
	spare *group

	noted int64 // how many of the lost lines the file tells of

	dirty    bool // bytes were written that are not known to be stored
	syncing  chan error
	lastSync time.Time
}

func (w *writer) run() {
	defer close(w.log.done)
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-w.log.wake:
		case <-due.C:
		case err := <-w.syncing:
			w.synced(err)
		}
		g, closed := w.take()
		if g != nil {
			w.settle(g, w.writeGroup(g))
		}
		if closed {
			w.log.err = w.end()
			return
		}
		if w.dirty && w.syncing == nil {
			if wait := syncEvery - time.Since(w.lastSync); wait > 0 {
				due.Reset(wait)
			} else {
				w.startSync()
			}
		}
	}
}

// take returns the lines that wait, nil if none do, and whether there will be
// no more.
func (w *writer) take() (g *group, closed bool) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if len(w.log.waiting.ends) == 0 {
		return nil, w.log.closed
	}
	g, w.log.waiting = w.log.waiting, newGroup()
	if s := w.spare; s != nil {
		w.log.waiting.bodies, w.log.waiting.ends = s.bodies[:0], s.ends[:0]
		w.spare = nil
	}
	return g, w.log.closed
}

// settle tells those who wait for a group what came of it.
func (w *writer) settle(g *group, err error) {
	n := int64(len(g.ends))
	switch {
	case err == nil:
		w.log.lines.Add(n)
	case w.log.Refuse:
		w.log.refused.Add(n)
		g.err = fmt.Errorf("%w: %w", ErrNotWritten, err)
	default:
		w.log.lost.Add(n)
	}
	// Buffers are lent to the next group; those who wait look only at err.
	w.spare = &group{bodies: g.bodies, ends: g.ends}
	close(g.done)
}

// writeGroup appends a group's lines: all of them, or none.
func (w *writer) writeGroup(g *group) error {
	switch {
	case w.file == nil:
		if _, err := w.open(); err != nil {
			return err
		}
	case w.size >= w.log.MaxSize:
		if err := w.rotate(); err != nil {
			return err
		}
	}
	w.out = w.out[:0]
	head := w.head
	lost := w.log.lost.Load()
	if lost > w.noted {
		head = w.compose(head, appendEvent(nil, eventLost, time.Now(), "lines", lost-w.noted))
	}
	start := 0
	for _, end := range g.ends {
		head = w.compose(head, g.bodies[start:end])
		start = end
	}
	if err := w.flush(head); err != nil {
		return err
	}
	w.noted = lost
	return nil
}

// compose adds one line to what is to be written.
func (w *writer) compose(head Head, body []byte) Head {
	head.Number++
	w.out, head.Hash = appendLine(w.out, head.Number, head.Hash, body)
	return head
}

func (w *writer) flush(head Head) error {
	if err := w.write(w.out, head); err != nil {
		return err
	}
	w.dirty = true
	w.log.head.Store(&head)
	return nil
}

// open finds the end of the chain and records that it goes on from there.
func (w *writer) open() (Recovery, error) {
	r, fresh, err := w.store.open()
	if err != nil {
		return r, err
	}
	event := eventStart
	if fresh {
		event = eventContinue
		if w.head == anew {
			event = eventBegin
		}
	}
	return r, w.first(event, r.Cut)
}

// first writes the event that opens a file, and has it stored with its name.
func (w *writer) first(event string, cut int64) error {
	w.out = w.out[:0]
	err := w.flush(w.compose(w.head, appendEvent(nil, event, time.Now(), "cut", cut)))
	if err == nil {
		err = w.log.sync(w.file)
	}
	if err == nil {
		err = syncFolder(w.path)
	}
	if err != nil {
		w.close()
		return err
	}
	w.dirty, w.lastSync = false, time.Now()
	return nil
}

// rotate goes on in a new file. The old one is stored before: behind a file
// that is whole there is never one that is not.
func (w *writer) rotate() error {
	w.waitSync()
	if err := w.log.sync(w.file); err != nil {
		w.log.syncBad.Add(1)
		return err
	}
	if err := w.setAside(); err != nil {
		return err
	}
	return w.first(eventContinue, 0)
}

// startSync has the file stored, beside the writing.
func (w *writer) startSync() {
	w.dirty = false
	done := make(chan error, 1)
	w.syncing = done
	go func(f *os.File) { done <- w.log.sync(f) }(w.file)
}

func (w *writer) synced(err error) {
	w.syncing, w.lastSync = nil, time.Now()
	if err != nil {
		// The system may have dropped the bytes; the next ones are tried anyway.
		w.log.syncBad.Add(1)
	}
}

func (w *writer) waitSync() {
	if w.syncing != nil {
		w.synced(<-w.syncing)
	}
}

func (w *writer) end() error {
	w.waitSync()
	if w.file == nil {
		return nil
	}
	err := w.log.sync(w.file)
	if closed := w.close(); err == nil {
		err = closed
	}
	return err
}
