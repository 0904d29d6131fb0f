// Package audit keeps the gateway's record of its verdicts: one JSON line each,
// appended to a file, every line carrying the hash of the one before.
//
// What the chain proves, and what it does not. Hashes are plain SHA-256, so
// anybody can check a file and no secret is needed to do it; a keyed hash would
// lie beside the file, within reach of whoever may write there. A line edited,
// removed, moved or put in by hand is found, and so is a file missing between
// two others. Who may write the file can still work out anew every hash behind
// his change, or cut the end off. Against that helps only a head (number and
// hash of a line, see [Log.Head]) kept out of his reach: in the system log, at
// the auditor's. [Check.Anchor] compares with one.
//
// If the file lies, verification says where. If it forgets (a power cut, a
// kill), at most the last 100 ms are gone, the torn end is cut off at the next
// start and the cut is a line of its own. If the disk is slow, lines queue up to
// 1 MiB; beyond that, and where the disk is full, [Options.Refuse] decides.
package audit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/verifiers"
)

// ErrNotWritten says that a line is not in the file: its verdict must not be
// given. ErrClosed, which is one, that the log was closed before.
var (
	ErrNotWritten = errors.New("the audit line could not be written")
	ErrClosed     = errors.New("the audit log is closed")
)

// ErrInUse says that another process appends to the file.
var ErrInUse = errors.New("another process writes this audit file")

// An Entry is what is recorded of one verdict. There is no place in it for the
// licence. Purpose and Reference are the caller's own words: each is kept up to
// 256 bytes, with its true length noted where it was longer.
type Entry struct {
	ID           string // of the verdict
	Time         time.Time
	Party        string // the relying party's id, "" the anonymous one
	Purpose      string
	Reference    string
	Digest       verifiers.Digest // of the credential as received
	Outcome      verifiers.Outcome
	Code         verifiers.Code
	Policy       string // names the policy in force
	TrustVersion int64
}

// Options say where a log is written and how.
type Options struct {
	// Path is the file. Full ones are renamed to Path.000001 and on; they are
	// the owner's to archive. Its folder must exist. Nothing else may rename or
	// cut the file (no logrotate): that looks like a crime.
	Path string
	// MaxSize in bytes is where a new file is begun; at most 1 MiB is written
	// past it. 0: 100 MiB.
	MaxSize int64
	// Refuse has Append wait until its line is handed to the system, and return
	// an error where that fails. Otherwise Append returns at once, and lines
	// that cannot be written are counted: in [Stats.Lost], and in the file as
	// soon as it takes lines again.
	Refuse bool

	sync func(syncer) error // for tests; nil: Sync
}

type syncer interface{ Sync() error }

const (
	maxQueue  = 1 << 20 // bytes waiting for the writer
	syncEvery = 100 * time.Millisecond
)

// A Log appends lines. It is safe for concurrent use. One goroutine writes;
// Close waits for it.
type Log struct {
	Options

	// mu guards waiting and closed. It is not held while writing.
	mu      sync.Mutex
	waiting *group
	closed  bool

	wake chan struct{} // holds one token while there may be something to do
	done chan struct{} // closed when the writer has ended
	err  error         // of the end; read after done

	head    atomic.Pointer[Head]
	lines   atomic.Int64
	lost    atomic.Int64
	refused atomic.Int64
	syncBad atomic.Int64
}

// A group is the lines that are written together.
type group struct {
	bodies []byte // the lines without their place in the chain, one after the other
	ends   []int
	done   chan struct{} // closed when the group is written, or is not
	err    error         // set before done is closed
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// A Head names the last line written: kept elsewhere, it pins all before it.
type Head struct {
	Number int64
	Hash   Hash
}

// Stats are counts since Open.
type Stats struct {
	Lines        int64 // verdicts written
	Lost         int64 // verdicts given without a line
	Refused      int64 // lines that failed while the caller waited
	SyncFailures int64
}

// A Recovery says in what state Open found the file.
type Recovery struct {
	Cut int64 // bytes of a line that was not complete, removed
	// Altered says that the last line was complete but not what had been
	// written. The file was set aside, and a new chain was begun.
	Altered bool
}

// Open continues the chain in the file, or begins one. It fails where the file
// cannot be written, and with [ErrInUse] where somebody else does.
func Open(o Options) (*Log, Recovery, error) {
	if o.MaxSize <= 0 {
		o.MaxSize = 100 << 20
	}
	if o.sync == nil {
		o.sync = syncer.Sync
	}
	l := &Log{Options: o, waiting: newGroup(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	w := writer{log: l, store: store{path: o.Path}}
	recovery, err := w.open()
	if err != nil {
		return nil, recovery, err
	}
	go w.run()
	return l, recovery, nil
}

// Append records one verdict. With Options.Refuse it returns when the line is
// out of this process's hands, or an error that is an [ErrNotWritten], or ctx's;
// in the last case the line may still be written. Otherwise it returns nil.
func (l *Log) Append(ctx context.Context, e *Entry) error {
	l.mu.Lock()
	g := l.waiting
	full := l.closed || len(g.bodies) >= maxQueue
	if !full {
		g.bodies = appendBody(g.bodies, e)
		g.ends = append(g.ends, len(g.bodies))
	}
	closed := l.closed
	l.mu.Unlock()
	switch {
	case full && !l.Refuse:
		l.lost.Add(1)
		return nil
	case closed:
		l.refused.Add(1)
		return errors.Join(ErrNotWritten, ErrClosed)
	case full:
		l.refused.Add(1)
		return ErrNotWritten
	}
	l.poke()
	if !l.Refuse {
		return nil
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Head returns the last line written.
func (l *Log) Head() Head { return *l.head.Load() }

// Stats returns the counts as they are now.
func (l *Log) Stats() Stats {
	return Stats{Lines: l.lines.Load(), Lost: l.lost.Load(), Refused: l.refused.Load(), SyncFailures: l.syncBad.Load()}
}

// Close writes what waits, has it stored, and ends the writer. Lines appended
// afterwards are refused or lost.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.poke()
	<-l.done
	return l.err
}
