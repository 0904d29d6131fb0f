package front_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/front"
)

func TestVersionsAndSuites(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	address := serve(t, open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile}), who, front.Timeouts{})
	only12 := func(suites ...uint16) *tls.Config {
		return &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: suites}
	}
	for _, c := range []struct {
		name    string
		config  *tls.Config
		version uint16 // 0: refused
	}{
		{"TLS 1.3", &tls.Config{}, tls.VersionTLS13},
		{"TLS 1.2 AES-GCM", only12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), tls.VersionTLS12},
		{"TLS 1.2 AES-256-GCM", only12(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384), tls.VersionTLS12},
		{"TLS 1.2 ChaCha20", only12(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), tls.VersionTLS12},
		{"TLS 1.2 CBC", only12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256), 0},
		{"TLS 1.2 without forward secrecy", only12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA), 0},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0},
		{"TLS 1.0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, 0},
		{"unknown protocol", &tls.Config{NextProtos: []string{"spdy/3"}}, 0},
		{"ACME's protocol without ACME", &tls.Config{NextProtos: []string{"acme-tls/1"}}, 0},
		{"another name", &tls.Config{ServerName: "elsewhere.example"}, 0}, // shown, and refused by this client
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.RootCAs = ca.pool
			state, _, err := get(address, c.config)
			if (err == nil) != (c.version != 0) || state.Version != c.version && err == nil {
				t.Errorf("version %x, error %v; want version %x", state.Version, err, c.version)
			}
		})
	}
	t.Run("shown under any name", func(t *testing.T) {
		state, _, err := get(address, &tls.Config{ServerName: "elsewhere.example", InsecureSkipVerify: true})
		if err != nil || state.PeerCertificates[0].SerialNumber.Int64() != 1 {
			t.Errorf("%v", err)
		}
	})
	t.Run("resumed", func(t *testing.T) {
		config := &tls.Config{RootCAs: ca.pool, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for i := range 2 {
			state, _, err := get(address, config)
			if err != nil || state.DidResume != (i == 1) {
				t.Errorf("connection %d: resumed %v, error %v", i, state.DidResume, err)
			}
		}
	})
}

func TestProtocols(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	address := serve(t, open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile}), who, front.Timeouts{})
	for _, want := range []string{"HTTP/1.1", "HTTP/2.0"} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(want == "HTTP/1.1")
		protocols.SetHTTP2(want == "HTTP/2.0")
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool}, Protocols: protocols}
		resp, err := (&http.Client{Transport: transport}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != want+" client=none" {
			t.Errorf("%q, error %v; want %s", body, err, want)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
}

func TestClientCertificates(t *testing.T) {
	ca, banks, others := newAuthority(t), newAuthority(t), newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	f := open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile, ClientCAs: banks.pool})
	address := serve(t, f, who, front.Timeouts{})
	client := func(a authority, serial int64) *tls.Config {
		pair, err := tls.X509KeyPair(a.fresh(t, serial))
		if err != nil {
			t.Fatal(err)
		}
		// Sent even where the server does not name its authority, as an attacker would.
		return &tls.Config{RootCAs: ca.pool, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
	}
	want := func(step string, config *tls.Config, body string, resumed bool) {
		t.Helper()
		state, got, err := get(address, config)
		if body == "" {
			if err == nil {
				t.Errorf("%s: answered %q, want a refusal", step, got)
			}
			return
		}
		if err != nil || got != "HTTP/1.1 client="+body || state.DidResume != resumed {
			t.Errorf("%s: %q, resumed %v, error %v; want %s, resumed %v", step, got, state.DidResume, err, body, resumed)
		}
	}
	none := &tls.Config{RootCAs: ca.pool}
	bank, other := client(banks, 77), client(others, 88)
	bank12 := client(banks, 79)
	bank12.MaxVersion = tls.VersionTLS12
	want("none given", none, "none", false)
	want("a bank's", bank, "77", false)
	want("a bank's again", bank, "77", true)
	want("a bank's by TLS 1.2", bank12, "79", false)
	want("a bank's again by TLS 1.2", bank12, "79", true)
	want("unknown authority", other, "", false)

	f.SetClientCAs(others.pool, true) // sessions of the banks must not outlive their authority
	want("after the swap, a bank's session", bank, "", false)
	want("after the swap, a bank's session by TLS 1.2", bank12, "", false)
	want("after the swap, the others'", other, "88", false)
	want("after the swap, none given", none, "none", false)

	f.SetClientCAs(nil, true) // nobody vouches: whose it is, is for who reads it
	want("pinned, the others' session", other, "shown 88", false)
	want("pinned, a bank's", bank, "shown 77", false)
	want("pinned, a bank's again", bank, "shown 77", false)
	want("pinned, a bank's by TLS 1.2", bank12, "shown 79", false)
	want("pinned, none given", none, "none", false)

	f.SetClientCAs(nil, false) // not the system's authorities: none
	want("not asked any more", client(others, 89), "none", false)
}

// Each way of holding a connection without using it ends at its time-out.
func TestTimeouts(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	f := open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile})
	const short, long = 200 * time.Millisecond, time.Hour
	readAll := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})
	for _, c := range []struct {
		name  string
		times front.Timeouts
		send  string
		reply string // what still comes before the end
	}{
		{"header", front.Timeouts{ReadHeader: short, Read: long, Write: long, Idle: long}, "GET / HTTP/1.1\r\nHost:", ""},
		{"body", front.Timeouts{ReadHeader: long, Read: short, Write: long, Idle: long},
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", "HTTP/1.1 408"},
		{"idle", front.Timeouts{ReadHeader: long, Read: long, Write: long, Idle: short}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", serve(t, f, readAll, c.times), &tls.Config{RootCAs: ca.pool})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(got), c.reply) || c.reply == "" && len(got) > 0 {
				t.Errorf("got %q, %v; want an end after %q", got, err, c.reply)
			}
		})
	}
}

func TestServerBounds(t *testing.T) {
	s := front.Server(who, nil, front.Timeouts{}, discard)
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		if d <= 0 {
			t.Errorf("a time-out of the zero Timeouts is %v, which means none", d)
		}
	}
	if s.HTTP2.MaxConcurrentStreams != 100 || s.MaxHeaderBytes <= 0 {
		t.Errorf("streams %d, header %d", s.HTTP2.MaxConcurrentStreams, s.MaxHeaderBytes)
	}
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	address := serve(t, open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile}), who, front.Timeouts{})
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ca.pool, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// An empty SETTINGS frame; the server's own comes first in its answer.
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("first frame % x, %v; want SETTINGS", head, err)
	}
	settings := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	// SPEC: RFC 9113 §6.5.2 "SETTINGS_MAX_CONCURRENT_STREAMS (0x03)".
	streams := slices.Collect(slices.Chunk(settings, 6))
	if !slices.ContainsFunc(streams, func(s []byte) bool { return string(s) == "\x00\x03\x00\x00\x00\x64" }) {
		t.Errorf("settings % x do not say 100 streams", settings)
	}
}
