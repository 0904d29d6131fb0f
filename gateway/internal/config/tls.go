package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A TLSMode says where the gateway's certificate comes from.
type TLSMode string

// The modes of TLS.
const (
	TLSFiles    TLSMode = "files"    // two files, watched
	TLSACME     TLSMode = "acme"     // a CA that speaks ACME (RFC 8555)
	TLSInternal TLSMode = "internal" // a development CA made on first start
)

// TLS is the section tls: how the listener proves itself and whom it asks to.
type TLS struct {
	// Mode (mode) is files, acme or internal. Default files.
	Mode TLSMode

	// CertFile and KeyFile (cert_file, key_file) are the PEM chain, leaf first,
	// and its private key. Required in mode files; without effect in others.
	// They are read again when they change.
	CertFile, KeyFile string

	// Certificate is what the two held at load: a pair that fits. It may have
	// ended, which is a warning: an ended certificate can still be replaced.
	Certificate Secret[tls.Certificate]

	// ClientCAFile (client_ca_file) holds PEM CAs; clients are asked for a
	// certificate signed by one of them, and ClientCAs is their pool. Default
	// none: certificates then count by their digest only.
	ClientCAFile string
	ClientCAs    *x509.CertPool

	// Names (names) are the host names and IP addresses to obtain certificates
	// for. Required in mode acme; in mode internal localhost, 127.0.0.1 and ::1
	// by default; without effect in mode files. No wildcards.
	Names []string

	// ACME (acme) is nil in other modes.
	ACME *ACME
}

// A Storage says where ACME certificates, accounts and locks are kept.
type Storage string

// The storages of ACME.
const (
	StorageFiles Storage = "files" // in state_dir: one gateway
	StorageRedis Storage = "redis" // sealed in Redis: shared by all gateways
)

// ACME is the section tls.acme. To choose it is to agree to the CA's terms.
type ACME struct {
	// Directory (directory) is the CA's directory address, https.
	// Default that of Let's Encrypt.
	Directory *url.URL

	// CAFile (ca_file) holds the PEM roots of a private CA's own https server;
	// only those are trusted for it. Default the machine's.
	CAFile string
	CAs    *x509.CertPool

	// Email (email) is whom the CA writes to. Default nobody.
	Email string

	// HTTPPort and TLSALPNPort (http_port, tls_alpn_port) are where the
	// gateway answers the CA's challenges. Defaults 80 and 443; others only
	// where something passes the CA's requests on to them.
	HTTPPort, TLSALPNPort int

	// Storage (storage) is files or redis. Default files.
	Storage Storage
}

func readTLS(v value, withRedis bool) (t TLS) {
	if !v.required() {
		return t
	}
	o := v.object()
	defer o.done()
	var known bool
	t.Mode, known = choose(o.get("mode"), TLSFiles, TLSACME, TLSInternal)
	cert, key, names, acme := o.get("cert_file"), o.get("key_file"), o.get("names"), o.get("acme")
	t.ClientCAFile, t.ClientCAs = o.get("client_ca_file").pool(false)

	if !known {
		// What is required depends on the mode; what stands here can be wrong in any.
		if cert.present() && key.present() {
			keyPair(cert, key)
		}
		readNames(names)
		readACME(acme, withRedis)
		return t
	}
	if t.Mode == TLSFiles {
		t.CertFile, t.KeyFile, t.Certificate = keyPair(cert, key)
		withoutEffect(t.Mode, names, acme)
		return t
	}
	withoutEffect(t.Mode, cert, key)
	t.Names = readNames(names)
	switch {
	case t.Mode == TLSACME:
		if names.absent() {
			names.fail("is required in mode acme")
		}
		t.ACME = readACME(acme, withRedis)
	default:
		withoutEffect(t.Mode, acme)
		if len(t.Names) == 0 {
			t.Names = []string{"localhost", "127.0.0.1", "::1"}
		}
	}
	return t
}

// withoutEffect warns of keys that belong to another mode: changing the mode
// should not need a rewritten section, but neither be a silent surprise.
func withoutEffect(mode TLSMode, values ...value) {
	for _, v := range values {
		if v.present() {
			v.warn("has no effect in mode %s", mode)
		}
	}
}

func readNames(v value) (names []string) {
	items := v.items()
	if v.present() && len(items) == 0 {
		v.fail("is empty: name a host, or leave the key out")
	}
	for _, item := range items {
		s, ok := item.requiredText()
		if !ok {
			continue
		}
		name := strings.ToLower(s)
		if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
			name = ip.String()
		}
		switch {
		case strings.Contains(s, "%") || !validHost(s):
			item.fail("%s is neither a host name nor an IP address", show(s))
		case slices.Contains(names, name):
			item.fail("%s stands twice", show(s))
		default:
			names = append(names, name)
		}
	}
	return names
}

const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

func readACME(v value, withRedis bool) *ACME {
	o := v.object()
	defer o.done()
	a := &ACME{
		HTTPPort:    o.get("http_port").integer(80, 1, 65535),
		TLSALPNPort: o.get("tls_alpn_port").integer(443, 1, 65535),
		Storage:     oneOf(o.get("storage"), StorageFiles, StorageRedis),
	}
	if directory := o.get("directory"); directory.absent() {
		a.Directory, _ = url.Parse(letsEncrypt)
	} else {
		a.Directory = directory.httpsURL(false)
	}
	a.CAFile, a.CAs = o.get("ca_file").pool(false)
	if a.Storage == StorageRedis && !withRedis {
		o.get("storage").fail("needs the section redis")
	}
	email := o.get("email")
	a.Email, _ = email.text()
	if at := strings.IndexByte(a.Email, '@'); a.Email != "" && (at < 1 || at == len(a.Email)-1 || strings.ContainsAny(a.Email, " \t\r\n")) {
		email.fail("is no e-mail address")
	}
	return a
}
