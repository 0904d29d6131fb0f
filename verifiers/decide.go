package verifiers

import (
	"time"

	"tongyan/keys"
	"tongyan/verifiers/licence"
)

// A Case is all the evidence that a verdict is worked out from. Its zero value
// decides INDETERMINATE.
type Case struct {
	// Finding is what the credential's bytes say; nil where it could not be
	// read, and then Fault is the reason.
	Finding *Finding
	Fault   Code

	Trust *keys.Snapshot
	// KeysSought: the issuer's key set was just renewed, or cannot be now.
	KeysSought bool

	// Refuted is the key under which the signature was found wrong. (The key
	// under which it was found good stands in the finding.)
	Refuted keys.Thumbprint

	Holder   HolderEvidence
	Status   StatusEvidence
	Standing StandingEvidence

	Bounds Bounds // what this caller accepts, ceilings included
	Policy Policy
	Now    time.Time
}

// A Policy is what the gateway's configuration says about verdicts.
type Policy struct {
	ClockSkew   time.Duration // by how much an issuer's clock may be off
	MaxAge      time.Duration // the ceiling of a standing's age
	NegativeTTL time.Duration // how long "no such licence" counts
	Status      StatusPolicy  // where StatusByIssuer says nothing
	// StatusByIssuer overrules Status.
	StatusByIssuer map[keys.Issuer]StatusPolicy
}

// StatusOf returns the status policy for an issuer.
func (p *Policy) StatusOf(iss keys.Issuer) StatusPolicy {
	if of, ok := p.StatusByIssuer[iss]; ok {
		return of
	}
	return p.Status
}

// A StatusPolicy says what a status list is to a verdict.
type StatusPolicy uint8

// The policies. The zero value is the default, if-present.
const (
	StatusIfPresent StatusPolicy = iota
	StatusRequired
	StatusInsteadOfRegistry
)

// HolderEvidence is what came of the holder's proof. Where neither the
// credential has one nor the caller expects one there is nothing to seek.
type HolderEvidence struct {
	Expected bool // there is a proof, or the caller requires one
	Sought   bool
	Fault    Code // HolderProofInvalid, HolderProofMissing; "" is a right proof
	Unbound  bool // right, but the caller did not say what to expect
}

// StatusEvidence is what came of the question to a status list.
type StatusEvidence struct {
	Sought  bool
	Had     bool // there is a list: Value and Ends count
	Outside bool // the index lies outside the list
	Value   uint8
	Ends    time.Time // when the list ends
}

// StandingEvidence is what came of the question to the registry.
type StandingEvidence struct {
	Sought   bool // asked, or not to be asked: nothing newer can be had
	Live     bool // Standing was given for this very question
	Standing Standing
}

// Decide works out the verdict. It is pure: the same case, the same verdict.
//
// It runs the checks in order and stops at the first that fails, or that lacks
// evidence which can be gathered; the verdict then says in Wants which, and is
// INDETERMINATE. A caller gathers it, marks it as sought, and decides again.
func Decide(c *Case) Verdict {
	d := decision{c: c}
	if c.Trust == nil {
		c.Trust = new(keys.Snapshot)
	}
	d.v.TrustVersion = c.Trust.Version()
	d.run()
	d.conclude()
	return d.v
}

type decision struct {
	c   *Case
	v   Verdict
	key *keys.Key
	// ends is the earliest end of the evidence so far.
	ends time.Time
}

// run runs the checks until one ends the work.
func (d *decision) run() {
	for check, step := range [checks]func(*decision) Checked{
		CheckFormat:    (*decision).format,
		CheckIssuer:    (*decision).issuer,
		CheckKey:       (*decision).keyCheck,
		CheckSignature: (*decision).signature,
		CheckValidity:  (*decision).validity,
		CheckSubject:   (*decision).subject,
		CheckHolder:    (*decision).holder,
		CheckStatus:    (*decision).status,
		CheckRegistry:  (*decision).registry,
	} {
		got := step(d)
		d.v.Checks[check] = got
		switch {
		case d.v.Wants != WantNothing, got.Result == Failed:
			return
		case got.Result == Inconclusive && Check(check) < CheckStatus:
			// Behind an unproven credential nothing can be trusted.
			return
		}
	}
}

// conclude turns the checks into the outcome: the AND of all of them.
func (d *decision) conclude() {
	v := &d.v
	if v.Checks[CheckSubject].Result == Passed {
		d.warn()
	}
	for _, result := range [...]Result{Failed, Inconclusive} {
		for _, check := range v.Checks {
			if check.Result == result && v.Code == "" {
				v.Code = check.Code
				if result == Failed {
					v.Outcome = Invalid
				}
			}
		}
	}
	if v.Code == "" && v.Wants == WantNothing && d.complete() {
		v.Outcome, v.Code = Valid, OK
		v.ValidUntil = d.ends
		return
	}
	v.ValidUntil = d.c.Now.Add(d.c.Policy.MaxAge)
}

