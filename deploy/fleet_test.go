package deploy_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tongyan/internal/freeport"
	"tongyan/sandbox"
)

// A fleet is some gateways behind the edge, and the provinces that they ask.
type fleet struct {
	t       testing.TB
	dir     string
	box     *sandbox.Sandbox
	servers *authority // of the gateways and the edge
	clients *authority // of those who ask, and of the edge as who asks

	key      string   // of the relying party hall
	bank     identity // of the relying party bank
	identity identity // the edge's, towards the gateways
	gateways []*gateway
	edge     *process
	url      string // of the edge
}

// A process is a program that this test started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed at its end, all that it said read
	said   *record
}

// A gateway keeps its addresses from one process to the next.
type gateway struct {
	*process
	fleet         *fleet
	config        string
	listen, admin string
}

// A record is what a process says, as far as it has.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

const startTime = 30 * time.Second // a start on a machine that does much else

// newFleet starts some gateways and the edge before them.
func newFleet(t testing.TB, gateways int) *fleet {
	t.Helper()
	caddy := needs(t, "caddy")
	f := newGateways(t, gateways)
	f.startEdge(caddy)
	return f
}

// newGateways starts gateways with nothing before them; more are further lines
// of their configuration.
func newGateways(t testing.TB, gateways int, more ...string) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the built gateway: run without -short")
	}
	f := &fleet{t: t, dir: t.TempDir(), key: rand.Text()}
	var err error
	f.box, err = sandbox.Start(t.Context(), sandbox.Options{})
	f.ok(err)
	t.Cleanup(f.box.Close)
	f.servers, f.clients = newAuthority(t, f.dir, "servers-ca"), newAuthority(t, f.dir, "clients-ca")
	f.identity, f.bank = f.clients.issue("edge"), f.clients.issue("bank")
	root, err := f.box.Trust.Roots()[0].JWK()
	f.ok(err)
	f.ok(os.WriteFile(filepath.Join(f.dir, "root.jwk"), root, 0o600))
	f.ok(os.WriteFile(filepath.Join(f.dir, "sandbox-ca.pem"), f.box.CAPEM(), 0o600))
	seal := make([]byte, 32)
	rand.Read(seal)
	f.ok(os.WriteFile(filepath.Join(f.dir, "seal.key"), []byte(base64.StdEncoding.EncodeToString(seal)), 0o600))
	server := f.servers.issue("gateway")
	for n := range gateways {
		g := &gateway{fleet: f, listen: freeAddress(t), admin: freeAddress(t), config: filepath.Join(f.dir, fmt.Sprintf("gateway-%d.yaml", n))}
		f.ok(os.WriteFile(g.config, []byte(f.yaml(g, server)+strings.Join(more, "\n")), 0o600))
		g.start()
		f.gateways = append(f.gateways, g)
	}
	return f
}

func (f *fleet) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) yaml(g *gateway, server identity) string {
	key := sha256.Sum256([]byte(f.key))
	text := fmt.Sprintf(`listen: %q
admin: %q
state_dir: %q
tls: { mode: files, cert_file: %q, key_file: %q, client_ca_file: clients-ca.pem }
edge: { certificate_sha256: %q }
trust: { source: %q, roots: [ root.jwk ], ca_file: sandbox-ca.pem }
relying_parties:
  - { id: hall, key_sha256: %q, scopes: [verify, batch, licence], rate: 1000000 }
  - { id: bank, certificate_sha256: %q, scopes: [verify], rate: 1000000 }
registries:
`, g.listen, g.admin, g.config+".state", server.certFile, server.keyFile, f.identity.digest(), f.box.Trust.URI(), hex.EncodeToString(key[:]), f.bank.digest())
	for _, p := range f.box.Provinces() {
		text += fmt.Sprintf("  %q: { url: %q, ca_file: sandbox-ca.pem, timeout: 5s, rate: 10000, max_in_flight: 512 }\n", p.Code, p.Registry.URL())
	}
	return text
}

