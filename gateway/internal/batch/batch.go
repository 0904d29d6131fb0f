// Package batch answers a stream of lines by a stream of lines: many at once,
// in the order of arrival, in memory that does not grow with the stream
// (contract §6.2). It knows neither HTTP nor what a line says.
//
// A fixed window of lines is under way at any time. Who reads the answers
// slowly fills it, and then nothing more is read: the slowness goes back to the
// sender instead of into memory.
package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options say how lines are answered.
type Options struct {
	// MaxLine is the longest line in bytes, without its end.
	MaxLine int
	// Workers is how many lines are answered at once.
	Workers int
	// Answer appends the answer to a line, without a line feed, to dst and
	// returns it. line is only lent. It is called by Workers goroutines; ctx
	// ends with the run, and what is then returned goes nowhere. If it panics,
	// the run ends and Run panics with a *Panic.
	Answer func(ctx context.Context, seq int64, line, dst []byte) []byte
	// TooLarge is Answer for a line beyond MaxLine, of which nothing is kept.
	TooLarge func(seq int64, dst []byte) []byte
	// Interrupt makes a Read and a Write under way return. It is called once,
	// when a run must end early, in a goroutine of its own. nil: Run ends only
	// when they return by themselves.
	Interrupt func()
}

// A Flusher is a writer that may hold back what was written to it.
type Flusher interface{ Flush() error }

// A Panic is a panic of Answer, carried over to the goroutine of Run.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("answering a line: %v", p.Value) }

const (
	// perWorker is how many lines of the window stand for each worker: one slow
	// answer holds back the others no sooner than after so many each.
	perWorker = 8
	// lineBytes bounds the lines under way together, unless one alone is longer.
	lineBytes = 4 << 20
	// keepBuffer is the largest buffer kept for the next line.
	keepBuffer = 64 << 10
	// flushSize and flushEvery: answers are sent on when they are so many bytes,
	// or when one has waited so long.
	flushSize  = 32 << 10
	flushEvery = 10 * time.Millisecond
)

// A job is one line on its way through.
type job struct {
	seq     int64
	line    []byte
	tooLong bool
	answer  []byte
	done    chan struct{} // gets one token when answer is ready
}

type run struct {
	Options
	ctx    context.Context
	cancel context.CancelCauseFunc
	room   *semaphore.Weighted // bytes of lines under way
	free   chan *job           // jobs without a line
	work   chan *job           // lines to be answered
	order  chan *job           // the same, in order of arrival
	readBy error               // why reading ended; read after order is closed
}

// Run reads lines from in until it ends and writes an answer for each to out;
// out is flushed if it is a [Flusher]. Lines are counted from 0. Blank ones are
// passed over and not counted; the last one needs no line feed; a carriage
// return before it is not part of the line.
//
// It returns how many answers were written, and the first error: of in (behind
// the answers to all whole lines before), of out, or the cause of ctx's end. By
// then all its goroutines have ended. It does not close in or out.
func Run(ctx context.Context, in io.Reader, out io.Writer, o Options) (answered int64, err error) {
	window := o.Workers * perWorker
	r := &run{
		Options: o, room: semaphore.NewWeighted(int64(max(lineBytes, o.MaxLine))),
		free: make(chan *job, window), work: make(chan *job, window), order: make(chan *job, window),
	}
	for range window {
		r.free <- &job{done: make(chan struct{}, 1)}
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(r.ctx, func() {
		defer close(interrupted)
		if o.Interrupt != nil {
			o.Interrupt()
		}
	})
	var all sync.WaitGroup
	all.Go(func() { r.read(in) })
	for range o.Workers {
		all.Go(r.answer)
	}
	w := writer{run: r, out: out}
	err = w.write()
	if err != nil {
		r.cancel(err)
	}
	all.Wait()
	if !stop() {
		<-interrupted // what it holds may not outlive the run
	}
	var panicked *Panic
	if errors.As(context.Cause(r.ctx), &panicked) {
		panic(panicked)
	}
	if err == nil {
		err = r.readBy
	}
	return w.answered, err
}

// read hands out the lines of in until it ends.
func (r *run) read(in io.Reader) {
	defer close(r.order)
	defer close(r.work)
	lines := newLines(in, r.MaxLine)
	for seq := int64(0); ; seq++ {
		line, tooLong, err := lines.next()
		if err != nil {
			if err != io.EOF {
				r.readBy = err
			}
			return
		}
		var j *job
		select {
		case j = <-r.free:
		case <-r.ctx.Done():
			return
		}
		if r.room.Acquire(r.ctx, int64(len(line))) != nil {
			return
		}
		j.seq, j.tooLong = seq, tooLong
		j.line = append(j.line[:0], line...)
		r.order <- j // neither blocks: no more jobs than places
		r.work <- j
	}
}

// answer works lines off.
func (r *run) answer() {
	for j := range r.work {
		r.one(j)
		r.room.Release(int64(len(j.line)))
		if cap(j.line) > keepBuffer {
			j.line = nil
		}
		j.done <- struct{}{}
	}
}

func (r *run) one(j *job) {
	defer func() {
		if v := recover(); v != nil {
			r.cancel(&Panic{v, debug.Stack()})
		}
	}()
	switch {
	case r.ctx.Err() != nil:
	case j.tooLong:
		j.answer = r.TooLarge(j.seq, j.answer[:0])
	default:
		j.answer = r.Answer(r.ctx, j.seq, j.line, j.answer[:0])
	}
}
