package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed post.lua
var postLua []byte

// connections that wrk keeps open, each with one request under way: enough to
// keep a core busy, too few for a gateway on one core to refuse any.
const connections = 16

// errDisturbed is a round that the machine disturbed: with its core gone for a
// while, a gateway refuses work by 503, and goes on without Redis.
var errDisturbed = errors.New("disturbed round")

// A load is what wrk is to send: the credentials of a file, one a line.
type load struct {
	script, file string
	key          string
	media        string
}

// newLoad writes credentials where wrk finds them.
func (b *bench) newLoad(name, key string, credentials []string) (*load, error) {
	l := &load{script: filepath.Join(b.dir, "post.lua"), file: filepath.Join(b.dir, name), key: key, media: "application/jwt"}
	if err := os.WriteFile(l.script, postLua, 0o600); err != nil {
		return nil, err
	}
	return l, os.WriteFile(l.file, []byte(strings.Join(credentials, "\n")+"\n"), 0o600)
}

// A tally is what wrk counted.
type tally struct {
	Requests int64
	Micros   int64
	Refused  int64 // answers beside 2xx
	Broken   int64 // connections refused or broken, time-outs
	P50, P99 int64 // µs
}

// rate returns requests a second.
func (t *tally) rate() float64 { return float64(t.Requests) / float64(t.Micros) * 1e6 }

// drive sends a load for a time. Any answer beside 2xx is an error.
func drive(ctx context.Context, addr string, l *load, d time.Duration) (*tally, error) {
	return wrk(ctx, addr, l, connections, d)
}

// wrk has wrk send a load over so many connections; more are further arguments
// of its script.
func wrk(ctx context.Context, addr string, l *load, connections int, d time.Duration, more ...string) (*tally, error) {
	args := []string{"-c", clientCore, "wrk", "-t", "1", "-c", fmt.Sprint(connections),
		"-d", fmt.Sprintf("%ds", max(1, int(d.Seconds()))), "-s", l.script, "https://" + addr, "--", l.file, l.key, l.media}
	out, err := exec.CommandContext(ctx, "taskset", append(args, more...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w: %s", err, out)
	}
	t := new(tally)
	at := strings.LastIndex(string(out), "\n{")
	if at < 0 || json.Unmarshal(out[at:], t) != nil || t.Micros == 0 {
		return nil, fmt.Errorf("wrk said %s", out)
	}
	switch {
	case t.Requests == 0 || t.Broken > 0:
		return t, fmt.Errorf("%d requests, of which %d broken", t.Requests, t.Broken)
	case t.Refused > 0:
		return t, fmt.Errorf("%w: %d of %d answers beside 2xx", errDisturbed, t.Refused, t.Requests)
	}
	return t, nil
}
