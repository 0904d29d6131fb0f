package licence

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxRatio is more than the lengths in bytes of two texts that are the same can
// differ by: NFKC makes no text longer than eleven times (U+FDFA), and none
// shorter than an eighth (what composes is at most four characters of four bytes,
// and makes no ASCII; what stays alone is a fourth, as U+1D400 is).
const maxRatio = 128

// SameText reports whether two texts are the same after NFKC and bracket
// folding (contract §6.1): full-width and half-width forms are one, so are （）
// and (). Case, blanks and everything else count. Two empty texts are the same;
// whether something was stated at all is the caller's question.
func SameText(a, b string) bool {
	if a == b {
		return true
	}
	if isASCII(a) && isASCII(b) {
		return false // NFKC changes no ASCII
	}
	// Against a caller who expects megabytes of a licence: seconds of work.
	if len(a) > maxRatio*len(b) || len(b) > maxRatio*len(a) {
		return false
	}
	// The full-width brackets U+FF08 and U+FF09 are compatibility forms of ( and
	// ), as are the small and the vertical ones: NFKC is the bracket folding too.
	return norm.NFKC.String(a) == norm.NFKC.String(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
