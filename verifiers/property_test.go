package verifiers_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/testworld"
)

// draw makes cases of every kind: each piece of evidence good, bad, old, about
// another licence, or not there.
func draw(rt *rapid.T, w *testworld.World, good verifiers.Case) verifiers.Case {
	c := good
	pick := func(name string, of ...func()) { rapid.SampledFrom(of).Draw(rt, name)() }
	nothing := func() {}
	fault := rapid.SampledFrom([]verifiers.Code{"", "", "", "", "", verifiers.FormatMalformed, verifiers.ClaimInvalid}).Draw(rt, "fault")
	c.Fault = fault
	credential(rt, &c)
	c.Bounds = verifiers.Bounds{MaxAge: age().Draw(rt, "max age"), StaleIfError: age().Draw(rt, "stale if error"), OnlyIfCached: rapid.Bool().Draw(rt, "only if cached")}
	c.Policy.NegativeTTL = age().Draw(rt, "negative ttl")
	c.Policy.Status = rapid.SampledFrom([]verifiers.StatusPolicy{0, 0, 1, 2}).Draw(rt, "status policy")
	c.KeysSought = rapid.Bool().Draw(rt, "keys sought")
	if rapid.Bool().Draw(rt, "refuted") {
		c.Refuted = w.Key("sh").Public().Thumbprint()
	}
	c.Holder = verifiers.HolderEvidence{Expected: rapid.Bool().Draw(rt, "holder"), Sought: rapid.Bool().Draw(rt, "holder sought")}
	pick("holder fault", nothing, nothing, func() { c.Holder.Fault = verifiers.HolderProofInvalid })
	c.Status = verifiers.StatusEvidence{
		Sought: rapid.Bool().Draw(rt, "status sought"), Had: rapid.Bool().Draw(rt, "list"), Outside: rapid.Bool().Draw(rt, "outside"),
		Value: rapid.SampledFrom([]uint8{0, 0, 1, 2, 3}).Draw(rt, "value"), Ends: now.Add(age().Draw(rt, "list ends") - time.Minute),
	}
	c.Standing = verifiers.StandingEvidence{Sought: rapid.Bool().Draw(rt, "asked"), Live: rapid.Bool().Draw(rt, "live")}
	pick("standing", nothing, func() {
		word := rapid.SampledFrom([]string{"1", "1", "1", "2", "4", "9", "none", "1 2030-01-01"}).Draw(rt, "word")
		c.Standing.Standing = asked(word, age().Draw(rt, "asked ago"))
	})
	pick("about", nothing, nothing, func() { c.Standing.Standing.Key.USCC = "91310115MA1TEQ0100" })
	pick("trust", nothing, nothing, func() { c.Trust = new(keys.Snapshot) })
	return c
}

