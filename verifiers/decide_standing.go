package verifiers

import (
	"time"

	"tongyan/verifiers/licence"
)

// The two checks that ask how the licence stands now: by status list, and in
// the registry.

func (d *decision) statusPolicy() StatusPolicy { return d.c.Policy.StatusOf(d.c.Finding.Issuer) }

func (d *decision) status() Checked {
	ref, answer := d.c.Finding.Status, d.c.Status
	switch {
	case ref == nil && d.statusPolicy() == StatusRequired:
		return Checked{Failed, StatusMissing}
	case ref == nil:
		return Checked{}
	case ref.Unsupported():
		return Checked{Inconclusive, StatusUnavailable}
	// Nothing but the trust list's prefixes is fetched because a credential
	// names it.
	case ref.Malformed || !d.v.Authority.MayFetchStatus(ref.URI):
		return Checked{Failed, StatusReferenceInvalid}
	case !answer.Sought:
		d.v.Wants = WantStatus
		return Checked{Inconclusive, StatusUnavailable}
	// A list that has ended is none, whoever kept it: neither good nor bad.
	case !answer.Had || !d.c.Now.Before(answer.Ends):
		return Checked{Inconclusive, StatusUnavailable}
	case answer.Outside:
		return Checked{Failed, StatusReferenceInvalid}
	}
	switch answer.Value {
	case 0:
		d.end(answer.Ends)
		return passed
	case 1:
		return Checked{Failed, StatusRevoked}
	case 2:
		return Checked{Failed, StatusSuspended}
	}
	return Checked{Failed, StatusNotValid}
}

func (d *decision) registry() Checked {
	if d.v.Checks[CheckStatus].Result == Passed && d.statusPolicy() == StatusInsteadOfRegistry {
		return Checked{}
	}
	c, s := d.c, &d.c.Standing.Standing
	// A standing about another licence is none, whoever supplied it.
	about := s.Answer != NoAnswer && s.Key == d.standingKey()
	fresh := about && (c.Standing.Live || c.Bounds.Fresh(s, c.Policy.NegativeTTL, c.Now))
	switch {
	case fresh:
		d.v.Source = Cache
		if c.Standing.Live {
			d.v.Source = Live
		}
	case !c.Standing.Sought:
		d.v.Wants = WantStanding
		return Checked{Inconclusive, RegistryUnavailable}
	case about && c.Bounds.Usable(s, c.Policy.NegativeTTL, c.Now):
		d.v.Source = Stale
	default:
		return Checked{Inconclusive, RegistryUnavailable}
	}
	d.v.AsOf, d.v.Age = s.AsOf, s.Age(c.Now)
	d.end(d.standingEnds(s))
	return d.registration(s)
}

// standingKey names the licence this case is about. The issuer decides which
// registry answers for it, the code's own digits never do.
func (d *decision) standingKey() StandingKey {
	return StandingKey{Province: d.v.Province.Code, USCC: licence.USCC(d.c.Finding.Licence.Uniscid)}
}

func (d *decision) standingEnds(s *Standing) time.Time {
	life := d.c.Bounds.MaxAge
	if d.v.Source == Stale {
		life += d.c.Bounds.StaleIfError
	}
	return s.AskedAt.Add(life)
}

// registration reads what the register says of the licence.
func (d *decision) registration(s *Standing) Checked {
	if got := s.Checked(); got.Result != Passed {
		return got
	}
	if s.Apprdate > d.c.Finding.Licence.Apprdate {
		return Checked{Failed, LicenceSuperseded}
	}
	return passed
}

// Checked returns what the register's word alone means for the check
// "registry": an answer that there is no such licence, or the registration state.
func (s *Standing) Checked() Checked {
	if s.Answer == NotRegistered {
		return Checked{Failed, RegistrationNotFound}
	}
	if s.Answer != Registered {
		return Checked{Inconclusive, RegistryUnavailable}
	}
	switch s.State {
	case "1":
		return passed
	case "2", "3":
		return Checked{Failed, RegistrationRevoked}
	case "4":
		return Checked{Failed, RegistrationCancelled}
	case "5":
		return Checked{Failed, RegistrationAnnulled}
	case "6":
		return Checked{Failed, RegistrationMoved}
	}
	return Checked{Inconclusive, RegistrationStateUnknown}
}
