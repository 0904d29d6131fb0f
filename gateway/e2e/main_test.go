// Package e2e drives the built gateway from outside: real processes, a real
// Redis, four simulated provinces, and everything that can go wrong between
// them. What holds here holds for the binary, whatever its rooms promise.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the gateway as built for this run, without the race detector: it is
// the one that is shipped. With -short there is none, and all tests skip.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	// The tests wait more than they work: for time-outs, ends and recoveries.
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "gateway-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "gateway")
	build := exec.Command("go", "build", "-race=false", "-o", binary, "tongyan/gateway")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the gateway does not build:", err)
		return 1
	}
	return m.Run()
}
