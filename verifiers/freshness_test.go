package verifiers_test

import (
	"testing"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/testworld"
)

const far = 1<<63 - 1

// SPEC: contract §6.1 "A standing older than max_age is refreshed; if the
// registry cannot be had, one younger than max_age + stale_if_error still
// counts (source stale, warning STANDING_STALE), else the check is inconclusive."
func TestFreshness(t *testing.T) {
	w := testworld.New(t)
	minute, hour := time.Minute, time.Hour
	for _, tt := range []struct {
		name   string
		word   string
		ago    time.Duration
		live   bool
		sought bool
		bounds verifiers.Bounds
		source verifiers.Source // "": none could be used
		wants  bool
	}{
		{name: "live", word: "1", live: true, sought: true, bounds: allowed, source: verifiers.Live},
		{name: "live, nothing else is allowed", word: "1", live: true, sought: true, source: verifiers.Live},
		{name: "live, answered after a while", word: "1", ago: time.Second, live: true, sought: true, source: verifiers.Live},
		{name: "new enough", word: "1", ago: minute, bounds: allowed, source: verifiers.Cache},
		{name: "at the bound", word: "1", ago: 5 * minute, bounds: allowed, source: verifiers.Cache},
		{name: "past the bound", word: "1", ago: 5*minute + 1, bounds: allowed, wants: true},
		{name: "past the bound, registry gone", word: "1", ago: 5*minute + 1, sought: true, bounds: allowed, source: verifiers.Stale},
		{name: "at the end of stale-if-error", word: "1", ago: 5*minute + hour, sought: true, bounds: allowed, source: verifiers.Stale},
		{name: "past stale-if-error", word: "1", ago: 5*minute + hour + 1, sought: true, bounds: allowed},
		{name: "no-cache", word: "1", ago: time.Second, wants: true},
		{name: "no-cache, kept this very moment", word: "1", wants: true},
		{name: "no-cache, kept by a gateway whose clock is ahead", word: "1", ago: -4 * time.Second, wants: true},
		{name: "no-cache, registry gone", word: "1", ago: time.Second, sought: true},
		{name: "no-cache with stale-if-error, registry gone", word: "1", ago: time.Second, sought: true, bounds: verifiers.Bounds{StaleIfError: minute}, source: verifiers.Stale},
		{name: "only-if-cached, new enough", word: "1", ago: minute, bounds: verifiers.Bounds{MaxAge: 5 * minute, OnlyIfCached: true}, source: verifiers.Cache},
		{name: "only-if-cached, within stale-if-error", word: "1", ago: 10 * minute, sought: true, bounds: verifiers.Bounds{MaxAge: 5 * minute, StaleIfError: hour, OnlyIfCached: true}, source: verifiers.Stale},
		{name: "only-if-cached, too old", word: "1", ago: 10 * minute, sought: true, bounds: verifiers.Bounds{MaxAge: 5 * minute, OnlyIfCached: true}},
		{name: "negative, within its time", word: "none", ago: minute, bounds: allowed, source: verifiers.Cache},
		{name: "negative, past its time", word: "none", ago: minute + 1, bounds: allowed, wants: true},
		{name: "negative never serves stale", word: "none", ago: minute + 1, sought: true, bounds: allowed},
		{name: "negative, past a shorter max-age", word: "none", ago: 30 * time.Second, bounds: verifiers.Bounds{MaxAge: 10 * time.Second}, wants: true},
		{name: "negative, live", word: "none", live: true, sought: true, source: verifiers.Live},
		{name: "a clock a little ahead", word: "1", ago: -4 * time.Second, bounds: allowed, source: verifiers.Cache},
		{name: "from the future", word: "1", ago: -6 * time.Second, bounds: allowed, wants: true},
		{name: "from the future, registry gone", word: "1", ago: -6 * time.Second, sought: true, bounds: allowed},
		{name: "from the far future, bounds as wide as can be", word: "1", ago: -far / 4, sought: true, bounds: verifiers.Bounds{MaxAge: far / 2, StaleIfError: far / 4}},
		{name: "from the future, a bound below zero", word: "1", ago: -hour, sought: true, bounds: verifiers.Bounds{MaxAge: -1, StaleIfError: far}},
		{name: "bounds whose sum is too large", word: "1", ago: hour, sought: true, bounds: verifiers.Bounds{MaxAge: far, StaleIfError: far}, source: verifiers.Cache},
		{name: "never asked", word: "unmapped", ago: now.Sub(time.Unix(0, 0)), sought: true, bounds: allowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodCase(t, w)
			c.Bounds = tt.bounds
			c.Standing = verifiers.StandingEvidence{Sought: tt.sought, Live: tt.live, Standing: asked(tt.word, tt.ago)}
			v := verifiers.Decide(&c)
			wellFormed(t, v)
			if v.Source != tt.source || (v.Wants == verifiers.WantStanding) != tt.wants {
				t.Fatalf("source %q, wants %d, want %q and wanted %v: %v %s", v.Source, v.Wants, tt.source, tt.wants, v.Outcome, v.Code)
			}
			if tt.source == "" {
				if v.Code != verifiers.RegistryUnavailable || v.Outcome != verifiers.Indeterminate || !v.AsOf.IsZero() || v.Age != 0 {
					t.Errorf("%v %s, as of %v, age %v, beside no usable standing", v.Outcome, v.Code, v.AsOf, v.Age)
				}
				return
			}
			if want := max(0, tt.ago); v.Age != want || !v.AsOf.Equal(now.Add(-tt.ago)) {
				t.Errorf("age %v as of %v, want %v", v.Age, v.AsOf, want)
			}
			stale := len(v.Warnings) == 1 && v.Warnings[0] == verifiers.WarnStandingStale
			if stale != (tt.source == verifiers.Stale) {
				t.Errorf("source %s with warnings %v", v.Source, v.Warnings)
			}
		})
	}
}

