package statuslist_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/verifiers/statuslist"
)

var update = flag.Bool("update", false, "write the seeds in testdata anew")

// Streams written down, not packed anew: another zlib may pack them otherwise.
const (
	stream1 = "eNrbuRgAAhcBXQ"   // b9 a3, published for 1 bit
	stream2 = "eNo76fITAAPfAgc"  // c9 44 f9, published for 2 bits
	stream3 = "eNrbuRgAAhcBXQAA" // the first, with two bytes behind it
)

func seedList(at time.Time, bits int, lst string) *draft {
	d := newList(at, bits)
	d.list()["lst"] = lst
	return d
}

// tokenSeeds are what FuzzRead begins with.
func tokenSeeds() map[string][]byte {
	other := seedList(now, 1, stream1)
	other.key = jsKey
	return map[string][]byte{
		"good-1": seedList(now, 1, stream1).bytes(), "good-2": seedList(now, 2, stream2).bytes(), "good-8": seedList(now, 8, stream1).bytes(),
		"bad-key": other.bytes(), "bad-stream": seedList(now, 1, stream3).bytes(),
		"bad-ended": seedList(now.Add(-time.Hour), 1, stream1).bytes(),
	}
}

// payloadSeeds are claims that FuzzClaims has signed.
func payloadSeeds() map[string][]byte {
	zero := seedList(now, 4, stream2)
	zero.claims["ttl"] = 0
	return map[string][]byte{
		"good": marshal(seedList(now, 2, stream2).claims), "good-zero": marshal(zero.claims),
		"bad-trailing": marshal(seedList(now, 1, stream3).claims), "bad-array": []byte(`[]`), "bad-twice": []byte(`{"iat":1,"iat":2}`),
	}
}

func signed(payload []byte) []byte {
	header := b64(marshal(object{"alg": "EdDSA", "kid": "k1", "typ": "statuslist+jwt"}))
	input := header + "." + b64(payload)
	return []byte(input + "." + b64(signBytes([]byte(input))))
}

// The seeds stand in testdata, and are what this package makes: a fuzzer whose
// corpus is gone, or no longer reads, tests nothing.
func TestSeeds(t *testing.T) {
	for target, seeds := range map[string]map[string][]byte{"FuzzRead": tokenSeeds(), "FuzzClaims": payloadSeeds()} {
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
			if target == "FuzzClaims" {
				seed = signed(seed)
			}
			if _, err := read(t, seed); (err == nil) != strings.HasPrefix(name, "good") {
				t.Errorf("seed %s: %v", name, err)
			}
		}
	}
}

// FuzzRead: no list that the issuer did not sign.
func FuzzRead(f *testing.F) {
	good := map[string]bool{}
	for _, seed := range tokenSeeds() {
		good[string(seed)] = true
	}
	trust := newBook(f).Current()
	f.Fuzz(func(t *testing.T, token []byte) {
		l, err := statuslist.Read(token, shanghai, listURI, trust, now)
		if (l == nil) == (err == nil) {
			t.Fatal("a list beside an error, or neither")
		}
		if err == nil && !good[string(token)] {
			t.Fatalf("a forged list is taken: %q", token)
		}
	})
}

// FuzzClaims: whatever an issuer signs, a list that is taken ends within its
// bounds and answers for its own entries only.
func FuzzClaims(f *testing.F) {
	trust := newBook(f).Current()
	f.Fuzz(func(t *testing.T, payload []byte) {
		l, err := statuslist.Read(signed(payload), shanghai, listURI, trust, now)
		if err != nil {
			if reasonOf(err) == "" {
				t.Fatalf("%T is no *statuslist.Error", err)
			}
			return
		}
		if left := l.Ends().Sub(now); left <= 0 || left > statuslist.MaxTTL+time.Minute {
			t.Fatalf("it counts for %v", left)
		}
		if _, ok := l.Value(0); !ok {
			t.Fatal("a list without entries")
		}
		if _, ok := l.Value(statuslist.MaxInflated * 8); ok {
			t.Fatal("a list without end")
		}
	})
}
