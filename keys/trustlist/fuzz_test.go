package trustlist_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
)

func seeds(f *testing.F, folder string) (all [][]byte) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in testdata/%s: %v", folder, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, data)
		f.Add(data)
	}
	return all
}

// FuzzRead: nothing passes that the root has not signed, and what its signature
// covers is all that counts.
func FuzzRead(f *testing.F) {
	seeds(f, "list")
	// A fixed key, so that a saved input means the same in every run.
	root, err := signer.Parse([]byte(`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`))
	if err != nil {
		f.Fatal(err)
	}
	roots := pin(f, 1, root)
	digests := map[string]bool{}
	for _, payload := range contentSeeds(f) {
		list, err := trustlist.ParseContent(payload)
		if err != nil {
			continue
		}
		digests[list.Digest] = true
		token := signed(f, payload, root)
		f.Add(token)
		two, err := trustlist.AddSignature(token, rootKeys()[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(two)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		list, err := trustlist.Read(token, roots)
		if err != nil {
			if list != nil || !trustlist.ReasonOf(err).Valid() {
				t.Errorf("%v beside %v", list, err)
			}
			return
		}
		if !digests[list.Digest] {
			t.Errorf("a list that was never signed: %q", token)
		}
	})
}

func contentSeeds(f *testing.F) (all [][]byte) {
	files, err := filepath.Glob("testdata/content/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in testdata/content: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// FuzzContent: what is read holds the promises that everybody builds on.
func FuzzContent(f *testing.F) {
	if all := seeds(f, "content"); !bytes.Contains(bytes.Join(all, nil), []byte("310000")) {
		f.Fatal("no seed is a real list")
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		l, err := trustlist.ParseContent(payload)
		if err != nil {
			if l != nil || !trustlist.ReasonOf(err).Valid() {
				t.Errorf("%v beside %v", l, err)
			}
			return
		}
		if l.Version < 1 || !l.Expires.After(l.IssuedAt) || l.Issuer == "" || len(l.Digest) != 43 {
			t.Errorf("%+v", l)
		}
		seen := map[keys.Issuer]bool{}
		for _, p := range l.Provinces {
			if len(p.Code) != 6 {
				t.Errorf("province %q", p.Code)
			}
			for _, a := range p.Issuers {
				if a.Issuer == "" || seen[a.Issuer] || a.KeySetURL == "" && a.Inline == nil ||
					a.KeySetURL != "" && keys.CheckURL(a.KeySetURL) != nil {
					t.Errorf("issuer %+v", a)
				}
				seen[a.Issuer] = true
				for _, prefix := range a.StatusLists {
					if keys.CheckStatusPrefix(prefix) != nil || !a.MayFetchStatus(prefix) {
						t.Errorf("status prefix %q", prefix)
					}
				}
				for _, d := range a.Divisions {
					if len(d) != 2 {
						t.Errorf("division %q", d)
					}
				}
			}
		}
		for thumb := range l.Revoked {
			if raw, err := base64.RawURLEncoding.DecodeString(string(thumb)); err != nil || len(raw) != 32 {
				t.Errorf("revoked %q", thumb)
			}
		}
		// The signing tool and the gateway read alike.
		if _, err := trustlist.Sign(payload, rootKeys()[0]); err != nil && trustlist.ReasonOf(err) != trustlist.TooLarge {
			t.Errorf("read, but not signed: %v", err)
		}
	})
}
