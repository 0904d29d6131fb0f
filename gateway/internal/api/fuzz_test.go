package api_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tongyan/gateway/internal/api"
)

const seeds = "testdata/fuzz/FuzzRequest"

func TestSeedsAreThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(seeds, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d seeds: %v", len(files), err)
	}
}

// A body sent as JSON is a request as another reader understands it too, or a
// 400 or 422; never anything else.
func FuzzRequest(f *testing.F) {
	if files, _ := filepath.Glob(filepath.Join(seeds, "*")); len(files) == 0 {
		f.Fatal("no seeds")
	}
	if _, err := os.Stat(seeds); err != nil {
		f.Fatal(err)
	}
	seen := &askedFor{}
	r := newRig(f, func(o *api.Options) { o.Verifier = seen })
	f.Fuzz(func(t *testing.T, body string) {
		*seen = askedFor{}
		w := r.post(body, "Content-Type: application/json")
		switch w.Code {
		case 400:
			refused(t, w, 400, api.BadRequest)
			return
		case 422:
			refused(t, w, 422, api.Unprocessable)
			return
		case 200:
		default:
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		var other map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &other); err != nil {
			t.Fatalf("taken, and not JSON to another reader: %v", err)
		}
		for name := range other {
			if !slices.Contains([]string{"credential", "purpose", "reference", "freshness", "expect", "holder", "receipt"}, name) {
				t.Fatal("taken with a member of an unknown name")
			}
		}
		var credential string
		if err := json.Unmarshal(other["credential"], &credential); err != nil || credential == "" || credential != string(seen.Credential) {
			t.Fatalf("credential read differently: %v", err)
		}
		if b := seen.Bounds; b.MaxAge < 0 || b.MaxAge > ceiling.MaxAge || b.StaleIfError < 0 || b.StaleIfError > ceiling.StaleIfError || b.OnlyIfCached {
			t.Fatalf("bounds %+v", b)
		}
	})
}
