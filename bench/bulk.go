package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"tongyan/sandbox"
)

// A bulk is what one batch did.
type bulk struct {
	lines int
	wrong int
	first string // the first wrong answer
	took  time.Duration
}

// An expected is what the answer to a line must hold.
type expected struct{ verdict, code, problem string }

// lineOf is a credential as a line of a batch.
func lineOf(credential string) []byte {
	line, _ := json.Marshal(map[string]string{"credential": credential})
	return append(line, '\n')
}

// send sends count lines, in order and from the start again, as one batch, and
// holds each answer against what is expected of its line.
func sendBatch(ctx context.Context, addr, key string, lines [][]byte, want []expected, count int) (*bulk, error) {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{},
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	body, feed := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(feed, 32<<10)
		for n := range count {
			if _, err := out.Write(lines[n%len(lines)]); err != nil {
				return
			}
		}
		feed.CloseWithError(out.Flush())
	}()
	defer body.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/v1/verify/batch", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	began := time.Now()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, fmt.Errorf("batch: %s: %s", resp.Status, text)
	}
	b := new(bulk)
	in := bufio.NewReaderSize(resp.Body, 256<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("batch, behind %d answers: %w", b.lines, err)
		}
		if w := want[b.lines%len(want)]; !w.fits(b.lines, line) {
			if b.wrong++; b.first == "" {
				b.first = fmt.Sprintf("%.300s in place of %v", line, w)
			}
		}
		b.lines++
	}
	b.took = time.Since(began)
	if b.lines != count {
		return b, fmt.Errorf("batch: %d answers to %d lines", b.lines, count)
	}
	return b, nil
}

// fits reports whether an answer is the one expected, at its place.
func (w expected) fits(seq int, line []byte) bool {
	rest, ok := bytes.CutPrefix(line, strconv.AppendInt([]byte(`{"seq":`), int64(seq), 10))
	if !ok {
		return false
	}
	if w.problem != "" {
		return bytes.HasPrefix(rest, []byte(`,"error":{`)) && bytes.Contains(rest, []byte(`"code":"`+w.problem+`"`))
	}
	return bytes.Contains(rest, []byte(`"verdict":"`+w.verdict+`","code":"`+w.code+`"`))
}

// batchRun compares batches of new credentials, standing known, with what the
// same core can verify if it does nothing else.
func batchRun(ctx context.Context, b *bench) (*table, error) {
	t := &table{head: []string{"algorithm", "raw verify", "CPU/line", "lines/s", "of 1/raw", "bound", ""}}
	for _, alg := range []string{"ES256", "SM2"} {
		if err := b.batchOf(ctx, t, alg); err != nil {
			return t, fmt.Errorf("%s: %w", alg, err)
		}
	}
	return t, nil
}

func (b *bench) batchOf(ctx context.Context, t *table, alg string) error {
	s, err := b.newStage(ctx, alg, sandbox.EBLJWT)
	if err != nil {
		return err
	}
	defer s.close()
	verify, err := map[string]func() (func() bool, error){"ES256": rawECDSA, "SM2": rawSM2}[alg]()
	if err != nil {
		return err
	}
	lines := make([][]byte, 0, b.corpus)
	for _, credential := range s.corpus[businesses:] {
		lines = append(lines, lineOf(credential))
	}
	want := []expected{{verdict: "VALID", code: "OK"}}
	const key = "batch-key"
	var raws, costs, rates, ratios []float64
	for range b.rounds {
		g, err := s.startWith(ctx, serverCore, setup{parties: party("bulk", key, "batch")})
		if err != nil {
			return err
		}
		err = func() error {
			defer g.kill()
			if err := s.client.all(ctx, g.addr, s.corpus[:businesses]); err != nil {
				return err
			}
			before := rawTime(verify)
			used := g.cpu()
			done, err := sendBatch(ctx, g.addr, key, lines, want, len(lines))
			if err != nil {
				return err
			}
			used = g.cpu() - used
			raw := (before + rawTime(verify)) / 2
			if done.wrong > 0 {
				return fmt.Errorf("%d wrong answers, the first: %s", done.wrong, done.first)
			}
			rate := float64(done.lines) / done.took.Seconds()
			raws, rates = append(raws, raw), append(rates, rate)
			costs = append(costs, float64(used)/float64(done.lines))
			ratios = append(ratios, rate*raw/1e9)
			return nil
		}()
		if err != nil {
			return err
		}
	}
	got := median(ratios)
	word := "kept"
	if got < 0.80 {
		word, t.missed = "MISSED", true
	}
	t.row(alg, time.Duration(median(raws)), time.Duration(median(costs)), fmt.Sprintf("%.0f", median(rates)), got, "0.80", word)
	t.note("%s: %d lines of %d bytes a round, all new, all VALID; rounds %.2f; raw verify by CPU time of a line %.2f", alg, len(lines), len(lines[0]), ratios, median(raws)/median(costs))
	return nil
}

// rawTime returns the nanoseconds of processor time that one verification takes
// on the server's core.
func rawTime(verify func() bool) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	me := fmt.Sprint(gettid())
	exec.Command("taskset", "-cp", serverCore, me).Run()
	defer exec.Command("taskset", "-cp", fmt.Sprintf("0-%d", runtime.NumCPU()-1), me).Run()
	began, n := threadTime(), 0
	for threadTime()-began < 300*time.Millisecond {
		for range 50 {
			verify()
		}
		n += 50
	}
	return float64(threadTime()-began) / float64(n)
}

