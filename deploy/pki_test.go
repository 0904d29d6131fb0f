package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An authority signs certificates for one test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t testing.TB, dir, name string) *authority {
	a := &authority{t: t, file: filepath.Join(dir, name+".pem")}
	a.cert, a.key = a.make(name, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	a.write(a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// issue signs a certificate for 127.0.0.1 and localhost, server and client
// alike, and leaves name.pem and name.key beside the authority's own.
func (a *authority) issue(name string) identity {
	a.t.Helper()
	cert, key := a.make(name, a, func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost", name}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		c.KeyUsage = x509.KeyUsageDigitalSignature
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := filepath.Dir(a.file)
	i := identity{certFile: filepath.Join(dir, name+".pem"), keyFile: filepath.Join(dir, name+".key"),
		tls: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	a.write(i.certFile, "CERTIFICATE", cert.Raw)
	a.write(i.keyFile, "PRIVATE KEY", der)
	return i
}

// An identity is a certificate with its key, in two files and as a value.
type identity struct {
	certFile, keyFile string
	tls               tls.Certificate
}

// digest is the certificate's SHA-256, as configurations name it.
func (i identity) digest() string {
	sum := sha256.Sum256(i.tls.Certificate[0])
	return hex.EncodeToString(sum[:])
}

func (a *authority) make(name string, signer *authority, more func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	more(template)
	parent, with := template, key
	if signer != nil {
		parent, with = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, with)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}
