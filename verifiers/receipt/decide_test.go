package receipt_test

import (
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/receipt"
)

func claimsOf(r *verifiers.Response) *receipt.Claims {
	c := receipt.State(gateway, "vrf_1", hall, r)
	return &c
}

var wide = verifiers.Bounds{MaxAge: 5 * time.Minute, StaleIfError: time.Hour}

// standing is what our own registry said age ago.
func standing(state licence.RegState, age time.Duration) verifiers.Standing {
	return verifiers.Standing{
		Key: verifiers.StandingKey{Province: province, USCC: code}, Answer: verifiers.Registered, State: state,
		AsOf: now.Add(-age), AskedAt: now.Add(-age),
	}
}

func changed(s verifiers.Standing, apprdate licence.Date) verifiers.Standing {
	s.Apprdate = apprdate
	return s
}

func TestDecide(t *testing.T) {
	strict := verifiers.Bounds{MaxAge: 30 * time.Second}
	kept := func(s verifiers.Standing) verifiers.StandingEvidence {
		return verifiers.StandingEvidence{Standing: s}
	}
	live := func(s verifiers.Standing) verifiers.StandingEvidence {
		return verifiers.StandingEvidence{Sought: true, Live: true, Standing: s}
	}
	silent := verifiers.StandingEvidence{Sought: true}
	elsewhere := standing("4", 0)
	elsewhere.Key.USCC = "91310000132260250X"
	unknownCode := standing("", 0)
	unknownCode.Answer = verifiers.NotRegistered
	unanswered := func() *receipt.Claims {
		return claimsOf(with(valid(), verifiers.CheckRegistry, verifiers.Inconclusive, verifiers.RegistryUnavailable))
	}
	listed := func() *receipt.Claims {
		r := valid()
		r.Verdict.Checks[verifiers.CheckStatus].Result = verifiers.Passed
		r.Verdict.Checks[verifiers.CheckRegistry] = verifiers.Checked{}
		r.Verdict.Source = ""
		return claimsOf(r)
	}
	for name, c := range map[string]struct {
		claims *receipt.Claims
		fault  verifiers.Code
		list   list
		own    verifiers.StandingEvidence
		bounds verifiers.Bounds
		policy verifiers.StatusPolicy
		holder bool
		want   verifiers.Code
		check  verifiers.Check // that decides
		source verifiers.Source
		wants  verifiers.Want
	}{
		"nothing at all":        {want: verifiers.KeysUnavailable, check: verifiers.CheckFormat},
		"malformed":             {fault: verifiers.ReceiptMalformed, want: verifiers.ReceiptMalformed, check: verifiers.CheckFormat},
		"of another typ":        {fault: verifiers.HeaderInvalid, want: verifiers.HeaderInvalid, check: verifiers.CheckFormat},
		"of a stranger":         {fault: verifiers.ReceiptIssuerNotRecognised, want: verifiers.ReceiptIssuerNotRecognised, check: verifiers.CheckIssuer},
		"a stranger, no list":   {fault: verifiers.ReceiptIssuerNotRecognised, list: list{expired: true}, want: verifiers.TrustListExpired, check: verifiers.CheckIssuer},
		"keys cannot be had":    {fault: verifiers.KeysUnavailable, want: verifiers.KeysUnavailable, check: verifiers.CheckKey},
		"altered":               {fault: verifiers.ReceiptSignatureInvalid, want: verifiers.ReceiptSignatureInvalid, check: verifiers.CheckSignature},
		"ended":                 {fault: verifiers.ReceiptExpired, want: verifiers.ReceiptExpired, check: verifiers.CheckValidity},
		"gateway's key revoked": {fault: verifiers.KeyRevoked, want: verifiers.KeyRevoked, check: verifiers.CheckKey},
		"claims beside a fault": {claims: claimsOf(valid()), fault: verifiers.ReceiptExpired, want: verifiers.ReceiptExpired, check: verifiers.CheckValidity},

		"good":                {claims: claimsOf(valid()), want: verifiers.OK, source: verifiers.Cache},
		"list expired":        {claims: claimsOf(valid()), list: list{expired: true}, want: verifiers.TrustListExpired, check: verifiers.CheckIssuer},
		"issuer unknown here": {claims: claimsOf(valid()), list: list{issuer: "https://other.example"}, want: verifiers.IssuerNotRecognised, check: verifiers.CheckIssuer},
		"province suspended":  {claims: claimsOf(valid()), list: list{suspended: true}, want: verifiers.IssuerSuspended, check: verifiers.CheckIssuer},
		"licence key revoked": {claims: claimsOf(valid()), list: list{revoked: map[keys.Thumbprint]keys.Revocation{"licence-key": {}}}, want: verifiers.KeyRevoked, check: verifiers.CheckKey},
		"proof wanted":        {claims: claimsOf(valid()), holder: true, want: verifiers.HolderProofMissing, check: verifiers.CheckHolder},

		"too old, not asked yet":      {claims: claimsOf(valid()), bounds: strict, want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry, wants: verifiers.WantStanding},
		"too old, asked":              {claims: claimsOf(valid()), bounds: strict, own: live(standing("1", 0)), want: verifiers.OK, source: verifiers.Live},
		"too old, since cancelled":    {claims: claimsOf(valid()), bounds: strict, own: live(standing("4", 0)), want: verifiers.RegistrationCancelled, check: verifiers.CheckRegistry, source: verifiers.Live},
		"too old, not registered":     {claims: claimsOf(valid()), bounds: strict, own: live(unknownCode), want: verifiers.RegistrationNotFound, check: verifiers.CheckRegistry, source: verifiers.Live},
		"too old, nobody answers":     {claims: claimsOf(valid()), bounds: strict, own: silent, want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry},
		"too old, stale will do":      {claims: claimsOf(valid()), bounds: verifiers.Bounds{MaxAge: 30 * time.Second, StaleIfError: time.Minute}, own: silent, want: verifiers.OK, source: verifiers.Stale},
		"too old, another's standing": {claims: claimsOf(valid()), bounds: strict, own: kept(elsewhere), want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry, wants: verifiers.WantStanding},
		"fresh, a later word here":    {claims: claimsOf(valid()), own: kept(standing("2", time.Second)), want: verifiers.RegistrationRevoked, check: verifiers.CheckRegistry, source: verifiers.Cache},
		"fresh, an older word here":   {claims: claimsOf(valid()), own: kept(standing("9", 2*time.Minute)), want: verifiers.OK, source: verifiers.Cache},
		"changed the day before":      {claims: claimsOf(valid()), own: live(changed(standing("1", 0), "2026-09-30")), want: verifiers.OK, source: verifiers.Live},
		"changed that very day":       {claims: claimsOf(valid()), own: live(changed(standing("1", 0), "2026-10-01")), want: verifiers.LicenceSuperseded, check: verifiers.CheckRegistry, source: verifiers.Live},
		"state unknown":               {claims: claimsOf(valid()), own: live(standing("9", 0)), want: verifiers.RegistrationStateUnknown, check: verifiers.CheckRegistry, source: verifiers.Live},

		"what failed there":               {claims: claimsOf(with(valid(), verifiers.CheckValidity, verifiers.Failed, verifiers.Expired)), want: verifiers.Expired, check: verifiers.CheckValidity},
		"superseded there, active here":   {claims: claimsOf(with(valid(), verifiers.CheckRegistry, verifiers.Failed, verifiers.LicenceSuperseded)), own: live(standing("1", 0)), want: verifiers.LicenceSuperseded, check: verifiers.CheckRegistry, source: verifiers.Cache},
		"forged there":                    {claims: claimsOf(with(valid(), verifiers.CheckSignature, verifiers.Failed, verifiers.SignatureInvalid)), want: verifiers.SignatureInvalid, check: verifiers.CheckSignature},
		"no keys there":                   {claims: claimsOf(with(valid(), verifiers.CheckKey, verifiers.Inconclusive, verifiers.KeysUnavailable)), holder: true, want: verifiers.KeysUnavailable, check: verifiers.CheckKey},
		"registry silent there":           {claims: unanswered(), want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry, wants: verifiers.WantStanding},
		"silent there, revoked here":      {claims: unanswered(), own: live(standing("2", 0)), want: verifiers.RegistrationRevoked, check: verifiers.CheckRegistry, source: verifiers.Live},
		"silent there, active here":       {claims: unanswered(), own: live(standing("1", 0)), want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry, source: verifiers.Live},
		"by list there, by registry here": {claims: listed(), want: verifiers.RegistryUnavailable, check: verifiers.CheckRegistry, wants: verifiers.WantStanding},
		"by list there, asked here":       {claims: listed(), own: live(standing("1", 0)), want: verifiers.OK, source: verifiers.Live},
		"by list there and here":          {claims: listed(), policy: verifiers.StatusInsteadOfRegistry, want: verifiers.OK},
	} {
		t.Run(name, func(t *testing.T) {
			if c.bounds == (verifiers.Bounds{}) {
				c.bounds = wide
			}
			v := receipt.Decide(&receipt.Case{
				Claims: c.claims, Fault: c.fault, Trust: snapshot(c.list), Standing: c.own, Bounds: c.bounds,
				Policy: verifiers.Policy{MaxAge: 5 * time.Minute, NegativeTTL: time.Minute, Status: c.policy}, HolderRequired: c.holder, Now: now,
			})
			if v.Code != c.want || v.Wants != c.wants || v.Source != c.source {
				t.Fatalf("%s, source %q, wants %d; want %s, %q, %d", v.Code, v.Source, v.Wants, c.want, c.source, c.wants)
			}
			wellFormed(t, v)
			if c.want == verifiers.OK {
				return
			}
			if v.Checks[c.check].Code != c.want {
				t.Errorf("check %s says %q", c.check, v.Checks[c.check].Code)
			}
		})
	}
}

