package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned makes a client certificate that nobody else vouches for.
func (w *world) selfSigned(name string) tls.Certificate {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.ok(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	w.ok(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// whoami asks with a certificate, which may be nil, and a key, which may be "".
func (g *gateway) whoami(certificate *tls.Certificate, key string) (status int, id string) {
	g.t.Helper()
	transport := g.client.Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if certificate != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
	}
	req, err := http.NewRequest(http.MethodGet, g.url+"/v1/whoami", nil)
	g.w.ok(err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
	g.w.ok(err)
	defer res.Body.Close()
	var who struct{ ID string }
	g.w.ok(json.NewDecoder(res.Body).Decode(&who))
	return res.StatusCode, who.ID
}

// A relying party that is known by its certificate's digest needs no authority
// that signed it: tls.client_ca_file may be left empty (contract §9).
func TestCertificateByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bank, stranger := w.selfSigned("bank.example"), w.selfSigned("bank.example")
	digest := sha256.Sum256(bank.Certificate[0])
	party := "relying_parties:\n  - { id: bank, certificate_sha256: " + hex.EncodeToString(digest[:]) + ", scopes: [verify] }\n"
	dir := t.TempDir()
	g := &gateway{t: t, w: w, state: filepath.Join(dir, "state"), config: filepath.Join(dir, "gateway.yaml")}
	w.ok(os.WriteFile(g.config, []byte(strings.Replace(w.yaml("state", setup{}), "relying_parties:\n", party, 1)), 0o600))
	g.start()
	t.Cleanup(g.kill)
	for name, tc := range map[string]struct {
		certificate *tls.Certificate
		key         string
		status      int
		id          string
	}{
		"the bank's certificate":              {&bank, "", 200, "bank"},
		"another of the same name":            {&stranger, "", 401, ""},
		"nothing":                             {nil, "", 401, ""},
		"a key":                               {nil, w.caps["all"], 200, "all"},
		"a key and another's certificate":     {&bank, w.caps["all"], 401, ""},
		"a key and nobody's certificate":      {&stranger, w.caps["all"], 401, ""},
		"the bank's certificate, a wrong key": {&bank, "wrong", 401, ""},
	} {
		if status, id := g.whoami(tc.certificate, tc.key); status != tc.status || id != tc.id {
			t.Errorf("%s: %d %q, want %d %q", name, status, id, tc.status, tc.id)
		}
	}
}
