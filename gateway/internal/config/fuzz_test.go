package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/gateway/internal/config"
)

// seeds returns the corpus of whole files. One that is gone would leave the
// fuzzer with nothing but noise, so their number is checked.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/seeds/*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("the seed corpus is not there: %d files, %v", len(names), err)
	}
	var all [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

func TestSeedsAreThere(t *testing.T) {
	dir, good := folder(t), 0
	for _, seed := range seeds(t) {
		if _, err := config.Parse(seed, dir, "seed.yaml", environment); err == nil {
			good++
		}
	}
	if good < 2 {
		t.Errorf("%d seeds load; the corpus must reach the far end", good)
	}
}

// FuzzParse: whatever the file, there is either a Config that keeps the
// manual's promises or a list of problems that have a place and show no secret;
// and a file reads the same twice.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	for _, m := range mistakes {
		f.Add([]byte(strings.Replace(strings.Replace(base, m.old, m.new, 1), mark, "", 1)))
	}
	dir := folder(f)
	const secret = "env-41c8-secret"
	env := func(string) (string, bool) { return secret, true }
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(data, dir, "fuzz.yaml", env)
		if again, errAgain := config.Parse(data, dir, "fuzz.yaml", env); (again == nil) != (c == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("read twice, two answers:\n%v\n%v", err, errAgain)
		}
		if err != nil {
			problems, ok := errors.AsType[config.Problems](err)
			if !ok || len(problems) == 0 || c != nil {
				t.Fatalf("an error without problems, or beside a Config: %v", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("shows a secret: %v", err)
			}
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || p.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+2 || p.Message == "" {
					t.Fatalf("no such place: %s", p)
				}
			}
			return
		}
		if len(c.Trust.Roots) == 0 || c.Trust.Threshold < 1 || c.Trust.Threshold > len(c.Trust.Roots) ||
			(c.Trust.SourceURL == nil) == (c.Trust.SourceFile == "") || c.Trust.Refresh <= 0 {
			t.Fatal("trust that trusts nobody or anybody")
		}
		if c.StateDir == "" || c.Listen == "" || c.Admin == "" || c.Limits.MaxBody < 1 || c.Limits.MaxInFlight < 1 {
			t.Fatal("something required is missing")
		}
		if c.TLS.Mode == config.TLSFiles && c.TLS.Certificate.Reveal().PrivateKey == nil {
			t.Fatal("no certificate")
		}
		if c.Redis != nil && (len(c.Redis.Addrs) == 0 || c.Redis.SealKey == config.Secret[[32]byte]{}) {
			t.Fatal("Redis without a server or a seal")
		}
		for _, p := range c.RelyingParties {
			if p.ID == "" || len(p.Scopes) == 0 || p.Rate <= 0 || p.Burst < 1 || len(p.Keys)+len(p.Certificates)+len(p.CertificateNames) == 0 {
				t.Fatal("a party that is nobody, or unbounded")
			}
		}
		for _, r := range c.Registries {
			if len(r.Province) != 6 || r.URL == nil || r.URL.Scheme != "https" || r.Timeout <= 0 || r.MaxInFlight < 1 || r.Rate <= 0 {
				t.Fatal("a registry that cannot be asked")
			}
		}
	})
}