// million streams a million lines through a gateway and watches its memory.
func million(ctx context.Context, b *bench) (*table, error) {
	const count = 1_000_000
	small := *b
	small.corpus = 2000
	s, err := small.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	const key = "batch-key"
	g, err := s.startWith(ctx, serverCore, setup{parties: party("bulk", key, "batch")})
	if err != nil {
		return nil, err
	}
	defer g.kill()
	lines := make([][]byte, len(s.corpus))
	for i, credential := range s.corpus {
		lines[i] = lineOf(credential)
	}
	idle := g.memory("VmRSS")
	done, err := sendBatch(ctx, g.addr, key, lines, []expected{{verdict: "VALID", code: "OK"}}, count)
	if err != nil {
		return nil, err
	}
	if done.wrong > 0 {
		return nil, fmt.Errorf("%d wrong answers, the first: %s", done.wrong, done.first)
	}
	high := g.memory("VmHWM")
	t := bounds()
	t.bound("memory above idle", fmt.Sprintf("%+.0f MiB", high-idle), "+64 MiB", high-idle <= 64)
	t.note("%d lines of %d different credentials as one request, %.0f lines/s; resident %.0f MiB idle, %.0f MiB at its highest", count, len(lines), count/done.took.Seconds(), idle, high)
	return t, nil
}

// batchHall sends 100,000 mixed lines while a hall asks 50 times a second.
func batchHall(ctx context.Context, b *bench) (*table, error) {
	const (
		count = 100_000
		pause = 20 * time.Millisecond
	)
	s, err := b.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	lines, want, err := s.mixed(count)
	if err != nil {
		return nil, err
	}
	const key = "batch-key"
	g, err := s.startWith(ctx, serverCore, setup{parties: party("bulk", key, "batch")})
	if err != nil {
		return nil, err
	}
	defer g.kill()
	if err := s.client.all(ctx, g.addr, s.corpus[:businesses]); err != nil {
		return nil, err
	}
	hall, err := b.newLoad("hall", s.key, s.corpus[:businesses])
	if err != nil {
		return nil, err
	}
	// The batch is played in parts, so that the hall is measured alone between
	// them: what else the machine does meets both.
	var alone, beside, ratios []float64
	var whole bulk
	part := count / b.rounds
	for i := range b.rounds {
		a, err := paceOf(ctx, g.addr, hall, 1, pause, 6*time.Second)
		if err != nil {
			return nil, fmt.Errorf("the hall alone: %w", err)
		}
		type result struct {
			*bulk
			err error
		}
		bulks := make(chan result, 1)
		go func() {
			from := i * part
			done, err := sendBatch(ctx, g.addr, key, lines[from:from+part], want[from:from+part], part)
			bulks <- result{done, err}
		}()
		w, err := paceOf(ctx, g.addr, hall, 1, pause, 6*time.Second)
		if err != nil {
			return nil, fmt.Errorf("the hall beside a batch: %w", err)
		}
		r := <-bulks
		if r.err != nil {
			return nil, r.err
		}
		whole.lines += r.lines
		whole.wrong += r.wrong
		whole.took += r.took
		if whole.first == "" {
			whole.first = r.first
		}
		alone, beside = append(alone, float64(a.P99)), append(beside, float64(w.P99))
		ratios = append(ratios, float64(w.P99)/float64(a.P99))
	}
	t := bounds()
	t.row("hall alone, p99", time.Duration(median(alone))*time.Microsecond, "", "")
	t.row("hall beside the batch, p99", time.Duration(median(beside))*time.Microsecond, "", "")
	t.ratio("ratio (median of rounds)", median(ratios), 1, 2)
	t.bound("lines answered wrongly", whole.wrong, "0", whole.wrong == 0)
	t.bound("lines answered", whole.lines, fmt.Sprint(part*b.rounds), whole.lines == part*b.rounds)
	t.note("%.0f lines/s; one line in ten bad; rounds %.2f", float64(whole.lines)/whole.took.Seconds(), ratios)
	if whole.first != "" {
		t.note("the first wrong one: %s", whole.first)
	}
	return t, nil
}

// mixed makes lines of which every tenth is bad: a hostile or invalid sample, a
// forged signature, or no request at all.
func (s *stage) mixed(count int) (lines [][]byte, want []expected, err error) {
	samples, err := s.Samples()
	if err != nil {
		return nil, nil, err
	}
	var bad []sandbox.Sample
	for _, sample := range samples {
		if sample.Verdict == "INVALID" {
			bad = append(bad, sample)
		}
	}
	faults := []string{"{", `{"credential":""}`, `{"credential":"x","credential":"y"}`, `[]`, `{"credential":"x","colour":"red"}`, "\x00"}
	for n := range count {
		switch {
		case n%10 != 9:
			lines = append(lines, lineOf(s.corpus[n%len(s.corpus)]))
			want = append(want, expected{verdict: "VALID", code: "OK"})
		case n%20 == 9:
			sample := bad[n/20%len(bad)]
			lines = append(lines, lineOf(sample.Token))
			want = append(want, expected{verdict: sample.Verdict, code: sample.Code})
		default:
			lines = append(lines, []byte(faults[n/20%len(faults)]+"\n"))
			want = append(want, expected{problem: "BAD_REQUEST"})
		}
	}
	return lines, want, nil
}

// threadTime returns what processor time this thread has used.
func threadTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// rusageThread is RUSAGE_THREAD of getrusage(2).
const rusageThread = 1

func gettid() int {
	name, err := os.Readlink("/proc/thread-self")
	if err != nil {
		return 0
	}
	var pid, tid int
	fmt.Sscanf(name, "%d/task/%d", &pid, &tid)
	return tid
}
