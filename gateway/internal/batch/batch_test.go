package batch_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tongyan/gateway/internal/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers a line by its number and itself.
func echo(_ context.Context, seq int64, line, dst []byte) []byte {
	return append(append(strconv.AppendInt(dst, seq, 10), ':'), line...)
}

func tooLarge(seq int64, dst []byte) []byte {
	return append(strconv.AppendInt(dst, seq, 10), ":TOO_LARGE"...)
}

func options(answer func(context.Context, int64, []byte, []byte) []byte) batch.Options {
	return batch.Options{MaxLine: 100, Workers: 4, Answer: answer, TooLarge: tooLarge}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 101)
	huge := strings.Repeat("y", 300<<10)
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":               {"", ""},
		"only blanks":           {"\n\r\n \t \n\n", ""},
		"one":                   {"a\n", "0:a\n"},
		"no line feed":          {"a\nb", "0:a\n1:b\n"},
		"carriage returns":      {"a\r\nb\r\n", "0:a\n1:b\n"},
		"one within":            {"a\rb\n", "0:a\rb\n"},
		"blanks not counted":    {"\na\n\n  \nb\n\n", "0:a\n1:b\n"},
		"blanks kept inside":    {" a \n", "0: a \n"},
		"longest":               {long[:100] + "\n" + long[:100] + "\r\n" + long[:100], "0:" + long[:100] + "\n1:" + long[:100] + "\n2:" + long[:100] + "\n"},
		"too long":              {"a\n" + long + "\nb\n", "0:a\n1:TOO_LARGE\n2:b\n"},
		"too long with return":  {long + "\r\nb\n", "0:TOO_LARGE\n1:b\n"},
		"too long at the end":   {"a\n" + long, "0:a\n1:TOO_LARGE\n"},
		"far too long":          {"a\n" + huge + "\nb\n" + huge, "0:a\n1:TOO_LARGE\n2:b\n3:TOO_LARGE\n"},
		"a NUL is not blank":    {"\x00\n", "0:\x00\n"},
		"the buffer, exactly":   {strings.Repeat("z", 64<<10) + "\nb\n", "0:TOO_LARGE\n1:b\n"},
		"the buffer and an end": {strings.Repeat("z", 64<<10), "0:TOO_LARGE\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			n, err := batch.Run(t.Context(), strings.NewReader(tc.in), &out, options(echo))
			if err != nil || out.String() != tc.want || n != int64(strings.Count(tc.want, "\n")) {
				t.Errorf("%d answers, %v\n got %.200q\nwant %.200q", n, err, out.String(), tc.want)
			}
		})
	}
}

// Lines longer than any buffer come whole, and not too many of them at once.
func TestLongLines(t *testing.T) {
	line := strings.Repeat("0123456789", 100<<10) // 1 MiB
	var now, most atomic.Int64
	o := options(func(_ context.Context, seq int64, got, dst []byte) []byte {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		if string(got) != line {
			t.Errorf("line %d came with %d bytes", seq, len(got))
		}
		return append(dst, 'k')
	})
	o.MaxLine, o.Workers = len(line), 50
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var out bytes.Buffer
	n, err := batch.Run(t.Context(), io.LimitReader(&repeater{line: line + "\n"}, 60*int64(len(line)+1)), &out, o)
	if n != 60 || err != nil || out.String() != strings.Repeat("k\n", 60) {
		t.Fatalf("%d %v %q", n, err, out.String())
	}
	if most.Load() > 4 {
		t.Errorf("%d lines of 1 MiB at once", most.Load())
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 48<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// A repeater is a line again and again, without end.
type repeater struct {
	line string
	at   int
}

func (r *repeater) Read(b []byte) (int, error) {
	n := copy(b, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}

// A million lines take the memory of a few.
func TestAMillionLines(t *testing.T) {
	n := int64(1_000_000)
	if testing.Short() {
		n = 100_000
	}
	line := strings.Repeat("e", 1000) + "\n"
	o := options(func(_ context.Context, seq int64, _, dst []byte) []byte {
		return append(strconv.AppendInt(dst, seq, 10), line[:500]...)
	})
	o.MaxLine = 8 << 20
	var start runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&start)
	out := &watcher{t: t, idle: start.HeapAlloc}
	got, err := batch.Run(t.Context(), io.LimitReader(&repeater{line: line}, n*int64(len(line))), out, o)
	if err != nil || got != n || out.lines != n {
		t.Fatalf("%d answers, %d seen, %v", got, out.lines, err)
	}
}

// A watcher counts answers, checks their order and looks at the heap.
type watcher struct {
	t     *testing.T
	idle  uint64
	lines int64
	looks int
}

func (w *watcher) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if number := strconv.AppendInt(nil, w.lines, 10); !bytes.HasPrefix(line, number) || line[len(number)] != 'e' {
			w.t.Fatalf("answer %d is %.20s", w.lines, line)
		}
		w.lines++
	}
	if w.looks++; w.looks%1000 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		if now.HeapAlloc > w.idle+8<<20 {
			w.t.Fatalf("after %d lines %d MiB above idle", w.lines, (now.HeapAlloc-w.idle)>>20)
		}
	}
	return len(b), nil
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d\n", i)
	}
	return b.String()
}

