package batch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// A lines splits a stream at its line feeds.
type lines struct {
	in   *bufio.Reader
	max  int
	long []byte // of a line longer than in's buffer, what was read of it
}

func newLines(in io.Reader, maxLine int) *lines {
	return &lines{in: bufio.NewReaderSize(in, 64<<10), max: maxLine}
}

// next returns the next line that is not blank, without its end. It is good
// until the next call. Of a line beyond max nothing is returned but tooLong. At
// the end of the stream it returns io.EOF. A line that ends by another error is
// none: its rest is unknown.
func (l *lines) next() (line []byte, tooLong bool, err error) {
	for {
		line, tooLong, err = l.one()
		if err != nil || tooLong || len(line) > 0 {
			return line, tooLong, err
		}
	}
}

// one returns the next line, an empty one where it is blank.
func (l *lines) one() (line []byte, tooLong bool, err error) {
	if cap(l.long) > keepBuffer {
		l.long = nil
	}
	l.long = l.long[:0]
	any := false
	for {
		part, err := l.in.ReadSlice('\n')
		any = any || len(part) > 0
		full := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !full && (err != io.EOF || !any) {
			return nil, false, err
		}
		switch {
		case tooLong:
		case len(l.long)+len(part) > l.max+len("\r\n"):
			tooLong = true
		case full || len(l.long) > 0:
			l.long = append(l.long, part...)
			part = l.long
		}
		if full {
			continue
		}
		if tooLong {
			return nil, true, nil
		}
		line = bytes.TrimSuffix(part, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) > l.max {
			return nil, true, nil
		}
		if len(bytes.Trim(line, " \t\r")) == 0 {
			return nil, false, nil
		}
		return line, false, nil
	}
}
