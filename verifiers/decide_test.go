package verifiers_test

import (
	"reflect"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/testworld"
)

// Each row of contract §5, reached by one change of a case that has no fault.
func TestEveryCode(t *testing.T) {
	w := testworld.New(t)
	type finding = verifiers.Finding
	claim := func(change func(*finding)) func(*verifiers.Case) {
		return func(c *verifiers.Case) { edit(c, change) }
	}
	registry := func(word string) func(*verifiers.Case) {
		return func(c *verifiers.Case) { c.Standing.Standing = asked(word, 0) }
	}
	status := func(e verifiers.StatusEvidence) func(*verifiers.Case) {
		return func(c *verifiers.Case) {
			e.Sought, e.Ends = true, now.Add(time.Hour)
			c.Status = e
			edit(c, func(f *finding) { f.Status = &verifiers.StatusRef{URI: testworld.StatusPrefix + "1", Index: 3} })
		}
	}
	ref := func(r verifiers.StatusRef) func(*verifiers.Case) {
		return claim(func(f *finding) { f.Status = &r })
	}
	signed := func(name, kid string, iat int64) func(*verifiers.Case) {
		return func(c *verifiers.Case) {
			f, ok := open(t, w.Mint(name, testworld.Header(string(w.Key(name).Algorithm()), kid), testworld.Claims().With("iat", iat))).Prove(w.Key(name).Public())
			if !ok {
				t.Fatal("does not verify")
			}
			c.Finding = f
		}
	}
	second := now.Unix()
	const (
		valid   = verifiers.Valid
		invalid = verifiers.Invalid
		unclear = verifiers.Indeterminate
	)
	for _, tt := range []struct {
		name   string
		change func(*verifiers.Case)
		want   verifiers.Outcome
		code   verifiers.Code
		check  verifiers.Check // where the code stands
	}{
		{"nothing wrong", func(*verifiers.Case) {}, valid, verifiers.OK, 0},
		{"unreadable", func(c *verifiers.Case) { c.Finding, c.Fault = nil, verifiers.ClaimMissing }, invalid, verifiers.ClaimMissing, verifiers.CheckFormat},
		{"a fault counts beside a finding", func(c *verifiers.Case) { c.Fault = verifiers.HeaderInvalid }, invalid, verifiers.HeaderInvalid, verifiers.CheckFormat},
		{"issuer unknown", claim(func(f *finding) { f.Issuer += "/" }), invalid, verifiers.IssuerNotRecognised, verifiers.CheckIssuer},
		{"issuer in capitals", claim(func(f *finding) { f.Issuer = "HTTPS://ebl.sh.example" }), invalid, verifiers.IssuerNotRecognised, verifiers.CheckIssuer},
		{"issuer suspended", claim(func(f *finding) { f.Issuer = testworld.Fujian }), invalid, verifiers.IssuerSuspended, verifiers.CheckIssuer},
		{"other type", claim(func(f *finding) { f.Issuer = testworld.OtherType }), invalid, verifiers.IssuerNotAuthorised, verifiers.CheckIssuer},
		{"other division", claim(func(f *finding) { f.Licence.Regorg = "320100" }), invalid, verifiers.IssuerNotAuthorised, verifiers.CheckIssuer},
		{"regorg hidden", claim(func(f *finding) { f.Licence.Regorg = "" }), invalid, verifiers.IssuerNotAuthorised, verifiers.CheckIssuer},
		{"iat after the issuer's time", claim(func(f *finding) { f.Issuer = testworld.Ended }), invalid, verifiers.IssuerNotAuthorised, verifiers.CheckIssuer},
		{"iat on the issuer's last second", claim(func(f *finding) { f.Issuer = testworld.Ended; f.IssuedAt = testworld.Issued - 1 }), valid, verifiers.OK, 0},
		{"iat before the issuer's time", claim(func(f *finding) { f.IssuedAt = 1600000000 - 1 }), invalid, verifiers.IssuerNotAuthorised, verifiers.CheckIssuer},
		{"trust list at its end", func(c *verifiers.Case) { c.Now = time.Unix(testworld.ListEnds, 0) }, unclear, verifiers.TrustListExpired, verifiers.CheckIssuer},
		{"no trust list", func(c *verifiers.Case) { c.Trust = nil }, unclear, verifiers.TrustListExpired, verifiers.CheckIssuer},

		{"no such key", claim(func(f *finding) { f.KeyID = "sh-2" }), invalid, verifiers.KeyNotFound, verifiers.CheckKey},
		{"another province's key", claim(func(f *finding) { f.KeyID = "js-1" }), invalid, verifiers.KeyNotFound, verifiers.CheckKey},
		{"compromised, issued before", signed("compromised", "sh-compromised", testworld.Issued), invalid, verifiers.KeyRevoked, verifiers.CheckKey},
		{"superseded, issued before", signed("superseded", "sh-superseded", testworld.Superseded-1), valid, verifiers.OK, 0},
		{"superseded, issued at", signed("superseded", "sh-superseded", testworld.Superseded), invalid, verifiers.KeyRevoked, verifiers.CheckKey},
		{"revoked in the key set", signed("own", "sh-own", testworld.Issued), invalid, verifiers.KeyRevoked, verifiers.CheckKey},
		{"before the window", signed("window", "sh-window", testworld.WindowFrom-1), invalid, verifiers.KeyOutsideWindow, verifiers.CheckKey},
		{"first of the window", signed("window", "sh-window", testworld.WindowFrom), valid, verifiers.OK, 0},
		{"end of the window", signed("window", "sh-window", testworld.WindowTo), invalid, verifiers.KeyOutsideWindow, verifiers.CheckKey},
		{"alg none", claim(func(f *finding) { f.Algorithm = "none" }), invalid, verifiers.AlgorithmNotAllowed, verifiers.CheckKey},
		{"alg in small letters", claim(func(f *finding) { f.Algorithm = "es256" }), invalid, verifiers.AlgorithmNotAllowed, verifiers.CheckKey},
		{"alg not for this issuer", claim(func(f *finding) { f.Algorithm, f.KeyID = "ES384", "sh-384" }), invalid, verifiers.AlgorithmNotAllowed, verifiers.CheckKey},
		{"alg does not fit the key", claim(func(f *finding) { f.Algorithm = "SM2" }), invalid, verifiers.AlgorithmNotAllowed, verifiers.CheckKey},
		{"alg before kid", claim(func(f *finding) { f.Algorithm, f.KeyID = "HS256", "nobody" }), invalid, verifiers.AlgorithmNotAllowed, verifiers.CheckKey},
		{"key set too old", func(c *verifiers.Case) {
			edit(c, func(f *finding) { f.Issuer, f.KeyID, f.Licence.Regorg = testworld.Anhui, "ah-1", "340100" })
			c.Now = now.Add(testworld.Terms.MaxStale + time.Second)
		}, unclear, verifiers.KeysUnavailable, verifiers.CheckKey},
		{"kid unknown to an old key set", func(c *verifiers.Case) {
			edit(c, func(f *finding) { f.Issuer, f.KeyID, f.Licence.Regorg = testworld.Anhui, "ah-2", "340100" })
			c.Now = now.Add(testworld.Terms.Refresh + time.Second)
		}, unclear, verifiers.KeysUnavailable, verifiers.CheckKey},
		{"kid unknown to a new key set", claim(func(f *finding) { f.Issuer, f.KeyID, f.Licence.Regorg = testworld.Anhui, "ah-2", "340100" }), invalid, verifiers.KeyNotFound, verifiers.CheckKey},

		{"signature wrong", func(c *verifiers.Case) {
			edit(c, func(f *finding) { f.Key = "" })
			c.Refuted = w.Key("sh").Public().Thumbprint()
		}, invalid, verifiers.SignatureInvalid, verifiers.CheckSignature},
		{"proven by another key, wrong under today's", func(c *verifiers.Case) {
			edit(c, func(f *finding) { f.Key = w.Key("stranger").Public().Thumbprint() })
			c.Refuted = w.Key("sh").Public().Thumbprint()
		}, invalid, verifiers.SignatureInvalid, verifiers.CheckSignature},

		{"nbf within the skew", claim(func(f *finding) { f.NotBefore = second + 60 }), valid, verifiers.OK, 0},
		{"nbf beyond the skew", claim(func(f *finding) { f.NotBefore = second + 61 }), invalid, verifiers.NotYetValid, verifiers.CheckValidity},
		{"exp within the skew", claim(func(f *finding) { f.Expires = second - 59 }), valid, verifiers.OK, 0},
		{"exp beyond the skew", claim(func(f *finding) { f.Expires = second - 60 }), invalid, verifiers.Expired, verifiers.CheckValidity},
		{"exp zero", claim(func(f *finding) { f.Expires = 0 }), invalid, verifiers.Expired, verifiers.CheckValidity},
		{"iat within the skew", claim(func(f *finding) { f.IssuedAt = second + 60 }), valid, verifiers.OK, 0},
		{"iat beyond the skew", claim(func(f *finding) { f.IssuedAt = second + 61 }), invalid, verifiers.IssuedInFuture, verifiers.CheckValidity},

		{"credit code", claim(func(f *finding) { f.Licence.Uniscid = "91310115MA1TEQ029X"; f.Subject = f.Licence.Uniscid }), invalid, verifiers.USCCInvalid, verifiers.CheckSubject},
		{"credit code empty", claim(func(f *finding) { f.Licence.Uniscid, f.Subject = "", "" }), invalid, verifiers.USCCInvalid, verifiers.CheckSubject},
		{"sub is another", claim(func(f *finding) { f.Subject = "91310115MA1TEQ0100" }), invalid, verifiers.SubjectMismatch, verifiers.CheckSubject},
		{"sub left out", claim(func(f *finding) { f.Subject, f.SubjectIn = "", false }), valid, verifiers.OK, 0},

		{"holder's proof wrong", func(c *verifiers.Case) {
			c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true, Fault: verifiers.HolderProofInvalid}
		}, invalid, verifiers.HolderProofInvalid, verifiers.CheckHolder},
		{"holder's proof missing", func(c *verifiers.Case) {
			c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true, Fault: verifiers.HolderProofMissing}
		}, invalid, verifiers.HolderProofMissing, verifiers.CheckHolder},
		{"holder's proof right", func(c *verifiers.Case) { c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true} }, valid, verifiers.OK, 0},

		{"status valid", status(verifiers.StatusEvidence{Had: true}), valid, verifiers.OK, 0},
		{"status revoked", status(verifiers.StatusEvidence{Had: true, Value: 1}), invalid, verifiers.StatusRevoked, verifiers.CheckStatus},
		{"status suspended", status(verifiers.StatusEvidence{Had: true, Value: 2}), invalid, verifiers.StatusSuspended, verifiers.CheckStatus},
		{"status 3", status(verifiers.StatusEvidence{Had: true, Value: 3}), invalid, verifiers.StatusNotValid, verifiers.CheckStatus},
		{"status 255", status(verifiers.StatusEvidence{Had: true, Value: 255}), invalid, verifiers.StatusNotValid, verifiers.CheckStatus},
		{"status outside the list", status(verifiers.StatusEvidence{Had: true, Outside: true}), invalid, verifiers.StatusReferenceInvalid, verifiers.CheckStatus},
		{"status unknown", status(verifiers.StatusEvidence{}), unclear, verifiers.StatusUnavailable, verifiers.CheckStatus},
		{"status list ended", func(c *verifiers.Case) {
			status(verifiers.StatusEvidence{Had: true})(c)
			c.Status.Ends = now
		}, unclear, verifiers.StatusUnavailable, verifiers.CheckStatus},
		{"status malformed", ref(verifiers.StatusRef{Malformed: true}), invalid, verifiers.StatusReferenceInvalid, verifiers.CheckStatus},
		{"status elsewhere", ref(verifiers.StatusRef{URI: "https://evil.example/status/1"}), invalid, verifiers.StatusReferenceInvalid, verifiers.CheckStatus},
		{"status prefix cut short", ref(verifiers.StatusRef{URI: "https://ebl.sh.example/statusx"}), invalid, verifiers.StatusReferenceInvalid, verifiers.CheckStatus},
		{"status of another kind", ref(verifiers.StatusRef{}), unclear, verifiers.StatusUnavailable, verifiers.CheckStatus},
		{"status required", func(c *verifiers.Case) { c.Policy.Status = verifiers.StatusRequired }, invalid, verifiers.StatusMissing, verifiers.CheckStatus},
		{"status required of this issuer", func(c *verifiers.Case) {
			c.Policy.StatusByIssuer = map[keys.Issuer]verifiers.StatusPolicy{testworld.Shanghai: verifiers.StatusRequired}
		}, invalid, verifiers.StatusMissing, verifiers.CheckStatus},
		{"status required of others", func(c *verifiers.Case) {
			c.Policy.Status = verifiers.StatusRequired
			c.Policy.StatusByIssuer = map[keys.Issuer]verifiers.StatusPolicy{testworld.Shanghai: verifiers.StatusIfPresent}
		}, valid, verifiers.OK, 0},

		{"state 2", registry("2"), invalid, verifiers.RegistrationRevoked, verifiers.CheckRegistry},
		{"state 3", registry("3"), invalid, verifiers.RegistrationRevoked, verifiers.CheckRegistry},
		{"state 4", registry("4"), invalid, verifiers.RegistrationCancelled, verifiers.CheckRegistry},
		{"state 5", registry("5"), invalid, verifiers.RegistrationAnnulled, verifiers.CheckRegistry},
		{"state 6", registry("6"), invalid, verifiers.RegistrationMoved, verifiers.CheckRegistry},
		{"state 9", registry("9"), unclear, verifiers.RegistrationStateUnknown, verifiers.CheckRegistry},
		{"state unmapped", registry("unmapped"), unclear, verifiers.RegistrationStateUnknown, verifiers.CheckRegistry},
		{"state 0", registry("0"), unclear, verifiers.RegistrationStateUnknown, verifiers.CheckRegistry},
		{"not registered", registry("none"), invalid, verifiers.RegistrationNotFound, verifiers.CheckRegistry},
		{"approved later", registry("1 2020-05-07"), invalid, verifiers.LicenceSuperseded, verifiers.CheckRegistry},
		{"approved the same day", registry("1 2020-05-06"), valid, verifiers.OK, 0},
		{"approved earlier", registry("1 2020-05-05"), valid, verifiers.OK, 0},
		{"state before approval", registry("4 2020-05-07"), invalid, verifiers.RegistrationCancelled, verifiers.CheckRegistry},
		{"no answer", func(c *verifiers.Case) { c.Standing = verifiers.StandingEvidence{Sought: true} }, unclear, verifiers.RegistryUnavailable, verifiers.CheckRegistry},
		{"live without an answer", func(c *verifiers.Case) { c.Standing = verifiers.StandingEvidence{Sought: true, Live: true} }, unclear, verifiers.RegistryUnavailable, verifiers.CheckRegistry},
		{"about another licence", func(c *verifiers.Case) { c.Standing.Standing.Key.USCC = "91310115MA1TEQ0100" }, unclear, verifiers.RegistryUnavailable, verifiers.CheckRegistry},
		{"from another province", func(c *verifiers.Case) { c.Standing.Standing.Key.Province = "320000" }, unclear, verifiers.RegistryUnavailable, verifiers.CheckRegistry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodCase(t, w)
			tt.change(&c)
			v := verifiers.Decide(&c)
			wellFormed(t, v)
			if v.Outcome != tt.want || v.Code != tt.code || v.Wants != verifiers.WantNothing {
				t.Fatalf("%v %s, wants %d; want %v %s", v.Outcome, v.Code, v.Wants, tt.want, tt.code)
			}
			if tt.code != verifiers.OK && v.Checks[tt.check].Code != tt.code {
				t.Errorf("%s does not stand in %v: %v", tt.code, tt.check, v.Checks)
			}
			if again := verifiers.Decide(&c); !reflect.DeepEqual(v, again) {
				t.Errorf("the same case decided again gave another verdict:\n%v\n%v", v, again)
			}
		})
	}
}

