// Package redistest runs real Redis servers for tests, and lets them die,
// freeze, fill up and come back.
package redistest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tongyan/internal/freeport"
)

// A Server is a redis-server on a port of its own, without persistence. It ends
// with its test.
type Server struct {
	Addr string // host:port, the same after a restart

	t        testing.TB
	args     []string
	config   string      // of a sentinel, which keeps its state in a file
	password string      // asked of everybody
	tls      *tls.Config // of clients; nil: plain TCP
	dir      string
	cmd      *exec.Cmd
	gone     chan struct{} // closed when cmd has ended
}

// startTime bounds how long a server may take to answer.
const startTime = 10 * time.Second

// Start starts a server with further arguments, such as "--maxmemory", "1mb".
// A test that needs Redis fails where there is none; with -short it is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, args: args}
	s.start()
	return s
}

// start runs a new server on a port that is free.
func (s *Server) start() {
	s.t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if testing.Short() {
			s.t.Skip("redis-server is not installed")
		}
		s.t.Fatal("redis-server is not installed: apt-get install redis-server, or test with -short")
	}
	s.dir = s.t.TempDir()
	s.t.Cleanup(s.Kill)
	// Between finding a free port and using it somebody else may take it.
	for range 5 {
		s.Addr = freeAddr(s.t)
		if s.run() {
			return
		}
	}
	s.t.Fatal("redis-server does not start")
}

// StartCluster starts a Redis Cluster of one server, which holds every slot.
func StartCluster(t testing.TB) *Server {
	t.Helper()
	s := Start(t, "--cluster-enabled", "yes")
	c := s.Client()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := c.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal("cluster slots:", err)
	}
	for !strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok") {
		if ctx.Err() != nil {
			t.Fatal("the cluster does not come up")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return s
}

// freeAddr leaves room above the port for a cluster's bus, port + 10000.
func freeAddr(t testing.TB) string {
	t.Helper()
	port, err := freeport.Get(freeport.Highest - 10000)
	if err != nil {
		t.Fatal(err)
	}
	return freeport.Address(port)
}

// run starts the server and reports whether it answers.
func (s *Server) run() bool {
	_, port, _ := net.SplitHostPort(s.Addr)
	s.cmd = exec.Command("redis-server", s.arguments(port)...)
	s.gone = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // killed by us
		close(gone)
	}(s.cmd, s.gone)
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case <-s.gone:
			return false
		default:
		}
		if s.answers() {
			return true
		}
	}
	return false
}

// arguments are those of a server, or of a sentinel with its file written anew.
func (s *Server) arguments(port string) []string {
	if s.config != "" {
		file := filepath.Join(s.dir, "sentinel.conf")
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\n%s", port, s.dir, s.config)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		return []string{file, "--sentinel"}
	}
	name := "--port"
	if s.tls != nil {
		name = "--tls-port"
	}
	args := []string{name, port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no"}
	if s.password != "" {
		args = append(args, "--requirepass", s.password, "--masterauth", s.password)
	}
	return append(args, s.args...)
}

// answers reports whether it is our server that answers on the port.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if s.tls != nil {
		config := s.tls.Clone()
		config.ServerName = "127.0.0.1"
		c = tls.Client(c, config)
	}
	commands := "INFO server\r\n"
	if s.password != "" {
		commands = "AUTH " + s.password + "\r\n" + commands
	}
	if _, err := io.WriteString(c, commands); err != nil {
		return false
	}
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == fmt.Sprintf("process_id:%d", s.cmd.Process.Pid) {
			return true
		}
		if strings.HasPrefix(lines.Text(), "executable:") {
			break
		}
	}
	return false
}

// Client returns a client for looking into the server and meddling with it.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Password: s.password, TLSConfig: s.tls, Protocol: 2, DisableIdentity: true,
		DialTimeout: startTime, ReadTimeout: startTime})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Flush empties the server.
func (s *Server) Flush() {
	s.t.Helper()
	if err := s.Client().FlushAll(context.Background()).Err(); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server at once, frozen or not, and waits for its end.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.gone
}

// Restart starts a killed server again, empty, at its old address.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.run() {
		s.t.Fatal("redis-server does not start again")
	}
}

// Freeze stops the server without ending it: connections stay, nothing answers.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
