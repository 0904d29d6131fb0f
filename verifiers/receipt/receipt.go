// Package receipt signs and checks verification receipts: a gateway's own
// signed statement of a verdict, which whoever holds the gateway's public keys
// can check offline (contract §7).
//
// A bank that only files and checks receipts needs [LoadJWKS] and [Check]. A
// gateway signs with a [Signer], and restates the verdict of a receipt that is
// handed in place of a credential with [Decide].
package receipt

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// Type is the typ of a receipt, and its format where one stands in place of a
// credential.
const Type verifiers.Format = "verification-receipt+jwt"

// Claims are what a receipt says. Those that [Check] returns are believed, and
// agree with each other: VALID goes with the code OK and with a business, a key
// and an issuer.
type Claims struct {
	Gateway  string    // iss: who says so
	ID       string    // jti: the verdict's id
	IssuedAt time.Time // iat, whole seconds
	Expires  time.Time // exp, whole seconds: the end of the earliest evidence
	Audience string    // aud: the relying party that asked; "" for none

	Verdict verifiers.Outcome
	Code    verifiers.Code
	Checks  []Checked // all of them, in order
	Digest  verifiers.Digest

	Issuer  keys.Issuer     // of the licence; "" unless its signature was good
	Key     keys.Thumbprint // that signed the licence; likewise
	Uniscid licence.USCC    // "" unless the check subject passed besides

	AsOf         time.Time // of which moment the registry spoke; zero: it was not asked
	TrustVersion int64     // of the gateway's trust list; 0: it had none
}

// A Checked is one check's name and outcome.
type Checked struct {
	Check   verifiers.Check
	Outcome verifiers.Result
}

// checkCount is how many checks there are; they are always all listed.
const checkCount = len(verifiers.Verdict{}.Checks)

// AppendJSON appends the claims as a receipt carries them, in the order of
// contract §7. Times of the token are in seconds, as_of in RFC 3339.
func (c *Claims) AppendJSON(b []byte) []byte {
	b = appendText(b, `{"iss":`, c.Gateway)
	b = appendText(b, `,"jti":`, c.ID)
	b = appendNumber(b, `,"iat":`, c.IssuedAt.Unix())
	b = appendNumber(b, `,"exp":`, c.Expires.Unix())
	if c.Audience != "" {
		b = appendText(b, `,"aud":`, c.Audience)
	}
	b = appendText(b, `,"verdict":`, c.Verdict.String())
	b = appendText(b, `,"code":`, string(c.Code))
	b = append(b, `,"checks":[`...)
	for i, check := range c.Checks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"check":"`...)
		b = append(b, check.Check.String()...)
		b = append(b, `","outcome":"`...)
		b = append(b, check.Outcome.String()...)
		b = append(b, `"}`...)
	}
	b = appendText(b, `],"credential_digest":`, c.Digest.String())
	if c.Uniscid != "" {
		b = appendText(b, `,"uniscid":`, string(c.Uniscid))
	}
	if c.Key != "" {
		b = appendText(b, `,"issuer":`, string(c.Issuer))
		b = appendText(b, `,"key":`, string(c.Key))
	}
	if !c.AsOf.IsZero() {
		b = append(b, `,"as_of":"`...)
		b = c.AsOf.UTC().AppendFormat(b, timeForm)
		b = append(b, '"')
	}
	b = appendNumber(b, `,"trust_list_version":`, c.TrustVersion)
	return append(b, '}')
}

// MarshalJSON is AppendJSON.
func (c *Claims) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil), nil }

// timeForm is RFC 3339 in UTC, to the second.
const timeForm = "2006-01-02T15:04:05Z"

func appendText(b []byte, name, text string) []byte {
	b = append(b, name...)
	b, _ = jsontext.AppendQuote(b, text) // what is not UTF-8 is mended
	return b
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}
