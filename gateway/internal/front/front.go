// Package front decides how strangers reach the gateway: which certificate is
// shown, which TLS is spoken, which clients' authorities are known. It is the
// only room that knows certmagic.
//
// If the disk lies, forgets or is slow: what is served stands in memory, and
// nothing replaces it but a certificate that fits its key and is in its time.
package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

// A Mode says where the server's certificate comes from (contract §9, tls.mode).
// The zero Mode is refused.
type Mode string

// The modes.
const (
	Files    Mode = "files"    // from two files, taken up again when they change
	Internal Mode = "internal" // from a development CA made on first start and kept in StateDir
	ACME     Mode = "acme"     // from a CA that speaks RFC 8555
)

// DefaultCheckEvery is how often the files of mode Files are looked at.
const DefaultCheckEvery = 5 * time.Second

// Options are the settings of a Front.
type Options struct {
	Mode Mode

	CertFile, KeyFile string        // Files: PEM; the leaf first, then its intermediates
	CheckEvery        time.Duration // Files: default DefaultCheckEvery

	StateDir string      // Internal, ACME: keys and certificates are kept in its folder tls, readable by the owner only
	Names    []string    // DNS names and IP addresses: ACME exactly these, Internal these besides localhost, 127.0.0.1 and ::1
	ACME     ACMEOptions // ACME only

	// Shared keeps certificates, accounts, challenges and locks for several
	// gateways: ACME only. nil keeps them in StateDir, for one. With it, HTTP-01
	// is answered all the time, also for the others, and StateDir has copies of
	// the certificates.
	Shared Store

	// RenewEvery is how often Internal and ACME look whether a certificate is
	// in the last third of its life and must be renewed; default 10 min.
	RenewEvery time.Duration

	// ClientCAs vouch for client certificates. nil asks for none; otherwise
	// one may be left out, but not be wrong. See Front.SetClientCAs.
	ClientCAs *x509.CertPool
	// Pinned says that clients are known by certificates of their own making:
	// without ClientCAs one is asked for then, and whoever reads it has to know
	// it whole, since nobody vouches for what it says.
	Pinned bool

	Logger *slog.Logger // default: discard

	// OnReload, where set, is told of each attempt to replace the certificate
	// that nobody asked for by name (changed files, renewal): nil if what
	// should be served now is, an error if the old one was kept. It must not block.
	OnReload func(error)

	leafLife time.Duration // Internal: shortened by tests
}

// A Front holds the certificate in force. It is safe for concurrent use.
type Front struct {
	options Options
	log     *slog.Logger
	cache   *certmagic.Cache
	magic   *certmagic.Config
	rootPEM []byte   // Internal; set before New returns, like the names
	names   []string // Internal, ACME: what certmagic manages

	config atomic.Pointer[tls.Config] // of the next handshake; replaced whole

	disk files // mode Files

	stop func() // ends the watcher; Close waits for it in watching
	// watching counts the watcher of mode Files, or the server of challenges.
	watching sync.WaitGroup
	closed   sync.Once
}

// New makes ready to serve, or says why not: a missing or unfit certificate
// stops the start. ctx bounds the start only; Close ends what goes on after it.
func New(ctx context.Context, o Options) (*Front, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CheckEvery <= 0 {
		o.CheckEvery = DefaultCheckEvery
	}
	if o.Mode != Files && o.StateDir == "" {
		return nil, fmt.Errorf("tls mode %q needs state_dir, to keep its keys in", o.Mode)
	}
	f := &Front{options: o, log: o.Logger, stop: func() {}}
	disk := &certmagic.FileStorage{Path: filepath.Join(o.StateDir, "tls")}
	var storage certmagic.Storage = disk
	if o.Mode == ACME && o.Shared != nil {
		storage = newSharedStorage(o.Shared, disk, o.Logger)
	}
	f.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return f.magic, nil },
		RenewCheckInterval: o.RenewEvery,
		Logger:             zapTo(o.Logger),
	})
	f.magic = certmagic.New(f.cache, certmagic.Config{
		Issuers:        []certmagic.Issuer{}, // none by accident: nil would mean a public CA
		Storage:        storage,
		CertSelection:  anyCertificate{},
		OCSP:           certmagic.OCSPConfig{DisableStapling: true}, // nothing is fetched because a certificate names it
		DisableARI:     o.Mode != ACME,
		OnEvent:        f.onEvent,
		ShouldEmitFunc: func(name string) bool { return name != "tls_get_certificate" }, // each handshake's
		Logger:         zapTo(o.Logger),
	})
	var err error
	switch o.Mode {
	case Files:
		err = f.startFiles()
	case Internal:
		err = f.startInternal(ctx)
	case ACME:
		err = f.startACME(ctx)
	default:
		err = fmt.Errorf("tls mode %q is unknown: it must be files, internal or acme", o.Mode)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.SetClientCAs(o.ClientCAs, o.Pinned)
	return f, nil
}

