package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed pace.lua
var paceLua []byte

// paceOf has wrk send a load for a time with a pause before every request of a
// connection: users who do something with an answer before they ask again.
// Each connection sends at most 1/pause requests a second.
func (b *bench) paceOf(ctx context.Context, addr string, l *load, users int, pause, d time.Duration) (*tally, error) {
	script := filepath.Join(b.dir, "pace.lua")
	if err := os.WriteFile(script, paceLua, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", clientCore, "wrk", "-t", "1", "-c", fmt.Sprint(users),
		"-d", fmt.Sprintf("%ds", max(1, int(d.Seconds()))), "-s", script, "https://"+addr, "--", l.file, l.key, l.media, fmt.Sprint(pause.Milliseconds()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w: %s", err, out)
	}
	t := new(tally)
	at := strings.LastIndex(string(out), "\n{")
	if at < 0 || json.Unmarshal(out[at:], t) != nil || t.Micros == 0 {
		return nil, fmt.Errorf("wrk said %s", out)
	}
	if t.Requests == 0 || t.Broken > 0 || t.Refused > 0 {
		return t, fmt.Errorf("%d requests, of which %d not answered by 2xx and %d broken", t.Requests, t.Refused, t.Broken)
	}
	return t, nil
}
