package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/gateway/internal/audit"
	"tongyan/verifiers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entry(i int) *audit.Entry {
	return &audit.Entry{ID: fmt.Sprintf("vrf_%012d", i), Time: time.Unix(1790000000, int64(i)*1e6), Party: "hall-pudong", Purpose: "account-opening",
		Reference: fmt.Sprint("流水-", i), Digest: verifiers.DigestOf([]byte{byte(i)}), Outcome: verifiers.Valid, Code: verifiers.OK, Policy: "if-present", TrustVersion: 7}
}

func open(t testing.TB, o audit.Options) (*audit.Log, audit.Recovery) {
	t.Helper()
	l, r, err := audit.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

func add(t testing.TB, l *audit.Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := l.Append(context.Background(), entry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// good verifies a file with those before it, which must be sound.
func good(t testing.TB, path string) audit.Report {
	t.Helper()
	files, err := audit.Series(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.VerifyFiles(nil, files...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOneLineAVerdict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	add(t, l, 0, 3)
	head := l.Head()
	closeLog(t, l)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte{'\n'})
	if len(lines) != 4 {
		t.Fatalf("%d lines, want the beginning and 3 verdicts", len(lines))
	}
	var got map[string]any
	if err := json.Unmarshal(lines[1], &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"n": 1., "id": "vrf_000000000000", "time": "2026-09-21T14:13:20.000Z", "party": "hall-pudong", "purpose": "account-opening",
		"reference": "流水-0", "credential_digest": entry(0).Digest.String(), "verdict": "VALID", "code": "OK", "policy": "if-present", "trust_list_version": 7.} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 13 { // those, prev and hash
		t.Errorf("%d members: %s", len(got), lines[1])
	}
	r := good(t, path)
	if r.Verdicts != 3 || r.Lines != 4 || r.Head != head || head.Number != 3 {
		t.Errorf("report %+v, head %+v", r, head)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestCallersWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	for name, words := range map[string]string{
		"control":   "a\nb\x00\x1b[2J\x7f\u0085",
		"quotes":    `"},{"n":9,"hash":"x"} \`,
		"bidi":      "abc\u202edcba\u2066\u200b",
		"separator": "a\u2028b\u2029c",
		"not UTF-8": "a\xff\xc3b",
		"astral":    "\U0001F600\U000E0001",
		"mark":      `,"hash":"AAAA"}`,
	} {
		e := entry(0)
		e.Purpose, e.Reference = words, name
		if err := l.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		var got struct{ Purpose, Reference string }
		data, _ := os.ReadFile(path)
		lines := bytes.Split(bytes.TrimSpace(data), []byte{'\n'})
		last := lines[len(lines)-1]
		if err := json.Unmarshal(last, &got); err != nil || got.Purpose != strings.ToValidUTF8(words, "\ufffd") && name != "not UTF-8" || got.Reference != name {
			t.Errorf("%s: %q read back as %q (%v)", name, words, got.Purpose, err)
		}
		for _, bad := range []string{"\u202e", "\u2066", "\u200b", "\u2028", "\u2029", "\u0085", "\x7f", "\x1b", "\xff", "\U000E0001"} {
			if bytes.Contains(last, []byte(bad)) {
				t.Errorf("%s: %q stands bare", name, bad)
			}
		}
	}
	long := entry(1)
	long.Purpose = strings.Repeat("照", 1000) // three bytes each: 256 is within one
	long.Reference = strings.Repeat("\x00", 1<<20)
	if err := l.Append(context.Background(), long); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	data, _ := os.ReadFile(path)
	if len(data) > 8<<10 {
		t.Errorf("the file grew to %d bytes", len(data))
	}
	var got struct {
		Purpose        string
		PurposeBytes   int `json:"purpose_bytes"`
		ReferenceBytes int `json:"reference_bytes"`
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte{'\n'})
	if err := json.Unmarshal(lines[len(lines)-1], &got); err != nil || got.Purpose != strings.Repeat("照", 85) || got.PurposeBytes != 3000 || got.ReferenceBytes != 1<<20 {
		t.Errorf("%+v %v", got, err)
	}
	good(t, path)
}

func TestManyWriters(t *testing.T) {
	for _, refuse := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l, _ := open(t, audit.Options{Path: path, Refuse: refuse, MaxSize: 64 << 10})
		var wg sync.WaitGroup
		for w := range 20 {
			wg.Go(func() { add(t, l, w*100, w*100+100) })
		}
		wg.Wait()
		closeLog(t, l)
		if r := good(t, path); r.Verdicts != 2000 || l.Stats().Lines != 2000 {
			t.Errorf("%+v %+v", r, l.Stats())
		}
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for round := range 3 { // the chain runs across files and starts
		l, r := open(t, audit.Options{Path: path, Refuse: true, MaxSize: 2000})
		add(t, l, round*50, round*50+50)
		closeLog(t, l)
		if r != (audit.Recovery{}) {
			t.Errorf("%+v", r)
		}
	}
	files, err := audit.Series(path)
	if err != nil || len(files) < 15 {
		t.Fatalf("%v %v", files, err)
	}
	if r := good(t, path); r.Verdicts != 150 || r.First != 0 || r.Starts != 2 {
		t.Errorf("%+v", r)
	}
	for _, f := range files {
		if info, _ := os.Stat(f); info.Size() > 2000+600 {
			t.Errorf("%s has %d bytes", f, info.Size())
		}
	}
	// Any file is good alone, and so are those that were not archived.
	if r, err := audit.VerifyFiles(nil, files[3]); err != nil || r.First == 0 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := audit.VerifyFiles(nil, files[3:]...); err != nil {
		t.Error(err)
	}
	// One that is missing between others is found, as are two that changed places.
	var fault *audit.Fault
	_, err = audit.VerifyFiles(nil, append(append([]string{}, files[:3]...), files[4:]...)...)
	if !errors.As(err, &fault) || fault.Kind != audit.Missing || fault.File != files[4] || fault.Line != 1 {
		t.Errorf("%v", err)
	}
	_, err = audit.VerifyFiles(nil, files[0], files[2], files[1])
	if !errors.As(err, &fault) || fault.Kind != audit.Reordered || fault.File != files[2] {
		t.Errorf("%v", err)
	}
}

// A kill between the renaming of a full file and the first line of the next.
func TestKilledWhileRotating(t *testing.T) {
	for _, leftEmpty := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l, _ := open(t, audit.Options{Path: path, Refuse: true})
		add(t, l, 0, 5)
		closeLog(t, l)
		if err := os.Rename(path, path+".000001"); err != nil {
			t.Fatal(err)
		}
		if leftEmpty {
			os.WriteFile(path, nil, 0o600)
		}
		l, _ = open(t, audit.Options{Path: path, Refuse: true})
		add(t, l, 5, 6)
		closeLog(t, l)
		if r := good(t, path); r.Verdicts != 6 || r.First != 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestOnlyOneWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, _ := open(t, audit.Options{Path: path})
	if _, _, err := audit.Open(audit.Options{Path: path}); !errors.Is(err, audit.ErrInUse) {
		t.Errorf("%v", err)
	}
	closeLog(t, l)
	if _, _, err := audit.Open(audit.Options{Path: filepath.Dir(path)}); err == nil {
		t.Error("a folder was taken for a file")
	}
	if _, _, err := audit.Open(audit.Options{Path: filepath.Join(path, "no", "folder")}); err == nil {
		t.Error("a file without a folder was opened")
	}
}

func TestAfterClose(t *testing.T) {
	for _, refuse := range []bool{true, false} {
		l, _ := open(t, audit.Options{Path: filepath.Join(t.TempDir(), "a"), Refuse: refuse})
		closeLog(t, l)
		err := l.Append(context.Background(), entry(0))
		if refuse && (!errors.Is(err, audit.ErrNotWritten) || !errors.Is(err, audit.ErrClosed)) || !refuse && (err != nil || l.Stats().Lost != 1) {
			t.Errorf("refuse %v: %v %+v", refuse, err, l.Stats())
		}
	}
}

// While the disk stores, which may take long, lines go on being written; and it
// is not asked to more often than every 100 ms.
func TestStoring(t *testing.T) {
	var syncs atomic.Int64
	begun, finish := make(chan struct{}), make(chan struct{})
	l, err := audit.OpenSyncing(audit.Options{Path: filepath.Join(t.TempDir(), "a"), Refuse: true}, func(f *os.File) error {
		if syncs.Add(1) == 2 { // the first is of Open
			close(begun)
			<-finish
		}
		return f.Sync()
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	add(t, l, 0, 1)
	select {
	case <-begun:
	case <-time.After(10 * time.Second):
		t.Fatal("the line was never stored")
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("stored after %v", took)
	}
	add(t, l, 1, 200)
	close(finish)
	for n := 200; time.Since(start) < 350*time.Millisecond; n++ {
		add(t, l, n, n+1)
	}
	took := time.Since(start)
	if n, most := syncs.Load(), 3+int64(took/(100*time.Millisecond)); n < 3 || n > most {
		t.Errorf("%d times in %v, want 3 to %d", n, took, most)
	}
	closeLog(t, l)
}

func TestSlowDisk(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		hold := make(chan struct{})
		var syncs atomic.Int64
		// A new file is stored at once: rotation holds the writer here.
		l, err := audit.OpenSyncing(audit.Options{Path: filepath.Join(t.TempDir(), "a"), Refuse: refuse, MaxSize: 1}, func(*os.File) error {
			if syncs.Add(1) > 1 {
				<-hold
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		if refuse {
			for i := range 10 {
				wg.Go(func() {
					if err := l.Append(ctx, entry(i)); !errors.Is(err, context.Canceled) {
						t.Errorf("%v", err)
					}
				})
			}
			cancel()
			wg.Wait()
		}
		for i := 0; l.Pending() < 1<<20 && i < 1<<20; i++ {
			l.Append(ctx, entry(i)) // in the refusing log with a caller who is gone
		}
		cancel()
		if l.Pending() > 1<<20+4096 {
			t.Errorf("%d bytes wait", l.Pending())
		}
		err = l.Append(context.Background(), entry(0))
		if refuse && !errors.Is(err, audit.ErrNotWritten) || !refuse && (err != nil || l.Stats().Lost != 1) {
			t.Errorf("refuse %v: %v %+v", refuse, err, l.Stats())
		}
		close(hold)
		closeLog(t, l)
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, refuse := range map[string]bool{"refuse": true, "continue": false} {
		b.Run(name, func(b *testing.B) {
			l, _ := open(b, audit.Options{Path: filepath.Join(b.TempDir(), "a"), Refuse: refuse})
			e := entry(1)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Append(context.Background(), e)
				}
			})
			b.StopTimer()
			closeLog(b, l)
			b.ReportMetric(float64(l.Stats().Lost)/float64(b.N), "lost/op")
		})
	}
}
