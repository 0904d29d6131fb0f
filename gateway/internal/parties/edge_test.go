package parties_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"tongyan/gateway/internal/parties"
)

// authority makes client certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return authority{cert, key}
}

func (a authority) issue(t *testing.T, name string, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return cert
}

// What the edge's header says is believed from the edge and from nobody else.
func TestEdge(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	edge := ca.issue(t, "edge.example", x509.ExtKeyUsageClientAuth)
	bank := ca.issue(t, "kyc.bank.example", x509.ExtKeyUsageClientAuth)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	r := parties.New([]parties.Spec{
		{ID: "bank", DNSNames: []string{"kyc.bank.example"}, Scopes: parties.Verify},
		{ID: "hall", Certificates: [][32]byte{sha256.Sum256(ca.issue(t, "hall.example", x509.ExtKeyUsageClientAuth).Raw)}, Scopes: parties.Verify},
	}, 0, &parties.Edge{Certificates: [][32]byte{sha256.Sum256(edge.Raw)}, Header: "X-Client-Certificate", CAs: pool})
	passed := func(c *x509.Certificate) []string { return []string{base64.StdEncoding.EncodeToString(c.Raw)} }

	for name, tc := range map[string]struct {
		shown    *x509.Certificate
		verified bool
		header   []string
		want     string
		refused  bool
	}{
		"the edge passes the bank on":           {shown: edge, verified: true, header: passed(bank), want: "bank"},
		"the edge passes nobody on":             {shown: edge, verified: true, want: ""},
		"the edge says there is nobody":         {shown: edge, verified: true, header: []string{""}, want: ""},
		"a client claims it by itself":          {header: passed(bank), want: ""},
		"the bank's own connection":             {shown: bank, verified: true, want: "bank"},
		"a client with another's header":        {shown: bank, verified: true, header: passed(edge), want: "bank"},
		"an edge that nobody verified":          {shown: edge, header: passed(bank), refused: true},
		"a certificate of another authority":    {shown: edge, verified: true, header: passed(stranger.issue(t, "kyc.bank.example", x509.ExtKeyUsageClientAuth)), refused: true},
		"a server's certificate":                {shown: edge, verified: true, header: passed(ca.issue(t, "kyc.bank.example", x509.ExtKeyUsageServerAuth)), refused: true},
		"a certificate of nobody":               {shown: edge, verified: true, header: passed(ca.issue(t, "x.example", x509.ExtKeyUsageClientAuth)), refused: true},
		"two headers":                           {shown: edge, verified: true, header: append(passed(bank), passed(bank)...), refused: true},
		"the placeholder of a proxy":            {shown: edge, verified: true, header: []string{"{http.request.tls.client.certificate_der_base64}"}, refused: true},
		"base64 of nothing that is DER":         {shown: edge, verified: true, header: []string{"AAAA"}, refused: true},
		"the edge's own certificate, passed on": {shown: edge, verified: true, header: passed(edge), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			req := request(nil, tc.shown, tc.verified)
			if tc.header != nil {
				req.Header["X-Client-Certificate"] = tc.header
			}
			p, err := r.Identify(req)
			if tc.refused != (err != nil) {
				t.Fatalf("%v, %v", p, err)
			}
			if err == nil && p.ID != tc.want {
				t.Errorf("taken for %q, want %q", p.ID, tc.want)
			}
		})
	}
}
