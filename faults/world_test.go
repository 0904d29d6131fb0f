package faults

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tongyan/sandbox"
)

// The province whose servers are broken; the others show that they do not notice.
const broken = "310000"

// A world is an alliance for one test, with a proxy before each thing that can
// be broken: the trust list, one province's registry, key set and status lists.
type world struct {
	t       testing.TB
	dir     string
	box     *sandbox.Sandbox
	servers *authority // of gateways and the edge, and of a Redis with TLS
	key     string     // of the relying party

	registry, keys, status, trust *proxy

	number   atomic.Int64 // of the next business
	lists    atomic.Int64 // of the next status list
	gateways int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), key: rand.Text()}
	var err error
	w.box, err = sandbox.Start(t.Context(), sandbox.Options{})
	must(t, err)
	t.Cleanup(w.box.Close)
	w.servers = newAuthority(t, w.dir, "servers-ca")
	w.servers.issue("gateway")
	root, err := w.box.Trust.Roots()[0].JWK()
	must(t, err)
	seal := make([]byte, 32)
	rand.Read(seal)
	for name, data := range map[string][]byte{
		"root.jwk": root, "sandbox-ca.pem": w.box.CAPEM(), "seal.key": []byte(base64.StdEncoding.EncodeToString(seal)),
	} {
		must(t, os.WriteFile(filepath.Join(w.dir, name), data, 0o600))
	}
	p := w.box.Province(broken)
	w.registry = newProxy(t, "registry", address(p.Registry.Endpoint))
	w.keys = newProxy(t, "keys", address(p.Keys.Endpoint))
	w.status = newProxy(t, "status", address(p.Status.Endpoint))
	w.trust = newProxy(t, "trust", address(w.box.Trust.Endpoint))
	w.publish(func(l *sandbox.List) {
		issuer := &l.Province(broken).Issuers[0]
		issuer.JWKSURI = "https://" + w.keys.Listen + "/jwks.json"
		issuer.StatusLists = []string{w.statusPrefix()}
	})
	return w
}

func address(e *sandbox.Endpoint) string { return strings.TrimPrefix(e.URL(), "https://") }

func (w *world) statusPrefix() string { return "https://" + w.status.Listen + "/status/" }

// publish signs and serves the next trust list, and returns its version.
func (w *world) publish(edit func(*sandbox.List)) int64 {
	w.t.Helper()
	version, err := w.box.Trust.Publish(edit)
	must(w.t, err)
	return version
}

// statusList publishes a list of the broken province, to be had by the proxy.
func (w *world) statusList() *statusList {
	w.t.Helper()
	number := int(w.lists.Add(1))
	l := &statusList{uri: fmt.Sprintf("%s%d", w.statusPrefix(), number)}
	var err error
	l.StatusList, err = w.box.Province(broken).Status.Publish(number, sandbox.StatusSpec{
		TTL: 3600e9, Edit: func(_, claims map[string]any) { claims["sub"] = l.uri }})
	must(w.t, err)
	return l
}

// A statusList stands under the proxy's address.
type statusList struct {
	*sandbox.StatusList
	uri string
}

func (l *statusList) entry(index int) map[string]any {
	return map[string]any{"status_list": map[string]any{"idx": index, "uri": l.uri}}
}

// registryAddress is where a province's registry is asked.
func (w *world) registryAddress(p *sandbox.Province) string {
	if p.Code == broken {
		return "https://" + w.registry.Listen
	}
	return p.Registry.URL()
}

// A setup is what a gateway's configuration says beside the ordinary.
type setup struct {
	redis     string // members of redis; "": none
	tls       string // members; default files
	freshness string // members; default the contract's
	limits    string // of each registry
	more      string // further sections
}

// yaml writes a gateway's configuration. Trust list and key sets are looked at
// every second, so that a fault of some seconds is noticed.
func (w *world) yaml(g *gateway, s setup) string {
	if s.tls == "" {
		s.tls = "mode: files, cert_file: gateway.pem, key_file: gateway.key"
	}
	if s.freshness == "" {
		s.freshness = "max_age: 5m, stale_if_error: 1h"
	}
	if s.limits == "" {
		s.limits = "rate: 10000, max_in_flight: 512"
	}
	sum := sha256.Sum256([]byte(w.key))
	var b strings.Builder
	fmt.Fprintf(&b, "listen: %q\nadmin: %q\nstate_dir: %q\ntls: { %s }\n", g.listen, g.admin, g.state, s.tls)
	fmt.Fprintf(&b, "trust: { source: \"https://%s/list.jwt\", roots: [ root.jwk ], refresh: 1s, ca_file: sandbox-ca.pem }\n", w.trust.Listen)
	fmt.Fprintf(&b, "keys: { refresh: 1s, refetch_interval: 1s }\nfreshness: { %s }\n", s.freshness)
	if s.redis != "" {
		fmt.Fprintf(&b, "redis: { seal_key_file: seal.key, %s }\n", s.redis)
	}
	fmt.Fprintf(&b, "relying_parties:\n  - { id: hall, key_sha256: %q, scopes: [verify, licence, provinces], rate: 1000000, lane: hall }\nregistries:\n", hex.EncodeToString(sum[:]))
	for _, p := range w.box.Provinces() {
		fmt.Fprintf(&b, "  %q: { url: %q, ca_file: sandbox-ca.pem, timeout: 2s, %s }\n", p.Code, w.registryAddress(p), s.limits)
	}
	return b.String() + s.more
}
