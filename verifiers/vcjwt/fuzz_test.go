package vcjwt_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/verifiers/vcjwt"
)

var update = flag.Bool("update", false, "write the seeds in testdata anew")

func seeds() map[string][]byte {
	jwt, status, old, off := good(), good(), good(), good()
	jwt.vc["iss"], jwt.vc["jti"], jwt.vc["iat"], jwt.vc["exp"], jwt.vc["sub"] = jwt.vc["issuer"], jwt.vc["id"], from, until, "91310000MA1K35Y38P"
	status.vc["credentialStatus"], status.vc["issuer"] = object{"type": "x"}, object{"id": "https://ebl.sh.example"}
	old.vc["vc"] = object{}
	off.vc["exp"] = until + 1
	return map[string][]byte{
		"good-members": good().bytes(), "good-claims": jwt.bytes(), "good-status": status.bytes(),
		"bad-vc": old.bytes(), "bad-exp": off.bytes(), "bad-parts": []byte("a.b"),
	}
}

// The seeds stand in testdata, and are what this package makes: a fuzzer whose
// corpus is gone, or no longer opens, tests nothing.
func TestSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzOpen")
	for name, seed := range seeds() {
		file, text := filepath.Join(dir, name), fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed)
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s is missing or outdated (write it with -update): %v", file, err)
		}
		if _, err := (vcjwt.Envelope{}).Open(seed); (err == nil) != strings.HasPrefix(name, "good") {
			t.Errorf("seed %s: %v", name, err)
		}
	}
}

// FuzzOpen: nothing beside an error, no panic, and nothing proven but what the
// issuer signed.
func FuzzOpen(f *testing.F) {
	signed := map[string]bool{}
	for _, seed := range seeds() {
		signed[string(seed)] = true
	}
	key := issuer(f)
	f.Fuzz(func(t *testing.T, token []byte) {
		u, err := vcjwt.Envelope{}.Open(token)
		if (u == nil) == (err == nil) {
			t.Fatal("a credential beside an error, or neither")
		}
		if err != nil {
			return
		}
		if f := u.Finding; f.Key != "" || f.Issuer == "" || f.ID == "" || f.Licence.Lerep == "" {
			t.Fatalf("finding = %+v", f)
		}
		if _, ok := u.Prove(key); ok && !signed[string(token)] {
			t.Fatalf("a forged token is proven: %q", token)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	token := good().bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (vcjwt.Envelope{}).Open(token); err != nil {
			b.Fatal(err)
		}
	}
}
