package sandbox_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

var charset = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}$`)

// wellFormed checks a credit code with tables written down from the two
// standards, weight by weight: not the way they were made.
func wellFormed(code string) bool {
	const digits = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	if !charset.MatchString(code) {
		return false
	}
	org := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		org += w * strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", code[8+i])
	}
	c9 := 11 - org%11
	if want := map[int]byte{10: 'X', 11: '0'}[c9]; want == 0 && code[16] != byte('0'+c9) || want != 0 && code[16] != want {
		return false
	}
	sum := 0
	for i, w := range [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} {
		sum += w * strings.IndexByte(digits, code[i])
	}
	return (sum+strings.IndexByte(digits, code[17]))%31 == 0
}

func TestWellFormedKnowsPublishedCodes(t *testing.T) {
	for code, want := range map[string]bool{
		"91350100M000100Y43": true, "91310000132260250X": true, "91310115591693856A": true,
		"91310000132260251X": false, "91310000123260250X": false, "91350100M000100Y44": false,
	} {
		if wellFormed(code) != want {
			t.Errorf("%s: %v", code, !want)
		}
	}
}

func TestBusinesses(t *testing.T) {
	s := start(t, sandbox.Options{})
	seen := make(map[string]bool)
	for _, p := range s.Provinces() {
		for _, class := range sandbox.Classes() {
			category := map[sandbox.Class]string{
				sandbox.SoleTrader: "92", sandbox.Cooperative: "93", sandbox.OtherEntity: "99",
			}[class]
			if category == "" {
				category = "91"
			}
			for n := range 500 {
				b := p.Business(class, n)
				if b != p.Business(class, n) {
					t.Fatalf("%s %v %d: not the same twice", p.Code, class, n)
				}
				if !wellFormed(b.USCC) || !strings.HasPrefix(b.USCC, category+p.Code[:2]) || seen[b.USCC] {
					t.Fatalf("%s %v %d: code %s", p.Code, class, n, b.USCC)
				}
				seen[b.USCC] = true
				if !strings.HasPrefix(b.RegOrg, p.Code[:2]) || b.EntName == "" || b.LeRep == "" || b.EntType == "" {
					t.Fatalf("%s %v %d: %+v", p.Code, class, n, b)
				}
				established := date(t, b.EstDate)
				if approved := date(t, b.ApprDate); approved.Before(established) || approved.After(time.Now()) {
					t.Fatalf("%s %v %d: established %s, approved %s", p.Code, class, n, b.EstDate, b.ApprDate)
				}
				if b.OpTo != "" && date(t, b.OpTo).Before(time.Now()) {
					t.Fatalf("%s %v %d: ended %s", p.Code, class, n, b.OpTo)
				}
			}
		}
	}
}

func TestNamesDiffer(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("330000")
	names := make(map[string]int)
	for n := range 1000 {
		names[p.Business(sandbox.Company, n).EntName]++
	}
	if len(names) < 950 {
		t.Errorf("1000 companies share %d names", len(names))
	}
}

func date(t testing.TB, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
