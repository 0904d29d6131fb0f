package config

import (
	"time"

	"tongyan/keys"
)

// Freshness is the section freshness: how old a registry's word may be. Both
// are the ceilings of what callers may ask for and what counts where they name
// nothing (contract §6.1).
type Freshness struct {
	// MaxAge (max_age): an older standing is asked for again. Default 5m; 0s
	// asks the registry every time.
	MaxAge time.Duration

	// StaleIfError (stale_if_error): where the registry cannot be had, a
	// standing younger than MaxAge + StaleIfError still counts, with a warning.
	// Default 1h; 0s: none does.
	StaleIfError time.Duration
}

func readFreshness(v value) Freshness {
	o := v.object()
	defer o.done()
	return Freshness{
		MaxAge:       o.get("max_age").duration(5*time.Minute, 0, long),
		StaleIfError: o.get("stale_if_error").duration(time.Hour, 0, long),
	}
}

// A StatusPolicy says what the status list of a credential counts for.
type StatusPolicy string

// The status policies.
const (
	StatusIfPresent         StatusPolicy = "if-present"          // checked where the credential names one
	StatusRequired          StatusPolicy = "required"            // a credential without one is STATUS_MISSING
	StatusInsteadOfRegistry StatusPolicy = "instead-of-registry" // a good fresh one spares the registry (contract §10)
)

// Policy is the section policy.
type Policy struct {
	// ClockSkew (clock_skew) is how far an issuer's clock may be off. Default
	// 60s, at most 1h; 0s: not at all.
	ClockSkew time.Duration

	// Anonymous (anonymous) are the scopes of who shows neither key nor
	// certificate. Default none: such a request is 401.
	Anonymous []Scope

	// Status (status) is if-present, required or instead-of-registry. Default
	// if-present.
	Status StatusPolicy

	// StatusByIssuer (status_by_issuer) overrides Status for single issuers,
	// by their iss, byte for byte.
	StatusByIssuer map[keys.Issuer]StatusPolicy
}

func readPolicy(v value) Policy {
	o := v.object()
	defer o.done()
	p := Policy{
		ClockSkew:      o.get("clock_skew").duration(time.Minute, 0, time.Hour),
		Anonymous:      readScopes(o.get("anonymous")),
		Status:         readStatus(o.get("status")),
		StatusByIssuer: map[keys.Issuer]StatusPolicy{},
	}
	o.get("status_by_issuer").object().each(func(iss string, entry value) {
		p.StatusByIssuer[keys.Issuer(iss)] = readStatus(entry)
	})
	return p
}

func readStatus(v value) StatusPolicy {
	return oneOf(v, StatusIfPresent, StatusRequired, StatusInsteadOfRegistry)
}

// Limits is the section limits: what the gateway takes on at most.
type Limits struct {
	// MaxBody (max_body) is the largest request, and in a batch the largest
	// line, in bytes. Default 8MiB, from 1KiB to 1GiB. Past it: 413.
	MaxBody int64

	// MaxInFlight (max_in_flight) is how many requests are worked on at once.
	// Default 512, from 1 to 1048576. Past it: 503 with Retry-After.
	MaxInFlight int
}

func readLimits(v value) Limits {
	o := v.object()
	defer o.done()
	return Limits{
		MaxBody:     o.get("max_body").size(8<<20, 1<<10, 1<<30),
		MaxInFlight: o.get("max_in_flight").integer(512, 1, 1<<20),
	}
}
