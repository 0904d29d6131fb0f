package receipt

import (
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// registry judges how the licence stands: by what this gateway knows, by what
// the receipt says, or by asking. The receipt failed nothing.
func (d *decision) registry() verifiers.Checked {
	c, said := d.c, d.c.Claims.Checks[verifiers.CheckRegistry].Outcome
	if said == verifiers.Skipped && d.c.Policy.StatusOf(d.c.Claims.Issuer) == verifiers.StatusInsteadOfRegistry &&
		d.c.Claims.passed(verifiers.CheckStatus) {
		return verifiers.Checked{}
	}
	theirs := d.theirs()
	ours := c.Standing.Standing
	about := ours.Answer != verifiers.NoAnswer && ours.Key == theirs.Key
	fits := func(s *verifiers.Standing) bool { return c.Bounds.Fresh(s, c.Policy.NegativeTTL, c.Now) }
	stands := said == verifiers.Passed
	switch {
	case about && c.Standing.Live:
		return d.judge(&ours, verifiers.Live)
	case about && fits(&ours) && !(stands && ours.AskedAt.Before(theirs.AskedAt)):
		return d.judge(&ours, verifiers.Cache)
	case stands && fits(&theirs):
		return d.take(&theirs, verifiers.Cache)
	case !c.Standing.Sought:
		d.v.Wants = verifiers.WantStanding
	case about && c.Bounds.Usable(&ours, c.Policy.NegativeTTL, c.Now) && !(stands && ours.AskedAt.Before(theirs.AskedAt)):
		return d.judge(&ours, verifiers.Stale)
	case stands && c.Bounds.Usable(&theirs, c.Policy.NegativeTTL, c.Now):
		return d.take(&theirs, verifiers.Stale)
	}
	return verifiers.Checked{Result: verifiers.Inconclusive, Code: verifiers.RegistryUnavailable}
}

// theirs is the standing behind a receipt that passed the registry. When the
// registry was asked is not stated: it was after the moment of which it spoke
// and before the receipt was signed, and the earlier of the two is the safe one.
func (d *decision) theirs() verifiers.Standing {
	key, _ := StandingKey(d.c.Claims, d.c.Trust)
	return verifiers.Standing{
		Key: key, Answer: verifiers.Registered, State: "1",
		AsOf: d.c.Claims.AsOf, AskedAt: d.c.Claims.evidence(),
	}
}

// evidence is the latest moment for which the receipt certainly speaks.
func (c *Claims) evidence() time.Time {
	if !c.AsOf.IsZero() && c.AsOf.Before(c.IssuedAt) {
		return c.AsOf
	}
	return c.IssuedAt
}

// take notes which standing the verdict stands on.
func (d *decision) take(s *verifiers.Standing, source verifiers.Source) verifiers.Checked {
	d.v.Source, d.v.AsOf, d.v.Age = source, s.AsOf, s.Age(d.c.Now)
	life := d.c.Bounds.MaxAge
	if source == verifiers.Stale {
		life += d.c.Bounds.StaleIfError
		d.v.Warnings = append(d.v.Warnings, verifiers.WarnStandingStale)
	}
	d.end(s.AskedAt.Add(life))
	return passed
}

// show notes the standing behind a receipt whose verdict is taken over as it is.
func (d *decision) show() {
	if d.c.Claims.AsOf.IsZero() {
		return
	}
	theirs, source := d.theirs(), verifiers.Cache
	if !d.c.Bounds.Fresh(&theirs, d.c.Policy.NegativeTTL, d.c.Now) {
		source = verifiers.Stale
	}
	d.take(&theirs, source)
}

// judge reads what the register says now of a licence that the receipt names.
func (d *decision) judge(s *verifiers.Standing, source verifiers.Source) verifiers.Checked {
	d.take(s, source)
	if got := s.Checked(); got.Result != verifiers.Passed {
		return got
	}
	claims := d.c.Claims
	switch {
	case claims.Verdict != verifiers.Valid && !claims.passed(verifiers.CheckRegistry):
		// Nobody ever compared this licence with the register, and without its
		// approval date we cannot.
		return verifiers.Checked{Result: verifiers.Inconclusive, Code: verifiers.RegistryUnavailable}
	case s.Apprdate != "" && s.Apprdate >= licence.Today(claims.evidence()):
		return verifiers.Checked{Result: verifiers.Failed, Code: verifiers.LicenceSuperseded}
	}
	return passed
}