// wellFormed checks what holds of every verdict.
func wellFormed(t *testing.T, v verifiers.Verdict) {
	t.Helper()
	var failed, inconclusive bool
	for i, check := range v.Checks {
		failed = failed || check.Result == verifiers.Failed
		inconclusive = inconclusive || check.Result == verifiers.Inconclusive
		if (check.Code != "") != (check.Result == verifiers.Failed || check.Result == verifiers.Inconclusive) {
			t.Errorf("check %s: %s beside %q", verifiers.Check(i), check.Result, check.Code)
		}
	}
	want := verifiers.Valid
	switch {
	case failed:
		want = verifiers.Invalid
	case inconclusive:
		want = verifiers.Indeterminate
	}
	if v.Outcome != want || (v.Code == verifiers.OK) != (want == verifiers.Valid) {
		t.Errorf("%s %s, but the checks say %s", v.Outcome, v.Code, want)
	}
	if v.Proven && (v.Province == nil || v.Authority == nil || v.Key == "") {
		t.Error("proven, by nobody")
	}
	if v.ValidUntil.IsZero() {
		t.Error("it never ends")
	}
}

func TestZeroCaseDecidesNothing(t *testing.T) {
	if v := receipt.Decide(new(receipt.Case)); v.Outcome != verifiers.Indeterminate {
		t.Error(v.Outcome)
	}
	if v := receipt.Decide(&receipt.Case{Claims: claimsOf(valid()), Now: now}); v.Outcome != verifiers.Indeterminate || v.Code != verifiers.TrustListExpired {
		t.Error(v.Outcome, v.Code)
	}
}

