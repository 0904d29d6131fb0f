package deploy_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const unitFile = "systemd/tongyan.service"

// systemd itself reads the unit without a word of complaint, and finds it well
// locked up: 0 is a service that can do nothing, 10 one that may do anything.
func TestUnit(t *testing.T) {
	analyze := needs(t, "systemd-analyze")
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	// The binary and the user are not installed here.
	here := strings.ReplaceAll(string(text), "/usr/local/bin/gateway", binary)
	here = strings.NewReplacer("User=tongyan", "User=daemon", "Group=tongyan", "Group=daemon").Replace(here)
	unit := filepath.Join(t.TempDir(), "tongyan.service")
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("verify: %v\n%s", err, said)
	}
	said, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit).CombinedOutput()
	overall := regexp.MustCompile(`Overall exposure level.*: ([0-9.]+)`).FindSubmatch(said)
	if err != nil || overall == nil {
		t.Fatalf("security: %v\n%s", err, said)
	}
	t.Logf("exposure %s of 10", overall[1])
}

// The commands of the unit are commands of the gateway.
func TestUnitCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the built gateway: run without -short")
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/gateway (.+)$`).FindAllSubmatch(text, -1)
	if len(commands) != 3 {
		t.Fatalf("%d commands, want check, serve and reload", len(commands))
	}
	for _, c := range commands {
		args := append(strings.Fields(string(c[1])), "--help")
		said, err := exec.Command(binary, args...).CombinedOutput()
		// Where a word is no command, cobra shows the usage of the one before it.
		if words := strings.Join(strings.FieldsFunc(string(c[1]), func(r rune) bool { return r == ' ' })[:1], " "); err != nil || !strings.Contains(string(said), "gateway "+words) {
			t.Errorf("%s: %v\n%s", c[1], err, said)
		}
	}
}

// The service manager hears of the start, of each reload and of the end, in its
// own words and in this order.
func TestServiceManagerIsTold(t *testing.T) {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", socket.LocalAddr().String())
	g := newGateways(t, 1).gateways[0]
	hear := func() string {
		t.Helper()
		buf := make([]byte, 512)
		socket.SetReadDeadline(time.Now().Add(startTime))
		n, err := socket.Read(buf)
		if err != nil {
			t.Fatalf("nothing was told: %v\n%s", err, g.said)
		}
		return string(buf[:n])
	}
	if said := hear(); said != "READY=1" {
		t.Fatalf("at the start: %q", said)
	}
	g.cmd.Process.Signal(syscall.SIGHUP)
	said := hear()
	_, usec, found := strings.Cut(said, "RELOADING=1\nMONOTONIC_USEC=")
	if n, err := strconv.ParseInt(usec, 10, 64); !found || err != nil || n <= 0 {
		t.Fatalf("at the reload: %q", said)
	}
	if said := hear(); said != "READY=1" {
		t.Fatalf("after the reload: %q", said)
	}
	go g.end(syscall.SIGTERM)
	if said := hear(); said != "STOPPING=1" {
		t.Fatalf("at the end: %q", said)
	}
}
