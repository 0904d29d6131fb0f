package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/rig"
	"tongyan/loadtest/internal/workload"
	"tongyan/sandbox"
)

// TestAgreesWithWrk asks one gateway in the closed model, by turns with wrk:
// p50, p99 and throughput agree within a tenth. The gateway has a core of its
// own and a signature to check each time (a forged one, which no cache knows):
// it is what both wait for, and not the generators' own cost. It needs a quiet
// machine, so it runs only where LOADTEST_WRK is set.
func TestAgreesWithWrk(t *testing.T) {
	if os.Getenv("LOADTEST_WRK") == "" {
		t.Skip("set LOADTEST_WRK=1 on a quiet machine")
	}
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("wrk is not installed")
	}
	dir := t.TempDir()
	gateway, err := rig.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	pinned := filepath.Join(dir, "pinned")
	if err := os.WriteFile(pinned, fmt.Appendf(nil, "#!/bin/sh\nexec taskset -c 0 '%s' \"$@\"\n", gateway), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("taskset", "-acp", "1", strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
		t.Skipf("this machine pins nothing to a second core: %s", out)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r, err := rig.Start(t.Context(), rig.Options{Gateway: pinned, Dir: dir, Gateways: 1, RegistryRate: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	token, _, err := r.Sandbox.Province("310000").Mint(sandbox.LicenceSpec{})
	if err != nil {
		t.Fatal(err)
	}
	// Another letter in the middle of the signature.
	at, other := strings.LastIndex(token, ".")+40, "A"
	if token[at] == 'A' {
		other = "B"
	}
	forged := token[:at] + other + token[at+1:]
	for name, text := range map[string]string{
		"expected.csv": "file,verdict,code\ngood.jwt,VALID,OK\nforged.jwt,INVALID,SIGNATURE_INVALID\n", "good.jwt": token, "forged.jwt": forged,
		"post.lua": fmt.Sprintf("wrk.method=\"POST\"\nwrk.body=%q\nwrk.headers[\"Content-Type\"]=\"application/jwt\"\nwrk.headers[\"Authorization\"]=\"Bearer %s\"\n", forged, r.Key()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const seconds, connections = 6, 16
	p, err := profile.Parse(fmt.Appendf(nil, "version: 1\nname: closed\narrivals: { process: closed, stages: [ { for: %ds } ] }\nconnections: { max: %d }\nworkload: { cold: 0, verdicts: { INVALID: 1 } }\n", seconds, connections), "closed")
	if err != nil {
		t.Fatal(err)
	}
	ours := func() [3]float64 {
		mix, err := workload.FromCorpus(dir, p.Workload, 1)
		if err != nil {
			t.Fatal(err)
		}
		run, err := drive.Run(t.Context(), drive.Options{Profile: p, Work: mix, Engine: engine.Config{Targets: r.Targets(), TLS: r.TLS(), Key: r.Key()}})
		if err != nil {
			t.Fatal(err)
		}
		if run.Totals.Correct != run.Totals.Offered {
			t.Fatalf("%v", run.Totals.Outcomes)
		}
		return [3]float64{run.Totals.Corrected.P50, run.Totals.Corrected.P99, run.Totals.CompletedRate}
	}
	theirs := func() [3]float64 {
		out, err := exec.CommandContext(t.Context(), wrk, "-t1", fmt.Sprint("-c", connections), fmt.Sprintf("-d%ds", seconds), "--latency",
			"-s", filepath.Join(dir, "post.lua"), "https://"+r.Targets()[0]+"/v1/verify").CombinedOutput()
		if err != nil || strings.Contains(string(out), "Non-2xx") {
			t.Fatalf("%v\n%s", err, out)
		}
		return readWrk(t, string(out))
	}
	ours() // warm
	var a, b [3][]float64
	for range 3 {
		us, them := ours(), theirs()
		for i := range us {
			a[i], b[i] = append(a[i], us[i]), append(b[i], them[i])
		}
	}
	for i, name := range []string{"p50, ms", "p99, ms", "throughput, /s"} {
		x, y := middle(a[i]), middle(b[i])
		t.Logf("%s: %.3f here, %.3f by wrk", name, x, y)
		if math.Abs(x-y) > 0.1*y {
			t.Errorf("%s: %.3f here, %.3f by wrk: more than a tenth apart", name, x, y)
		}
	}
}

func middle(x []float64) float64 {
	return x[0] + x[1] + x[2] - min(x[0], x[1], x[2]) - max(x[0], x[1], x[2])
}

var (
	wrkLine = regexp.MustCompile(`(?m)^\s+(50|99)%\s+(\S+)$`)
	wrkRate = regexp.MustCompile(`Requests/sec:\s+(\S+)`)
)

// readWrk reads p50 and p99 in milliseconds, and the rate.
func readWrk(t *testing.T, out string) (v [3]float64) {
	t.Helper()
	lines, rate := wrkLine.FindAllStringSubmatch(out, -1), wrkRate.FindStringSubmatch(out)
	if len(lines) != 2 || rate == nil {
		t.Fatalf("wrk wrote\n%s", out)
	}
	for i, l := range lines {
		d, err := time.ParseDuration(l[2])
		if err != nil {
			t.Fatal(err)
		}
		v[i] = float64(d.Microseconds()) / 1000
	}
	var err error
	if v[2], err = strconv.ParseFloat(rate[1], 64); err != nil {
		t.Fatal(err)
	}
	return v
}
