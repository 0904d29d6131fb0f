package config_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	gmsm "github.com/emmansun/gmsm/sm2"
)

const (
	hexA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hexB = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	hexC = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	hexD = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
)

// environment is the one that every test sees.
func environment(name string) (string, bool) {
	text, ok := map[string]string{"ZJ_APP_KEY": "zj-7f3a-secret", "EMPTY": "", "TWO_LINES": "zj-7f3a-secret\r\nX: y"}[name]
	return text, ok
}

// folder fills a directory with every file that the configurations name.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"gateway", "other", "ended"} {
		cert, key := certificate(t, name)
		write(name+".pem", cert, 0o644)
		write(name+".key", key, 0o600)
	}
	ca, _ := certificate(t, "ca")
	write("ca.pem", ca, 0o644)
	for _, name := range []string{"root-a", "root-b", "receipt", "receipt-old"} {
		public, private := p256JWK(t, "")
		write(name+".jwk", public, 0o644)
		write(name+"-private.jwk", private, 0o600)
	}
	sm2Public, sm2Private := sm2JWK(t)
	write("receipt-sm2.jwk", sm2Public, 0o644)
	write("receipt-sm2-private.jwk", sm2Private, 0o600)
	_, private := p256JWK(t, "")
	public, _ := p256JWK(t, "")
	write("halves.jwk", mixed(public, private), 0o600)
	named, _ := p256JWK(t, "one")
	write("named.jwk", named, 0o644)
	write("twice.jwk", []byte(`{"kty":"EC","kty":"EC"}`), 0o644)
	write("ed.jwk", []byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`), 0o600)
	write("small.jwk", []byte(`{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`), 0o644)
	seal := make([]byte, 32)
	for i := range seal {
		seal[i] = byte(i)
	}
	write("seal.key", []byte(base64.StdEncoding.EncodeToString(seal)+"\n"), 0o600)
	write("seal-url.key", []byte(base64.RawURLEncoding.EncodeToString(seal)), 0o644)
	write("short.key", []byte(base64.StdEncoding.EncodeToString(seal[:31])), 0o600)
	write("zero.key", []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600)
	write("broken.key", []byte("AAECAwQFBgcICQoLDA0O\nDxAREhMUFRYXGBkaGxwdHh8="), 0o600)
	write("list.jwt", []byte("e30.e30."), 0o644)
	write("password", []byte("redis-9c1e-secret\n"), 0o600)
	write("canary.jwt", []byte("canary-e77a-secret\n"), 0o600)
	write("empty", []byte("\n"), 0o600)
	write("long", bytes.Repeat([]byte("a"), 64<<10+1), 0o600)
	write("lines", []byte("one\ntwo\n"), 0o600)
	write("large", make([]byte, 1<<20+1), 0o600)
	return dir
}

// certificate makes a self-signed one; "ca" may sign others, "ended" has ended.
func certificate(t testing.TB, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: name == "ca",
	}
	if name == "ended" {
		template.NotAfter = time.Now().Add(-24 * time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func p256JWK(t testing.TB, kid string) (public, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	members := fmt.Sprintf(`"kty":"EC","crv":"P-256","x":"%s","y":"%s"`, b64(point[1:33]), b64(point[33:]))
	if kid != "" {
		members += fmt.Sprintf(`,"kid":"%s"`, kid)
	}
	return []byte("{" + members + "}"), fmt.Appendf(nil, `{%s,"d":"%s","key_ops":["sign"]}`, members, b64(d))
}

func sm2JWK(t testing.TB) (public, private []byte) {
	t.Helper()
	key, err := gmsm.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(n *big.Int) string { return b64(n.FillBytes(make([]byte, 32))) }
	members := fmt.Sprintf(`"kty":"EC","crv":"SM2","alg":"SM2","distid":"gateway","x":"%s","y":"%s"`, fill(key.X), fill(key.Y))
	return []byte("{" + members + "}"), fmt.Appendf(nil, `{%s,"d":"%s"}`, members, fill(key.D))
}

// mixed has one key's point and another's private half.
func mixed(public, private []byte) []byte {
	i := len(private) - len(`"d":"`) - 43 - len(`","key_ops":["sign"]}`)
	return append(append(public[:len(public)-1:len(public)-1], ','), private[i:]...)
}
