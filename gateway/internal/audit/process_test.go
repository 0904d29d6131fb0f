package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"tongyan/gateway/internal/audit"
)

// child runs one of the tests below in a process of its own.
func child(t *testing.T, test, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), "AUDIT_CHILD="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func childPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AUDIT_CHILD")
	if path == "" {
		t.Skip("runs as a child of another test")
	}
	return path
}

// Killed in the midst of writing, again and again: what was acknowledged is
// there, the chain is whole, and every start is recorded.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	acknowledged := map[string]bool{}
	const rounds = 5
	for round := range rounds {
		cmd := child(t, "TestWriteUntilKilled", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			if id, ok := trimmed(lines.Text()); ok {
				acknowledged[id] = true
				if n++; n == 300+100*round {
					cmd.Process.Kill()
				}
			}
		}
		cmd.Wait()
	}
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	closeLog(t, l)
	r := good(t, path)
	if r.Starts+int64(rotations(t, path)) < rounds-1 || r.Verdicts < int64(len(acknowledged)) || len(acknowledged) < 300*rounds {
		t.Errorf("%+v, %d acknowledged", r, len(acknowledged))
	}
	found := map[string]bool{}
	files, _ := audit.Series(path)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			found[idOf(s.Text())] = true
		}
		f.Close()
	}
	for id := range acknowledged {
		if !found[id] {
			t.Fatalf("%s was acknowledged and is not there", id)
		}
	}
}

func rotations(t *testing.T, path string) int {
	files, err := audit.Series(path)
	if err != nil {
		t.Fatal(err)
	}
	return len(files) - 1
}

func trimmed(s string) (id string, ok bool) {
	_, err := fmt.Sscanf(s, "ack %s", &id)
	return id, err == nil
}

func idOf(s string) string {
	const mark = `"id":"`
	for i := 0; i+len(mark) < len(s); i++ {
		if s[i:i+len(mark)] == mark {
			rest := s[i+len(mark):]
			for j := range rest {
				if rest[j] == '"' {
					return rest[:j]
				}
			}
		}
	}
	return ""
}

func TestWriteUntilKilled(t *testing.T) {
	l, _ := open(t, audit.Options{Path: childPath(t), Refuse: true, MaxSize: 64 << 10})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := entry(i)
				e.ID = fmt.Sprintf("vrf_%d_%d_%d", os.Getpid(), w, i)
				if err := l.Append(context.Background(), e); err != nil {
					panic(err)
				}
				os.Stdout.WriteString("ack " + e.ID + "\n")
			}
		})
	}
	wg.Wait()
}

// A disk that takes no more is played by a limit on the size of files: writes
// come back short, then fail.
func TestFullDisk(t *testing.T) {
	for _, test := range []string{"TestFullDiskRefuse", "TestFullDiskContinue"} {
		cmd := child(t, test, filepath.Join(t.TempDir(), "a"))
		if out, err := cmd.Output(); err != nil {
			t.Errorf("%s: %v\n%s", test, err, out)
		}
	}
}

func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(bytes, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskRefuse(t *testing.T) {
	path := childPath(t)
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	limitFiles(t, 5000)
	written := 0
	for {
		if err := l.Append(t.Context(), entry(written)); err != nil {
			if !errors.Is(err, audit.ErrNotWritten) || !errors.Is(err, syscall.EFBIG) {
				t.Fatal(err)
			}
			break
		}
		if written++; written > 100 {
			t.Fatal("the limit does not hold")
		}
	}
	// Nothing is left of the line that found no room.
	if r := good(t, path); r.Verdicts != int64(written) {
		t.Errorf("%+v, want %d", r, written)
	}
	if err := l.Append(t.Context(), entry(0)); !errors.Is(err, audit.ErrNotWritten) {
		t.Errorf("%v", err)
	}
	limitFiles(t, 1<<30)
	add(t, l, written, written+3)
	if s := l.Stats(); s.Lines != int64(written)+3 || s.Refused != 2 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	closeLog(t, l)
	if r := good(t, path); r.Verdicts != int64(written)+3 || r.Lost != 0 {
		t.Errorf("%+v", r)
	}
}

func TestFullDiskContinue(t *testing.T) {
	path := childPath(t)
	l, _ := open(t, audit.Options{Path: path})
	limitFiles(t, 5000)
	const n = 5000
	add(t, l, 0, n)
	for s := l.Stats(); s.Lines+s.Lost < n; s = l.Stats() {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	limitFiles(t, 1<<30)
	s := l.Stats()
	if s.Lost == 0 {
		t.Errorf("%+v", s)
	}
	add(t, l, n, n+1)
	closeLog(t, l)
	if r := good(t, path); r.Lost != s.Lost || r.Verdicts != n+1-s.Lost {
		t.Errorf("%+v, want %d lost of %d", r, s.Lost, n+1)
	}
}
