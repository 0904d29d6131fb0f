package receipt

import (
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// State puts into claims what a gateway has found. It never says more than the
// evidence: exp is the verdict's valid_until, and no business is named whose
// credential has no good signature.
func State(gateway, id, audience string, r *verifiers.Response) Claims {
	v := &r.Verdict
	c := Claims{
		Gateway: gateway, ID: id, Audience: audience,
		// Rounded down, both: a receipt must not outlive its evidence.
		IssuedAt: r.At.UTC().Truncate(time.Second), Expires: v.ValidUntil.UTC().Truncate(time.Second),
		Verdict: v.Outcome, Code: v.Code, Checks: make([]Checked, checkCount),
		Digest: r.Digest, TrustVersion: v.TrustVersion,
	}
	for i := range c.Checks {
		c.Checks[i] = Checked{verifiers.Check(i), v.Checks[i].Result}
	}
	if v.Proven && r.Finding != nil && v.Authority != nil {
		c.Issuer, c.Key = v.Authority.Issuer, v.Key
		if c.passed(verifiers.CheckSubject) {
			c.Uniscid = licence.USCC(r.Finding.Licence.Uniscid)
		}
	}
	if v.Source != "" {
		c.AsOf = v.AsOf.UTC().Truncate(time.Second)
	}
	return c
}