// launch starts a program whose output is kept, and ends it with the test.
func (f *fleet) launch(cmd *exec.Cmd) *process {
	f.t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{}), said: &record{}}
	out, err := cmd.StderrPipe()
	f.ok(err)
	f.ok(cmd.Start())
	go func() {
		io.Copy(p.said, bufio.NewReader(out))
		cmd.Wait() // how it ended stands in ProcessState
		close(p.exited)
	}()
	f.t.Cleanup(func() { p.end(os.Kill) })
	return p
}

// end sends a signal and waits for the process's end.
func (p *process) end(s os.Signal) int {
	p.cmd.Process.Signal(s) // it may have ended already
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// start runs the gateway and waits until it is ready.
func (g *gateway) start() {
	g.fleet.t.Helper()
	g.process = g.fleet.launch(exec.Command(binary, "serve", "--config", g.config))
	g.fleet.until(g.process, func() bool { return status("http://"+g.admin+"/readyz") == http.StatusOK })
}

// restart is one step of a rolling restart: SIGTERM, drained, started, ready.
func (g *gateway) restart() {
	g.fleet.t.Helper()
	if code := g.end(syscall.SIGTERM); code != 0 {
		g.fleet.t.Errorf("a gateway drained with exit %d:\n%s", code, g.said)
	}
	g.start()
}

// startEdge runs Caddy on the Caddyfile as it is shipped.
func (f *fleet) startEdge(caddy string) {
	f.t.Helper()
	site := f.servers.issue("site")
	var gateways []string
	for _, g := range f.gateways {
		gateways = append(gateways, "https://"+g.listen)
	}
	address := "localhost:" + port(freeAddress(f.t))
	f.url = "https://" + address
	cmd := exec.Command(caddy, "run", "--config", "../Caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir,
		"TONGYAN_SITE="+address, "TONGYAN_SITE_TLS="+site.certFile+" "+site.keyFile,
		"TONGYAN_GATEWAYS="+strings.Join(gateways, " "), "TONGYAN_CA="+f.servers.file,
		"TONGYAN_EDGE_IDENTITY="+f.identity.certFile+" "+f.identity.keyFile, "TONGYAN_CLIENT_CA="+f.clients.file)
	f.edge = f.launch(cmd)
	client := f.client(nil)
	f.until(f.edge, func() bool {
		answer, err := client.Get(f.url + "/v1/codes")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// until waits for what a process that was just started is to bring about.
func (f *fleet) until(p *process, done func() bool) {
	f.t.Helper()
	for end := time.Now().Add(startTime); !done(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.exited:
			f.t.Fatalf("it ended with %d:\n%s", p.cmd.ProcessState.ExitCode(), p.said)
		default:
		}
		if time.Now().After(end) {
			f.t.Fatalf("not within %v:\n%s", startTime, p.said)
		}
	}
}

// client makes a client of the edge that shows a certificate, or none.
func (f *fleet) client(shows *identity) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(f.servers.cert)
	config := &tls.Config{RootCAs: pool}
	if shows != nil {
		config.Certificates = []tls.Certificate{shows.tls}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 256}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 20 * time.Second, Transport: transport}
}

// licence makes a credential that is VALID.
func (f *fleet) licence(number int) string {
	f.t.Helper()
	token, _, err := f.box.Province("310000").Mint(sandbox.LicenceSpec{Number: number})
	f.ok(err)
	return token
}

// verify asks at the edge as the hall does. Its error says in a few words why
// there was no VALID.
func (f *fleet) verify(client *http.Client, token string) error {
	request, err := http.NewRequest("POST", f.url+"/v1/verify", strings.NewReader(token))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/jwt")
	request.Header.Set("Authorization", "Bearer "+f.key)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	var verdict struct{ Verdict, Code string }
	if answer.StatusCode != http.StatusOK || json.Unmarshal(body, &verdict) != nil || verdict.Verdict != "VALID" {
		return fmt.Errorf("%s %s %s", answer.Status, verdict.Verdict, verdict.Code)
	}
	return nil
}

func status(url string) int {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := freeport.Get(freeport.Highest)
	if err != nil {
		t.Fatal(err)
	}
	return freeport.Address(port)
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}
