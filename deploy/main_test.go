// Package deploy_test holds what is shipped beside the binary against the
// binary: the edge, the unit, the image, the manifests, the rules, the
// dashboard. Real processes wherever there is one to be had.
package deploy_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the gateway as it is shipped: built for this run, linked statically
// and without the race detector. With -short there is none.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "gateway-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "gateway")
	build := exec.Command("go", "build", "-race=false", "-trimpath", "-o", binary, "tongyan/gateway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the gateway does not build:", err)
		return 1
	}
	return m.Run()
}

// needs skips a test where a program that it is about is not installed, and
// with -short, which leaves the processes out.
func needs(t testing.TB, program string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes: run without -short")
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}
