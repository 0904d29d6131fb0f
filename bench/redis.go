package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tongyan/internal/freeport"
)

// A redis is a redis-server of ours, without persistence.
type redis struct {
	*process
	addr, dir string
}

// startRedis starts one on a free port, beside wrk: its work is not the gateway's.
func (b *bench) startRedis(ctx context.Context) (*redis, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	r := &redis{addr: addr}
	if r.dir, err = os.MkdirTemp(b.dir, "redis-"); err != nil {
		return nil, err
	}
	return r, r.restart(ctx)
}

// freeAddress returns one on loopback that nobody has at this moment.
func freeAddress() (string, error) {
	port, err := freeport.Get(freeport.Highest)
	return freeport.Address(port), err
}

// restart starts the server at its address, empty.
func (r *redis) restart(ctx context.Context) (err error) {
	_, port, _ := net.SplitHostPort(r.addr)
	r.process, err = start(ctx, clientCore, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no")
	if err != nil {
		return err
	}
	_, err = r.await("Ready to accept connections")
	return err
}

func (r *redis) freeze() { r.cmd.Process.Signal(syscall.SIGSTOP) }
func (r *redis) thaw()   { r.cmd.Process.Signal(syscall.SIGCONT) }

// size returns how many keys there are.
func (r *redis) size() (int, error) {
	c, err := net.DialTimeout("tcp", r.addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("DBSIZE\r\n")); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, ok := strings.CutPrefix(strings.TrimSpace(line), ":")
	if !ok {
		return 0, fmt.Errorf("redis says %q", line)
	}
	return strconv.Atoi(n)
}
