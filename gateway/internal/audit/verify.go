package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Kind says what is wrong with a chain.
type Kind string

// What may be wrong.
const (
	Altered   Kind = "altered"
	Missing   Kind = "missing"
	Reordered Kind = "reordered"
	Torn      Kind = "not complete"
)

// A Fault is the first thing wrong with a chain. It is an error.
type Fault struct {
	Kind   Kind
	File   string
	Line   int64 // in the file, from 1
	Number int64 // of the line that should stand there, its member n; -1: not known
	Why    string
}

func (f *Fault) Error() string {
	number := ""
	if f.Number >= 0 {
		number = fmt.Sprintf(" (number %d)", f.Number)
	}
	return fmt.Sprintf("%s: line %d%s is %s: %s", f.File, f.Line, number, f.Kind, f.Why)
}

// A Report is what stands in a chain, as far as it is good.
type Report struct {
	Lines    int64
	Verdicts int64
	First    int64 // number of the first line; 0 is the chain's beginning
	Head     Head  // of the last line
	Starts   int64 // times that the gateway went on after an end
	Cut      int64 // bytes of lines that were not complete, removed at such a start
	Lost     int64 // verdicts given without a line
}

// A Check verifies one chain, file by file, oldest first. The zero Check is
// ready for the first file.
type Check struct {
	// Anchor is a head noted before; nil: none. The line of its number must be
	// there, with its hash, unless it stands before the first line.
	Anchor *Head

	report Report
	begun  bool
	last   place // of the line at hand
	// gap is where a line is missing: should it come later, it was moved.
	gap *Fault
	// clash is where a line names another hash than that of the one before:
	// one of the two was replaced, and the next line says which.
	clash *clash
}

type clash struct {
	earlier, later *Fault
	hash           Hash // of the later one
}

type place struct {
	file string
	line int64
}

// VerifyFiles verifies files that continue each other, oldest first. A fault in
// them is a *Fault; any other error means that they could not be read.
func VerifyFiles(anchor *Head, paths ...string) (Report, error) {
	c := Check{Anchor: anchor}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return c.report, err
		}
		err = c.File(path, f)
		f.Close()
		if err != nil {
			return c.report, err
		}
	}
	return c.report, c.End()
}

// Series returns the files of which path is the last.
func Series(path string) ([]string, error) {
	before, err := rotated(path)
	return append(before, path), err
}

// File verifies the next file. It returns a *Fault, or an error of r. After one
// the Check is of no more use.
func (c *Check) File(name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	for n := int64(1); ; n++ {
		b, err := in.ReadSlice('\n')
		if err == io.EOF && len(b) == 0 {
			if n == 1 {
				return c.fault(Missing, place{name, 1}, "the file is empty")
			}
			return nil
		}
		at := place{name, n}
		switch {
		case err == io.EOF:
			err = c.fault(Torn, at, "the gateway was killed while writing it, or writes it now, or the file was cut")
		case errors.Is(err, bufio.ErrBufferFull):
			err = c.fault(Altered, at, "no line is that long")
		case err == nil:
			err = c.line(at, b[:len(b)-1])
		}
		if err != nil {
			return err
		}
	}
}

// End says that there are no more files.
func (c *Check) End() error {
	switch {
	case c.gap != nil:
		return c.gap
	case c.clash != nil:
		return c.clash.earlier
	case !c.begun:
		return &Fault{Missing, "", 0, -1, "there is nothing"}
	case c.Anchor != nil && c.Anchor.Number > c.report.Head.Number:
		return c.fault(Missing, place{c.last.file, c.last.line + 1}, fmt.Sprintf("line number %d was once noted; the end was cut off", c.Anchor.Number))
	}
	return nil
}

// next is the number of the line that should come, -1 if any may.
func (c *Check) next() int64 {
	if !c.begun {
		return -1
	}
	return c.report.Head.Number + 1
}

// fault returns a fault at a place. One found before comes first.
func (c *Check) fault(kind Kind, at place, why string) error {
	switch {
	case c.gap != nil:
		return c.gap
	case c.clash != nil:
		return c.clash.earlier
	}
	return &Fault{kind, at.file, at.line, c.next(), why}
}

func (c *Check) line(at place, b []byte) error {
	l, sound := readLine(b)
	if c.gap != nil {
		if sound && l.number == c.gap.Number {
			c.gap.Kind, c.gap.Why = Reordered, fmt.Sprintf("it stands further on, at %s:%d", at.file, at.line)
			return c.gap
		}
		return nil
	}
	if c.clash != nil {
		if sound && l.prev == c.clash.hash {
			return c.clash.earlier
		}
		return c.clash.later
	}
	want := c.next()
	switch {
	case !sound:
		return c.fault(Altered, at, "its own hash does not fit it")
	case at.line == 1 && l.event != eventBegin && l.event != eventContinue:
		return c.fault(Missing, at, "a file begins with a line that says so")
	case l.event == eventBegin && (c.begun || l.number != 0 || l.prev != Hash{}):
		return c.fault(Missing, at, "a new chain begins here; what should go before is not continued")
	case !c.begun:
		c.begun, c.report.First = true, l.number
	case l.number > want:
		c.gap = &Fault{Missing, at.file, at.line, want, fmt.Sprintf("number %d follows number %d", l.number, want-1)}
		return nil
	case l.number < want:
		return c.fault(Reordered, at, fmt.Sprintf("number %d stands here again, or late", l.number))
	case l.prev != c.report.Head.Hash:
		c.clash = &clash{
			earlier: &Fault{Altered, c.last.file, c.last.line, want - 1, "the line behind it names another hash"},
			later:   &Fault{Altered, at.file, at.line, want, "neither neighbour is of its chain"},
			hash:    l.hash,
		}
		return nil
	}
	if a := c.Anchor; a != nil && a.Number == l.number && a.Hash != l.hash {
		return &Fault{Altered, at.file, at.line, l.number, "another hash was once noted for it; it or one before was replaced"}
	}
	c.take(at, l)
	return nil
}

// take counts a good line.
func (c *Check) take(at place, l line) {
	r := &c.report
	r.Lines++
	r.Head = Head{l.number, l.hash}
	c.last = at
	switch l.event {
	case "":
		r.Verdicts++
	case eventLost:
		r.Lost += l.count
	default:
		r.Cut += l.count
		if l.event == eventStart {
			r.Starts++
		}
	}
}
