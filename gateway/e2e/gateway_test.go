package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTime bounds a gateway's start on a machine that does much else.
const startTime = 20 * time.Second

// A gateway is one process, from its start to its end.
type gateway struct {
	t      testing.TB
	w      *world
	state  string // state_dir
	config string // file

	cmd    *exec.Cmd
	exited chan struct{} // closed at the end, all of the log read
	code   int           // exit code, after exited
	log    *record
	url    string // of the public listener
	admin  string // of the admin listener
	client *http.Client
}

// A record is what a process writes, as far as it has.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(line + "\n")
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// gateway starts a gateway with an empty memory, and ends it with the test.
func (w *world) gateway(s setup) *gateway {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "gateway-")
	w.ok(err)
	g := &gateway{t: w.t, w: w, state: filepath.Join(dir, "state"), config: filepath.Join(dir, "gateway.yaml")}
	w.ok(os.WriteFile(g.config, []byte(w.yaml("state", s)), 0o600))
	g.start()
	w.t.Cleanup(g.kill)
	return g
}

// start starts it, also once more after its end: with the state that it left.
func (g *gateway) start() {
	g.t.Helper()
	if !g.begin() {
		g.t.Fatalf("the gateway does not start (exit %d):\n%s", g.code, g.log)
	}
}

// restart kills and starts it.
func (g *gateway) restart() {
	g.t.Helper()
	g.kill()
	g.start()
}

// begin starts the process and reports whether it came to serve.
func (g *gateway) begin() bool {
	g.t.Helper()
	g.cmd = exec.Command(binary, "serve", "--config", g.config)
	appKey, err := os.ReadFile(filepath.Join(g.w.dir, "app-key"))
	g.w.ok(err)
	g.cmd.Env = append(os.Environ(), "ZJ_APP_KEY="+string(appKey))
	g.log, g.exited, g.code = &record{}, make(chan struct{}), -1
	errs, err := g.cmd.StderrPipe()
	g.w.ok(err)
	g.w.ok(g.cmd.Start())
	serving := make(chan [2]string, 1)
	go g.follow(errs, serving)
	select {
	case at := <-serving:
		g.url, g.admin = "https://"+at[0], "http://"+at[1]
	case <-g.exited:
		return false
	case <-time.After(startTime):
		_ = g.cmd.Process.Kill()
		<-g.exited
		g.t.Fatalf("the gateway neither serves nor ends:\n%s", g.log)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(g.caPEM())
	g.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 512}}
	return true
}

// follow reads the log to its end, then waits for the process.
func (g *gateway) follow(errs io.Reader, serving chan<- [2]string) {
	lines := bufio.NewScanner(errs)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		g.log.add(lines.Text())
		var entry struct{ Msg, Listen, Admin string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "serving" {
			serving <- [2]string{entry.Listen, entry.Admin}
		}
	}
	_ = g.cmd.Wait() // how it ended stands in ProcessState
	g.code = g.cmd.ProcessState.ExitCode()
	close(g.exited)
}

// caPEM is the certificate of the gateway's development CA, without its key.
func (g *gateway) caPEM() []byte {
	g.t.Helper()
	rest, err := os.ReadFile(filepath.Join(g.state, "tls", "internal-ca", "root.pem"))
	g.w.ok(err)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			g.t.Fatal("the development CA has no certificate")
		}
		if block.Type == "CERTIFICATE" {
			return pem.EncodeToMemory(block)
		}
	}
}

// kill ends the process at once, and looks through all that it said.
func (g *gateway) kill() {
	select {
	case <-g.exited:
	default:
		g.discreet("metrics", g.metricsText())
		g.discreet("readyz", g.page("/readyz?verbose").text)
		_ = g.cmd.Process.Kill() // it may have ended meanwhile
		<-g.exited
	}
	g.discreet("log", g.log.String())
	if g.client != nil {
		g.client.CloseIdleConnections()
	}
	if g.t.Failed() {
		g.t.Logf("%s:\n%s", g.url, g.log)
	}
}

// What looks like a credit code or a token, whosever it is.
var telltale = regexp.MustCompile(`\b9[1239][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}\b|eyJ[A-Za-z0-9_-]{12}`)

// discreet fails the test where a text tells what it should not: every test
// here is a test of that, too.
func (g *gateway) discreet(where, text string) {
	for _, secret := range g.w.leaks(text) {
		g.t.Errorf("%s: %q stands there", where, secret)
	}
	if found := telltale.FindString(text); found != "" {
		g.t.Errorf("%s: %q stands there", where, found)
	}
	if strings.Contains(text, "panic") {
		g.t.Errorf("%s: speaks of a panic:\n%s", where, text)
	}
}

type page struct {
	status int
	text   string
}

// page gets one from the admin listener; the zero page where there is no answer.
func (g *gateway) page(path string) page {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(g.admin + path)
	if err != nil {
		return page{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return page{}
	}
	return page{res.StatusCode, string(text)}
}

func (g *gateway) metricsText() string { return g.page("/metrics").text }

// metric sums the series of a name that have all these labels, each `name="value"`.
func (g *gateway) metric(name string, labels ...string) (sum float64) {
	g.t.Helper()
	for line := range strings.Lines(g.metricsText()) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		own, rest, _ := strings.Cut(series, "{")
		if own != name {
			continue
		}
		fits := true
		for _, l := range labels {
			fits = fits && strings.Contains(rest, l)
		}
		if !fits {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			g.t.Fatalf("metrics: %s", line)
		}
		sum += n
	}
	return sum
}

// A part is one line of /readyz?verbose.
type part struct {
	Name    string
	OK      bool
	Problem string
	Detail  map[string]any
}

// part returns what /readyz?verbose says of one thing.
func (g *gateway) part(name string) part {
	g.t.Helper()
	var ready struct{ Parts []part }
	if err := json.Unmarshal([]byte(g.page("/readyz?verbose").text), &ready); err != nil {
		g.t.Fatal("readyz:", err)
	}
	for _, p := range ready.Parts {
		if p.Name == name {
			return p
		}
	}
	g.t.Fatalf("readyz: no part %q in %v", name, ready.Parts)
	return part{}
}

// signal sends one to the process.
func (g *gateway) signal(s os.Signal) {
	g.t.Helper()
	g.w.ok(g.cmd.Process.Signal(s))
}

// wait returns the exit code of a process that is to end by itself.
func (g *gateway) wait(within time.Duration) int {
	g.t.Helper()
	select {
	case <-g.exited:
	case <-time.After(within):
		g.t.Fatalf("still running after %v", within)
	}
	return g.code
}

func (g *gateway) String() string { return fmt.Sprintf("gateway %s", g.url) }
