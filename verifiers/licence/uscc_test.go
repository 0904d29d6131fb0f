package licence_test

import (
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"tongyan/verifiers/licence"
)

const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// rows reads a CSV file without its header line.
func rows(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(path, "..") {
		t.Skipf("%s is not there: the data every test may use stands beside the repository", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		t.Fatalf("%s has no lines", path)
	}
	return all[1:]
}

// reason returns why a code is refused, "" if it is not, and checks what holds
// for every answer.
func reason(t testing.TB, s string) licence.Reason {
	t.Helper()
	u, err := licence.ParseUSCC(s)
	if err == nil {
		if string(u) != s {
			t.Fatalf("ParseUSCC(%q) = %q: changed on the way", s, u)
		}
		return ""
	}
	var e *licence.USCCError
	if !errors.As(err, &e) || e.Reason == "" {
		t.Fatalf("ParseUSCC(%q): %v is no USCCError with a reason", s, err)
	}
	if u != "" {
		t.Fatalf("ParseUSCC(%q) gave %q beside an error", s, u)
	}
	if len(s) >= 8 && strings.Contains(err.Error(), s) {
		t.Fatalf("the error quotes the code: %v", err)
	}
	return e.Reason
}

func TestUSCC(t *testing.T) {
	for _, row := range rows(t, "testdata/uscc.csv") {
		if got := reason(t, row[0]); string(got) != row[1] {
			t.Errorf("%s (%s): reason %q, want %q", row[0], row[2], got, row[1])
		}
	}
}

func TestUSCCPublished(t *testing.T) {
	t.Run("valid", func(t *testing.T) {
		for _, row := range rows(t, "../../../shared/data/uscc_valid.csv") {
			want := licence.Reason("")
			if row[1] == "not-a-business-licence" {
				want = licence.ReasonDepartment
			}
			if got := reason(t, row[0]); got != want {
				t.Errorf("%s (%s): reason %q, want %q", row[0], row[1], got, want)
			}
			if licence.USCC(row[0]).Exception() {
				t.Errorf("%s is no exception", row[0])
			}
		}
	})
	t.Run("invalid", func(t *testing.T) {
		for _, row := range rows(t, "../../../shared/data/uscc_invalid.csv") {
			want, _, _ := strings.Cut(row[1], "+") // the first broken rule decides
			if got := reason(t, row[0]); string(got) != want {
				t.Errorf("%s: reason %q, want %q", row[0], got, want)
			}
		}
	})
	t.Run("exceptions", func(t *testing.T) {
		var published []licence.USCC
		for _, row := range rows(t, "../../../shared/data/uscc_exceptions.csv") {
			published = append(published, licence.USCC(row[0]))
		}
		slices.Sort(published)
		if !slices.Equal(published, licence.Exceptions) {
			t.Errorf("the table holds %q, published are %q", licence.Exceptions, published)
		}
	})
}

func TestUSCCExceptions(t *testing.T) {
	for _, u := range licence.Exceptions {
		if got := reason(t, string(u)); got != "" || !u.Exception() {
			t.Errorf("%s: reason %q, exception %t", u, got, u.Exception())
		}
		if fits18(string(u)) {
			t.Errorf("%s has a right check character: no exception", u)
		}
		// Only the published character passes, and the right one.
		passed := 0
		for _, c := range alphabet {
			other := string(u[:17]) + string(c)
			if reason(t, other) == "" {
				passed++
				if licence.USCC(other).Exception() != (other == string(u)) {
					t.Errorf("%s: wrong about the exception", other)
				}
			}
		}
		if passed != 2 {
			t.Errorf("%s: %d last characters pass, want 2", u, passed)
		}
	}
	if licence.USCC("").Exception() {
		t.Error("the zero code is an exception")
	}
}

func TestDivision(t *testing.T) {
	if got := licence.USCC("91310000132260250X").Division(); got != "310000" {
		t.Errorf("Division() = %q", got)
	}
	if got := licence.USCC("").Division(); got != "" {
		t.Errorf("Division() of the zero code = %q", got)
	}
}
