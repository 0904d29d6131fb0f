package verify_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/testworld"
)

const (
	valid   = verifiers.Valid
	invalid = verifiers.Invalid
	unclear = verifiers.Indeterminate
)

// What was verified once is neither parsed, checked nor asked for again; all of
// it is decided again.
func TestSecondTime(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	first := r.expect(good, valid, verifiers.OK)
	if first.Verdict.Source != verifiers.Live || r.asked() != 1 {
		t.Fatalf("source %s after %d questions", first.Verdict.Source, r.asked())
	}
	r.pass(2 * time.Minute)
	second := r.expect(good, valid, verifiers.OK)
	if second.Verdict.Source != verifiers.Cache || second.Verdict.Age != 2*time.Minute || r.asked() != 1 || r.facts.Kept() != 1 {
		t.Errorf("source %s of age %v after %d questions, %d findings kept", second.Verdict.Source, second.Verdict.Age, r.asked(), r.facts.Kept())
	}
	if r.seen.count(verifiers.CheckFormat) != 1 || r.seen.count(verifiers.CheckSignature) != 1 || r.seen.done != 2 {
		t.Errorf("parsed %d times, checked %d times", r.seen.count(verifiers.CheckFormat), r.seen.count(verifiers.CheckSignature))
	}
	if !first.Verdict.ValidUntil.Equal(second.Verdict.ValidUntil) {
		t.Error("by being looked at again a verdict holds longer")
	}
	r.pass(3*time.Minute + 1)
	if third := r.expect(good, valid, verifiers.OK); third.Verdict.Source != verifiers.Live || r.asked() != 2 {
		t.Errorf("past max_age: source %s after %d questions", third.Verdict.Source, r.asked())
	}
}

// SPEC: contract §3 "it acts on the next request after the list is loaded,
// cached findings included".
func TestRevokedKeyActsAtOnce(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	r.expect(good, valid, verifiers.OK)
	thumbprint := r.world.Key("sh").Public().Thumbprint()
	r.world.Change(func(l *keys.List) {
		l.Revoked = map[keys.Thumbprint]keys.Revocation{thumbprint: {At: testworld.Now.Unix(), Reason: "compromised"}}
	})
	got := r.expect(good, invalid, verifiers.KeyRevoked)
	if got.Verdict.Proven || got.Verdict.TrustVersion != 8 {
		t.Errorf("proven %v by list %d", got.Verdict.Proven, got.Verdict.TrustVersion)
	}
	if r.asked() != 1 {
		t.Error("the registry was asked about a credential of a revoked key")
	}
	r.world.Change(func(l *keys.List) { l.Revoked = nil })
	r.expect(good, invalid, verifiers.KeyRevoked)
}

func TestIssuerGoneActsAtOnce(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	r.expect(good, valid, verifiers.OK)
	r.world.Change(func(l *keys.List) {
		p := l.Provinces[0]
		p.Active = false
		l.Provinces[0] = p
	})
	r.expect(good, invalid, verifiers.IssuerSuspended)
	r.world.Change(func(l *keys.List) { l.Provinces = l.Provinces[1:] })
	r.expect(good, invalid, verifiers.IssuerNotRecognised)
	r.pass(time.Unix(testworld.ListEnds, 0).Sub(testworld.Now))
	r.expect(good, unclear, verifiers.TrustListExpired)
}

// Another key under the same kid: the finding of the old one counts for nothing.
func TestReplacedKey(t *testing.T) {
	r := newRig(t)
	claims := testworld.From(testworld.Anhui, "34")
	old := r.world.Mint("ah", testworld.Header("ES256", "ah-1"), claims)
	r.expect(old, valid, verifiers.OK)
	r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, testworld.Now, testworld.JWK{KeyID: "ah-1", Key: "stranger"}))
	r.expect(old, invalid, verifiers.SignatureInvalid)
	r.expect(old, invalid, verifiers.SignatureInvalid)
	if r.asked() != 1 {
		t.Error("the registry was asked about a credential of a key that is no more")
	}
	r.expect(r.world.Mint("stranger", testworld.Header("ES256", "ah-1"), claims), valid, verifiers.OK)
	r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, testworld.Now, testworld.JWK{KeyID: "ah-1", Key: "ah"}))
	r.expect(old, valid, verifiers.OK)
}

