package keys_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/strict"
)

func FuzzParseSet(f *testing.F) {
	files, err := filepath.Glob("testdata/keyset/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in testdata/keyset: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := strict.Parse(text)
		if err != nil {
			return
		}
		set, out, err := keys.ParseSet(v, time.Unix(1, 0))
		if err != nil {
			if set != nil || out != nil {
				t.Error("something beside an error")
			}
			return
		}
		all := set.Keys()
		if len(all)+len(out) == 0 || len(all)+len(out) != v.Get("keys").Len() || len(all) > keys.MaxKeys {
			t.Errorf("%d keys and %d left out of %d", len(all), len(out), v.Get("keys").Len())
		}
		for _, k := range all {
			if k.ID() == "" || set.Key(k.ID()) != k || len(k.Thumbprint()) != 43 {
				t.Errorf("key %q with thumbprint %q", k.ID(), k.Thumbprint())
			}
			for _, alg := range keys.Algorithms {
				// Nobody has signed this.
				if k.Verify(alg, []byte("message"), make([]byte, 64)) {
					t.Errorf("key %q verified zeros under %s", k.ID(), alg)
				}
			}
		}
	})
}
