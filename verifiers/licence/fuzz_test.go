package licence_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/strict"
	"tongyan/verifiers/licence"
)

func FuzzParseUSCC(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		switch reason(t, s) {
		case "":
			right := len(s) == 18 && s[0] == '9' && strings.IndexByte("1239", s[1]) >= 0 && fits9(s)
			for i := range len(s) {
				right = right && strings.IndexByte(alphabet, s[i]) >= 0
			}
			if !right || fits18(s) == licence.USCC(s).Exception() {
				t.Errorf("%q passes", s)
			}
		case licence.ReasonLength, licence.ReasonCharset, licence.ReasonDepartment,
			licence.ReasonCategory, licence.ReasonORG9:
		case licence.ReasonC18:
			if fits18(s) {
				t.Errorf("%q is refused for a right last character", s)
			}
		default:
			t.Errorf("%q: a reason outside the closed set", s)
		}
	})
}

func BenchmarkParseUSCC(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := licence.ParseUSCC("91310000132260250X"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, selective bool) {
		v, err := strict.Parse(data)
		if err != nil {
			return
		}
		l, err := licence.Read(v, selective)
		if err != nil {
			var e *licence.MemberError
			if !errors.As(err, &e) || e.Member == "" {
				t.Fatalf("%v is no MemberError", err)
			}
			if l != (licence.Licence{}) {
				t.Fatalf("%+v beside %v", l, err)
			}
			return
		}
		for name, stated := range map[string]string{
			"uniscid": l.Uniscid, "entname": l.Entname, "lerep": l.Lerep, "regorg": l.Regorg, "apprdate": string(l.Apprdate),
		} {
			if got, _ := v.Get(name).Text(); got != stated {
				t.Errorf("%s was %q and became %q", name, got, stated)
			}
		}
		shown := l.AppendJSON(nil)
		again, err := strict.Parse(shown)
		if err != nil {
			t.Fatalf("%v in %s", err, shown)
		}
		if m, err := licence.Read(again, selective); err != nil || m != l {
			t.Fatalf("%s is read back as %+v (%v), was %+v", shown, m, err, l)
		}
	})
}

func TestSeedCorpora(t *testing.T) {
	for target, least := range map[string]int{"FuzzParseUSCC": 12, "FuzzRead": 10} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) < least {
			t.Errorf("%s: %d seeds, want %d or more (%v)", target, len(files), least, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(data), "go test fuzz v1\n") {
				t.Errorf("%s is no seed: %v", file, err)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	v := parse(b, full)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := licence.Read(v, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	l := fullLicence
	buf := make([]byte, 0, 2048)
	b.SetBytes(int64(len(l.AppendJSON(nil))))
	b.ReportAllocs()
	for b.Loop() {
		buf = l.AppendJSON(buf[:0])
	}
}