// SPEC: contract §3 "An unknown kid in a set renewed within that time is
// KEY_NOT_FOUND; in an older one that cannot be renewed, KEYS_UNAVAILABLE."
func TestUnknownKey(t *testing.T) {
	claims := testworld.From(testworld.Anhui, "34")
	for _, tt := range []struct {
		name    string
		age     time.Duration
		renew   func(*rig)
		outcome verifiers.Outcome
		code    verifiers.Code
	}{
		{"new set", time.Minute, nil, invalid, verifiers.KeyNotFound},
		{"old set, cannot be renewed", 16 * time.Minute, nil, unclear, verifiers.KeysUnavailable},
		{"old set, renewed without it", 16 * time.Minute, func(r *rig) {
			r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, r.clock(), testworld.JWK{KeyID: "ah-1", Key: "ah"}))
		}, invalid, verifiers.KeyNotFound},
		{"renewed with it", time.Minute, func(r *rig) {
			r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, r.clock(), testworld.JWK{KeyID: "ah-2", Key: "stranger"}))
		}, valid, verifiers.OK},
		{"renewed with another key of that name", time.Minute, func(r *rig) {
			r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, r.clock(), testworld.JWK{KeyID: "ah-2", Key: "window"}))
		}, invalid, verifiers.SignatureInvalid},
		{"set gone", time.Minute, func(r *rig) { r.world.Book.Forget(testworld.Anhui) }, unclear, verifiers.KeysUnavailable},
		{"too old to count", 25 * time.Hour, nil, unclear, verifiers.KeysUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.pass(tt.age)
			if tt.renew != nil {
				r.sets.Answer = func(keys.Issuer) bool { tt.renew(r); return true }
			}
			r.expect(r.world.Mint("stranger", testworld.Header("ES256", "ah-2"), claims), tt.outcome, tt.code)
			if got := r.sets.Asked(); !slices.Equal(got, []keys.Issuer{testworld.Anhui}) {
				t.Errorf("refetched %v, want once", got)
			}
			if tt.outcome != valid && (r.asked() != 0 || r.facts.Kept() != 0) {
				t.Errorf("%d questions, %d findings kept", r.asked(), r.facts.Kept())
			}
		})
	}
	t.Run("known keys are not fetched", func(t *testing.T) {
		r := newRig(t)
		r.expect(r.world.Good(), valid, verifiers.OK)
		r.expect(r.world.Mint("sh", testworld.Header("none", "nobody"), testworld.Claims()), invalid, verifiers.AlgorithmNotAllowed)
		r.expect(r.world.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("iss", "https://evil.example")), invalid, verifiers.IssuerNotRecognised)
		if got := r.sets.Asked(); len(got) != 0 {
			t.Errorf("refetched %v", got)
		}
	})
}

func TestRegistryFails(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	registry := r.registries["310000"]
	registry.Tell("down")
	if got := r.expect(good, unclear, verifiers.RegistryUnavailable); got.RetryAfter != 7*time.Second || !got.Verdict.Proven {
		t.Errorf("retry after %v, proven %v", got.RetryAfter, got.Verdict.Proven)
	}
	registry.Tell("1")
	if got := r.expect(good, valid, verifiers.OK); got.Verdict.Source != verifiers.Live || got.RetryAfter != 0 {
		t.Errorf("an error was cached: %s", got.Verdict.Source)
	}
	registry.Tell("down")
	r.pass(10 * time.Minute)
	got := r.expect(good, valid, verifiers.OK)
	if got.Verdict.Source != verifiers.Stale || !slices.Contains(got.Verdict.Warnings, verifiers.WarnStandingStale) {
		t.Errorf("source %s, warnings %v", got.Verdict.Source, got.Verdict.Warnings)
	}
	strict := r.Verify(context.Background(), &verifiers.Request{Credential: []byte(good), Bounds: verifiers.Bounds{MaxAge: 5 * time.Minute}})
	r.said(strict, unclear, verifiers.RegistryUnavailable)
	r.pass(time.Hour)
	r.expect(good, unclear, verifiers.RegistryUnavailable)
	registry.Tell("none")
	r.expect(good, invalid, verifiers.RegistrationNotFound)
	registry.Tell("down")
	r.pass(time.Minute + 1)
	r.expect(good, unclear, verifiers.RegistryUnavailable)
}