// complete reports whether every check that a VALID verdict stands on has
// passed. It holds even if a check above were forgotten or reordered.
func (d *decision) complete() bool {
	for check := CheckFormat; check <= CheckSubject; check++ {
		if d.v.Checks[check].Result != Passed {
			return false
		}
	}
	registry, status := d.v.Checks[CheckRegistry].Result, d.v.Checks[CheckStatus].Result
	return registry == Passed || registry == Skipped && status == Passed && d.statusPolicy() == StatusInsteadOfRegistry
}

// end notes that some evidence ends at t.
func (d *decision) end(t time.Time) {
	if d.ends.IsZero() || t.Before(d.ends) {
		d.ends = t
	}
}

func (d *decision) format() Checked {
	switch {
	case d.c.Fault != "":
		return Checked{Failed, d.c.Fault}
	case d.c.Finding == nil:
		// Nobody read the credential: that is our fault, not the credential's.
		return Checked{Inconclusive, KeysUnavailable}
	}
	return passed
}

func (d *decision) issuer() Checked {
	c, f := d.c, d.c.Finding
	if c.Trust.Expired(c.Now) {
		return Checked{Inconclusive, TrustListExpired}
	}
	province, authority, ok := c.Trust.Issuer(f.Issuer)
	if !ok {
		return Checked{Failed, IssuerNotRecognised}
	}
	d.v.Province, d.v.Authority = province, authority
	d.end(c.Trust.Expires())
	if !province.Active {
		return Checked{Failed, IssuerSuspended}
	}
	if !authority.Covers(BusinessLicence, f.Licence.Regorg, f.IssuedAt) {
		return Checked{Failed, IssuerNotAuthorised}
	}
	return passed
}

func (d *decision) keyCheck() Checked {
	c, f := d.c, d.c.Finding
	alg, ok := keys.ParseAlgorithm(f.Algorithm)
	if !ok || !d.v.Authority.Allows(alg) {
		return Checked{Failed, AlgorithmNotAllowed}
	}
	key, found := c.Trust.Key(f.Issuer, f.KeyID, c.Now)
	if found != keys.Known {
		if !c.KeysSought {
			d.v.Wants = WantKeys
		}
		if found == keys.Missing && c.KeysSought {
			return Checked{Failed, KeyNotFound}
		}
		return Checked{Inconclusive, KeysUnavailable}
	}
	if !key.Fits(alg) {
		return Checked{Failed, AlgorithmNotAllowed}
	}
	if r, ok := c.Trust.Revocation(key); ok && r.Ends(f.IssuedAt) {
		return Checked{Failed, KeyRevoked}
	}
	if !key.Signs(f.IssuedAt) {
		return Checked{Failed, KeyOutsideWindow}
	}
	d.key = key
	return passed
}

func (d *decision) signature() Checked {
	switch d.key.Thumbprint() {
	case d.c.Finding.Key:
		d.v.Proven, d.v.Key = true, d.key.Thumbprint()
		return passed
	case d.c.Refuted:
		return Checked{Failed, SignatureInvalid}
	}
	d.v.Wants, d.v.Ask = WantSignature, d.key
	return Checked{Inconclusive, KeysUnavailable}
}

func (d *decision) validity() Checked {
	c, f := d.c, d.c.Finding
	now, skew := c.Now.Unix(), int64(c.Policy.ClockSkew/time.Second)
	switch {
	case f.NotBefore > now+skew:
		return Checked{Failed, NotYetValid}
	case f.Expires <= now-skew:
		return Checked{Failed, Expired}
	case f.IssuedAt > now+skew:
		return Checked{Failed, IssuedInFuture}
	}
	d.end(time.Unix(f.Expires, 0))
	return passed
}

func (d *decision) subject() Checked {
	f := d.c.Finding
	if _, err := licence.ParseUSCC(f.Licence.Uniscid); err != nil {
		return Checked{Failed, USCCInvalid}
	}
	if f.SubjectIn && f.Subject != f.Licence.Uniscid {
		return Checked{Failed, SubjectMismatch}
	}
	return passed
}

func (d *decision) holder() Checked {
	h := d.c.Holder
	switch {
	case !h.Expected:
		return Checked{}
	case !h.Sought:
		d.v.Wants = WantHolder
		return Checked{Inconclusive, HolderProofInvalid}
	case h.Fault != "":
		return Checked{Failed, h.Fault}
	}
	return passed
}

// warn lists the warnings about a credential whose subject is known.
func (d *decision) warn() {
	c, l := d.c, &d.c.Finding.Licence
	code := licence.USCC(l.Uniscid) // checked by subject
	standing := &c.Standing.Standing
	for _, w := range [...]struct {
		holds bool
		code  Code
	}{
		{code.Exception(), WarnUSCCException},
		{code.Division()[:2] != string(d.v.Province.Code)[:2], WarnRegionDiffers},
		{d.v.Source != "" && standing.Entname != "" && l.Entname != "" && !licence.SameText(standing.Entname, l.Entname), WarnNameDiffers},
		{l.Opto != "" && l.TermEnded(licence.Today(c.Now)), WarnTermEnded},
		{d.v.Source == Stale, WarnStandingStale},
		{d.v.Checks[CheckHolder].Result == Passed && c.Holder.Unbound, WarnHolderProofUnbound},
	} {
		if w.holds {
			d.v.Warnings = append(d.v.Warnings, w.code)
		}
	}
}

var passed = Checked{Result: Passed}
