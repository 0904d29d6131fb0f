package verifiers

import (
	"errors"
	"fmt"
	"time"

	"tongyan/keys"
	"tongyan/verifiers/licence"
)

// A StandingKey names the licence a standing is about: a credit code, in the
// registry of one province. The issuer decides which, never the code.
type StandingKey struct {
	Province keys.ProvinceCode
	USCC     licence.USCC
}

// An Answer is what kind of thing a registry said.
type Answer uint8

// The zero Answer is none, and acquits and condemns nobody.
const (
	NoAnswer Answer = iota
	Registered
	NotRegistered // the registry knows no such licence: an answer, not a fault
)

// A Standing is what a registry said about a licence at a moment. It names the
// licence itself, so that no store can pass one licence's off as another's.
type Standing struct {
	Key      StandingKey
	Answer   Answer
	State    licence.RegState // "" where the registry's word is not mapped
	Entname  string           // "" where the registry did not say
	Apprdate licence.Date     // "" where the registry did not say
	AsOf     time.Time        // of which moment the registry speaks
	AskedAt  time.Time        // when we began to ask; age counts from here
}

// Age returns how long ago the registry was asked. A standing from the future
// (a store, or another gateway's clock, that lies) has an age beyond every bound.
func (s *Standing) Age(now time.Time) time.Duration {
	age := now.Sub(s.AskedAt)
	switch {
	case age >= 0:
		return age
	case age > -maxClockError:
		return 0
	}
	return never
}

const (
	// maxClockError is how far the clocks of two gateways may differ.
	maxClockError = 5 * time.Second
	// never is an age that no bound allows.
	never = time.Duration(1<<63 - 1)
)

// Bounds say how old a standing may be. The zero Bounds allow only a live one.
type Bounds struct {
	// MaxAge: a standing older than this is asked for again.
	MaxAge time.Duration
	// StaleIfError: by how much it may be older still where the registry
	// cannot be had (RFC 5861 §4).
	StaleIfError time.Duration
	// OnlyIfCached: the registry is not asked (RFC 9111 §5.2.1.7).
	OnlyIfCached bool
}

// Within returns the stricter of two bounds, member by member.
func (b Bounds) Within(ceiling Bounds) Bounds {
	return Bounds{
		MaxAge:       min(b.MaxAge, ceiling.MaxAge),
		StaleIfError: min(b.StaleIfError, ceiling.StaleIfError),
		OnlyIfCached: b.OnlyIfCached || ceiling.OnlyIfCached,
	}
}

// Fresh reports whether a kept standing may be used without asking again.
// negative bounds answers of "no such licence" besides (registry.negative_ttl).
func (b Bounds) Fresh(s *Standing, negative time.Duration, now time.Time) bool {
	life := b.MaxAge
	switch s.Answer {
	case Registered:
	case NotRegistered:
		life = min(life, negative)
	default:
		return false
	}
	age := s.Age(now)
	// A bound of nothing allows nothing: by a clock that is ahead, a standing
	// can have no age and be kept all the same.
	return life > 0 && age != never && age <= life
}

// Usable reports whether a kept standing may be used where the registry cannot
// be had. An answer of "no such licence" does not outlive its own bound: the
// company may have been registered since.
func (b Bounds) Usable(s *Standing, negative time.Duration, now time.Time) bool {
	if b.Fresh(s, negative, now) {
		return true
	}
	age := s.Age(now)
	// Written as a difference: the sum of two large bounds would overflow.
	return s.Answer == Registered && age != never && age-b.MaxAge <= b.StaleIfError
}

// ErrUnavailable is wrapped by every error of who was asked for a standing and
// could not get one: no answer within the time, a fault, an open breaker, no
// place in the queue. It is never read as "revoked", nor as "valid".
var ErrUnavailable = errors.New("registry unavailable")

// An UnavailableError says why no standing could be had.
type UnavailableError struct {
	Reason     string        // from a closed set, for metrics
	RetryAfter time.Duration // when trying again may help; 0 is not known
	Err        error         // the cause, nil where Reason says all
}

func (e *UnavailableError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("registry unavailable: %s", e.Reason)
	}
	return fmt.Sprintf("registry unavailable: %s: %v", e.Reason, e.Err)
}

// Is makes an UnavailableError an ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }
