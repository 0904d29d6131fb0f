package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// serverCore and clientCore keep the measured server and what measures it apart.
const (
	anyCore    = ""
	serverCore = "0"
	clientCore = "1"
)

// patience bounds every wait for a process.
const patience = 20 * time.Second

// A process is a child of ours.
type process struct {
	cmd    *exec.Cmd
	output *lines
	gone   chan struct{} // closed when it has ended
	gently bool          // it has something to write at its end
}

// start starts a program, on one core where that is named: then with one
// thread for Go code, too. Its standard error is kept for await.
func start(ctx context.Context, core string, args ...string) (*process, error) {
	if core != anyCore {
		args = append([]string{"taskset", "-c", core}, args...)
	}
	p := &process{cmd: exec.CommandContext(ctx, args[0], args[1:]...), output: new(lines), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if core != anyCore {
		p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.gone)
	}()
	return p, nil
}

// await returns what follows mark on the first line that has it.
func (p *process) await(mark string) (string, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if rest, ok := p.output.after(mark); ok {
			return rest, nil
		}
		select {
		case <-p.gone:
			return "", fmt.Errorf("%s ended: %s", p.cmd.Args, p.output)
		default:
		}
	}
	return "", fmt.Errorf("%s does not say %q: %s", p.cmd.Args, mark, p.output)
}

// kill ends the process at once and waits for its end.
func (p *process) kill() {
	if p.gently {
		_ = p.end() // what it wrote, or did not, is seen later
		return
	}
	p.cmd.Process.Kill()
	<-p.gone
}

// end asks the process to end and returns how it did.
func (p *process) end() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(patience + 10*time.Second):
		p.cmd.Process.Kill()
		<-p.gone
		return errors.New("it did not end when told to")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit %d: %s", code, p.output)
	}
	return nil
}

// cpu returns what processor time the process has used: 10 ms exact, which is
// the kernel's unit here.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The second field may hold blanks; it ends with the last bracket.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory returns a figure of /proc/PID/status, VmRSS or VmHWM, in MiB.
func (p *process) memory(name string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	var kib float64
	fmt.Sscan(rest, &kib)
	return kib / 1024
}

// lines keeps what a process writes, up to a bound.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) < 1<<20 {
		l.text = append(l.text, b...)
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}

// after returns what follows mark on the first whole line that has it.
func (l *lines) after(mark string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(string(l.text)) {
		if _, rest, ok := strings.Cut(line, mark); ok && strings.HasSuffix(rest, "\n") {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}