func TestZeroCaseAcquitsNobody(t *testing.T) {
	v := verifiers.Decide(new(verifiers.Case))
	if v.Outcome != verifiers.Indeterminate || v.Proven || v.Code == verifiers.OK || v.Code == "" {
		t.Errorf("%v %s", v.Outcome, v.Code)
	}
	var zero verifiers.Verdict
	if zero.Outcome != verifiers.Indeterminate || zero.Outcome.String() != "INDETERMINATE" || zero.Checks[0].Result != verifiers.Skipped {
		t.Errorf("the zero verdict is %v", zero.Outcome)
	}
	if !new(keys.Snapshot).Expired(time.Time{}) {
		t.Error("the zero snapshot decides")
	}
	c := verifiers.Case{Finding: new(verifiers.Finding), Trust: testworld.New(t).Book.Current(), Now: now}
	if v := verifiers.Decide(&c); v.Outcome == verifiers.Valid || v.Proven {
		t.Errorf("an empty finding is %v", v.Outcome)
	}
}

// Two things are wrong; the earlier check decides, whatever the order of the claims.
func TestOrderOfChecks(t *testing.T) {
	w := testworld.New(t)
	steps := []struct {
		check verifiers.Check
		code  verifiers.Code
		spoil func(*verifiers.Case)
	}{
		{verifiers.CheckFormat, verifiers.HeaderInvalid, func(c *verifiers.Case) { c.Fault = verifiers.HeaderInvalid }},
		{verifiers.CheckIssuer, verifiers.IssuerNotAuthorised, func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.Licence.Regorg = "320100" }) }},
		{verifiers.CheckKey, verifiers.KeyNotFound, func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.KeyID = "nobody" }) }},
		{verifiers.CheckSignature, verifiers.SignatureInvalid, func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) { f.Key = "" })
			c.Refuted = w.Key("sh").Public().Thumbprint()
		}},
		{verifiers.CheckValidity, verifiers.Expired, func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.Expires = 1 }) }},
		{verifiers.CheckSubject, verifiers.SubjectMismatch, func(c *verifiers.Case) { edit(c, func(f *verifiers.Finding) { f.Subject = "another" }) }},
		{verifiers.CheckHolder, verifiers.HolderProofMissing, func(c *verifiers.Case) {
			c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true, Fault: verifiers.HolderProofMissing}
		}},
		{verifiers.CheckStatus, verifiers.StatusMissing, func(c *verifiers.Case) { c.Policy.Status = verifiers.StatusRequired }},
		{verifiers.CheckRegistry, verifiers.RegistrationCancelled, func(c *verifiers.Case) { c.Standing.Standing = asked("4", 0) }},
	}
	for i, first := range steps {
		for _, second := range steps[i+1:] {
			c := goodCase(t, w)
			second.spoil(&c)
			first.spoil(&c)
			v := verifiers.Decide(&c)
			wellFormed(t, v)
			if v.Code != first.code {
				t.Errorf("%v and %v wrong: code %s", first.check, second.check, v.Code)
			}
			for check := range first.check {
				if got := v.Checks[check].Result; got == verifiers.Failed || got == verifiers.Inconclusive {
					t.Errorf("%v and %v wrong: %v is %v", first.check, second.check, check, got)
				}
			}
		}
	}
}

