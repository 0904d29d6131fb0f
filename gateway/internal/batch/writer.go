package batch

import (
	"context"
	"io"
	"time"
)

// A writer brings the answers out in order.
type writer struct {
	*run
	out      io.Writer
	held     []byte // answers not yet written
	lines    int64  // how many
	answered int64
	due      *time.Timer // fires when held has waited long enough
}

// write returns when the last answer is written, or with the first error.
func (w *writer) write() error {
	w.due = time.NewTimer(time.Hour)
	defer w.due.Stop()
	for {
		j, err := next(w, w.order)
		if err != nil {
			return err
		}
		if j != nil {
			if _, err := next(w, j.done); err != nil {
				return err
			}
		}
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx) // lines or an answer may be missing
		}
		if j == nil {
			return w.flush()
		}
		if w.lines == 0 {
			w.due.Reset(flushEvery)
		}
		w.held = append(append(w.held, j.answer...), '\n')
		w.lines++
		if cap(j.answer) > keepBuffer {
			j.answer = nil
		}
		w.free <- j
		if len(w.held) >= flushSize {
			if err := w.send(); err != nil {
				return err
			}
		}
	}
}

// next waits for ch, and meanwhile flushes when that is due. It returns the
// zero value where ch is closed.
func next[T any](w *writer, ch <-chan T) (v T, err error) {
	for {
		select {
		case v = <-ch:
			return v, nil
		case <-w.ctx.Done():
			return v, context.Cause(w.ctx)
		case <-w.due.C:
			if err := w.flush(); err != nil {
				return v, err
			}
		}
	}
}

// send writes what is held.
func (w *writer) send() error {
	if w.lines == 0 {
		return nil
	}
	if _, err := w.out.Write(w.held); err != nil {
		return err
	}
	w.answered += w.lines
	w.lines, w.held = 0, w.held[:0]
	if cap(w.held) > 2*flushSize+keepBuffer {
		w.held = nil
	}
	return nil
}

// flush writes what is held and has it sent on.
func (w *writer) flush() error {
	if err := w.send(); err != nil {
		return err
	}
	if f, ok := w.out.(Flusher); ok {
		return f.Flush()
	}
	return nil
}
