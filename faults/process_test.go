package faults

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"tongyan/internal/freeport"
)

// patience bounds waits for what happens in other processes, on a machine that
// does much else. What a wait took is a figure; that it ended is the test.
const patience = 90 * time.Second

// A process is a program that this test started.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{} // closed at its end, all that it said read
	said   *words
}

// words are what a process says, as far as it has, the last of them.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const mostWords = 1 << 20

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() > mostWords {
		w.text.Next(mostWords / 2)
	}
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// launch starts a program and ends it with the test.
func launch(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, exited: make(chan struct{}), said: &words{}}
	out, err := cmd.StderrPipe()
	must(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	go func() {
		io.Copy(p.said, out)
		cmd.Wait() // how it ended stands in ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() { p.end(os.Kill) })
	return p
}

// end sends a signal and waits for the process's end.
func (p *process) end(s os.Signal) int {
	p.cmd.Process.Signal(s) // it may have ended already
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// until waits for what a process is to bring about.
func (p *process) until(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if p.gone() {
			p.t.Fatalf("%s: it ended with %d:\n%s", what, p.cmd.ProcessState.ExitCode(), p.said)
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within %v:\n%s", what, patience, p.said)
		}
	}
}

// eventually waits, and returns how long that took.
func eventually(t testing.TB, what string, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needs(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed", program)
	}
	return path
}

// freeAddress is one of loopback, with room above for a cluster's bus.
func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := freeport.Get(freeport.Highest - 10000)
	must(t, err)
	return freeport.Address(port)
}

// get returns a page of plain HTTP, 0 where there is no answer.
func get(url string) (status int, text string) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return 0, ""
	}
	return answer.StatusCode, string(body)
}