// credential changes up to three things that somebody who writes credentials
// chooses; of more, hardly one would ever be good.
func credential(rt *rapid.T, c *verifiers.Case) {
	changes := []func(*verifiers.Finding){
		func(f *verifiers.Finding) {
			f.Issuer = rapid.SampledFrom([]keys.Issuer{testworld.Jiangsu, testworld.Anhui, testworld.Fujian, testworld.OtherType, "nobody"}).Draw(rt, "iss")
		},
		func(f *verifiers.Finding) {
			f.Algorithm = rapid.SampledFrom([]string{"SM2", "none", "EdDSA", ""}).Draw(rt, "alg")
		},
		func(f *verifiers.Finding) {
			f.KeyID = rapid.SampledFrom([]keys.KeyID{"shared", "ah-1", "sh-window", "sh-own", "nobody", ""}).Draw(rt, "kid")
		},
		func(f *verifiers.Finding) { f.Key = "" },
		func(f *verifiers.Finding) {
			f.IssuedAt = rapid.SampledFrom([]int64{0, testworld.WindowFrom, now.Unix() + 3600}).Draw(rt, "iat")
		},
		func(f *verifiers.Finding) { f.NotBefore = now.Unix() + rapid.Int64Range(-99, 99).Draw(rt, "nbf") },
		func(f *verifiers.Finding) { f.Expires = now.Unix() + rapid.Int64Range(-99, 99).Draw(rt, "exp") },
		func(f *verifiers.Finding) {
			f.Subject = rapid.SampledFrom([]string{"91310115MA1TEQ0100", ""}).Draw(rt, "sub")
			f.SubjectIn = rapid.Bool().Draw(rt, "sub stated")
		},
		func(f *verifiers.Finding) {
			f.Licence.Uniscid = rapid.SampledFrom([]string{"91310115MA1TEQ0100", "91350100M0001TGQXM", "", "x"}).Draw(rt, "uniscid")
		},
		func(f *verifiers.Finding) {
			f.Licence.Regorg = rapid.SampledFrom([]string{"320100", "", "31"}).Draw(rt, "regorg")
		},
		func(f *verifiers.Finding) {
			f.Licence.Apprdate = rapid.SampledFrom([]licence.Date{"", "9999-12-31"}).Draw(rt, "apprdate")
		},
		func(f *verifiers.Finding) { f.Licence.Opto, f.Licence.Perpetual = "2001-01-01", false },
		func(f *verifiers.Finding) {
			f.Status = rapid.SampledFrom([]*verifiers.StatusRef{{URI: testworld.StatusPrefix + "1"}, {URI: "https://evil.example/1"}, {Malformed: true}}).Draw(rt, "status")
		},
	}
	for range rapid.IntRange(0, 3).Draw(rt, "changes") {
		edit(c, changes[rapid.IntRange(0, len(changes)-1).Draw(rt, "change")])
	}
}

func age() *rapid.Generator[time.Duration] {
	return rapid.SampledFrom([]time.Duration{-time.Hour, -6 * time.Second, -time.Second, 0, 1, time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour, far})
}

func TestDecideProperties(t *testing.T) {
	w := testworld.New(t)
	good := goodCase(t, w)
	rapid.Check(t, func(rt *rapid.T) {
		c := draw(rt, w, good)
		before := c
		v := verifiers.Decide(&c)
		wellFormed(t, v)
		if again := verifiers.Decide(&before); !reflect.DeepEqual(v, again) {
			rt.Fatalf("not one answer for one case: %v and %v", v, again)
		}
		if v.Outcome == verifiers.Valid && v.ValidUntil.IsZero() {
			rt.Fatal("valid for ever")
		}
		lessEvidence(rt, c, v)
		otherLicence(rt, c, v)
		olderStanding(rt, c, v)
		wanted(rt, c, v)
	})
}

// lessEvidence: taking evidence away never makes a verdict VALID.
func lessEvidence(rt *rapid.T, c verifiers.Case, v verifiers.Verdict) {
	if v.Outcome == verifiers.Valid {
		return
	}
	for name, take := range map[string]func(*verifiers.Case){
		"finding":  func(c *verifiers.Case) { c.Finding = nil },
		"proof":    func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.Key = "" }) },
		"trust":    func(c *verifiers.Case) { c.Trust = nil },
		"keys":     func(c *verifiers.Case) { c.KeysSought = false },
		"standing": func(c *verifiers.Case) { c.Standing.Standing = verifiers.Standing{} },
		"live":     func(c *verifiers.Case) { c.Standing.Live = false },
		"asked":    func(c *verifiers.Case) { c.Standing.Sought = false },
		"list":     func(c *verifiers.Case) { c.Status.Had = false },
		"sought":   func(c *verifiers.Case) { c.Status.Sought = false },
		"holder":   func(c *verifiers.Case) { c.Holder.Sought = false },
	} {
		less := c
		take(&less)
		if got := verifiers.Decide(&less); got.Outcome == verifiers.Valid {
			rt.Fatalf("without %s %v %s became VALID", name, v.Outcome, v.Code)
		}
	}
}

// otherLicence: a standing about another licence counts like none.
func otherLicence(rt *rapid.T, c verifiers.Case, v verifiers.Verdict) {
	if c.Finding == nil || c.Standing.Standing.Answer == verifiers.NoAnswer {
		return
	}
	other, none := c, c
	other.Standing.Standing.Key = verifiers.StandingKey{Province: "370000", USCC: "91370000MA1TEQ0100"}
	none.Standing.Standing = verifiers.Standing{}
	if a, b := verifiers.Decide(&other), verifiers.Decide(&none); !reflect.DeepEqual(a, b) {
		rt.Fatalf("a standing of another licence counted: %v %s, without it %v %s", a.Outcome, a.Code, b.Outcome, b.Code)
	}
}