// SPEC: contract §5 "So does an inconclusive issuer or key …; an inconclusive
// status does not [end the work]".
func TestInconclusiveStatusDoesNotEndTheWork(t *testing.T) {
	w := testworld.New(t)
	c := goodCase(t, w)
	edit(&c, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{URI: testworld.StatusPrefix + "1"} })
	v := verifiers.Decide(&c)
	wellFormed(t, v)
	if v.Outcome != verifiers.Indeterminate || v.Code != verifiers.StatusUnavailable || v.Checks[verifiers.CheckRegistry].Result != verifiers.Passed {
		t.Errorf("%v %s, registry %v", v.Outcome, v.Code, v.Checks[verifiers.CheckRegistry])
	}
	c.Standing.Standing = asked("4", 0)
	v = verifiers.Decide(&c)
	wellFormed(t, v)
	if v.Outcome != verifiers.Invalid || v.Code != verifiers.RegistrationCancelled {
		t.Errorf("%v %s", v.Outcome, v.Code)
	}
	c.Standing = verifiers.StandingEvidence{Sought: true}
	if v = verifiers.Decide(&c); v.Code != verifiers.StatusUnavailable || v.Checks[verifiers.CheckRegistry].Code != verifiers.RegistryUnavailable {
		t.Errorf("both unavailable: %s, registry %v", v.Code, v.Checks[verifiers.CheckRegistry])
	}
}

