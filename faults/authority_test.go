package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
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

// An identity is a certificate with its key, in two files.
type identity struct {
	certFile, keyFile string
	digest            string // the certificate's SHA-256, as configurations name it
}

func newAuthority(t testing.TB, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(dir, name+".pem")}
	a.cert, a.key = a.make(name, nil)
	a.write(a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// issue signs a certificate for loopback, server and client alike, and leaves
// name.pem and name.key beside the authority's own.
func (a *authority) issue(name string) identity {
	a.t.Helper()
	cert, key := a.make(name, a)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	base := filepath.Join(filepath.Dir(a.file), name)
	sum := sha256.Sum256(cert.Raw)
	i := identity{base + ".pem", base + ".key", hex.EncodeToString(sum[:])}
	a.write(i.certFile, "CERTIFICATE", cert.Raw)
	a.write(i.keyFile, "PRIVATE KEY", der)
	return i
}

// pool trusts it.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// make makes a certificate that signer signs, or an authority's own.
func (a *authority) make(name string, signer *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(a.t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	parent, with := template, key
	if signer == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		template.ExtKeyUsage, template.IPAddresses, template.DNSNames = nil, nil, nil
	} else {
		parent, with = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, with)
	must(a.t, err)
	cert, err := x509.ParseCertificate(der)
	must(a.t, err)
	return cert, key
}

func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	must(a.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}