// Close ends all background work. Connections and TLSConfig stay usable.
func (f *Front) Close() {
	f.closed.Do(func() {
		f.stop()
		f.watching.Wait()
		f.cache.Stop()
	})
}

// RootPEM is the certificate of the development CA, for clients to trust: PEM.
// It is nil in other modes than Internal.
func (f *Front) RootPEM() []byte { return slices.Clone(f.rootPEM) }

// Reload takes up the files now. On an error the old certificate stays in
// force. Other modes renew by themselves, and Reload does nothing.
func (f *Front) Reload() error {
	if f.options.Mode != Files {
		return nil
	}
	_, err := f.look()
	return err
}

// Expires is when the certificate in force ends, or the first of several. What
// keeps it from being replaced, be it a full disk or a CA that does not answer,
// shows here in time.
func (f *Front) Expires() time.Time {
	var first time.Time
	for _, name := range f.names {
		for _, c := range f.cache.AllMatchingCertificates(name) {
			if first.IsZero() || c.Leaf.NotAfter.Before(first) {
				first = c.Leaf.NotAfter
			}
		}
	}
	if f.options.Mode == Files {
		first = f.diskExpires()
	}
	return first
}

// SetClientCAs replaces Options.ClientCAs and Options.Pinned from the next
// handshake on, resumed ones included: crypto/tls checks the chain of a resumed
// session against them again. Connections that stand are not cut.
func (f *Front) SetClientCAs(pool *x509.CertPool, pinned bool) {
	c := f.base()
	switch {
	case pool != nil:
		c.ClientAuth = tls.VerifyClientCertIfGiven
		c.ClientCAs = pool // never nil beside this ClientAuth: nil would mean the system's authorities
	case pinned:
		c.ClientAuth = tls.RequestClientCert
		// A resumed session would bring the chain of an authority that counts no
		// more: crypto/tls looks at it again only where there are some.
		c.SessionTicketsDisabled = true
	}
	f.config.Store(c)
}

// TLSConfig is the configuration for one listener. It follows reloads,
// renewals and SetClientCAs by itself.
func (f *Front) TLSConfig() *tls.Config {
	c := f.base()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.config.Load(), nil }
	return c
}

// base is what every handshake shares.
// SPEC: contract §6 "TLS 1.3, and 1.2 with ECDHE-AEAD suites only."
func (f *Front) base() *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all AEAD
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: f.magic.GetCertificate,
	}
	if f.options.Mode == ACME {
		c.NextProtos = append(c.NextProtos, acmez.ACMETLS1Protocol)
	}
	return c
}

// manage has certmagic load or obtain a certificate for each name and renew it
// from then on. A name whose certificate cannot be renewed just now but still
// holds does not stop the start; one without any does.
func (f *Front) manage(ctx context.Context, names []string) error {
	f.names = names
	for _, name := range names {
		err := f.magic.ManageSync(ctx, []string{name})
		if err == nil {
			continue
		}
		usable := slices.ContainsFunc(f.cache.AllMatchingCertificates(name),
			func(c certmagic.Certificate) bool { return !c.Expired() })
		if !usable {
			return fmt.Errorf("tls: no certificate for %s: %w", name, err)
		}
		f.log.Warn("certificate could not be renewed at start; the old one still holds", "name", name, "error", err)
	}
	return nil
}

// onEvent hears of certmagic's background renewals. Their errors it has logged itself.
func (f *Front) onEvent(_ context.Context, event string, data map[string]any) error {
	if renewal, _ := data["renewal"].(bool); !renewal || f.options.OnReload == nil {
		return nil
	}
	switch event {
	case "cert_obtained":
		f.options.OnReload(nil)
	case "cert_failed":
		err, _ := data["error"].(error)
		f.options.OnReload(fmt.Errorf("renewal failed: %w", err))
	}
	return nil
}

// anyCertificate serves some certificate under every name: a client that came
// by another one shall see whom it reached, and decide.
type anyCertificate struct{}

func (anyCertificate) SelectCertificate(hello *tls.ClientHelloInfo, choices []certmagic.Certificate) (certmagic.Certificate, error) {
	return certmagic.DefaultCertificateSelector(hello, choices)
}