// SPEC: contract §10 "a fresh list that says valid leaves registry skipped;
// without a usable list the registry is asked".
func TestStatusInsteadOfRegistry(t *testing.T) {
	w := testworld.New(t)
	good := func() verifiers.Case {
		c := goodCase(t, w)
		c.Policy.Status = verifiers.StatusInsteadOfRegistry
		edit(&c, func(f *verifiers.Finding) { f.Status = &verifiers.StatusRef{URI: testworld.StatusPrefix + "1"} })
		c.Status = verifiers.StatusEvidence{Sought: true, Had: true, Ends: now.Add(time.Minute)}
		c.Standing = verifiers.StandingEvidence{}
		return c
	}
	c := good()
	v := verifiers.Decide(&c)
	wellFormed(t, v)
	if v.Outcome != verifiers.Valid || v.Checks[verifiers.CheckRegistry].Result != verifiers.Skipped || v.Source != "" || !v.ValidUntil.Equal(now.Add(time.Minute)) {
		t.Errorf("a fresh list: %v %s, registry %v, until %v", v.Outcome, v.Code, v.Checks[verifiers.CheckRegistry], v.ValidUntil)
	}
	c = good()
	c.Status.Had = false
	if v = verifiers.Decide(&c); v.Wants != verifiers.WantStanding {
		t.Errorf("without a list the registry is not asked: wants %d, %s", v.Wants, v.Code)
	}
	c = good()
	edit(&c, func(f *verifiers.Finding) { f.Status = nil })
	if v = verifiers.Decide(&c); v.Wants != verifiers.WantStanding {
		t.Errorf("without a reference the registry is not asked: wants %d, %s", v.Wants, v.Code)
	}
	c = good()
	c.Policy.Status = verifiers.StatusIfPresent
	if v = verifiers.Decide(&c); v.Wants != verifiers.WantStanding {
		t.Errorf("if-present: a good list does not spare the registry: wants %d, %s", v.Wants, v.Code)
	}
}

