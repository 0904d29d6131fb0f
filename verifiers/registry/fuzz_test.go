package registry_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/registry"
)

// FuzzAnswer: nothing stands beside an error, and no answer is ever about
// another licence than asked for, in another state than the table has, or on a
// day that is none.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, posted bool, status int, body []byte) {
		var dialect *registry.Dialect
		if posted {
			dialect = second()
		}
		got, err := registry.Answer(dialect, status, body, key, askedAt)
		if err != nil {
			if got != (verifiers.Standing{}) {
				t.Fatalf("beside an error: %+v", got)
			}
			if !registry.ReasonIn(err).Fault() {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if got.Key != key || !got.AskedAt.Equal(askedAt) || status != 200 && status != 404 {
			t.Fatalf("status %d: %+v", status, got)
		}
		if _, err := got.AsOf.MarshalText(); err != nil {
			t.Fatal(err)
		}
		switch got.Answer {
		case verifiers.NotRegistered:
			if got.State != "" || got.Entname != "" || got.Apprdate != "" {
				t.Fatalf("more than nothing: %+v", got)
			}
		case verifiers.Registered:
			_, _, known := got.State.Names()
			_, day := licence.ParseDate(string(got.Apprdate))
			if status != 200 || got.State != "" && !known || got.Apprdate != "" && !day {
				t.Fatalf("status %d: %+v", status, got)
			}
		default:
			t.Fatalf("no answer and no error: %+v", got)
		}
	})
}

// The corpus beside FuzzAnswer is read by it silently, or silently missing.
func TestSeedsAreThere(t *testing.T) {
	files, err := filepath.Glob("testdata/fuzz/FuzzAnswer/*")
	if err != nil || len(files) < 16 {
		t.Fatalf("%d seeds, %v", len(files), err)
	}
	for _, name := range []string{"plain", "second", "plain_not_found", "second_empty", "other_licence", "duplicate"} {
		seed, err := os.ReadFile(filepath.Join("testdata/fuzz/FuzzAnswer", name))
		if err != nil || !bytes.HasPrefix(seed, []byte("go test fuzz v1\n")) {
			t.Errorf("%s is no seed: %v", name, err)
		}
	}
}
