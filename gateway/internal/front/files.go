package front

// Mode Files: a certificate and its key on disk, watched.

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// maxPEM bounds each file, in bytes; a chain of five takes 10 KiB.
const maxPEM = 1 << 20

// files is what was last seen on disk.
type files struct {
	mu     sync.Mutex        // guards the rest; held while the two small files are read, never in a handshake
	served [sha256.Size]byte // digest of the contents in force
	seen   [sha256.Size]byte // digest at the last look, reported on already
	hash   string            // certmagic's name for the certificate in force
	ends   time.Time         // its end
}

func (f *Front) startFiles() error {
	if _, err := f.look(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	f.watching.Go(func() {
		tick := time.NewTicker(f.options.CheckEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if news, err := f.look(); news {
					f.report(err)
				}
			}
		}
	})
	return nil
}

// look compares the files with what is served and takes them up if they differ
// and are good. news is false if the last look already found what this one
// found. Contents are compared, not times: a file can be replaced within one
// tick of the clock, or through a link whose own time does not change.
//
// A bad pair is tried again at each look, since the other half may be on its
// way, or its time of validity about to begin.
func (f *Front) look() (news bool, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	certPEM, keyPEM, err := f.read()
	now := digest(certPEM, keyPEM, err)
	news = now != f.disk.seen
	f.disk.seen = now
	if err != nil || now == f.disk.served {
		return news, err
	}
	hash, ends, err := f.admit(certPEM, keyPEM)
	if err != nil {
		return news, err
	}
	old := f.disk.hash
	f.disk.served, f.disk.hash, f.disk.ends = now, hash, ends
	if old != "" && old != hash { // removing an equal one would leave nothing to serve
		f.cache.Remove([]string{old})
	}
	return true, nil
}

// report tells log and caller what the watcher found.
func (f *Front) report(err error) {
	if err != nil {
		f.log.Error("changed certificate files not taken up; the old certificate stays in force", "error", err)
	} else {
		f.log.Info("certificate files taken up", "expires", f.Expires())
	}
	if f.options.OnReload != nil {
		f.options.OnReload(err)
	}
}

func (f *Front) diskExpires() time.Time {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.ends
}

func (f *Front) read() (certPEM, keyPEM []byte, err error) {
	if certPEM, err = readCapped(f.options.CertFile); err != nil {
		return nil, nil, fmt.Errorf("tls.cert_file: %w", err)
	}
	if keyPEM, err = readCapped(f.options.KeyFile); err != nil {
		return nil, nil, fmt.Errorf("tls.key_file: %w", err)
	}
	return certPEM, keyPEM, nil
}

// admit adds a pair to those served, if it is one and in its time.
func (f *Front) admit(certPEM, keyPEM []byte) (hash string, ends time.Time, err error) {
	where := fmt.Sprintf("tls.cert_file %s with tls.key_file %s", f.options.CertFile, f.options.KeyFile)
	pair, err := tls.X509KeyPair(certPEM, keyPEM) // also checks that the key is the certificate's
	if err != nil {
		return "", ends, fmt.Errorf("%s: %w", where, err)
	}
	switch now := time.Now(); {
	case now.After(pair.Leaf.NotAfter):
		return "", ends, fmt.Errorf("%s: the certificate expired on %s", where, pair.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return "", ends, fmt.Errorf("%s: the certificate begins on %s only", where, pair.Leaf.NotBefore.Format(time.RFC3339))
	}
	// Not CacheUnmanagedCertificatePEMBytesAsReplacement, which locks itself out for good.
	if hash, err = f.magic.CacheUnmanagedTLSCertificate(context.Background(), pair, nil); err != nil {
		return "", ends, fmt.Errorf("%s: %w", where, err)
	}
	return hash, pair.Leaf.NotAfter, nil
}

func readCapped(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPEM {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxPEM)
	}
	return data, nil
}

func digest(certPEM, keyPEM []byte, err error) [sha256.Size]byte {
	c, k := sha256.Sum256(certPEM), sha256.Sum256(keyPEM)
	return sha256.Sum256(fmt.Appendf(nil, "%x %x %v", c, k, err))
}
