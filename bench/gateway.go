package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tongyan/sandbox"
)

// A site is a sandbox and what gateways need to trust it.
type site struct {
	*sandbox.Sandbox
	dir     string
	key     string // bearer key of the one relying party
	redis   string // its address; "" where the gateways have none
	binary  string
	profile bool // the measured gateways write CPU profiles beside dir
	started int  // gateways so far
}

// newSite starts a sandbox.
func (b *bench) newSite(ctx context.Context) (*site, error) {
	box, err := sandbox.Start(ctx, sandbox.Options{})
	if err != nil {
		return nil, err
	}
	s := &site{Sandbox: box, key: rand.Text(), binary: b.gateway, profile: b.profile != ""}
	if s.dir, err = os.MkdirTemp(b.dir, "site-"); err != nil {
		box.Close()
		return nil, err
	}
	root, err := box.Trust.Roots()[0].JWK()
	if err != nil {
		box.Close()
		return nil, err
	}
	var seal [32]byte
	rand.Read(seal[:])
	for name, data := range map[string][]byte{
		"ca.pem": box.CAPEM(), "root.jwk": root, "seal.key": []byte(base64.StdEncoding.EncodeToString(seal[:])),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			box.Close()
			return nil, err
		}
	}
	return s, nil
}

// config is what the measured gateways run with: the defaults, but for rates,
// which are not what is measured.
const config = `listen: 127.0.0.1:0
admin: 127.0.0.2:0
state_dir: state-%d
tls: { mode: internal }
trust: { source: %q, roots: [ root.jwk ], ca_file: ca.pem%s }
registries:
%srelying_parties:
  - { id: bench, key_sha256: %q, scopes: [verify, provinces], rate: 1000000, burst: 1000000, lane: hall }
`

// A gateway is a running one.
type gateway struct {
	*process
	addr, admin string
}

// start starts a gateway of this site, with nothing in its memory.
func (s *site) start(ctx context.Context, core string) (*gateway, error) {
	return s.launch(ctx, core, "", setup{})
}

// startWith is start with more in the configuration, and with patience for the
// registries, which are not what is measured there.
func (s *site) startWith(ctx context.Context, core string, more setup) (*gateway, error) {
	return s.launch(ctx, core, ", timeout: 10s", more)
}

// launch starts a gateway; registry is further members of every registry, each
// behind a comma.
func (s *site) launch(ctx context.Context, core, registry string, more setup) (*gateway, error) {
	s.started++
	var registries strings.Builder
	for _, p := range s.Provinces() {
		fmt.Fprintf(&registries, "  %q: { url: %q, ca_file: ca.pem, rate: 50000%s }\n", p.Code, p.Registry.URL(), registry)
	}
	digest := sha256.Sum256([]byte(s.key))
	text := fmt.Sprintf(config, s.started, s.Trust.URI(), more.trust, registries.String(), hex.EncodeToString(digest[:])) + more.parties + more.more
	if s.redis != "" {
		text += fmt.Sprintf("redis: { url: %q, seal_key_file: seal.key }\n", "redis://"+s.redis)
	}
	file := filepath.Join(s.dir, fmt.Sprintf("gateway-%d.yaml", s.started))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{s.binary, "serve", "--config", file}
	profiled := s.profile && core == serverCore
	if profiled {
		args = append(args, "--cpu-profile", fmt.Sprintf("%s-%d%s", s.dir, s.started, cpuProfile))
	}
	p, err := start(ctx, core, args...)
	if err != nil {
		return nil, err
	}
	p.gently = profiled
	g := &gateway{process: p}
	line, err := p.await(`"serving",`)
	if err == nil {
		_, err = fmt.Sscanf(strings.NewReplacer(`"`, " ", ",", " ").Replace(line), " listen : %s admin : %s", &g.addr, &g.admin)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("the gateway does not start: %w", err)
	}
	return g, nil
}

// figures are the gateway's metrics, by name and labels as they are written.
type figures map[string]float64

func (g *gateway) figures(ctx context.Context) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	f := figures{}
	for scan := bufio.NewScanner(io.LimitReader(resp.Body, 4<<20)); scan.Scan(); {
		if name, value, ok := strings.Cut(scan.Text(), "} "); ok && name[0] != '#' {
			if f[name+"}"], err = strconv.ParseFloat(value, 64); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// sum adds up the figures of one name that have all these labels.
func (f figures) sum(name string, labels ...string) (total int64) {
next:
	for key, value := range f {
		if !strings.HasPrefix(key, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(key, l) {
				continue next
			}
		}
		total += int64(value)
	}
	return total
}

// since returns how much the figures grew.
func (f figures) since(before figures) figures {
	grown := figures{}
	for key, value := range f {
		grown[key] = value - before[key]
	}
	return grown
}
