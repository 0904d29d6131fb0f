package faults

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// A pebble is a real ACME server, with a switch for what cannot be done on the
// wire.
type pebble struct {
	addr     string
	httpPort int            // where it looks for the answers to its challenges
	issued   *x509.CertPool // who vouches for what it issues
	server   *httptest.Server
	fault    atomic.Value // string
}

// newPebble writes into dir, as acme-ca.pem, who vouches for its own address.
func newPebble(t testing.TB, dir string) *pebble {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	p := &pebble{httpPort: number(t, port(freeAddress(t))), issued: x509.NewCertPool()}
	p.fault.Store("")
	names := freeAddress(t)
	dns, err := challtestsrv.New(challtestsrv.Config{Log: quiet, DNSAddrs: []string{names}})
	must(t, err)
	dns.SetDefaultDNSIPv4("127.0.0.1") // every name is this machine
	dns.SetDefaultDNSIPv6("")
	go dns.Run()
	t.Cleanup(dns.Shutdown)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: 90 * 86400}})
	validator := va.New(quiet, p.httpPort, number(t, port(freeAddress(t))), false, names, store)
	front := wfe.New(quiet, store, validator, authority, []string{"pebble.example"}, false, false, 1, 1)
	api := front.Handler()
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.answer(api, w, r) }))
	p.server.Config.ErrorLog = quiet
	wrong := newAuthority(t, t.TempDir(), "others-ca").issue("pebble")
	stranger, err := tls.LoadX509KeyPair(wrong.certFile, wrong.keyFile)
	must(t, err)
	p.server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if p.fault.Load() == "wrong certificate" {
			return &tls.Config{Certificates: []tls.Certificate{stranger}}, nil
		}
		return nil, nil
	}}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	p.addr = p.server.Listener.Addr().String()
	must(t, os.WriteFile(filepath.Join(dir, "acme-ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}), 0o600))
	root, err := x509.ParseCertificate(authority.GetRootCert(0).DER)
	must(t, err)
	p.issued.AddCert(root)
	return p
}

// answer answers as Pebble would, or as a Pebble that has gone wrong.
func (p *pebble) answer(api http.Handler, w http.ResponseWriter, r *http.Request) {
	switch p.fault.Load() {
	case "garbage":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{\"]\x00.\xff")
	case "truncated":
		whole := httptest.NewRecorder()
		api.ServeHTTP(whole, r)
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()+1))
		w.WriteHeader(whole.Code)
		w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		panic(http.ErrAbortHandler)
	default:
		api.ServeHTTP(w, r)
	}
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}

// aboutACME has three gateways: one that has its certificate and runs, one that
// is started with what it kept, one that has nothing yet.
func (d *dependency) aboutACME() {
	w := d.w
	ca := newPebble(w.t, w.dir)
	d.proxy = newProxy(w.t, "acme", ca.addr)
	section := fmt.Sprintf("mode: acme, names: [ localhost, 127.0.0.1 ], acme: { directory: \"https://%s%s\", ca_file: acme-ca.pem, http_port: %d, tls_alpn_port: ",
		d.proxy.Listen, wfe.DirectoryPath, ca.httpPort)
	prepare := func() *gateway {
		g := w.prepare(setup{tls: section + port(freeAddress(w.t)) + " }"})
		g.target = newTarget(w.t, "https://"+g.listen, w.key, ca.issued, false)
		return g
	}
	d.g = prepare()
	d.g.start()
	d.mix = w.newQuestions(nil, d.g.target)
	kept := prepare()
	d.other = func(fault string, set bool) bool {
		if !strings.Contains("garbage truncated wrong certificate", fault) {
			return false
		}
		if !set {
			fault = ""
		}
		ca.fault.Store(fault)
		ca.server.CloseClientConnections()
		return true
	}
	var newcomer *gateway
	known := d.mix.known[0]
	serves := func(g *gateway) bool {
		if g.gone() {
			g.begin() // as a service manager does
		}
		return g.target.ask(known.token).is(known.verdict, known.code)
	}
	d.begin = func() {
		if newcomer != nil { // of the row before
			newcomer.end(os.Kill)
			kept.end(os.Kill)
		}
		must(w.t, os.RemoveAll(kept.state))
		must(w.t, os.CopyFS(filepath.Join(kept.state, "tls"), os.DirFS(filepath.Join(d.g.state, "tls"))))
		newcomer = prepare()
		newcomer.begin()
		kept.begin()
	}
	d.bitten = func() bool { return serves(kept) }
	d.recovered = func() bool { return serves(newcomer) }
}