func TestCodesOfTwoThatDidNotPass(t *testing.T) {
	r := with(valid(), verifiers.CheckStatus, verifiers.Inconclusive, verifiers.StatusUnavailable)
	both := with(r, verifiers.CheckRegistry, verifiers.Inconclusive, verifiers.RegistryUnavailable)
	both.Verdict.Code = verifiers.StatusUnavailable
	c := receipt.Case{Claims: claimsOf(both), Trust: snapshot(list{}), Standing: verifiers.StandingEvidence{Sought: true}, Bounds: wide, Now: now}
	v := receipt.Decide(&c)
	if v.Code != verifiers.StatusUnavailable || v.Checks[verifiers.CheckRegistry].Code != verifiers.RegistryUnavailable {
		t.Errorf("%s, %v", v.Code, v.Checks)
	}
	wellFormed(t, v)
	r = with(valid(), verifiers.CheckStatus, verifiers.Inconclusive, verifiers.StatusUnavailable)
	r.Verdict.Source = verifiers.Live
	c.Claims = claimsOf(with(r, verifiers.CheckRegistry, verifiers.Failed, verifiers.RegistrationCancelled))
	v = receipt.Decide(&c)
	if v.Code != verifiers.RegistrationCancelled || v.Checks[verifiers.CheckStatus].Code != verifiers.StatusUnavailable {
		t.Errorf("%s, %v", v.Code, v.Checks)
	}
	wellFormed(t, v)
}

