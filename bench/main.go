// Command bench measures the gateway against two floors on the same machine, in
// the same minutes, and plays the load runs that have a bound to keep.
//
// It builds the gateway, starts it beside the simulated provinces and a Redis of
// its own, all on loopback, and drives it with wrk. Servers that are compared run
// on the first core alone and take turns, so that whatever else the machine does
// meets them alike; wrk runs on the second.
//
//	go run ./bench              all runs
//	go run ./bench hot redis    some of them
//
// The compiler lays out the gateway by gateway/default.pgo, which says where its
// time goes. To make it anew:
//
//	go run ./bench -profile gateway/default.pgo cold cold-sm2 hot from-redis batch
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A run is one measurement: what it is called, what it shows, how it is done.
type run struct {
	name, shows string
	measure     func(context.Context, *bench) (*table, error)
}

var runs = []run{
	{"cold", "every credential new, standing known, ES256, against a server that does one raw ecdsa.Verify a request", cold},
	{"cold-sm2", "the same with SM2, against one raw gmsm verify a request", coldSM2},
	{"hot", "credential and standing in memory, against a server that does nothing", hot},
	{"from-redis", "memory emptied, all in Redis, against a server that does nothing", fromRedis},
	{"sdjwt", "SD-JWT with 12 disclosures, every one new, against the plain envelope", sdjwt},
	{"reload-list", "a trust list of 200 issuers and 1,000 keys changes every second", reloadList},
	{"status", "100,000 verdicts, status lists in place of registries", lists},
	{"batch", "batches of new credentials, standing known, against raw verification", batchRun},
	{"batch-memory", "a million lines in one batch", million},
	{"batch-hall", "100,000 mixed lines while a hall asks 50 times a second", batchHall},
	{"receipt", "what receipts cost, repeated and new", receipts},
	{"overload", "ten times what one core can do, for a minute; who is refused waits as told", overload},
	{"overload-deaf", "the same, but nobody waits", deaf},
	{"coalesce", "200 requests at once for one licence", coalesce},
	{"hang", "one province's registry hangs", hang},
	{"frozen", "Redis frozen (SIGSTOP)", frozen},
	{"redis", "Redis killed, frozen and restarted under load", redisTroubles},
	{"sigterm", "SIGTERM under load, two gateways", sigterm},
	{"demo", "gateway demo: time to the first verdict, memory", demo},
}

// options of the command line.
type options struct {
	rounds   int           // of each contestant
	duration time.Duration // of a round
	corpus   int           // credentials that a round of new ones can use up
	gateway  string        // a gateway's binary instead of a fresh build
	profile  string        // file for where the gateways' time went; "": it is not looked at
}

// A bench is what all runs share.
type bench struct {
	options
	dir  string // for everything written; removed at the end
	self string // this program, which also plays the floors
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == floorCommand {
		fatal(serveFloor(os.Args[2]))
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 4, "rounds of each contestant")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "length of a round")
	flag.IntVar(&o.corpus, "corpus", 30_000, "different credentials of a corpus; a round must not use up more")
	flag.StringVar(&o.gateway, "gateway", "", "binary of the gateway; built if empty")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of all measured gateways together, which costs them a few per cent")
	flag.Usage = usage
	flag.Parse()
	chosen, err := choose(flag.Args())
	fatal(err)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err = all(ctx, o, chosen)
	stop()
	fatal(err)
}

func usage() {
	fmt.Fprintln(flag.CommandLine.Output(), "go run ./bench [flags] [run...]\n\nruns:")
	for _, r := range runs {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-11s %s\n", r.name, r.shows)
	}
	fmt.Fprintln(flag.CommandLine.Output(), "\nflags:")
	flag.PrintDefaults()
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func choose(names []string) ([]run, error) {
	if len(names) == 0 {
		return runs, nil
	}
	var chosen []run
	for _, name := range names {
		i := slices.IndexFunc(runs, func(r run) bool { return r.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no run %q; go run ./bench -h lists them", name)
		}
		chosen = append(chosen, runs[i])
	}
	return chosen, nil
}

// all plays the runs one after the other. One that fails does not keep the
// others from being played.
func all(ctx context.Context, o options, chosen []run) error {
	b := &bench{options: o}
	for program, pack := range map[string]string{"wrk": "wrk", "redis-server": "redis-server", "taskset": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install %s", program, pack)
		}
	}
	if runtime.NumCPU() < 2 {
		return errors.New("two cores are needed: one for the server, one for wrk")
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "tongyan-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.gateway == "" {
		b.gateway = filepath.Join(b.dir, "gateway")
		build := exec.CommandContext(ctx, "go", "build", "-o", b.gateway, "tongyan/gateway")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	fmt.Println(machine())
	var failed []string
	for _, r := range chosen {
		began := time.Now()
		t, err := r.measure(ctx, b)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		fmt.Printf("\n%s: %s (%.0f s)\n", r.name, r.shows, time.Since(began).Seconds())
		if t != nil {
			t.print(os.Stdout)
			if t.missed {
				failed = append(failed, r.name)
			}
		}
		if err != nil {
			fmt.Println("  failed:", err)
			failed = append(failed, r.name)
		}
	}
	if b.profile != "" {
		if err := b.merge(); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not as it should be: %s", strings.Join(slices.Compact(failed), ", "))
	}
	return nil
}

// machine says where and when this is measured.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := "?"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%s, %d cores, %s, %s/%s, load before %s, %s", model, runtime.NumCPU(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, load, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
}