// However long each takes, answers come in the order of the lines.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd, mu := rand.New(rand.NewPCG(1, 2)), sync.Mutex{}
		o := options(func(ctx context.Context, seq int64, line, dst []byte) []byte {
			mu.Lock()
			d := time.Duration(rnd.ExpFloat64() * float64(10*time.Millisecond))
			mu.Unlock()
			time.Sleep(d)
			return echo(ctx, seq, line, dst)
		})
		var out bytes.Buffer
		start := time.Now()
		if _, err := batch.Run(t.Context(), strings.NewReader(numbered(5000)), &out, o); err != nil {
			t.Fatal(err)
		}
		i := 0
		for line := range strings.Lines(out.String()) {
			if line != fmt.Sprintf("%d:%d\n", i, i) {
				t.Fatalf("answer %d is %s", i, line)
			}
			i++
		}
		if i != 5000 {
			t.Errorf("%d answers", i)
		}
		// 4 workers at 10 ms each: the order may cost a tenth.
		if took := time.Since(start); took > 5000*10*time.Millisecond/4*110/100 {
			t.Errorf("took %v", took)
		}
	})
}

// One slow line does not hold up those beside it, but no more than a window of
// them is answered ahead of it.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answered atomic.Int64
		o := options(func(ctx context.Context, seq int64, line, dst []byte) []byte {
			if seq == 0 {
				time.Sleep(time.Hour)
				if n := answered.Load(); n != 31 {
					t.Errorf("%d lines were answered meanwhile, want a window of 32 without the first", n)
				}
			}
			answered.Add(1)
			return echo(ctx, seq, line, dst)
		})
		if n, err := batch.Run(t.Context(), strings.NewReader(numbered(1000)), io.Discard, o); n != 1000 || err != nil {
			t.Errorf("%d %v", n, err)
		}
	})
}

// Who does not read is not read from.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &counter{r: strings.NewReader(strings.Repeat(strings.Repeat("x", 99)+"\n", 100_000))}
		out, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := batch.Run(t.Context(), in, w, options(echo))
			w.Close()
			done <- err
		}()
		synctest.Wait()
		time.Sleep(time.Minute)
		if n := in.n.Load(); n > 200<<10 {
			t.Errorf("%d bytes were read for a reader who reads nothing", n)
		}
		lines := 0
		for s := bufio.NewScanner(out); s.Scan(); lines++ {
			if lines%1000 == 0 {
				time.Sleep(time.Second)
			}
		}
		if err := <-done; err != nil || lines != 100_000 {
			t.Errorf("%d lines, %v", lines, err)
		}
	})
}

type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// Answers do not wait for the next line.
func TestPromptness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inR, in := io.Pipe()
		outR, out := io.Pipe()
		flushed := 0
		done := make(chan error, 1)
		go func() {
			_, err := batch.Run(t.Context(), inR, flusher{out, &flushed}, options(echo))
			out.Close()
			done <- err
		}()
		answers := bufio.NewScanner(outR)
		for i := range 10 {
			sent := time.Now()
			fmt.Fprintf(in, "line\n")
			if !answers.Scan() || answers.Text() != fmt.Sprintf("%d:line", i) {
				t.Fatalf("%q", answers.Text())
			}
			if took := time.Since(sent); took > 10*time.Millisecond {
				t.Errorf("answered after %v", took)
			}
		}
		in.Close()
		if err := <-done; err != nil || flushed < 10 {
			t.Errorf("%v, flushed %d times", err, flushed)
		}
	})
}

type flusher struct {
	io.Writer
	n *int
}

func (f flusher) Flush() error { *f.n++; return nil }