// olderStanding: a standing that grows older never turns INVALID into VALID,
// nor does anything but VALID become VALID by it.
func olderStanding(rt *rapid.T, c verifiers.Case, v verifiers.Verdict) {
	older := c
	older.Standing.Live = false
	older.Standing.Standing.AskedAt = older.Standing.Standing.AskedAt.Add(-age().Filter(func(d time.Duration) bool { return d >= 0 && d < far }).Draw(rt, "older by"))
	got := verifiers.Decide(&older)
	if got.Outcome == verifiers.Valid && v.Outcome != verifiers.Valid && c.Standing.Standing.AskedAt.Before(now) {
		rt.Fatalf("%v %s became VALID by a standing that is older", v.Outcome, v.Code)
	}
	if got.Outcome == verifiers.Invalid && v.Outcome == verifiers.Valid {
		rt.Fatal("a standing that grew older condemned")
	}
}

// wanted: what is wanted can be given, and whoever marks everything as sought
// gets a final verdict.
func wanted(rt *rapid.T, c verifiers.Case, v verifiers.Verdict) {
	if v.Wants != verifiers.WantNothing && v.Outcome != verifiers.Indeterminate {
		rt.Fatalf("%v %s, and still wants %d", v.Outcome, v.Code, v.Wants)
	}
	c.KeysSought, c.Holder.Sought, c.Status.Sought, c.Standing.Sought = true, true, true, true
	if got := verifiers.Decide(&c); got.Wants != verifiers.WantNothing && got.Wants != verifiers.WantSignature {
		rt.Fatalf("everything was sought, and %d is wanted again", got.Wants)
	}
}

// SPEC: contract §1 "No input an attacker can choose moves a verdict from
// INVALID to INDETERMINATE". Here all dependencies answer, so whatever the
// credential says the verdict is VALID or INVALID.
func TestNoCredentialIsInconclusive(t *testing.T) {
	w := testworld.New(t)
	good := goodCase(t, w)
	seen := map[verifiers.Outcome]int{}
	rapid.Check(t, func(rt *rapid.T) {
		c := good
		credential(rt, &c)
		c.Bounds.MaxAge = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(rt, "max age")
		c.Policy.Status = rapid.SampledFrom([]verifiers.StatusPolicy{0, 1, 2}).Draw(rt, "status policy")
		c.Status = verifiers.StatusEvidence{Sought: true, Had: true, Value: rapid.SampledFrom([]uint8{0, 1}).Draw(rt, "value"), Ends: now.Add(time.Hour)}
		// Whichever licence is named, its registry answers.
		word := rapid.SampledFrom([]string{"1", "4", "none"}).Draw(rt, "word")
		v := verifiers.Decide(&c)
		if v.Wants == verifiers.WantSignature {
			// A signature that nobody has looked at: it is wrong.
			c.Refuted = v.Ask.Thumbprint()
			v = verifiers.Decide(&c)
		}
		if v.Province != nil {
			s := asked(word, 0)
			s.Key = verifiers.StandingKey{Province: v.Province.Code, USCC: licence.USCC(c.Finding.Licence.Uniscid)}
			c.Standing = verifiers.StandingEvidence{Sought: true, Live: true, Standing: s}
			v = verifiers.Decide(&c)
		}
		if v.Outcome == verifiers.Indeterminate {
			rt.Fatalf("INDETERMINATE %s, though everything answers", v.Code)
		}
		if c.Finding.Key == "" && v.Outcome != verifiers.Invalid {
			rt.Fatalf("%v %s without a good signature", v.Outcome, v.Code)
		}
		seen[v.Outcome]++
	})
	if seen[verifiers.Valid] == 0 || seen[verifiers.Invalid] == 0 {
		t.Errorf("only %v: the cases prove nothing", seen)
	}
}
