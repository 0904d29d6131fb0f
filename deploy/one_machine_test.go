package deploy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The script of docs/fleet.md brings everything up, what it prints works when
// pasted, and it leaves nothing behind.
func TestOneMachine(t *testing.T) {
	for _, program := range []string{"caddy", "openssl", "curl", "bash"} {
		needs(t, program)
	}
	dir := t.TempDir()
	// What an earlier run left, with other provinces, is in nobody's way.
	if err := os.MkdirAll(filepath.Join(dir, "state-of-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state-of-1", "trust"), []byte("another world's"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "./one-machine")
	base := freeRange(t)
	// Nothing is fetched: where Pebble's source is not on this machine, the
	// gateways have certificates in files.
	script.Env = append(os.Environ(), "DIR="+dir, "BASE="+strconv.Itoa(base), "GOPROXY=off")
	script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) }
	script.WaitDelay = startTime
	errs := &record{}
	script.Stderr = errs
	out, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			script.Process.Signal(syscall.SIGTERM)
			script.Wait() // its code is that of the signal
		}
	}
	t.Cleanup(stop)
	var commands []string // what it says to paste
	withPebble := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		withPebble = withPebble || strings.Contains(lines.Text(), "Pebble")
		if line, ok := strings.CutPrefix(lines.Text(), "  "); ok {
			commands = append(commands, line)
		}
		if strings.HasPrefix(lines.Text(), "End with") {
			break
		}
	}
	if len(commands) != 3 || !strings.HasPrefix(commands[0], "curl ") || !strings.HasPrefix(commands[1], "kill ") {
		t.Fatalf("it does not come up: %q\n%s", commands, errs)
	}
	ask := func() {
		t.Helper()
		for end := time.Now().Add(startTime); ; time.Sleep(patience) {
			said, err := exec.Command("bash", "-c", commands[0]).CombinedOutput()
			if err == nil && strings.Contains(string(said), `"verdict":"VALID"`) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%v\n%s", err, said)
			}
		}
	}
	ask()
	if withPebble {
		sharesCertificate(t, dir, base)
	} else if _, err := exec.LookPath("redis-server"); err == nil {
		failed, _ := os.ReadFile(filepath.Join(dir, "pebble-build.log"))
		t.Logf("without Pebble: %s", failed)
	}
	if said, err := exec.Command("bash", "-c", commands[1]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for range 5 {
		ask()
	}
	again := exec.Command("bash", "-c", "exec "+commands[2])
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Process.Kill(); again.Wait() })
	config, err := os.ReadFile(filepath.Join(dir, "gateway-2.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	admin := regexp.MustCompile(`(?m)^admin: "(.*)"$`).FindSubmatch(config)
	for end := time.Now().Add(startTime); status("http://"+string(admin[1])+"/readyz") != 200; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the killed gateway does not come back")
		}
	}
	stop()
	numbers, err := filepath.Glob(filepath.Join(dir, "*.pid"))
	if err != nil || len(numbers) < 5 {
		t.Fatalf("%d processes: %v", len(numbers), err)
	}
	for _, file := range numbers {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, 0); err == nil {
			t.Errorf("%s still runs", filepath.Base(file))
		}
	}
}

// sharesCertificate makes sure that the gateways show one certificate, which
// Pebble issued: the first obtained it, the others found it in Redis.
func sharesCertificate(t *testing.T, dir string, base int) {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(dir, "pebble-root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	var serials []string
	for n := 1; n <= 3; n++ {
		dialer := net.Dialer{Timeout: startTime}
		conn, err := tls.DialWithDialer(&dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", base+n), &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatalf("gateway %d: %v", n, err)
		}
		serials = append(serials, conn.ConnectionState().PeerCertificates[0].SerialNumber.String())
		conn.Close()
	}
	if slices.Sort(serials); serials[0] != serials[2] {
		t.Errorf("each has a certificate of its own: %q", serials)
	}
}

// freeRange finds a hundred ports of which the script's are free.
func freeRange(t *testing.T) int {
	t.Helper()
	used := []int{1, 2, 3, 11, 12, 13, 14, 15, 80, 81, 20, 21, 22, 23, 24, 25, 43, 50, 10020, 10021, 10022, 10023, 10024, 10025}
search:
	for range 100 {
		base := 10000 + 100*rand.IntN(100)
		for _, n := range used {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+n))
			if err != nil {
				continue search
			}
			l.Close()
		}
		return base
	}
	t.Fatal("no free ports")
	return 0
}