func TestNoCacheAsksAlways(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		got := r.Verify(context.Background(), &verifiers.Request{Credential: []byte(r.world.Good())})
		r.said(got, valid, verifiers.OK)
		if got.Verdict.Source != verifiers.Live || r.asked() != i+1 {
			t.Fatalf("time %d: source %s after %d questions", i, got.Verdict.Source, r.asked())
		}
	}
}

// SPEC: contract §6.1 "only-if-cached without anything usable: INDETERMINATE
// REGISTRY_UNAVAILABLE"; §10 "may use a standing within stale_if_error".
func TestOnlyIfCached(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	only := func() *verifiers.Response {
		b := bounds
		b.OnlyIfCached = true
		return r.Verify(context.Background(), &verifiers.Request{Credential: []byte(good), Bounds: b})
	}
	r.said(only(), unclear, verifiers.RegistryUnavailable)
	s, err := testworld.Says("1", "310000", testworld.USCC, testworld.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.facts.Far[r.key()] = s
	if got := r.said(only(), valid, verifiers.OK); got.Verdict.Source != verifiers.Cache {
		t.Errorf("source %s", got.Verdict.Source)
	}
	r.pass(10 * time.Minute)
	if got := r.said(only(), valid, verifiers.OK); got.Verdict.Source != verifiers.Stale {
		t.Errorf("source %s", got.Verdict.Source)
	}
	r.pass(2 * time.Hour)
	r.said(only(), unclear, verifiers.RegistryUnavailable)
	if r.asked() != 0 {
		t.Errorf("asked %d times", r.asked())
	}
}

// A kept standing can grow too old between its being found and the verdict. The
// registry is well and must not be said to be unavailable.
func TestStandingEndsWhileItIsUsed(t *testing.T) {
	r := newRig(t)
	// Written so that no hint brings the standing along.
	token := r.world.Sign("sh", testworld.Marshal(testworld.Header("ES256", "sh-1")),
		[]byte(strings.Replace(string(testworld.Marshal(testworld.Claims())), `"sub"`, `"\u0073ub"`, 1)))
	s, err := testworld.Says("1", "310000", testworld.USCC, testworld.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.facts.Far[r.key()] = s
	r.facts.Used = func() { r.pass(time.Millisecond) }
	r.pass(bounds.MaxAge)
	r.said(r.Verify(context.Background(), &verifiers.Request{Credential: []byte(token), Bounds: verifiers.Bounds{MaxAge: bounds.MaxAge}}), valid, verifiers.OK)
}

func TestCallerGone(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := r.Verify(ctx, &verifiers.Request{Credential: []byte(r.world.Good()), Bounds: bounds})
	r.said(got, unclear, verifiers.RegistryUnavailable)
	r.said(r.Verify(ctx, &verifiers.Request{Credential: []byte("x"), Bounds: bounds}), invalid, verifiers.FormatMalformed)
}

// A province without an entry among the registries.
func TestNoRegistry(t *testing.T) {
	r := newRig(t)
	delete(r.Service.Registries, "310000")
	r.expect(r.world.Good(), unclear, verifiers.RegistryUnavailable)
	if r.asked() != 0 {
		t.Error("another province's registry was asked")
	}
}

// The hint is taken from unproven bytes. Whatever it names, the verdict is about
// the licence that was proven.
func TestHintIsOnlyAHint(t *testing.T) {
	r := newRig(t)
	const other = "91310115MA1TEQ0100"
	otherKey := verifiers.StandingKey{Province: "310000", USCC: other}
	s, err := testworld.Says("1", "310000", other, testworld.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.facts.Far[otherKey] = s
	// The first "sub" of the bytes is not the claim: it stands in another member.
	payload := string(testworld.Marshal(testworld.Claims()))
	token := r.world.Sign("sh", testworld.Marshal(testworld.Header("ES256", "sh-1")),
		[]byte(`{"a":{"iss":"`+string(testworld.Jiangsu)+`","sub":"`+other+`"},`+payload[1:]))
	r.registries["310000"].Tell("4")
	r.expect(token, invalid, verifiers.RegistrationCancelled)
	if got := r.registries["310000"].Asked(); len(got) != 1 || got[0] != testworld.USCC {
		t.Errorf("asked about %v", got)
	}
	// Names a licence that is known, and is forged.
	forged := r.world.Mint("stranger", testworld.Header("ES256", "sh-1"), testworld.Claims().Edit(testworld.Object{"sub": other, "licence": testworld.Licence().With("uniscid", other)}))
	r.expect(forged, invalid, verifiers.SignatureInvalid)
	for _, token := range []string{"..", ".", "a.b.c", "." + testworld.B64([]byte(`"iss":"`)) + ".", "." + testworld.B64([]byte(`"iss":"`+string(testworld.Shanghai)+`","sub":"`)) + "."} {
		r.expect(token, invalid, verifiers.FormatMalformed)
	}
	for _, hint := range r.facts.Hints {
		if hint != (verifiers.StandingKey{}) && len(hint.USCC) != 18 {
			t.Errorf("a hint of %d bytes", len(hint.USCC))
		}
	}
}

// A store that answers with another credential's finding, or another licence's
// standing: neither acquits.
func TestLyingFacts(t *testing.T) {
	r := newRig(t)
	other := verifiers.StandingKey{Province: "310000", USCC: "91310115MA1TEQ0100"}
	s, err := testworld.Says("1", other.Province, other.USCC, testworld.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.facts.Put(r.key(), s)
	r.registries["310000"].Tell("down")
	r.expect(r.world.Good(), unclear, verifiers.RegistryUnavailable)

	unproven := newRig(t)
	forged := unproven.world.Mint("stranger", testworld.Header("ES256", "sh-1"), testworld.Claims())
	unproven.facts.Forge(verifiers.DigestOf([]byte(forged)), &verifiers.Finding{
		Format: "ebl+jwt", Algorithm: "ES256", KeyID: "sh-1", Issuer: testworld.Shanghai, Expires: testworld.Expires,
	})
	unproven.expect(forged, invalid, verifiers.IssuerNotAuthorised)
}

// A credential whose finding is kept, shown under another media type.
func TestMediaType(t *testing.T) {
	r := newRig(t)
	good := []byte(r.world.Good())
	for _, warm := range []bool{false, true} {
		got := r.Verify(context.Background(), &verifiers.Request{Credential: good, Format: "dc+sd-jwt", Bounds: bounds})
		r.said(got, invalid, verifiers.HeaderInvalid)
		if got.Verdict.Proven || got.Finding != nil {
			t.Errorf("warm %v: something stands beside the fault", warm)
		}
		r.said(r.Verify(context.Background(), &verifiers.Request{Credential: good, Format: "ebl+jwt", Bounds: bounds}), valid, verifiers.OK)
	}
}

func TestHolderRequired(t *testing.T) {
	r := newRig(t)
	for range 2 { // of a finding that is kept, too
		got := r.Verify(context.Background(), &verifiers.Request{Credential: []byte(r.world.Good()), Bounds: bounds,
			Holder: &verifiers.HolderExpectation{Audience: "hall", Nonce: "n", Required: true}})
		r.said(got, invalid, verifiers.HolderProofMissing)
		r.expect(r.world.Good(), valid, verifiers.OK)
	}
	r.expect(r.world.Good()+"~"+r.world.Good(), invalid, verifiers.FormatMalformed)
}

// Without anybody to ask about status lists they are unavailable.
func TestNoStatusLists(t *testing.T) {
	r := newRig(t)
	ref := testworld.Object{"status_list": testworld.Object{"idx": 1, "uri": testworld.StatusPrefix + "1"}}
	token := r.world.Mint("sh", testworld.Header("ES256", "sh-1"), testworld.Claims().With("status", ref))
	r.expect(token, unclear, verifiers.StatusUnavailable)
	r.registries["310000"].Tell("4")
	r.pass(6 * time.Minute)
	r.expect(token, invalid, verifiers.RegistrationCancelled)
}

func TestTogether(t *testing.T) {
	r := newRig(t)
	tokens := []string{r.world.Good(), r.world.Mint("stranger", testworld.Header("ES256", "sh-1"), testworld.Claims()), "x"}
	want := []verifiers.Outcome{valid, invalid, invalid}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			if got := r.verify(tokens[i%3]).Verdict; got.Outcome != want[i%3] {
				t.Errorf("%v %s", got.Outcome, got.Code)
			}
		})
	}
	all.Wait()
}

// Each vector through the service, twice: what is kept changes nothing.
func TestVectors(t *testing.T) {
	for _, v := range testworld.Vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			r := newRig(t)
			r.pass(v.Now.Sub(testworld.Now))
			if v.Now.Sub(testworld.Now) < testworld.Terms.MaxStale {
				r.world.Book.SetKeys(testworld.Anhui, r.world.Set(t, v.Now, testworld.JWK{KeyID: "ah-1", Key: "ah"}))
			}
			for _, registry := range r.registries {
				registry.Tell(v.Registry)
			}
			req := &verifiers.Request{Credential: v.Credential, Bounds: bounds}
			if format, ok := strings.CutPrefix(v.Media, "application/"); ok && format != "jwt" {
				req.Format = verifiers.Format(format)
			}
			for range 2 {
				got := r.Verify(context.Background(), req)
				if got.Verdict.Outcome.String() != v.Verdict || got.Verdict.Code != v.Code {
					t.Errorf("%v %s, want %s %s: %s", got.Verdict.Outcome, got.Verdict.Code, v.Verdict, v.Code, v.Comment)
				}
				if !got.Verdict.Proven && r.asked() > 0 {
					t.Error("the registry was asked about a credential that nobody has proven")
				}
				if got.Digest != verifiers.DigestOf(v.Credential) || got.At.IsZero() || got.Verdict.ValidUntil.IsZero() {
					t.Errorf("response %+v", got)
				}
			}
		})
	}
}

