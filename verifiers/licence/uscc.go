package licence

import (
	"slices"
	"unicode/utf8"
)

// A USCC is a unified social credit code (统一社会信用代码) of a business, which
// [ParseUSCC] has checked. A conversion from string is not a check.
type USCC string

// Reason says which rule a code breaks. The set is closed.
type Reason string

// The rules in the order in which they are checked; the first broken one decides.
const (
	ReasonLength     Reason = "LENGTH"     // not 18 characters
	ReasonCharset    Reason = "CHARSET"    // a character that cannot stand there
	ReasonDepartment Reason = "DEPARTMENT" // position 1 is not 9, market supervision
	ReasonCategory   Reason = "CATEGORY"   // position 2 is not 1, 2, 3 or 9
	ReasonORG9       Reason = "ORG9"       // position 17 is not the GB 11714 check character
	ReasonC18        Reason = "C18"        // position 18 is not the GB 32100 check character
)

// A USCCError says why a code is refused, without quoting it.
type USCCError struct {
	Reason Reason
}

func (e *USCCError) Error() string {
	return "unified social credit code refused: " + string(e.Reason)
}

// usccAlphabet is the alphabet of GB 32100-2015, each character at its value:
// digits and capitals without I, O, S, V and Z.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

const foreign = 0xff // no character of the alphabet

var usccValues = func() (values [256]byte) {
	for i := range values {
		values[i] = foreign
	}
	for i := range len(usccAlphabet) {
		values[usccAlphabet[i]] = byte(i)
	}
	return values
}()

// Weights by position: GB 32100-2015 has 3^(i-1) modulo 31, GB 11714-1997 its own.
var (
	usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	orgWeights  = [8]int{3, 7, 9, 10, 5, 8, 4, 2}
)

// usccExceptions are codes of the pilot, published and in force although their
// last character is wrong. Each is taken as a whole: no pattern, no range.
var usccExceptions = [...]USCC{
	"91350100M0001TGQXM",
	"91350203M0001FUE2P",
	"91350203M0001QAY9B",
	"91350211M0000XUF46",
	"91350211M00013FA1N",
}

// ParseUSCC checks a code against GB 32100-2015 and returns it as it stands:
// nothing is trimmed, folded or mended. It takes the departments and categories
// of a business licence only (91, 92, 93, 99). A published pilot code passes
// though its last character is wrong, see [USCC.Exception].
//
// An error is always a *USCCError, and the code beside it empty.
func ParseUSCC(s string) (USCC, error) {
	if reason := checkUSCC(s); reason != "" {
		return "", &USCCError{Reason: reason}
	}
	return USCC(s), nil
}

func checkUSCC(s string) Reason {
	// Characters, not bytes: eighteen full-width digits have the right length.
	if utf8.RuneCountInString(s) != 18 {
		return ReasonLength
	}
	sum := 0
	for i := range 18 { // of more than 18 bytes, one of these is not ASCII
		value := usccValues[s[i]]
		// SPEC: GB 32100-2015: positions 3 to 8 are Arabic digits.
		if value == foreign || 2 <= i && i < 8 && value > 9 {
			return ReasonCharset
		}
		if i < 17 {
			sum += int(value) * usccWeights[i]
		}
	}
	switch {
	case s[0] != '9':
		return ReasonDepartment
	case s[1] != '1' && s[1] != '2' && s[1] != '3' && s[1] != '9':
		return ReasonCategory
	case s[16] != org9(s[8:16]):
		return ReasonORG9
	case s[17] != usccAlphabet[(31-sum%31)%31] && !USCC(s).Exception():
		return ReasonC18
	}
	return ""
}

// org9 computes the check character of an organisation code's first eight
// characters (GB 11714-1997). Here A is 10 and Z is 35, no letter left out.
func org9(s string) byte {
	sum := 0
	for i := range 8 {
		value := int(s[i] - '0')
		if s[i] >= 'A' {
			value = int(s[i]-'A') + 10
		}
		sum += value * orgWeights[i]
	}
	return "0123456789X"[(11-sum%11)%11]
}

// Exception reports whether u is one of the published pilot codes, which pass
// with the warning USCC_CHECK_EXCEPTION.
func (u USCC) Exception() bool {
	return slices.Contains(usccExceptions[:], u)
}

// Division returns positions 3 to 8: the GB/T 2260 code of the authority that
// first registered the business. It never decides where a licence belongs.
func (u USCC) Division() string {
	if len(u) != 18 {
		return ""
	}
	return string(u[2:8])
}