// Evidence that can be gathered is wanted, one piece after the other, and only
// once all before it is good.
func TestWants(t *testing.T) {
	w := testworld.New(t)
	u := open(t, w.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("status", testworld.Object{"status_list": testworld.Object{"idx": 1, "uri": testworld.StatusPrefix + "1"}})))
	c := verifiers.Case{Finding: &u.Finding, Trust: w.Book.Current(), Bounds: allowed, Policy: policy, Now: now, Holder: verifiers.HolderEvidence{Expected: true}}
	step := func(want verifiers.Want) verifiers.Verdict {
		t.Helper()
		v := verifiers.Decide(&c)
		if v.Wants != want || v.Outcome != verifiers.Indeterminate {
			t.Fatalf("wants %d, want %d: %v %s", v.Wants, want, v.Outcome, v.Code)
		}
		return v
	}
	v := step(verifiers.WantSignature)
	if v.Proven || v.Ask == nil {
		t.Fatal("proven before the signature was looked at, or no key to look with")
	}
	c.Finding, _ = u.Prove(v.Ask)
	step(verifiers.WantHolder)
	c.Holder.Sought = true
	step(verifiers.WantStatus)
	c.Status = verifiers.StatusEvidence{Sought: true, Had: true, Ends: now.Add(time.Hour)}
	step(verifiers.WantStanding)
	c.Standing = verifiers.StandingEvidence{Sought: true, Live: true, Standing: asked("1", 0)}
	if v := verifiers.Decide(&c); v.Outcome != verifiers.Valid {
		t.Errorf("%v %s", v.Outcome, v.Code)
	}
	unknown := goodCase(t, w)
	unknown.KeysSought = false
	edit(&unknown, func(f *verifiers.Finding) { f.KeyID = "nobody" })
	if v := verifiers.Decide(&unknown); v.Wants != verifiers.WantKeys {
		t.Errorf("an unknown kid: wants %d", v.Wants)
	}
}

