package front

// Mode Internal: a development CA of our own, kept in StateDir.

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	rootKey  = "internal-ca/root.pem" // in storage: the key, then the certificate, in one file so that they cannot part
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 7 * 24 * time.Hour // certmagic renews in the last third
	backdate = time.Minute        // for clients whose clock is late
)

func (f *Front) startInternal(ctx context.Context) error {
	life := f.options.leafLife
	if life <= 0 {
		life = leafLife
	}
	ca, err := openCA(ctx, f.magic.Storage, life)
	if err != nil {
		return fmt.Errorf("tls mode internal: development CA in state_dir %s: %w", f.options.StateDir, err)
	}
	f.rootPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})
	f.magic.Issuers = []certmagic.Issuer{ca}
	names := append([]string{"localhost", "127.0.0.1", "::1"}, f.options.Names...)
	slices.Sort(names)
	return f.manage(ctx, slices.Compact(names))
}

// developmentCA issues certificates to this process alone.
type developmentCA struct {
	root *x509.Certificate
	key  crypto.Signer
	life time.Duration // of a leaf
}

// IssuerKey names the CA among certmagic's files. It holds the root's key id:
// after a new root, certificates of the old one are not found any more.
func (ca *developmentCA) IssuerKey() string { return fmt.Sprintf("internal-%x", ca.root.SubjectKeyId) }

// Issue signs what certmagic asks for, for server authentication only.
func (ca *developmentCA) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	now := time.Now()
	if now.Add(ca.life).After(ca.root.NotAfter) {
		return nil, errors.New("the development CA is about to expire: remove it from state_dir and restart")
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(ca.life),
		DNSNames:              csr.DNSNames,
		IPAddresses:           csr.IPAddresses,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}, ca.root, csr.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// openCA loads the CA, or makes one where there is none. A damaged one is an
// error, never replaced: clients trust it.
func openCA(ctx context.Context, storage certmagic.Storage, life time.Duration) (*developmentCA, error) {
	data, err := storage.Load(ctx, rootKey)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = makeCA(ctx, storage)
	}
	if err != nil {
		return nil, err
	}
	ca := &developmentCA{life: life}
	keyBlock, rest := pem.Decode(data)
	certBlock, _ := pem.Decode(rest)
	if keyBlock == nil || certBlock == nil {
		return nil, fmt.Errorf("%s is damaged", rootKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rootKey, err)
	}
	if ca.root, err = x509.ParseCertificate(certBlock.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", rootKey, err)
	}
	ecKey, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ecKey.PublicKey.Equal(ca.root.PublicKey) {
		return nil, fmt.Errorf("%s: key and certificate do not belong together", rootKey)
	}
	ca.key = ecKey
	return ca, nil
}

// makeCA stores a new CA, unless another process has just done so.
func makeCA(ctx context.Context, storage certmagic.Storage) (data []byte, err error) {
	if err := storage.Lock(ctx, rootKey); err != nil {
		return nil, err
	}
	defer func() {
		if unlockErr := storage.Unlock(context.WithoutCancel(ctx), rootKey); err == nil {
			err = unlockErr
		}
	}()
	if data, err := storage.Load(ctx, rootKey); !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	root := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Tongyan development CA " + now.UTC().Format("2006-01-02")},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return data, storage.Store(ctx, rootKey, data)
}
