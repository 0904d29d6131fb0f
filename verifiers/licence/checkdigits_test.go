package licence_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"tongyan/verifiers/licence"
)

// fits18 and fits9 are the standards' congruences, computed another way than
// in the package: GB 32100 §A: Σ Ci·3^(i-1) + C18 ≡ 0 mod 31; GB 11714: the
// weighted sum with the check character at weight 1 ≡ 0 mod 11.
func fits18(s string) bool {
	sum, weight := 0, 1
	for i := range 17 {
		sum += strings.IndexByte(alphabet, s[i]) * weight
		weight = weight * 3 % 31
	}
	return (sum+strings.IndexByte(alphabet, s[17]))%31 == 0
}

const orgAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func fits9(s string) bool {
	check := strings.IndexByte("0123456789X", s[16])
	sum := check
	for i, weight := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += strings.IndexByte(orgAlphabet, s[8+i]) * weight
	}
	return check >= 0 && sum%11 == 0
}

// withChecks completes the first 16 characters of a code.
func withChecks(t testing.TB, s string) string {
	t.Helper()
	for _, nine := range "0123456789X" {
		if with := s + string(nine); fits9(with) {
			return with18(t, with)
		}
	}
	t.Fatalf("no ninth character for %q", s)
	return ""
}

func with18(t testing.TB, s string) string {
	t.Helper()
	for _, last := range alphabet {
		if with := s + string(last); fits18(with) {
			return with
		}
	}
	t.Fatalf("no last character for %q", s)
	return ""
}

func samples(t testing.TB, n int) []string {
	random := rand.New(rand.NewPCG(32100, 2015))
	out := make([]string, n)
	for i := range out {
		b := []byte{'9', "1239"[random.IntN(4)]}
		for range 6 {
			b = append(b, '0'+byte(random.IntN(10)))
		}
		for range 8 {
			b = append(b, alphabet[random.IntN(len(alphabet))])
		}
		out[i] = withChecks(t, string(b))
	}
	return out
}

func TestUSCCTakesWhatTheStandardsMake(t *testing.T) {
	for _, s := range samples(t, 3000) {
		if got := reason(t, s); got != "" {
			t.Errorf("%s: reason %q", s, got)
		}
	}
}

// The two check characters together refuse every code in which one character
// was replaced: the weights are no multiples of the prime 31, and values differ
// by less.
func TestUSCCDetectsEverySubstitution(t *testing.T) {
	for _, s := range samples(t, 40) {
		for i := range 18 {
			for c := range 256 {
				wrong := s[:i] + string([]byte{byte(c)}) + s[i+1:]
				if wrong == s || licence.USCC(wrong).Exception() {
					continue
				}
				if reason(t, wrong) == "" {
					t.Errorf("%s passes as well as %s", wrong, s)
				}
			}
		}
	}
}

// Nor does any exchange of two different characters pass, neighbours or not:
// the weights of two positions differ modulo 31, save those of 1 and 18, and
// there only a 9 may stand first.
func TestUSCCDetectsEveryExchange(t *testing.T) {
	for _, s := range samples(t, 200) {
		for i := range 18 {
			for j := range i {
				if s[i] == s[j] {
					continue
				}
				b := []byte(s)
				b[i], b[j] = b[j], b[i]
				if wrong := string(b); reason(t, wrong) == "" {
					t.Errorf("%s passes as well as %s", wrong, s)
				}
			}
		}
	}
}

// With a mended last character, GB 11714 stands alone. It is modulo 11 with
// values up to 35: it misses a replaced character exactly where the values
// differ by 11 or 22.
func TestORG9DetectsAllButElevens(t *testing.T) {
	missed := 0
	for _, s := range samples(t, 40) {
		for i := 8; i < 16; i++ {
			for _, c := range alphabet {
				if byte(c) == s[i] {
					continue
				}
				distance := strings.IndexRune(orgAlphabet, c) - strings.IndexByte(orgAlphabet, s[i])
				want := licence.ReasonORG9
				if distance%11 == 0 {
					want = ""
					missed++
				}
				wrong := with18(t, s[:i]+string(c)+s[i+1:17])
				if got := reason(t, wrong); got != want {
					t.Errorf("%s after %s: reason %q, want %q", wrong, s, got, want)
				}
			}
		}
	}
	if missed == 0 {
		t.Error("no pair of values eleven apart was tried")
	}
}
