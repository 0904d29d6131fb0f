package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tongyan/sandbox"
)

// demo starts the demo until it has given a verdict, and then some.
func demo(ctx context.Context, b *bench) (*table, error) {
	var starts latencies
	var first, high float64
	t := bounds()
	for i := range 3 {
		dir := filepath.Join(b.dir, fmt.Sprintf("demo-%d", i))
		addr, err := freeAddress()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		p, err := start(ctx, anyCore, b.gateway, "demo", "--listen", addr, "--dir", dir)
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer p.kill()
			if _, err := p.await("a gateway are running: https://" + addr); err != nil {
				return err
			}
			key, err := os.ReadFile(filepath.Join(dir, "api-key"))
			if err != nil {
				return err
			}
			c := newClient(string(key))
			defer c.close()
			samples, err := readSamples(filepath.Join(dir, "samples"))
			if err != nil {
				return err
			}
			for _, s := range samples {
				if s.Verdict == "VALID" {
					if err := c.expect(ctx, addr, s.Token, "VALID", "OK"); err != nil {
						return fmt.Errorf("the first verdict of the demo: %w", err)
					}
					break
				}
			}
			starts = append(starts, time.Since(began))
			first = max(first, p.memory("VmRSS"))
			err = together(8, func(int) error {
				for _, s := range samples {
					if err := c.expect(ctx, addr, s.Token, s.Verdict, s.Code); err != nil {
						return fmt.Errorf("%s: %w", s.File, err)
					}
				}
				return nil
			})
			high = max(high, p.memory("VmHWM"))
			t.notes = []string{fmt.Sprintf("%d samples asked by 8 at once in each start, each answered by its verdict and code", len(samples))}
			return err
		}()
		if err != nil {
			return nil, err
		}
	}
	t.bound("start to first verdict, slowest of 3", starts.at(1), "2 s", starts.at(1) < 2*time.Second)
	t.row("median", starts.at(0.5), "", "")
	t.row("memory at the first verdict", fmt.Sprintf("%.0f MiB", first), "", "")
	t.bound("memory at its highest", fmt.Sprintf("%.0f MiB", high), "80 MB", high*1.048576 < 80)
	return t, nil
}

// readSamples reads what a demo wrote.
func readSamples(dir string) ([]sandbox.Sample, error) {
	file, err := os.Open(filepath.Join(dir, "expected.csv"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	var samples []sandbox.Sample
	for _, line := range lines[1:] {
		token, err := os.ReadFile(filepath.Join(dir, line[0]))
		if err != nil {
			return nil, err
		}
		samples = append(samples, sandbox.Sample{File: line[0], Token: string(token), Verdict: line[1], Code: line[2]})
	}
	if len(samples) == 0 {
		return nil, errors.New("the demo wrote no samples")
	}
	return samples, nil
}

// sigterm ends one of two gateways under load. Its clients keep connections
// alive, and go to the other gateway when the first asks for another connection
// or takes none.
func sigterm(ctx context.Context, b *bench) (*table, error) {
	const workers = 16
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	tokens, err := mint(ctx, s.Sandbox, "ES256", sandbox.EBLJWT, 10_000)
	if err != nil {
		return nil, err
	}
	var gateways [2]*gateway
	for i := range gateways {
		if gateways[i], err = s.start(ctx, anyCore); err != nil {
			return nil, err
		}
		defer gateways[i].kill()
	}
	var bad mishaps
	var asked, closing, refused, lastToFirst atomic.Int64
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			c := newClient(s.key) // connections of its own
			defer c.close()
			at := 0
			for i := w; loading.Err() == nil; i += workers {
				a, err := c.ask(ctx, gateways[at].addr, tokens[i%len(tokens)])
				if at == 0 && dialFailed(err) {
					refused.Add(1)
					at = 1
					a, err = c.ask(ctx, gateways[at].addr, tokens[i%len(tokens)])
				}
				asked.Add(1)
				bad.judge(a, err, "VALID", "OK")
				if at == 0 {
					lastToFirst.Store(time.Now().UnixNano())
				}
				if at == 0 && err == nil && a.closing {
					closing.Add(1)
					at = 1
				}
			}
		})
	}
	time.Sleep(time.Second)
	before := asked.Load()
	began := time.Now()
	ended := gateways[0].end()
	took := time.Since(began)
	time.Sleep(500 * time.Millisecond)
	stop()
	group.Wait()
	t := bounds()
	t.bound("exit", map[bool]string{true: "0", false: fmt.Sprint(ended)}[ended == nil], "0", ended == nil)
	bad.report(t)
	t.bound("clients told to go elsewhere", closing.Load(), fmt.Sprint(workers), closing.Load() == workers)
	t.row("took to end", took, "", "")
	t.note("%d requests before SIGTERM, %d after; the last to the ending gateway %s after it; %d found its port closed",
		before, asked.Load()-before, cell(time.Unix(0, lastToFirst.Load()).Sub(began)), refused.Load())
	return t, nil
}
