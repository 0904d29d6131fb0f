package vcjwt

import (
	"regexp"
	"time"

	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
)

// readTimes reads validFrom and validUntil. A fraction of a second is rounded
// to the stricter side: a licence is never good for longer than it says.
func readTimes(f *verifiers.Finding, vc strict.Value) error {
	for _, t := range [...]struct {
		member, claim string
		into          *int64
		up            bool // the stricter side is the later
	}{{"validFrom", "iat", &f.IssuedAt, true}, {"validUntil", "exp", &f.Expires, false}} {
		var text string
		if err := claims.Text(vc, t.member, &text); err != nil {
			return err
		}
		down, up, ok := seconds(text)
		if !ok {
			return claims.Invalid(t.member)
		}
		// The claim has whole seconds only: either side of a fraction agrees.
		claim := down
		if err := claims.Time(vc, t.claim, &claim, true); err != nil {
			return err
		}
		if claim != down && claim != up {
			return claims.Invalid(t.claim)
		}
		*t.into = down
		if t.up {
			*t.into = up
		}
	}
	return nil
}

// dateTime is the form of a date-time with its zone. The standard library's
// reader also takes a comma, single digits and an offset of 24 hours.
var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// seconds reads a date-time (RFC 3339 §5.6, with capital T and Z as XML Schema
// 1.1 has it) between 1970 and the year 9999, as the whole seconds before and
// after it.
func seconds(text string) (down, up int64, ok bool) {
	if len(text) > 35 || !dateTime.MatchString(text) {
		return 0, 0, false
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, 0, false
	}
	down, up = t.Unix(), t.Unix()
	if t.Nanosecond() > 0 {
		up++
	}
	return down, up, down >= 0 && up <= claims.MaxTime
}
