package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tongyan/keys"
	"tongyan/strict"
)

// maxFile bounds every file that is opened, in bytes.
const maxFile = 1 << 20

var (
	errNotRegular = errors.New("is not a regular file")
	errTooLarge   = errors.New("is larger than 1 MiB")
)

// readRegular reads a whole regular file of at most maxFile bytes. Pipes and
// devices are refused before they are opened: they could block the start.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > maxFile {
		return nil, errTooLarge
	}
	return data, nil
}

// cause strips the operation and the path, which the caller names.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// file opens and reads the file that v names. Where v is absent or empty, or a
// problem was reported, ok is false.
func (v value) file() (path string, data []byte, ok bool) {
	if path = v.filePath(); path == "" {
		return "", nil, false
	}
	data, err := readRegular(path)
	if err != nil {
		v.fail("%s: %v", path, err)
		return path, nil, false
	}
	return path, data, true
}

// requiredFile is a file that must be named.
func (v value) requiredFile() (path string, data []byte, ok bool) {
	if s, isText := v.text(); v.absent() || isText && s == "" {
		v.fail("is required: name a file")
		return "", nil, false
	} else if !isText {
		return "", nil, false
	}
	return v.file()
}

// secretFile is a required file that only its owner should be able to read.
func (v value) secretFile() (path string, data []byte, ok bool) {
	path, data, ok = v.requiredFile()
	if !ok {
		return path, nil, false
	}
	v.warnReadable(path)
	return path, data, true
}

func (v value) warnReadable(path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		v.warn("%s may be read by others (mode %04o): chmod 600", path, info.Mode().Perm())
	}
}

// pool reads a PEM file of CA certificates. With system the machine's own roots
// count too, else only those of the file. Both results are zero where v is
// absent or empty; then the machine's own roots are meant.
func (v value) pool(system bool) (path string, pool *x509.CertPool) {
	path, data, ok := v.file()
	if !ok {
		return path, nil
	}
	certs, err := certificates(data)
	if err != nil {
		v.fail("%s: %v", path, err)
		return path, nil
	}
	pool = x509.NewCertPool()
	if system {
		// A machine without roots of its own has these only.
		if own, err := x509.SystemCertPool(); err == nil {
			pool = own
		}
	}
	for _, cert := range certs {
		if !cert.IsCA {
			v.fail("%s: holds a certificate that is no CA (%s)", path, cert.Subject)
			return path, nil
		}
		pool.AddCert(cert)
	}
	return path, pool
}

var (
	errNoCertificate  = errors.New("holds no PEM certificate")
	errBadCertificate = errors.New("holds a certificate that cannot be read")
	errOtherPEM       = errors.New("holds something other than certificates")
	errAroundPEM      = errors.New("ends in something that is no PEM block")
)

// certificates reads all the PEM blocks of data; anything but certificates
// among them is refused, a private key above all.
func certificates(data []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, errOtherPEM
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errBadCertificate
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) == 0:
		return nil, errNoCertificate
	case len(bytes.TrimSpace(data)) != 0:
		return nil, errAroundPEM
	}
	return certs, nil
}

// keyPair reads a certificate chain and its private key, and matches them.
func keyPair(cert, key value) (certPath, keyPath string, pair Secret[tls.Certificate]) {
	certPath, certPEM, certOK := cert.requiredFile()
	keyPath, keyPEM, keyOK := key.secretFile()
	if certOK {
		chain, err := certificates(certPEM)
		if err != nil {
			cert.fail("%s: %v", certPath, err)
			return certPath, keyPath, pair
		}
		if now := time.Now(); now.After(chain[0].NotAfter) {
			cert.warn("%s: the certificate ended on %s", certPath, chain[0].NotAfter.Format(time.DateOnly))
		} else if now.Before(chain[0].NotBefore) {
			cert.warn("%s: the certificate begins on %s", certPath, chain[0].NotBefore.Format(time.DateOnly))
		}
	}
	if !certOK || !keyOK {
		return certPath, keyPath, pair
	}
	fitting, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		// The library's words speak of shapes, never of the key's bytes.
		key.fail("%s: does not go with the certificate: %s", keyPath, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return certPath, keyPath, Hide(fitting)
}

// sealKey reads 32 bytes in base64, as `openssl rand -base64 32` writes them.
func (v value) sealKey() (k Secret[[32]byte]) {
	path, data, ok := v.secretFile()
	if !ok {
		return k
	}
	// Standard or URL alphabet, padded or not; the strict decoders still skip
	// line ends, of which only those at the end are taken.
	text := strings.TrimRight(string(data), "\r\n")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	key, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != 32 || strings.ContainsAny(text, "\r\n") {
		v.fail("%s: must hold exactly 32 bytes in base64, such as `openssl rand -base64 32` writes", path)
		return k
	}
	if bytes.Count(key, key[:1]) == len(key) {
		v.warn("%s: holds one byte repeated 32 times: anybody can guess it", path)
	}
	return Hide([32]byte(key))
}

// secretLine reads a file that holds one line: a password.
func (v value) secretLine() (s Secret[string]) {
	if v.absent() {
		return s
	}
	path, data, ok := v.secretFile()
	if !ok {
		return s
	}
	line := strings.TrimRight(string(data), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n\x00") {
		v.fail("%s: must hold one line that is not empty", path)
		return s
	}
	return Hide(line)
}

// publicJWK reads a file with one public JWK.
func (v value) publicJWK() *keys.Key {
	path, data, ok := v.requiredFile()
	if !ok {
		return nil
	}
	tree, err := strict.Parse(data)
	if err != nil {
		v.fail("%s: is not strict JSON: %v", path, err)
		return nil
	}
	key, err := keys.ParseJWK(tree)
	switch {
	case errors.Is(err, keys.ErrPrivate):
		v.fail("%s: holds a private key; only the public one belongs here", path)
		return nil
	case err != nil:
		v.fail("%s: %v", path, err)
		return nil
	}
	return key
}

// folder reads a directory's path. It may be missing, since it is made at the
// start; something else must not stand in its place.
func (v value) folder() string {
	if _, ok := v.requiredText(); !ok {
		return ""
	}
	path := v.filePath()
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		v.fail("%s: is not a directory", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		v.fail("%s: %v", path, cause(err))
	}
	return path
}

// newFile reads the path of a file that will be written; its folder must exist.
func (v value) newFile() string {
	if _, ok := v.requiredText(); !ok {
		return ""
	}
	path := v.filePath()
	if path == "" {
		return ""
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		v.fail("%s: %v", path, errNotRegular)
	} else if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		v.fail("%s: is not a directory", filepath.Dir(path))
	}
	return path
}
