package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A server is a real redis-server, or a sentinel.
type server struct {
	*process
	addr string
	tls  []string // options that redis-cli needs to reach it
}

// startRedis starts a server without persistence.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	return startRedisAt(t, freeAddress(t), "--port", args...)
}

// startSecureRedis starts one that speaks TLS only, with a certificate of a.
func startSecureRedis(t testing.TB, a *authority, name string) *server {
	t.Helper()
	own := a.issue(name)
	return startRedisAt(t, freeAddress(t), "--tls-port", "--port", "0", "--tls-auth-clients", "no",
		"--tls-ca-cert-file", a.file, "--tls-cert-file", own.certFile, "--tls-key-file", own.keyFile)
}

func startRedisAt(t testing.TB, addr, portOption string, args ...string) *server {
	t.Helper()
	s := &server{addr: addr}
	if portOption == "--tls-port" {
		s.tls = []string{"--tls", "--insecure"}
	}
	args = append([]string{"--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", portOption, port(addr)}, args...)
	s.process = launch(t, exec.Command(needs(t, "redis-server"), args...))
	s.until("redis-server", func() bool { return s.ask("PING") == "PONG" })
	return s
}

// ask gives a command, and returns the answer or what went wrong.
func (s *server) ask(command ...string) string {
	args := append(append([]string{"-h", "127.0.0.1", "-p", port(s.addr)}, s.tls...), command...)
	out, err := exec.Command("redis-cli", args...).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// masterName is what the sentinels call the master.
const masterName = "tongyan"

// startSentinels starts a master, two replicas and three sentinels over them,
// which replace a master that is silent for 300 ms, with the periods that
// docs/fleet.md recommends.
func startSentinels(t testing.TB) (servers, sentinels []*server) {
	t.Helper()
	master := startRedis(t, "--repl-diskless-sync-delay", "0")
	servers = append(servers, master)
	for range 2 {
		servers = append(servers, startRedis(t, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 "+port(master.addr)))
	}
	for range 3 {
		addr, dir := freeAddress(t), t.TempDir()
		file := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(file, fmt.Appendf(nil, `port %s
bind 127.0.0.1
dir %s
sentinel monitor %[3]s 127.0.0.1 %s 2
sentinel down-after-milliseconds %[3]s 300
sentinel failover-timeout %[3]s 5000
`, port(addr), dir, masterName, port(master.addr)), 0o600))
		s := &server{addr: addr, process: launch(t, exec.Command(needs(t, "redis-server"), file, "--sentinel"))}
		s.until("a sentinel", func() bool { return s.ask("PING") == "PONG" })
		s.ask("SENTINEL", "DEBUG", "INFO-PERIOD", "200", "ASK-PERIOD", "200", "PING-PERIOD", "200")
		sentinels = append(sentinels, s)
	}
	for _, s := range sentinels {
		s.until("a sentinel knows all", func() bool { return strings.Contains(s.ask("INFO", "sentinel"), "slaves=2,sentinels=3") })
	}
	for _, s := range servers[1:] {
		s.until("a replica in step", func() bool { return strings.Contains(s.ask("INFO", "replication"), "master_link_status:up") })
	}
	return servers, sentinels
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}