func TestWarnings(t *testing.T) {
	w := testworld.New(t)
	for _, tt := range []struct {
		name   string
		change func(*verifiers.Case)
		want   []verifiers.Code
	}{
		{"none", func(*verifiers.Case) {}, nil},
		{"pilot code of another province", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) {
				f.Licence.Uniscid, f.Subject = "91350100M0001TGQXM", "91350100M0001TGQXM"
			})
			c.Standing.Standing.Key.USCC = "91350100M0001TGQXM"
		}, []verifiers.Code{verifiers.WarnUSCCException, verifiers.WarnRegionDiffers}},
		{"another name", func(c *verifiers.Case) { c.Standing.Standing.Entname = "上海通验示例控股有限公司" }, []verifiers.Code{verifiers.WarnNameDiffers}},
		{"the same name in other brackets", func(c *verifiers.Case) { c.Standing.Standing.Entname = "上海通验示例贸易有限公司(测试)" }, nil},
		{"name hidden", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) { f.Licence.Entname = "" })
			c.Standing.Standing.Entname = "上海通验示例控股有限公司"
		}, nil},
		{"another name, unused standing", func(c *verifiers.Case) {
			c.Standing = verifiers.StandingEvidence{Sought: true, Standing: asked("1", 48*time.Hour)}
			c.Standing.Standing.Entname = "上海通验示例控股有限公司"
		}, nil},
		{"last day of the term", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) { f.Licence.Opto, f.Licence.Perpetual = licence.Today(now), false })
		}, nil},
		{"day after the term", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) {
				f.Licence.Opto, f.Licence.Perpetual = licence.Today(now.Add(-24*time.Hour)), false
			})
		}, []verifiers.Code{verifiers.WarnTermEnded}},
		{"stale", func(c *verifiers.Case) {
			c.Standing = verifiers.StandingEvidence{Sought: true, Standing: asked("1", 10*time.Minute)}
		}, []verifiers.Code{verifiers.WarnStandingStale}},
		{"unbound proof", func(c *verifiers.Case) {
			c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true, Unbound: true}
		}, []verifiers.Code{verifiers.WarnHolderProofUnbound}},
		{"unbound, but wrong", func(c *verifiers.Case) {
			c.Holder = verifiers.HolderEvidence{Expected: true, Sought: true, Unbound: true, Fault: verifiers.HolderProofInvalid}
		}, nil},
		{"subject invalid", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) { f.Licence.Opto, f.Subject = "2001-01-01", "another" })
		}, nil},
		{"also on INVALID", func(c *verifiers.Case) {
			edit(c, func(f *verifiers.Finding) { f.Licence.Opto = "2001-01-01" })
			c.Standing.Standing = asked("4", 0)
		}, []verifiers.Code{verifiers.WarnTermEnded}},
	} {
		c := goodCase(t, w)
		tt.change(&c)
		if v := verifiers.Decide(&c); !reflect.DeepEqual(v.Warnings, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, v.Warnings, tt.want)
		}
	}
}