// The client goes away: by a write that fails, or by its context.
func TestGone(t *testing.T) {
	cause := errors.New("gone")
	for name, leave := range map[string]func(cancel context.CancelCauseFunc, out *io.PipeReader){
		"write fails": func(_ context.CancelCauseFunc, out *io.PipeReader) { out.CloseWithError(cause) },
		"context":     func(cancel context.CancelCauseFunc, _ *io.PipeReader) { cancel(cause) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				inR, in := io.Pipe()
				outR, out := io.Pipe()
				var answered, gone atomic.Int64
				o := options(func(ctx context.Context, seq int64, line, dst []byte) []byte {
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
						gone.Add(1)
					}
					answered.Add(1)
					return echo(ctx, seq, line, dst)
				})
				interrupts := 0
				o.Interrupt = func() {
					interrupts++
					inR.CloseWithError(cause)
					out.CloseWithError(cause)
				}
				done := make(chan error, 1)
				go func() {
					_, err := batch.Run(ctx, inR, out, o)
					done <- err
				}()
				go func() {
					for i := 0; ; i++ {
						if _, err := fmt.Fprintln(in, i); err != nil {
							return
						}
					}
				}()
				s := bufio.NewScanner(outR)
				for range 6 {
					s.Scan()
				}
				leave(cancel, outR)
				start, before := time.Now(), answered.Load()
				if err := <-done; !errors.Is(err, cause) {
					t.Errorf("%v", err)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("went on for %v", took)
				}
				if n := answered.Load() - before; n > 12 || interrupts != 1 {
					t.Errorf("%d more lines were answered; %d interrupts", n, interrupts)
				}
				cancel(nil)
			})
		})
	}
}

// A stream that breaks off is answered as far as lines are whole.
func TestBrokenStream(t *testing.T) {
	broken := errors.New("broken")
	for _, tail := range []string{"", "half a li"} {
		var out bytes.Buffer
		n, err := batch.Run(t.Context(), io.MultiReader(strings.NewReader("a\nb\n"+tail), failing{broken}), &out, options(echo))
		if !errors.Is(err, broken) || n != 2 || out.String() != "0:a\n1:b\n" {
			t.Errorf("%d %v %q", n, err, out.String())
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A panic does not end the process from a goroutine that nobody guards.
func TestPanic(t *testing.T) {
	defer func() {
		p, ok := recover().(*batch.Panic)
		if !ok || p.Value != "oh" || !bytes.Contains(p.Stack, []byte("TestPanic")) || p.Error() != "answering a line: oh" {
			t.Errorf("%v", p)
		}
	}()
	batch.Run(t.Context(), strings.NewReader(numbered(100)), io.Discard, options(func(_ context.Context, seq int64, _, _ []byte) []byte {
		if seq == 7 {
			panic("oh")
		}
		return nil
	}))
	t.Error("it went on")
}

// FuzzLines compares with the plain reading of the rules.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\r\n\r", "\n \n\t", strings.Repeat("a", 40) + "\n\nb"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		var want []byte
		seq := int64(0)
		for part := range bytes.SplitSeq(data, []byte{'\n'}) {
			part = bytes.TrimSuffix(part, []byte{'\r'})
			switch {
			case len(part) > 20:
				want = append(tooLarge(seq, want), '\n')
			case len(bytes.Trim(part, " \t\r")) == 0:
				continue
			default:
				want = append(echo(t.Context(), seq, part, want), '\n')
			}
			seq++
		}
		o := options(echo)
		o.MaxLine = 20
		var out bytes.Buffer
		n, err := batch.Run(t.Context(), &slowly{data, int(chunk) + 1}, &out, o)
		if err != nil || n != seq || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d of %d, %v\n got %q\nwant %q", n, seq, err, out.Bytes(), want)
		}
	})
}

type slowly struct {
	data  []byte
	chunk int
}

func (s *slowly) Read(b []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), s.chunk)], s.data)
	s.data = s.data[n:]
	return n, nil
}

// BenchmarkLine is what a line costs beside its answer.
func BenchmarkLine(b *testing.B) {
	for _, workers := range []int{1, 2, 64} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			o := options(func(_ context.Context, _ int64, _, dst []byte) []byte { return append(dst, "{}"...) })
			o.MaxLine, o.Workers = 8<<20, workers
			line := strings.Repeat("e", 1000) + "\n"
			b.ReportAllocs()
			batch.Run(b.Context(), io.LimitReader(&repeater{line: line}, int64(b.N)*int64(len(line))), io.Discard, o)
		})
	}
}
