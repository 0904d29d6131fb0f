package acmetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/gateway/internal/front"
)

// certmagic remembers challenges in its process, so gateways that are to share
// nothing but Redis are processes of their own: this test binary once more.

// orders are what such a gateway is told, in its environment.
const ordersVariable = "ACMETEST_GATEWAY"

type orders struct {
	Redis, Directory, HTTPS, StateDir string
	Names                             []string
	HTTPPort, TLSPort                 int
	RenewEvery                        time.Duration
}

// runGateway is such a process: a Front with its listener, until stdin ends. It
// prints a line when it serves, and one for each renewal.
func runGateway(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	cas := x509.NewCertPool()
	cas.AppendCertsFromPEM([]byte(o.HTTPS))
	cache, err := facts.New(facts.Options{Redis: &facts.RedisOptions{Addrs: []string{o.Redis}, SealKey: make([]byte, 32)}})
	if err != nil {
		return err
	}
	defer cache.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	f, err := front.New(ctx, front.Options{
		Mode: front.ACME, StateDir: o.StateDir, Names: o.Names, Shared: cache.Vault(), RenewEvery: o.RenewEvery,
		ACME: front.ACMEOptions{Directory: o.Directory, CAs: cas, Profile: "short", HTTPPort: o.HTTPPort, TLSALPNPort: o.TLSPort},
		OnReload: func(err error) {
			if err == nil {
				fmt.Println("renewed")
			}
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	defer f.Close()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.TLSPort))
	if err != nil {
		return err
	}
	server := front.Server(http.NotFoundHandler(), f.TLSConfig(), front.Timeouts{}, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	fmt.Println("serving")
	_, err = io.Copy(io.Discard, os.Stdin) // until the test ends it
	server.Close()
	<-done
	return err
}

// gateway is a gateway in a process of its own.
type gateway struct {
	orders
	end   func() // and wait
	lines chan string
	log   strings.Builder // to be read after end
}

func startGateway(t *testing.T, o orders) *gateway {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{orders: o, lines: make(chan string, 1000)}
	cmd.Stderr = &g.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(g.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			g.lines <- lines.Text()
		}
	}()
	ended := false
	g.end = func() {
		if ended {
			return
		}
		ended = true
		_ = stdin.Close()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("gateway: %v\n%s", err, g.log.String())
		}
	}
	t.Cleanup(g.end)
	return g
}

// says waits until the gateway has printed a line.
func (g *gateway) says(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-g.lines:
			if !ok {
				g.end()
				t.Fatalf("it ended without saying %q\n%s", want, g.log.String())
			}
			if line == want {
				return
			}
		case <-timeout:
			t.Fatalf("it never said %q", want)
		}
	}
}

// serial is that of the certificate that the gateway shows for name, "" while it
// shows none that is good.
func (g *gateway) serial(name string, cas *x509.CertPool) string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.TLSPort), &tls.Config{RootCAs: cas, ServerName: name})
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// Two gateways share one Redis, and the CA always asks the second, be it by
// HTTP-01 or by TLS-ALPN-01. The first renews all the same, and both show what
// either of them obtained. (When a renewal is due the CA itself suggests, which
// for so short a life may be at once.)
func TestSharedByGateways(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			first := orders{StateDir: t.TempDir(), HTTPPort: freePort(t), TLSPort: freePort(t), RenewEvery: 500 * time.Millisecond}
			second := orders{StateDir: t.TempDir(), HTTPPort: freePort(t), TLSPort: freePort(t), RenewEvery: time.Hour}
			asked := [2]int{second.HTTPPort, freePort(t)} // where the CA looks
			if challenge == "tls-alpn-01" {
				asked = [2]int{freePort(t), second.TLSPort}
			}
			p := newPebble(t, asked[0], asked[1])
			const name = "shared.example.com"
			for _, o := range []*orders{&first, &second} {
				o.Redis, o.Directory, o.HTTPS, o.Names = redis.Addr, p.directory, p.httpsPEM, []string{name}
			}

			// The second obtains one by itself, and will never renew it.
			helper := startGateway(t, second)
			helper.says(t, "serving")
			g := startGateway(t, first)
			g.says(t, "serving")
			old := helper.serial(name, p.issued)
			g.says(t, "renewed")
			changes(t, g, name, p.issued, old)
			helper.end()

			// Now both renew: whoever does it, both show it.
			second.RenewEvery = first.RenewEvery
			helper = startGateway(t, second)
			helper.says(t, "serving")
			same := func(but string) (both string) {
				t.Helper()
				for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
					both = g.serial(name, p.issued)
					if both != "" && both != but && both == helper.serial(name, p.issued) {
						return both
					}
					if time.Now().After(deadline) {
						t.Fatal("the gateways never show the same certificate")
					}
				}
			}
			same(same(old))
			// One is gone with all it holds; the other goes on renewing.
			now := helper.serial(name, p.issued)
			g.end()
			changes(t, helper, name, p.issued, now)
			// A third starts with what the others have, without believing the CA.
			third := first
			third.StateDir, third.HTTPPort, third.TLSPort, third.HTTPS = t.TempDir(), freePort(t), freePort(t), ""
			alone := startGateway(t, third)
			alone.says(t, "serving")
			changes(t, alone, name, p.issued, "")
		})
	}
}

// changes waits until the gateway shows another good certificate than old.
func changes(t *testing.T, g *gateway, name string, cas *x509.CertPool, old string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if now := g.serial(name, cas); now != "" && now != old {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the certificate is not replaced")
		}
	}
}
