package faults

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A gateway keeps its addresses and its state from one process to the next.
type gateway struct {
	*process
	w             *world
	config, state string
	listen, admin string
	command       []string // to run it
	target        *target
}

// A target is where questions are asked: a gateway, or the edge before some.
type target struct {
	url, key string
	client   *http.Client
}

// newTarget trusts pool. Connections are HTTP/1.1 and kept, as Caddy's are.
func newTarget(t testing.TB, url, key string, pool *x509.CertPool, http2 bool) *target {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2,
		MaxIdleConnsPerHost: 512, IdleConnTimeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &target{url, key, &http.Client{Timeout: 40 * time.Second, Transport: transport}}
}

// prepare writes a gateway's configuration.
func (w *world) prepare(s setup) *gateway {
	w.t.Helper()
	w.gateways++
	g := &gateway{w: w, listen: freeAddress(w.t), admin: freeAddress(w.t),
		config: filepath.Join(w.dir, fmt.Sprintf("gateway-%d.yaml", w.gateways)),
		state:  filepath.Join(w.dir, fmt.Sprintf("state-%d", w.gateways))}
	g.command = []string{gatewayBinary, "serve", "--config", g.config}
	g.target = newTarget(w.t, "https://"+g.listen, w.key, w.servers.pool(), false)
	must(w.t, os.WriteFile(g.config, []byte(w.yaml(g, s)), 0o600))
	return g
}

// gateway starts one and waits until it is ready.
func (w *world) gateway(s setup) *gateway {
	w.t.Helper()
	g := w.prepare(s)
	g.start()
	return g
}

func (g *gateway) start() {
	g.w.t.Helper()
	g.begin()
	g.until("a gateway's start", func() bool { return g.ready() == http.StatusOK })
}

// begin starts it and does not wait.
func (g *gateway) begin() { g.process = launch(g.w.t, exec.Command(g.command[0], g.command[1:]...)) }

// restart is one step of a rolling restart: SIGTERM, drained, started, ready.
func (g *gateway) restart() {
	g.w.t.Helper()
	if code := g.end(syscall.SIGTERM); code != 0 {
		g.w.t.Errorf("a gateway drained with exit %d:\n%s", code, g.said)
	}
	g.start()
}

func (g *gateway) ready() int {
	status, _ := get("http://" + g.admin + "/readyz")
	return status
}

// part returns whether /readyz?verbose says that one thing is well.
func (g *gateway) part(name string) bool {
	_, text := get("http://" + g.admin + "/readyz?verbose")
	var page struct {
		Parts []struct {
			Name string
			OK   bool
		}
	}
	if json.Unmarshal([]byte(text), &page) != nil {
		return false
	}
	for _, p := range page.Parts {
		if p.Name == name {
			return p.OK
		}
	}
	return false
}

// metric sums the series of a name.
func (g *gateway) metric(name string) (sum float64) {
	_, text := get("http://" + g.admin + "/metrics")
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if own, _, _ := strings.Cut(series, "{"); own == name {
			n, _ := strconv.ParseFloat(value, 64)
			sum += n
		}
	}
	return sum
}

// An answer is a verdict, or why there was none.
type answer struct {
	Verdict, Code string
	Version       int64 `json:"trust_list_version"`
	Freshness     *struct{ Source string }

	failed string // no verdict: what came instead
}

func (a answer) is(verdict, code string) bool {
	return a.failed == "" && a.Verdict == verdict && a.Code == code
}

// ask asks for one verdict.
func (to *target) ask(token string, headers ...string) (a answer) {
	request, err := http.NewRequest(http.MethodPost, to.url+"/v1/verify", strings.NewReader(token))
	if err != nil {
		return answer{failed: err.Error()}
	}
	request.Header.Set("Content-Type", "application/jwt")
	request.Header.Set("Authorization", "Bearer "+to.key)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := to.client.Do(request)
	if err != nil {
		return answer{failed: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer{failed: err.Error()}
	}
	if response.StatusCode != http.StatusOK {
		return answer{failed: fmt.Sprintf("%s %.200s", response.Status, body)}
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Verdict == "" {
		return answer{failed: fmt.Sprintf("no verdict: %.200s", body)}
	}
	return a
}
