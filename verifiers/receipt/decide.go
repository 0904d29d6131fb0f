package receipt

import (
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// A Case is all the evidence about a receipt that was handed in place of a
// credential. Its zero value decides INDETERMINATE.
type Case struct {
	// Claims are those of the receipt where [Unverified.Prove] said OK; nil of
	// any other, and then Fault is the code of Open or Prove.
	Claims *Claims
	Fault  verifiers.Code

	Trust *keys.Snapshot
	// Standing is what this gateway knows of the licence itself, which need not
	// be anything: see [Decide].
	Standing verifiers.StandingEvidence

	Bounds verifiers.Bounds // what this caller accepts, ceilings included
	Policy verifiers.Policy
	// HolderRequired: the caller wants a holder's proof, which no receipt is.
	HolderRequired bool
	Now            time.Time
}

// Decide restates a receipt's verdict (contract §7), as far as it still holds
// here and now. It is pure, and used like [verifiers.Decide]: as long as the
// verdict Wants a standing, get it by [StandingKey], mark it as sought, and
// decide again. It wants nothing else.
//
//   - A receipt that was refused is INVALID, in the check that refused it.
//   - The licence's issuer must be recognised and active here, and its key not
//     revoked, whatever the other gateway's list said.
//   - A registry's word in the receipt counts as long as this caller's
//     freshness allows; after that, and where there is none, the registry is
//     asked. A later word known here overrules it.
//   - What failed there fails here: who thinks it healed shows the credential.
//
// A receipt does not state the licence's approval date. So a change registered
// on the day of the receipt's evidence or later supersedes the licence: the
// receipt cannot prove to be about the new one, only the credential can.
func Decide(c *Case) verifiers.Verdict {
	d := decision{c: c}
	if c.Trust == nil {
		d.c.Trust = new(keys.Snapshot)
	}
	d.v.TrustVersion = c.Trust.Version()
	if !d.refused() && !d.untrusted() {
		d.restate()
	}
	d.conclude()
	return d.v
}

// StandingKey names the licence that a receipt is about, in the registry of the
// province that this trust list names; ok is false where either is unknown.
func StandingKey(c *Claims, trust *keys.Snapshot) (key verifiers.StandingKey, ok bool) {
	if c == nil || c.Uniscid == "" {
		return key, false
	}
	province, _, ok := trust.Issuer(c.Issuer)
	if !ok {
		return key, false
	}
	return verifiers.StandingKey{Province: province.Code, USCC: c.Uniscid}, true
}

// Finding returns what a genuine receipt tells of the credential that it is
// about, for who shows it: format, issuer, key and credit code, no more. It is
// nil of a credential that was not proven.
func (c *Claims) Finding() *verifiers.Finding {
	if c.Key == "" {
		return nil
	}
	return &verifiers.Finding{
		Format: Type, Key: c.Key, Issuer: c.Issuer, Body: c.Digest,
		Licence: licence.Licence{Uniscid: string(c.Uniscid)},
	}
}

type decision struct {
	c    *Case
	v    verifiers.Verdict
	ends time.Time // the earliest end of the evidence
}

var passed = verifiers.Checked{Result: verifiers.Passed}

// stop sets one check, with those before it passed and those after it skipped.
func (d *decision) stop(at verifiers.Check, result verifiers.Result, code verifiers.Code) bool {
	for check := verifiers.CheckFormat; check < at; check++ {
		d.v.Checks[check] = passed
	}
	d.v.Checks[at] = verifiers.Checked{Result: result, Code: code}
	return true
}

// refused deals with a receipt that does not count (contract §10).
func (d *decision) refused() bool {
	c := d.c
	switch {
	case c.Claims != nil && c.Fault == "":
		return false
	case c.Fault == verifiers.ReceiptIssuerNotRecognised:
		if c.Trust.Expired(c.Now) {
			// The gateway might stand in the list that we do not have.
			return d.stop(verifiers.CheckIssuer, verifiers.Inconclusive, verifiers.TrustListExpired)
		}
		return d.stop(verifiers.CheckIssuer, verifiers.Failed, c.Fault)
	case c.Fault == verifiers.KeyRevoked:
		return d.stop(verifiers.CheckKey, verifiers.Failed, c.Fault)
	case c.Fault == verifiers.KeysUnavailable:
		return d.stop(verifiers.CheckKey, verifiers.Inconclusive, c.Fault)
	case c.Fault == verifiers.ReceiptSignatureInvalid:
		return d.stop(verifiers.CheckSignature, verifiers.Failed, c.Fault)
	case c.Fault == verifiers.ReceiptExpired:
		return d.stop(verifiers.CheckValidity, verifiers.Failed, c.Fault)
	case c.Fault == "":
		// Nobody read the receipt: that is our fault, not the receipt's.
		return d.stop(verifiers.CheckFormat, verifiers.Inconclusive, verifiers.KeysUnavailable)
	}
	return d.stop(verifiers.CheckFormat, verifiers.Failed, c.Fault)
}

// untrusted deals with a licence whose issuer or key does not count here.
func (d *decision) untrusted() bool {
	c := d.c
	if c.Trust.Expired(c.Now) {
		return d.stop(verifiers.CheckIssuer, verifiers.Inconclusive, verifiers.TrustListExpired)
	}
	d.end(c.Trust.Expires())
	if c.Claims.Key == "" {
		return false // nothing is said of a licence
	}
	province, authority, ok := c.Trust.Issuer(c.Claims.Issuer)
	if !ok {
		return d.stop(verifiers.CheckIssuer, verifiers.Failed, verifiers.IssuerNotRecognised)
	}
	d.v.Province, d.v.Authority = province, authority
	if !province.Active {
		return d.stop(verifiers.CheckIssuer, verifiers.Failed, verifiers.IssuerSuspended)
	}
	if (Trust{List: c.Trust}).revoked(c.Claims) {
		return d.stop(verifiers.CheckKey, verifiers.Failed, verifiers.KeyRevoked)
	}
	d.v.Proven, d.v.Key = true, c.Claims.Key
	return false
}

// restate takes the receipt's checks over, and asks again what grows old.
func (d *decision) restate() {
	c := d.c
	for i, check := range c.Claims.Checks {
		d.v.Checks[i].Result = check.Outcome
		if check.Outcome == verifiers.Failed || check.Outcome == verifiers.Inconclusive {
			d.v.Checks[i].Code = c.Claims.codeOf(check.Check)
		}
	}
	d.end(c.Claims.Expires)
	if c.Claims.Verdict == verifiers.Invalid {
		d.show()
		return
	}
	// Where the work ended before, there was no holder to ask for a proof.
	if c.HolderRequired && c.Claims.passed(verifiers.CheckSubject) {
		d.v.Checks[verifiers.CheckHolder] = verifiers.Checked{Result: verifiers.Failed, Code: verifiers.HolderProofMissing}
		d.v.Checks[verifiers.CheckStatus], d.v.Checks[verifiers.CheckRegistry] = verifiers.Checked{}, verifiers.Checked{}
		return
	}
	if c.Claims.Uniscid != "" {
		d.v.Checks[verifiers.CheckRegistry] = d.registry()
	}
}

// codeOf returns the code of a check that did not pass. The receipt states the
// deciding one only: of the first that failed, else of the first inconclusive.
func (c *Claims) codeOf(check verifiers.Check) verifiers.Code {
	for _, result := range [...]verifiers.Result{verifiers.Failed, verifiers.Inconclusive} {
		for _, other := range c.Checks {
			switch {
			case other.Outcome != result:
			case other.Check == check:
				return c.Code
			case check == verifiers.CheckStatus:
				return verifiers.StatusUnavailable
			default: // only these two go on behind another's failure to know
				return verifiers.RegistryUnavailable
			}
		}
	}
	return c.Code
}

// conclude turns the checks into the outcome, as [verifiers.Decide] does.
func (d *decision) conclude() {
	v := &d.v
	for _, result := range [...]verifiers.Result{verifiers.Failed, verifiers.Inconclusive} {
		for _, check := range v.Checks {
			if check.Result == result && v.Code == "" {
				v.Code = check.Code
				if result == verifiers.Failed {
					v.Outcome = verifiers.Invalid
				}
			}
		}
	}
	if v.Code == "" && v.Wants == verifiers.WantNothing && d.c.Claims != nil && d.c.Claims.Verdict == verifiers.Valid {
		v.Outcome, v.Code, v.ValidUntil = verifiers.Valid, verifiers.OK, d.ends
		return
	}
	v.ValidUntil = d.c.Now.Add(d.c.Policy.MaxAge)
}

func (d *decision) end(t time.Time) {
	if d.ends.IsZero() || t.Before(d.ends) {
		d.ends = t
	}
}