// The published tokens are nobody's licences: none is VALID, each is INVALID,
// and nobody is asked or bothered because of one.
func TestWycheproof(t *testing.T) {
	const file = "../../../../shared/data/vectors/wycheproof/json_web_signature_test.json"
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: published vectors are not checked", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		TestGroups []struct {
			Tests []struct {
				TCID int
				JWS  json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	n := 0
	for _, g := range all.TestGroups {
		for _, c := range g.Tests {
			token := []byte(c.JWS)
			var compact string
			if json.Unmarshal(c.JWS, &compact) == nil {
				token = []byte(compact)
			}
			n++
			for _, format := range []verifiers.Format{"", "ebl+jwt"} {
				got := r.Verify(context.Background(), &verifiers.Request{Credential: token, Format: format, Bounds: bounds})
				if got.Verdict.Outcome != invalid || got.Verdict.Proven {
					t.Errorf("test %d as %q: %v %s", c.TCID, format, got.Verdict.Outcome, got.Verdict.Code)
				}
			}
		}
	}
	if n < 100 {
		t.Fatalf("only %d tokens", n)
	}
	if r.asked() != 0 || len(r.sets.Asked()) != 0 || r.facts.Kept() != 0 {
		t.Errorf("%d questions, %d refetches, %d findings kept", r.asked(), len(r.sets.Asked()), r.facts.Kept())
	}
}
