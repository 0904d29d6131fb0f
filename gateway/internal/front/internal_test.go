package front_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/front"
)

func rootsOf(t *testing.T, f *front.Front) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(f.RootPEM()) {
		t.Fatal("RootPEM holds no certificate")
	}
	if bytes.Contains(f.RootPEM(), []byte("PRIVATE")) {
		t.Fatal("RootPEM gives the CA's key away")
	}
	return pool
}

func TestInternal(t *testing.T) {
	dir := t.TempDir()
	start := time.Now()
	first := open(t, front.Options{Mode: front.Internal, StateDir: dir, Names: []string{"gateway.example", "10.1.2.3", "localhost"}})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the first start took %v", took)
	}
	roots := rootsOf(t, first)
	address := serve(t, first, who, front.Timeouts{})
	for _, name := range []string{"localhost", "127.0.0.1", "gateway.example"} {
		state, _, err := get(address, &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaf := state.PeerCertificates[0]
		if leaf.IsCA || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
			t.Errorf("%s: the certificate is good for more than a server", name)
		}
	}
	if _, _, err := get(address, &tls.Config{RootCAs: roots, ServerName: "other.example"}); err == nil {
		t.Error("a name that was not configured is certified")
	}
	state, _, err := get(address, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(first.Expires()); left < 6*24*time.Hour || left > 7*24*time.Hour {
		t.Errorf("ends in %v, want 7 days", left)
	}
	if err := first.Reload(); err != nil {
		t.Errorf("Reload: %v", err)
	}
	first.Close()

	second := open(t, front.Options{Mode: front.Internal, StateDir: dir})
	if !bytes.Equal(first.RootPEM(), second.RootPEM()) {
		t.Error("a restart made another CA")
	}
	again, _, err := get(serve(t, second, who, front.Timeouts{}), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if !state.PeerCertificates[0].Equal(again.PeerCertificates[0]) {
		t.Error("a restart made another certificate although the old one holds")
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) != "locks" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want the owner's only", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if other := open(t, front.Options{Mode: front.Internal, StateDir: t.TempDir()}); bytes.Equal(other.RootPEM(), second.RootPEM()) {
		t.Error("two installations share a CA")
	}
}

func TestInternalRenewsByItself(t *testing.T) {
	// certmagic remembers failures by name for the whole process: a name no other test spoils.
	name := strings.ToLower(rand.Text()) + ".example"
	renewed := make(chan error, 1000)
	// Backdated by a minute, a life of 20 s lies in its last third from the start.
	f := open(t, front.Hasty(front.Options{Mode: front.Internal, StateDir: stateDir(t), Names: []string{name}, RenewEvery: 50 * time.Millisecond, OnReload: func(err error) {
		select {
		case renewed <- err:
		default:
		}
	}}, 20*time.Second))
	address := serve(t, f, who, front.Timeouts{})
	serialNow := func() string {
		state, _, err := get(address, &tls.Config{RootCAs: rootsOf(t, f), ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.String()
	}
	first := serialNow()
	if err := next(t, renewed); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); serialNow() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the old certificate is still served")
		}
	}
}

// records passes on the messages of a logger.
type records chan slog.Record

func (r records) Enabled(context.Context, slog.Level) bool { return true }
func (r records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r records) WithGroup(string) slog.Handler            { return r }
func (r records) Handle(_ context.Context, record slog.Record) error {
	select {
	case r <- record:
	default: // enough have been seen
	}
	return nil
}

// A disk that fails during renewal takes nothing away, and the log says so.
func TestInternalDiskFails(t *testing.T) {
	dir := t.TempDir()
	log := make(records, 1000)
	f := open(t, front.Hasty(front.Options{Mode: front.Internal, StateDir: dir, RenewEvery: 50 * time.Millisecond, Logger: slog.New(log)}, 20*time.Second))
	// A file where the folder should be; again, if a renewal under way was quicker.
	for i := 0; os.WriteFile(filepath.Join(dir, "tls"), nil, 0o600) != nil; i++ {
		if err := os.Rename(filepath.Join(dir, "tls"), filepath.Join(dir, fmt.Sprint("gone-", i))); err != nil || i > 100 {
			t.Fatal("cannot break the folder: ", err)
		}
	}
	for deadline := time.After(20 * time.Second); ; {
		select {
		case r := <-log:
			if r.Level < slog.LevelWarn {
				continue
			}
		case <-deadline:
			t.Fatal("nothing was logged")
		}
		break
	}
	if _, _, err := get(serve(t, f, who, front.Timeouts{}), &tls.Config{RootCAs: rootsOf(t, f)}); err != nil {
		t.Errorf("the certificate in memory is not served any more: %v", err)
	}
}
