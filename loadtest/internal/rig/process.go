package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"tongyan/internal/freeport"
)

// process is a child that can be started again.
type process struct {
	name    string
	addr    string // where it listens
	log     string // file for what it says
	command []string

	mu   sync.Mutex // guards what follows
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childOf()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() { // ends with the child; end and kill wait for it
		_ = cmd.Wait()
		close(done)
	}()
	return nil
}

func (p *process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	return p.cmd.Process.Signal(s)
}

// end ends it kindly, and unkindly after a while.
func (p *process) end() {
	// One that stands still hears nothing else; the errors say that it is gone.
	_ = p.signal(syscall.SIGCONT)
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.ended():
	case <-time.After(3 * time.Second):
		p.kill()
	}
}

// kill ends it at once, as kill -9 does.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.ended()
}

func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return p.done
}

// readyTime is how long a child may take to answer.
const readyTime = 30 * time.Second

// until asks try again and again until it says nil, the child ends, or the
// time is over.
func (p *process) until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended():
			return fmt.Errorf("%s ended at its start: see %s", p.name, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (see %s): %w", p.name, p.log, err)
		case <-tick.C:
		}
	}
}

// ready waits until the gateway says that it is.
func (g *gateway) ready(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return g.until(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz says %d", resp.StatusCode)
		}
		return nil
	})
}

func (r *Rig) startRedis(ctx context.Context) error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server is not installed (Debian: apt-get install redis-server)")
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(ports[0])
	if err != nil {
		return err
	}
	r.redis = &process{name: "redis-server", addr: ports[0], log: r.path("redis.log"), command: []string{
		binary, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.opts.Dir,
	}}
	if err := r.redis.start(); err != nil {
		return err
	}
	return r.redis.until(ctx, r.redis.listening)
}

func (p *process) listening(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// freePorts finds loopback addresses that nobody has at this moment.
func freePorts(n int) (all []string, err error) {
	for range n {
		port, err := freeport.Get(freeport.Highest)
		if err != nil {
			return nil, err
		}
		all = append(all, freeport.Address(port))
	}
	return all, nil
}
