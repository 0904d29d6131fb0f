package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A store is the file that is written now, and those before it.
type store struct {
	path string
	file *os.File // nil: must be opened
	size int64    // bytes of it that are whole lines
	head Head     // of the last whole line
}

// anew is the head before the first line of a chain.
var anew = Head{Number: -1}

// open opens the file for appending behind its last whole line. fresh says that
// there is none in it.
func (s *store) open() (r Recovery, fresh bool, err error) {
	if s.file, err = openLocked(s.path); err != nil {
		return r, false, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	t, err := cutTail(s.file)
	if err != nil {
		return r, false, err
	}
	if t.altered {
		// It is evidence: it stays as it is.
		if err := s.setAside(); err != nil {
			return r, false, err
		}
		s.head, r.Altered = anew, true
		return r, true, nil
	}
	r.Cut, s.size, s.head = t.cut, t.size, t.head
	if s.size > 0 {
		return r, false, nil
	}
	// Nothing in it: the last whole line stands in the file before, if any.
	before, err := rotated(s.path)
	if err != nil || len(before) == 0 {
		s.head = anew
		return r, true, err
	}
	f, err := os.OpenFile(before[len(before)-1], os.O_RDWR, 0)
	if err != nil {
		return r, false, err
	}
	defer f.Close()
	if t, err = cutTail(f); err != nil {
		return r, false, err
	}
	if t.altered || t.size == 0 {
		s.head, r.Altered = anew, true
		return r, true, nil
	}
	s.head = t.head
	r.Cut += t.cut
	return r, true, nil
}

// setAside gives the file its number, and begins an empty one.
func (s *store) setAside() error {
	before, err := rotated(s.path)
	if err != nil {
		return err
	}
	n := 1
	if len(before) > 0 {
		n, _ = fileNumber(s.path, before[len(before)-1])
		n++
	}
	if err := os.Rename(s.path, fmt.Sprintf("%s.%06d", s.path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := openLocked(s.path)
	if err != nil {
		return err
	}
	s.close()
	s.file, s.size = f, 0
	return syncFolder(s.path)
}

// write appends whole lines, or leaves none of them behind.
func (s *store) write(lines []byte, head Head) error {
	if _, err := s.file.Write(lines); err != nil {
		if s.file.Truncate(s.size) != nil {
			s.close() // opened anew, and cut, by the next write
		}
		return err
	}
	s.size += int64(len(lines))
	s.head = head
	return nil
}

func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// openLocked opens a file for appending, as the only one who does.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	default:
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == syscall.EWOULDBLOCK {
			err = fmt.Errorf("%s: %w", path, ErrInUse)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A tail is the end of a file.
type tail struct {
	size    int64 // of the whole lines
	cut     int64 // bytes behind them, removed
	head    Head  // of the last one
	altered bool  // which is not what was written
}

// cutTail removes a last line that is not complete: the mark of a kill, or of a
// power cut, in the midst of a write.
func cutTail(f *os.File) (t tail, err error) {
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	end := make([]byte, min(info.Size(), 2*maxLine))
	from := info.Size() - int64(len(end))
	if _, err := f.ReadAt(end, from); err != nil && err != io.EOF {
		return t, err
	}
	last := bytes.LastIndexByte(end, '\n')
	if last < 0 && from > 0 {
		t.altered = true // no line is that long
		return t, nil
	}
	t.size = from + int64(last) + 1
	t.cut = info.Size() - t.size
	if last >= 0 {
		l, sound := readLine(end[bytes.LastIndexByte(end[:last], '\n')+1 : last])
		t.head, t.altered = Head{l.number, l.hash}, !sound
	}
	if t.cut > 0 && !t.altered {
		return t, f.Truncate(t.size)
	}
	return t, nil
}

// rotated returns the files before path, oldest first.
func rotated(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(path), e.Name())
		if _, ok := fileNumber(path, name); ok {
			found = append(found, name)
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		na, _ := fileNumber(path, a)
		nb, _ := fileNumber(path, b)
		return na - nb
	})
	return found, nil
}

// fileNumber returns the number of a file that was rotated out of path.
func fileNumber(path, name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(filepath.Base(name), filepath.Base(path)+".")
	if !ok || len(digits) < 6 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && fmt.Sprintf("%06d", n) == digits
}

// syncFolder has the names in the file's folder stored.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