// SPEC: contract §6.1 "valid_until: the earliest end of any evidence used", and
// §10 "of any verdict but VALID: verified_at + configured max_age".
func TestValidUntil(t *testing.T) {
	w := testworld.New(t)
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	listed := func(c *verifiers.Case, ends time.Time) {
		edit(c, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{URI: testworld.StatusPrefix + "1"} })
		c.Status = verifiers.StatusEvidence{Sought: true, Had: true, Ends: ends}
	}
	for _, tt := range []struct {
		name   string
		change func(*verifiers.Case)
		want   time.Time
	}{
		{"standing", func(*verifiers.Case) {}, now.Add(5 * time.Minute)},
		{"standing by a shorter bound", func(c *verifiers.Case) { c.Bounds.MaxAge = time.Minute }, now.Add(time.Minute)},
		{"kept standing", func(c *verifiers.Case) {
			c.Standing = verifiers.StandingEvidence{Standing: asked("1", 2*time.Minute)}
		}, now.Add(3 * time.Minute)},
		{"stale standing", func(c *verifiers.Case) {
			c.Standing = verifiers.StandingEvidence{Sought: true, Standing: asked("1", 10*time.Minute)}
		}, now.Add(55 * time.Minute)},
		{"credential", func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.Expires = now.Unix() + 7 }) }, at(now.Unix() + 7)},
		{"trust list", func(c *verifiers.Case) {
			w := testworld.New(t)
			l := *w.List
			l.Expires = now.Add(8 * time.Second)
			w.Book.SetList(&l)
			c.Trust = w.Book.Current()
		}, now.Add(8 * time.Second)},
		{"status list", func(c *verifiers.Case) { listed(c, now.Add(9*time.Second)) }, now.Add(9 * time.Second)},
		{"later status list", func(c *verifiers.Case) { listed(c, now.Add(9*time.Hour)) }, now.Add(5 * time.Minute)},
		{"INVALID", func(c *verifiers.Case) {
			c.Bounds.MaxAge = time.Second
			c.Standing.Standing = asked("4", 0)
		}, now.Add(5 * time.Minute)},
		{"INDETERMINATE", func(c *verifiers.Case) {
			c.Bounds.MaxAge = time.Second
			c.Standing = verifiers.StandingEvidence{Sought: true}
		}, now.Add(5 * time.Minute)},
		{"unreadable", func(c *verifiers.Case) { c.Finding, c.Fault = nil, verifiers.FormatMalformed }, now.Add(5 * time.Minute)},
	} {
		c := goodCase(t, w)
		tt.change(&c)
		if v := verifiers.Decide(&c); !v.ValidUntil.Equal(tt.want) {
			t.Errorf("%s: until %v, want %v (%s)", tt.name, v.ValidUntil, tt.want, v.Code)
		}
	}
}

// SPEC: contract §6.1 "The gateway's configured ceilings hold too: the stricter wins."
func TestWithin(t *testing.T) {
	wide := verifiers.Bounds{MaxAge: time.Hour, StaleIfError: 2 * time.Hour}
	narrow := verifiers.Bounds{MaxAge: time.Minute, StaleIfError: 3 * time.Hour, OnlyIfCached: true}
	want := verifiers.Bounds{MaxAge: time.Minute, StaleIfError: 2 * time.Hour, OnlyIfCached: true}
	if a, b := wide.Within(narrow), narrow.Within(wide); a != want || b != want {
		t.Errorf("%+v and %+v, want %+v", a, b, want)
	}
}
