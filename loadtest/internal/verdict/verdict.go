// Package verdict holds an answer against what it must be.
//
// It knows the codes of contract §5 a second time, on purpose: a generator that
// took them from the gateway would share the gateway's mistakes.
package verdict

import "bytes"

// A Want is what an honest gateway with all its dependencies says.
type Want struct {
	Verdict string // VALID, INVALID or INDETERMINATE; "" where Status is no 200
	Code    string
	Status  int // HTTP; 0 is 200
}

// An Outcome is what became of one piece of work.
type Outcome uint8

// The outcomes. Correct alone is goodput.
const (
	Correct   Outcome = iota // the expected verdict and code
	Degraded                 // INDETERMINATE where a dependency may have been missing: honest, of no use
	Wrong                    // a verdict that no state of the dependencies explains
	Refused                  // 429 or 503
	Fault                    // another status than 200
	Malformed                // 200 without a verdict in it
	Timeout                  // no answer in time
	Broken                   // connection refused, reset or torn
	Unsent                   // no connection came free in time
	Late                     // the generator itself was late: never sent
	Outcomes  = iota
)

var names = [Outcomes]string{"correct", "degraded", "wrong", "refused", "fault", "malformed", "timeout", "broken", "unsent", "late"}

// String returns the outcome's name, as reports spell it.
func (o Outcome) String() string { return names[o] }

// Answered tells that the target answered over HTTP.
func (o Outcome) Answered() bool { return o <= Malformed }

// stage is the check that decides a code, in the order of contract §5. What
// is not listed decided nothing: VALID stands behind all of them.
var stage = map[string]int{
	"FORMAT_MALFORMED": 0, "FORMAT_DUPLICATE_MEMBER": 0, "HEADER_INVALID": 0, "HEADER_NOT_ALLOWED": 0, "CLAIM_MISSING": 0, "CLAIM_INVALID": 0,
	"ISSUER_NOT_RECOGNISED": 1, "ISSUER_SUSPENDED": 1, "ISSUER_NOT_AUTHORISED": 1, "TRUST_LIST_EXPIRED": 1,
	"KEY_NOT_FOUND": 2, "KEY_REVOKED": 2, "KEY_OUTSIDE_WINDOW": 2, "ALGORITHM_NOT_ALLOWED": 2, "KEYS_UNAVAILABLE": 2,
	"SIGNATURE_INVALID": 3, "DIGEST_MISMATCH": 3,
	"NOT_YET_VALID": 4, "EXPIRED": 4, "ISSUED_IN_FUTURE": 4,
	"USCC_INVALID": 5, "SUBJECT_MISMATCH": 5,
	"HOLDER_PROOF_INVALID": 6, "HOLDER_PROOF_MISSING": 6,
	"STATUS_REVOKED": 7, "STATUS_SUSPENDED": 7, "STATUS_NOT_VALID": 7, "STATUS_REFERENCE_INVALID": 7, "STATUS_MISSING": 7, "STATUS_UNAVAILABLE": 7,
	"REGISTRATION_REVOKED": 8, "REGISTRATION_CANCELLED": 8, "REGISTRATION_ANNULLED": 8, "REGISTRATION_MOVED": 8,
	"REGISTRATION_NOT_FOUND": 8, "LICENCE_SUPERSEDED": 8, "REGISTRY_UNAVAILABLE": 8, "REGISTRATION_STATE_UNKNOWN": 8,
}

const lastStage = 9

// missing are the codes that say that a dependency could not be had.
var missing = map[string]bool{
	"TRUST_LIST_EXPIRED": true, "KEYS_UNAVAILABLE": true, "STATUS_UNAVAILABLE": true, "REGISTRY_UNAVAILABLE": true,
}

// Known tells whether a code is one of contract §5 or OK.
func Known(code string) bool {
	_, ok := stage[code]
	return ok || code == "OK"
}

// Hostile tells that a credential is refused for what only a forger or a broken
// program sends: its form, issuer, key or signature. Valid ones are not.
func Hostile(w Want) bool {
	s, ok := stage[w.Code]
	return ok && w.Verdict == "INVALID" && s <= 3
}

// Judge tells what an answer of 200 is worth.
//
// A missing dependency explains an INDETERMINATE only if its check comes no
// later than the one that would have decided: no fault of the registry makes
// a bad signature doubtful (contract §1).
func Judge(want Want, verdict, code string) Outcome {
	if verdict == want.Verdict && code == want.Code {
		return Correct
	}
	decided, ok := stage[want.Code]
	if !ok {
		decided = lastStage
	}
	if verdict == "INDETERMINATE" && missing[code] && stage[code] <= decided {
		return Degraded
	}
	return Wrong
}

// Classify tells what an HTTP answer is worth, and what it said where it said
// anything. The two texts point into body.
func Classify(want Want, status int, body []byte) (o Outcome, verdict, code []byte) {
	wanted := want.Status
	if wanted == 0 {
		wanted = 200
	}
	switch {
	case status == 429 || status == 503:
		return Refused, nil, nil
	case status != 200 && status == wanted:
		return Correct, nil, nil
	case status != 200:
		return Fault, nil, nil
	}
	verdict, code, ok := Scan(body)
	if !ok {
		return Malformed, nil, nil
	}
	return Judge(want, string(verdict), string(code)), verdict, code
}

// Scan finds the verdict and the code in a response body without reading the
// whole of it as JSON: both are members of the outermost object, with values
// that hold neither quotes nor escapes. ok is false if either is not there.
func Scan(body []byte) (verdict, code []byte, ok bool) {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(body, i+1)
			if end < 0 {
				return nil, nil, false
			}
			name := body[i+1 : end]
			i = end
			if depth != 1 {
				continue
			}
			isVerdict := string(name) == "verdict"
			if !isVerdict && string(name) != "code" {
				continue
			}
			value, at := memberValue(body, end+1)
			if value == nil {
				continue // a string value that happens to read so, or no string
			}
			if isVerdict {
				verdict = value
			} else {
				code = value
			}
			if verdict != nil && code != nil {
				return verdict, code, true
			}
			i = at
		}
	}
	return nil, nil, false
}

// stringEnd returns where the closing quote is, from inside a string.
func stringEnd(b []byte, i int) int {
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := 0
		for j := i - 1; j >= 0 && b[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
		i++
	}
	return -1
}

// memberValue returns the string behind a colon, and where its last quote is.
func memberValue(b []byte, i int) ([]byte, int) {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	if i >= len(b) || b[i] != ':' {
		return nil, i
	}
	for i++; i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r'); i++ {
	}
	if i >= len(b) || b[i] != '"' {
		return nil, i
	}
	end := stringEnd(b, i+1)
	if end < 0 {
		return nil, i
	}
	return b[i+1 : end], end
}
