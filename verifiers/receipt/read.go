package receipt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// maxTime is the last second of the year 9999 (contract §2.2).
const maxTime = 253402300799

// The longest texts that are read, in bytes; a receipt of ours is far below.
const maxName = 2048

// read takes the claims out of a receipt's payload, by their form alone: what
// they say together is a question to ask of a genuine receipt, see consistent.
// Errors say which claim is wrong and quote nothing of it. Claims that it does
// not know are ignored.
func read(payload []byte) (*Claims, error) {
	v, err := strict.Parse(payload)
	if err != nil {
		return nil, err
	}
	if v.Kind() != strict.Object {
		return nil, errors.New("the payload is not a JSON object")
	}
	c := new(Claims)
	var verdict, code, digest, uniscid, issuer, key, asOf string
	for _, m := range [...]struct {
		name     string
		into     *string
		optional bool
	}{
		{"iss", &c.Gateway, false}, {"jti", &c.ID, false}, {"aud", &c.Audience, true},
		{"verdict", &verdict, false}, {"code", &code, false}, {"credential_digest", &digest, false},
		{"uniscid", &uniscid, true}, {"issuer", &issuer, true}, {"key", &key, true}, {"as_of", &asOf, true},
	} {
		value := v.Get(m.name)
		if m.optional && value.Kind() == strict.Absent {
			continue
		}
		text, ok := value.Text()
		if !ok || text == "" || len(text) > maxName {
			return nil, fmt.Errorf("%s is not a text, empty or too long", m.name)
		}
		*m.into = text
	}
	iat, ok := v.Get("iat").Integer(maxTime)
	exp, ok2 := v.Get("exp").Integer(maxTime)
	version, ok3 := v.Get("trust_list_version").Integer(1<<63 - 1)
	if !ok || !ok2 || !ok3 {
		return nil, errors.New("iat, exp or trust_list_version is not a whole number")
	}
	c.IssuedAt, c.Expires, c.TrustVersion = time.Unix(iat, 0).UTC(), time.Unix(exp, 0).UTC(), version
	c.Code = verifiers.Code(code)
	c.Issuer, c.Key = keys.Issuer(issuer), keys.Thumbprint(key)
	c.Uniscid = licence.USCC(uniscid) // consistent checks it
	if c.Verdict, ok = outcomeOf(verdict); !ok {
		return nil, errors.New("verdict is none of the three")
	}
	if c.Digest, ok = digestOf(digest); !ok {
		return nil, errors.New("credential_digest is not sha-256 in base64url")
	}
	if asOf != "" {
		// Years beyond four digits, and a comma before fractions, pass time.Parse alone.
		if c.AsOf, err = time.Parse(time.RFC3339, asOf); err != nil || strings.Contains(asOf, ",") {
			return nil, errors.New("as_of is not a time of RFC 3339")
		}
		c.AsOf = c.AsOf.UTC()
	}
	if c.Checks, err = readChecks(v.Get("checks")); err != nil {
		return nil, err
	}
	return c, nil
}

// readChecks reads all the checks, in their order (contract §5).
func readChecks(v strict.Value) ([]Checked, error) {
	if v.Kind() != strict.Array || v.Len() != checkCount {
		return nil, errors.New("checks does not list every check")
	}
	list := make([]Checked, checkCount)
	for i := range list {
		list[i].Check = verifiers.Check(i)
		name, _ := v.Item(i).Get("check").Text()
		outcome, _ := v.Item(i).Get("outcome").Text()
		var ok bool
		if list[i].Outcome, ok = resultOf(outcome); !ok || name != list[i].Check.String() {
			return nil, fmt.Errorf("check %d has another name or no known outcome", i)
		}
	}
	return list, nil
}

// consistent refuses claims that contradict each other: a gateway that signs
// such has lost its mind or its key, and no reading of them is the safe one. It
// is asked behind the signature: whoever changes one word of a receipt has
// altered it (RECEIPT_SIGNATURE_INVALID), whatever else that word should agree
// with.
func (c *Claims) consistent() error {
	if c.Uniscid != "" {
		if _, err := licence.ParseUSCC(string(c.Uniscid)); err != nil {
			return errors.New("uniscid is not a credit code")
		}
	}
	proven := c.passed(verifiers.CheckSignature)
	if (c.Issuer != "") != proven || (c.Key != "") != proven || (c.Uniscid != "") != (proven && c.passed(verifiers.CheckSubject)) {
		return errors.New("issuer and key go with a good signature, uniscid with a good subject besides")
	}
	if c.passed(verifiers.CheckRegistry) && c.AsOf.IsZero() {
		return errors.New("as_of is missing beside what a registry said")
	}
	if c.outcome() != c.Verdict || (c.Code == verifiers.OK) != (c.Verdict == verifiers.Valid) {
		return errors.New("verdict, code and checks contradict each other")
	}
	return nil
}

func (c *Claims) passed(check verifiers.Check) bool {
	return c.Checks[check].Outcome == verifiers.Passed
}

// outcome works the verdict out of the checks (contract §5).
func (c *Claims) outcome() verifiers.Outcome {
	verdict := verifiers.Valid
	for i, check := range c.Checks {
		switch {
		case check.Outcome == verifiers.Failed:
			return verifiers.Invalid
		case check.Outcome == verifiers.Inconclusive,
			check.Outcome == verifiers.Skipped && verifiers.Check(i) <= verifiers.CheckSubject,
			// One of the two must have said how the licence stands.
			check.Outcome == verifiers.Skipped && verifiers.Check(i) == verifiers.CheckRegistry &&
				!c.passed(verifiers.CheckStatus):
			verdict = verifiers.Indeterminate
		}
	}
	return verdict
}

func outcomeOf(name string) (verifiers.Outcome, bool) {
	for _, o := range [...]verifiers.Outcome{verifiers.Indeterminate, verifiers.Valid, verifiers.Invalid} {
		if o.String() == name {
			return o, true
		}
	}
	return verifiers.Indeterminate, false
}

func resultOf(name string) (verifiers.Result, bool) {
	for _, r := range [...]verifiers.Result{verifiers.Skipped, verifiers.Passed, verifiers.Failed, verifiers.Inconclusive} {
		if r.String() == name {
			return r, true
		}
	}
	return verifiers.Skipped, false
}

func digestOf(text string) (d verifiers.Digest, ok bool) {
	encoded, ok := strings.CutPrefix(text, "sha-256:")
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(len(d)) {
		return d, false
	}
	raw, err := strict.Base64URL(encoded)
	if err != nil {
		return d, false
	}
	return verifiers.Digest(raw), true
}
