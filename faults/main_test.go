package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	record     = flag.Bool("record", false, "run the long half, and write docs/faults.md")
	outageTime = flag.Duration("outage", 10*time.Minute, "how long all dependencies are gone, with -record")
	soakTime   = flag.Duration("soak", 30*time.Minute, "how long the soak lasts, with -record")
	soakRate   = flag.Int("soak-rate", 400, "requests a second of the soak: half of what the machine holds")
)

// document is what the long half writes.
const document = "../docs/faults.md"

// gatewayBinary is the gateway as it is shipped: built for this run, linked statically
// and without the race detector.
var gatewayBinary string

// garbage is what a toxic of ours is called.
const garbage = "garbage"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	for key, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP":      "1",
		"PEBBLE_WFE_NONCEREJECT": "0",
		"PEBBLE_AUTHZREUSE":      "0",
	} {
		os.Setenv(key, value)
	}
	registerToxics()
	dir, err := os.MkdirTemp("", "gateway-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	gatewayBinary = filepath.Join(dir, "gateway")
	if err := build(gatewayBinary); err != nil {
		fmt.Fprintln(os.Stderr, "the gateway does not build:", err)
		return 1
	}
	return m.Run()
}

// build builds the gateway, from the product's own module.
func build(to string, more ...string) error {
	args := append([]string{"build", "-C", "..", "-race=false", "-trimpath"}, more...)
	cmd := exec.Command("go", append(args, "-o", to, "./gateway")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// half says which half a test belongs to: those of the long half run one after
// the other, so that they do not measure each other.
func half(t *testing.T, long bool) {
	t.Helper()
	switch {
	case testing.Short():
		t.Skip("starts processes: run without -short")
	case long && !*record:
		t.Skip("belongs to the long half: run with -record")
	case !long && *record:
		t.Skip("belongs to the short half: run without -record")
	case !long:
		t.Parallel()
	}
}