func TestEndIsTheEarliest(t *testing.T) {
	for name, c := range map[string]struct {
		ends   time.Duration // of the receipt, from now
		maxAge time.Duration
		want   time.Duration
	}{
		"the receipt's":        {3 * time.Minute, 5 * time.Minute, 3 * time.Minute},
		"the caller's max_age": {9 * time.Minute, 2 * time.Minute, time.Minute}, // it was asked a minute ago
		"the trust list's":     {9 * time.Hour, 9 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			r := valid()
			r.Verdict.ValidUntil = now.Add(c.ends)
			v := receipt.Decide(&receipt.Case{Claims: claimsOf(r), Trust: snapshot(list{}), Bounds: verifiers.Bounds{MaxAge: c.maxAge}, Now: now})
			if v.Outcome != verifiers.Valid || !v.ValidUntil.Equal(now.Add(c.want)) {
				t.Errorf("%s until %s, want %s", v.Code, v.ValidUntil, now.Add(c.want))
			}
		})
	}
}

// A receipt of a restated verdict says the same, and never lives longer.
func TestReceiptOfAReceipt(t *testing.T) {
	first := claimsOf(valid())
	v := receipt.Decide(&receipt.Case{Claims: first, Trust: snapshot(list{}), Bounds: wide, Now: now.Add(time.Minute)})
	second := signer(t, es256(t, ""))
	r := &verifiers.Response{Verdict: v, Finding: first.Finding(), Format: receipt.Type, Digest: first.Digest, At: now.Add(time.Minute)}
	claims, code := receipt.Check([]byte(issue(t, second, r)[0].Text), receipt.Whoever(second.Keys()), now.Add(time.Minute), 0)
	if code != verifiers.OK {
		t.Fatal(code)
	}
	if claims.Digest != first.Digest || claims.Uniscid != first.Uniscid || claims.Key != first.Key || claims.Issuer != first.Issuer || claims.Expires.After(first.Expires) {
		t.Errorf("%+v of %+v", claims, first)
	}
}

func TestStandingKey(t *testing.T) {
	trust := snapshot(list{})
	if key, ok := receipt.StandingKey(claimsOf(valid()), trust); !ok || key.Province != province || key.USCC != code {
		t.Error(key, ok)
	}
	unproven := claimsOf(with(valid(), verifiers.CheckSignature, verifiers.Failed, verifiers.SignatureInvalid))
	for _, c := range []*receipt.Claims{nil, unproven} {
		if key, ok := receipt.StandingKey(c, trust); ok || key != (verifiers.StandingKey{}) || c != nil && c.Finding() != nil {
			t.Error(key, ok)
		}
	}
	if _, ok := receipt.StandingKey(claimsOf(valid()), snapshot(list{issuer: "https://other.example"})); ok {
		t.Error("a stranger's licence has a registry")
	}
}
