package acmetest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"tongyan/gateway/internal/front"
	"tongyan/internal/freeport"
)

func TestMain(m *testing.M) {
	if orders := os.Getenv(ordersVariable); orders != "" {
		if err := runGateway(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for key, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP":      "1",
		"PEBBLE_WFE_NONCEREJECT": "20", // a client must live with refused nonces
		"PEBBLE_AUTHZREUSE":      "0",  // each renewal is challenged anew
	} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// pebble is a CA that asks for challenges at the two given ports.
type pebble struct {
	directory string
	https     *x509.CertPool // who vouches for the directory
	httpsPEM  string         // the same
	issued    *x509.CertPool // who vouches for what it issues
}

func newPebble(t *testing.T, httpPort, alpnPort int) pebble {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	dnsAddress := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	dns, err := challtestsrv.New(challtestsrv.Config{Log: quiet, DNSAddrs: []string{dnsAddress}})
	if err != nil {
		t.Fatal(err)
	}
	// Every name is this machine.
	dns.SetDefaultDNSIPv4("127.0.0.1")
	dns.SetDefaultDNSIPv6("")
	go dns.Run()
	t.Cleanup(dns.Shutdown)

	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"short": {ValidityPeriod: 24}})
	validator := va.New(quiet, httpPort, alpnPort, false, dnsAddress, store)
	api := wfe.New(quiet, store, validator, authority, []string{"pebble.example"}, false, false, 1, 1)
	s := httptest.NewUnstartedServer(api.Handler())
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	p := pebble{directory: s.URL + wfe.DirectoryPath, https: x509.NewCertPool(), issued: x509.NewCertPool()}
	p.https.AddCert(s.Certificate())
	p.httpsPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	root, err := x509.ParseCertificate(authority.GetRootCert(0).DER)
	if err != nil {
		t.Fatal(err)
	}
	p.issued.AddCert(root)
	return p
}

// freePort is one nobody listens on just now.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := freeport.Get(freeport.Highest)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Certificates for a name and an address are obtained by each challenge alone,
// renewed while the gateway serves, and found again after a restart.
func TestACME(t *testing.T) {
	for _, c := range []struct{ challenge, name, address string }{ // certmagic's memory of failures goes by name
		{"http-01", "one.example.com", "127.0.0.1"},
		{"tls-alpn-01", "two.example.com", "127.0.0.2"},
	} {
		t.Run(c.challenge, func(t *testing.T) {
			t.Parallel()
			httpPort, alpnPort := freePort(t), freePort(t)
			asked := [2]int{httpPort, alpnPort} // where the CA looks
			if c.challenge == "http-01" {
				asked[1] = freePort(t)
			} else {
				asked[0] = freePort(t)
			}
			p := newPebble(t, asked[0], asked[1])
			renewed := make(chan error, 100)
			options := front.Options{
				Mode: front.ACME, StateDir: t.TempDir(), Names: []string{c.name, c.address},
				ACME: front.ACMEOptions{Directory: p.directory, CAs: p.https, Email: "ops@gateway.example.com",
					Profile: "short", HTTPPort: httpPort, TLSALPNPort: alpnPort},
				ClientCAs:  p.issued, // asking for client certificates must not turn the validator away
				RenewEvery: 500 * time.Millisecond,
				OnReload: func(err error) {
					select {
					case renewed <- err:
					default:
					}
				},
			}
			f, err := front.New(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", fmt.Sprintf(":%d", alpnPort))
			if err != nil {
				t.Fatal(err)
			}
			s := front.Server(http.NotFoundHandler(), f.TLSConfig(), front.Timeouts{}, slog.New(slog.DiscardHandler))
			done := make(chan error, 1)
			go func() { done <- s.ServeTLS(l, "", "") }()

			// serial is empty between the end of so short a life and a late renewal.
			serial := func(name string) string {
				conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", alpnPort), &tls.Config{RootCAs: p.issued, ServerName: name})
				if err != nil {
					return ""
				}
				defer conn.Close()
				return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
			}
			for _, name := range options.Names {
				first := ""
				for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
					now := serial(name)
					if first != "" && now != "" && now != first {
						break
					}
					if first == "" {
						first = now // on a slow machine it may have ended before we look
					}
					if time.Now().After(deadline) {
						t.Fatalf("%s: at first %q, not renewed", name, first)
					}
				}
			}
			if err := <-renewed; err != nil {
				t.Errorf("OnReload: %v", err)
			}
			_ = s.Close()
			<-done
			f.Close()

			// The certificates kept still hold: the start must not need the CA.
			options.RenewEvery, options.OnReload = 0, nil
			options.ACME.CAs = x509.NewCertPool() // its server is not believed any more
			again, err := front.New(t.Context(), options)
			if err != nil {
				t.Fatalf("start with the CA out of reach: %v", err)
			}
			if left := time.Until(again.Expires()); left <= 0 || left > time.Minute {
				t.Errorf("ends in %v, want less than a minute", left)
			}
			again.Close()
		})
	}
}

// Without a certificate and without a CA there is nothing to serve.
func TestNoCA(t *testing.T) {
	p := newPebble(t, freePort(t), freePort(t))
	f, err := front.New(t.Context(), front.Options{
		Mode: front.ACME, StateDir: t.TempDir(), Names: []string{"three.example.com"},
		ACME: front.ACMEOptions{Directory: p.directory, CAs: x509.NewCertPool(), HTTPPort: freePort(t), TLSALPNPort: freePort(t)},
	})
	if err == nil {
		f.Close()
		t.Fatal("started")
	}
}
