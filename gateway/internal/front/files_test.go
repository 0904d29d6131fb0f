package front_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/front"
)

// next waits for one report of the watcher.
func next(t *testing.T, reports <-chan error) error {
	t.Helper()
	select {
	case err := <-reports:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no report came")
		return nil
	}
}

func TestFilesReload(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	reports := make(chan error, 100)
	f := open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile,
		CheckEvery: 10 * time.Millisecond, OnReload: func(err error) { reports <- err }})
	address := serve(t, f, who, front.Timeouts{})

	standing, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ca.pool})
	if err != nil {
		t.Fatal(err)
	}
	defer standing.Close()
	if _, err := ask(standing); err != nil {
		t.Fatal(err)
	}

	// The certificate comes first, its key a moment later.
	certPEM, keyPEM := ca.fresh(t, 2)
	write(t, certFile, certPEM)
	if err := next(t, reports); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("certificate without its key: report %v, want an error that names the file", err)
	}
	if got := serial(t, address, ca.pool); got != 1 {
		t.Errorf("serial %d served while the pair did not match, want 1", got)
	}
	write(t, keyFile, keyPEM)
	if err := next(t, reports); err != nil {
		t.Errorf("whole pair: report %v", err)
	}
	if got := serial(t, address, ca.pool); got != 2 {
		t.Errorf("serial %d served after the reload, want 2", got)
	}
	if _, err := ask(standing); err != nil {
		t.Errorf("the connection that stood before the reload: %v", err)
	}
	if len(reports) != 0 {
		t.Errorf("%d reports more than changes", len(reports))
	}

	// What does not hold is kept out, and says so once; going back is news again.
	for _, c := range []struct {
		name      string
		cert, key func() []byte
	}{
		{"empty", func() []byte { return nil }, func() []byte { return keyPEM }},
		{"garbage", func() []byte { return []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") }, func() []byte { return keyPEM }},
		{"huge", func() []byte { return make([]byte, 2<<20) }, func() []byte { return keyPEM }},
		{"other's key", func() []byte { return certPEM }, func() []byte { _, k := ca.fresh(t, 3); return k }},
	} {
		write(t, keyFile, c.key())
		write(t, certFile, c.cert())
		if err := next(t, reports); err == nil {
			t.Errorf("%s: taken up", c.name)
		}
		if got := serial(t, address, ca.pool); got != 2 {
			t.Errorf("%s: serial %d served, want 2", c.name, got)
		}
		if err := f.Reload(); err == nil {
			t.Errorf("%s: Reload reports success", c.name)
		}
		write(t, certFile, certPEM)
		write(t, keyFile, keyPEM)
		for next(t, reports) != nil { // the halves may have been seen apart
		}
		if err := f.Reload(); err != nil {
			t.Errorf("after %s: Reload: %v", c.name, err)
		}
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if err := next(t, reports); err == nil || !strings.Contains(err.Error(), "tls.key_file") {
		t.Errorf("missing key: report %v", err)
	}
	if got := serial(t, address, ca.pool); got != 2 {
		t.Errorf("missing key: serial %d served, want 2", got)
	}
}

func TestFilesReloadOnDemand(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	f := open(t, front.Options{Mode: front.Files, CertFile: certFile, KeyFile: keyFile, CheckEvery: time.Hour})
	address := serve(t, f, who, front.Timeouts{})
	for _, c := range []struct {
		name         string
		serial       int64
		begins, ends time.Duration
		refused      bool
		served       int64
	}{
		{"good", 2, -time.Hour, time.Hour, false, 2},
		{"expired", 3, -2 * time.Hour, -time.Hour, true, 2},
		{"begins tomorrow", 4, 24 * time.Hour, 25 * time.Hour, true, 2},
		{"good again", 5, -time.Hour, time.Hour, false, 5},
	} {
		certPEM, keyPEM := ca.issue(t, c.serial, time.Now().Add(c.begins), time.Now().Add(c.ends))
		write(t, certFile, certPEM)
		write(t, keyFile, keyPEM)
		for range 2 { // asking twice changes nothing
			if err := f.Reload(); (err != nil) != c.refused {
				t.Errorf("%s: Reload: %v", c.name, err)
			}
		}
		if got := serial(t, address, ca.pool); got != c.served {
			t.Errorf("%s: serial %d served, want %d", c.name, got, c.served)
		}
		if left := time.Until(f.Expires()); left < 55*time.Minute || left > time.Hour {
			t.Errorf("%s: ends in %v, want about an hour", c.name, left)
		}
	}
}

func TestStartRefused(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := pairFiles(t, ca)
	_, otherKey := pairFiles(t, ca)
	oldCert, oldKey := ca.issue(t, 1, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old.pem"), oldCert)
	write(t, filepath.Join(dir, "old.key"), oldKey)
	damaged := t.TempDir()
	if err := os.MkdirAll(filepath.Join(damaged, "tls", "internal-ca"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(damaged, "tls", "internal-ca", "root.pem"), certFilePEM(t, certFile))

	for name, o := range map[string]front.Options{
		"no mode":              {},
		"unknown mode":         {Mode: "self-signed", StateDir: dir},
		"no files":             {Mode: front.Files},
		"missing key":          {Mode: front.Files, CertFile: certFile, KeyFile: keyFile + ".nowhere"},
		"other's key":          {Mode: front.Files, CertFile: certFile, KeyFile: otherKey},
		"swapped":              {Mode: front.Files, CertFile: keyFile, KeyFile: certFile},
		"expired":              {Mode: front.Files, CertFile: filepath.Join(dir, "old.pem"), KeyFile: filepath.Join(dir, "old.key")},
		"internal, no state":   {Mode: front.Internal},
		"internal, damaged CA": {Mode: front.Internal, StateDir: damaged},
		"acme, no directory":   {Mode: front.ACME, StateDir: dir, Names: []string{"gateway.example"}},
		"acme, plain http":     {Mode: front.ACME, StateDir: dir, Names: []string{"gateway.example"}, ACME: front.ACMEOptions{Directory: "http://ca.example/dir"}},
		"acme, no names":       {Mode: front.ACME, StateDir: dir, ACME: front.ACMEOptions{Directory: "https://ca.example/dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := front.New(t.Context(), o)
			if err == nil {
				f.Close()
				t.Fatal("started")
			}
			if f != nil {
				t.Error("a Front stands beside the error")
			}
		})
	}
}

func certFilePEM(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
