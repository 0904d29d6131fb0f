package sdjwt_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/verifiers"
	"tongyan/verifiers/sdjwt"
)

var update = flag.Bool("update", false, "write the seeds in testdata anew")

// fuzzBody is the presentation that the holder's proofs in testdata are about.
func fuzzBody() []byte { return plain().hide("lerep", true).hide("entname", false).bytes() }

// openSeeds are what FuzzOpen begins with; only the first half reads well.
func openSeeds() map[string][]byte {
	all := plain()
	for _, name := range []string{"entname", "enttype", "lerep", "estdate"} {
		all.hide(name, true)
	}
	nested := plain()
	inner := disclose("s1", "deep", "x")
	item := disclose("s2", object{"_sd": []any{digest("", inner), "decoy"}})
	nested.licence()["list"] = []any{"a", object{"...": digest("", item)}}
	nested.disclosures = []string{item, inner}
	collides, twice := plain(), plain()
	addHidden("jti", "x")(collides)
	twice.claims["_sd"], twice.licence()["_sd"] = []any{"x"}, []any{"x"}
	return map[string][]byte{
		"good-plain": plain().bytes(), "good-hidden": fuzzBody(), "good-all": all.bytes(), "good-nested": nested.bytes(),
		"bad-collides": collides.bytes(), "bad-twice": twice.bytes(), "bad-uniscid": plain().hide("uniscid", true).bytes(),
		"bad-tildes": []byte(strings.Repeat("~", 300)),
	}
}

func holderSeeds() map[string][]byte {
	body := fuzzBody()
	array, late := newProof(body), newProof(body)
	array.claims["aud"] = []string{"https://hall.example"}
	late.claims["iat"] = now.Unix() - 400
	return map[string][]byte{
		"good": newProof(body).bytes(), "good-array": array.bytes(), "bad-late": late.bytes(), "bad-parts": []byte("a.b"),
	}
}

// The seeds stand in testdata, and are what this package makes: a fuzzer whose
// corpus is gone, or no longer opens, tests nothing.
func TestSeeds(t *testing.T) {
	for target, seeds := range map[string]map[string][]byte{"FuzzOpen": openSeeds(), "FuzzVerifyHolder": holderSeeds()} {
		dir := filepath.Join("testdata", "fuzz", target)
		for name, seed := range seeds {
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
		}
	}
	for name, seed := range openSeeds() {
		if _, err := (sdjwt.Envelope{}).Open(seed); (err == nil) != strings.HasPrefix(name, "good") {
			t.Errorf("seed %s: %v", name, err)
		}
	}
	f := mustOpen(t, fuzzBody())
	for name, seed := range holderSeeds() {
		r := sdjwt.Envelope{}.VerifyHolder(seed, fuzzBody(), f, expectation(), now)
		if (r.Fault == "") != strings.HasPrefix(name, "good") {
			t.Errorf("seed %s: %+v", name, r)
		}
	}
}

// FuzzOpen: nothing beside an error, no panic, and nothing proven but what the
// issuer signed.
func FuzzOpen(f *testing.F) {
	signed := map[string]bool{}
	for _, seed := range openSeeds() {
		token, _, _ := strings.Cut(string(seed), "~")
		signed[token] = true
	}
	issuer := admit(f, issuerKey)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		u, err := sdjwt.Envelope{}.Open(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if u != nil {
				t.Fatal("a credential beside an error")
			}
			return
		}
		if u.Finding.Key != "" || u.Finding.Licence.Uniscid == "" || u.Finding.Licence.Regorg == "" || u.Finding.Licence.Apprdate == "" {
			t.Fatalf("finding = %+v", u.Finding)
		}
		if _, ok := u.Prove(issuer); ok {
			if token, _, _ := strings.Cut(string(body), "~"); !signed[token] {
				t.Fatalf("a forged token is proven: %q", body)
			}
		}
	})
}

// FuzzVerifyHolder: no proof but the holder's own is ever right.
func FuzzVerifyHolder(f *testing.F) {
	body := fuzzBody()
	finding := mustOpen(f, body)
	right := map[string]bool{}
	for _, seed := range holderSeeds() {
		right[string(seed)] = true
	}
	f.Fuzz(func(t *testing.T, proof []byte) {
		r := sdjwt.Envelope{}.VerifyHolder(proof, body, finding, expectation(), now)
		if r.Fault == "" && !right[string(proof)] {
			t.Fatalf("a forged proof is right: %q", proof)
		}
		if r.Fault != "" && r != (verifiers.HolderResult{Fault: r.Fault}) {
			t.Fatalf("%+v", r)
		}
	})
}

// The envelope with 12 disclosures, to be compared with the plain one; the
// issue allows 1.3 times its cost, signature included.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{0, 4, 12} {
		c := plain()
		for i, name := range []string{"entname", "enttype", "lerep", "estdate", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"} {
			if i >= n {
				break
			}
			if i >= 4 {
				c.licence()[name] = "some text of a usual length"
			}
			c.hide(name, true)
		}
		body := c.bytes()
		key := admit(b, issuerKey)
		b.Run(fmt.Sprintf("disclosures=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (sdjwt.Envelope{}).Open(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("disclosures=%d,proven", n), func(b *testing.B) {
			for b.Loop() {
				u, err := sdjwt.Envelope{}.Open(body)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok := u.Prove(key); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkVerifyHolder(b *testing.B) {
	body := fuzzBody()
	f, proof := mustOpen(b, body), newProof(body).bytes()
	b.ReportAllocs()
	for b.Loop() {
		if r := (sdjwt.Envelope{}).VerifyHolder(proof, body, f, expectation(), now); r.Fault != "" {
			b.Fatal(r)
		}
	}
}
