package receipt_test

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

func TestSameVerdictIsSignedOnce(t *testing.T) {
	key := es256(t, "")
	counter := &counting{Signer: key.Private}
	key.Private = counter
	s := signer(t, key)
	counter.n.Store(0) // of the trial at the start
	first, err := s.Issue(valid(), "vrf_1", hall)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change   func(*verifiers.Response)
		audience string
		same     bool
	}{
		"again":              {func(*verifiers.Response) {}, hall, true},
		"a little later":     {func(r *verifiers.Response) { r.At = r.At.Add(time.Minute); r.Verdict.Age += time.Minute }, hall, true},
		"live then cached":   {func(r *verifiers.Response) { r.Verdict.Source = verifiers.Live }, hall, true},
		"another audience":   {func(*verifiers.Response) {}, "bank-a", false},
		"for nobody":         {func(*verifiers.Response) {}, "", false},
		"another credential": {func(r *verifiers.Response) { r.Digest[0]++ }, hall, false},
		"another end":        {func(r *verifiers.Response) { r.Verdict.ValidUntil = r.Verdict.ValidUntil.Add(time.Second) }, hall, false},
		"a newer list":       {func(r *verifiers.Response) { r.Verdict.TrustVersion++ }, hall, false},
		"a newer standing":   {func(r *verifiers.Response) { r.Verdict.AsOf = now }, hall, false},
		"another key":        {func(r *verifiers.Response) { r.Verdict.Key = "another" }, hall, false},
		"another verdict":    {func(r *verifiers.Response) { with(r, verifiers.CheckStatus, verifiers.Failed, verifiers.StatusRevoked) }, hall, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := valid()
			c.change(r)
			before := counter.n.Load()
			got, err := s.Issue(r, "vrf_2", c.audience)
			if err != nil {
				t.Fatal(err)
			}
			signed := counter.n.Load() - before
			if c.same && (signed != 0 || got.ID != "vrf_1" || got.Tokens[0].Text != first.Tokens[0].Text) {
				t.Errorf("signed %d times, id %s", signed, got.ID)
			}
			if !c.same && (signed != 1 || got.ID != "vrf_2") {
				t.Errorf("signed %d times, id %s", signed, got.ID)
			}
			claims, code := receipt.Check([]byte(got.Tokens[0].Text), receipt.Whoever(s.Keys()), now, 10*time.Minute)
			if code != verifiers.OK || claims.ID != got.ID || claims.Audience != c.audience {
				t.Errorf("%s: %+v", code, claims)
			}
		})
	}
}

func TestConcurrentCallersSignOnce(t *testing.T) {
	key := es256(t, "")
	counter := &counting{Signer: key.Private}
	key.Private = counter
	s := signer(t, key)
	counter.n.Store(0)
	ids := make([]string, 32)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			issued, err := s.Issue(valid(), fmt.Sprint("vrf_", i), hall)
			if err != nil {
				t.Error(err)
			}
			ids[i] = issued.ID
		})
	}
	wait.Wait()
	if n := counter.n.Load(); n != 1 {
		t.Errorf("signed %d times", n)
	}
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("ids differ: %v", ids)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	key := es256(t, "")
	counter := &counting{Signer: key.Private}
	key.Private = counter
	s, err := receipt.NewSigner(receipt.Options{Gateway: gateway, Keys: []receipt.Key{key}, Remember: 4})
	if err != nil {
		t.Fatal(err)
	}
	counter.n.Store(0)
	ask := func(audience string) {
		if _, err := s.Issue(valid(), "vrf_1", audience); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // the one that is asked for again and again stays
		for i := range 3 {
			ask("hot")
			ask(fmt.Sprint("cold ", i))
		}
	}
	signed := counter.n.Load()
	ask("hot")
	if counter.n.Load() != signed {
		t.Error("the hot one was forgotten")
	}
	for i := range 3 {
		ask(fmt.Sprint("new ", i))
	}
	ask("cold 0")
	if got := counter.n.Load() - signed; got != 4 {
		t.Errorf("signed %d times, want 4: a bounded memory forgets", got)
	}
}

func TestFailedSigningIsNotKept(t *testing.T) {
	key := es256(t, "")
	counter := &counting{Signer: key.Private}
	key.Private = counter
	s := signer(t, key)
	for _, fault := range []fault{{err: errors.New("the module is away")}, {der: []byte{0x30, 0x00}}, {der: []byte("not DER")}} {
		counter.fault.Store(&fault)
		if issued, err := s.Issue(valid(), "vrf_1", hall); err == nil || len(issued.Tokens) > 0 {
			t.Errorf("%+v, %v", issued, err)
		}
		counter.fault.Store(nil)
		issued, err := s.Issue(valid(), "vrf_2", hall)
		if err != nil || issued.ID != "vrf_2" || len(issued.Tokens) != 1 {
			t.Errorf("%+v, %v", issued, err)
		}
		s = signer(t, key)
	}
}

// A counting signer counts, and fails on command.
type counting struct {
	crypto.Signer
	n     atomic.Int64
	fault atomic.Pointer[fault]
}

type fault struct {
	der []byte
	err error
}

func (c *counting) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	c.n.Add(1)
	if f := c.fault.Load(); f != nil {
		return f.der, f.err
	}
	return c.Signer.Sign(random, digest, o)
}

func TestRotation(t *testing.T) {
	old, next := es256(t, `,"kid":"2025"`), es256(t, `,"kid":"2026"`)
	before := issue(t, signer(t, old), valid())[0].Text
	onlyPublished := old
	onlyPublished.Private = nil
	for name, list := range map[string][]receipt.Key{
		"the old one behind, with its private half": {next, old},
		"the old one behind, public only":           {next, onlyPublished},
		"the old one in front, public only":         {onlyPublished, next},
	} {
		t.Run(name, func(t *testing.T) {
			s := signer(t, list...)
			after := issue(t, s, valid())[0].Text
			if header := strings.Split(after, ".")[0]; !strings.HasPrefix(header, strings.Split(sign(t, next, `{"alg":"ES256","kid":"2026","typ":"verification-receipt+jwt"}`, "{}"), ".")[0]) {
				t.Error("not signed by the new key")
			}
			set, err := receipt.LoadJWKS(s.JWKS())
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{before, after} {
				if _, code := receipt.Check([]byte(token), receipt.Whoever(set), now, skew); code != verifiers.OK {
					t.Error(code)
				}
			}
		})
	}
	t.Run("dropped", func(t *testing.T) {
		if _, code := receipt.Check([]byte(before), receipt.Whoever(signer(t, next).Keys()), now, skew); code != verifiers.ReceiptSignatureInvalid {
			t.Error(code)
		}
	})
}

func TestJWKSShowsNothingSecret(t *testing.T) {
	s := signer(t, es256(t, ""), sm2(t, ""), sm2(t, `,"distid":"someone","kid":"old"`))
	v := parse(t, string(s.JWKS()))
	if v.Get("keys").Len() != 3 {
		t.Fatalf("%s", s.JWKS())
	}
	for i := range 3 {
		key := v.Get("keys").Item(i)
		for _, name := range []string{"d", "k", "p"} {
			if key.Get(name).Kind() != 0 {
				t.Errorf("key %d has %s", i, name)
			}
		}
		if use, _ := key.Get("use").Text(); use != "sig" {
			t.Errorf("key %d: use %q", i, use)
		}
		if id, _ := key.Get("distid").Text(); (id != "") != (i == 2) {
			t.Errorf("key %d: distid %q", i, id)
		}
	}
}

func TestSignerRefuses(t *testing.T) {
	good, other := es256(t, ""), es256(t, "")
	mixed := receipt.Key{Public: good.Public, Private: other.Private}
	mixedSM2 := receipt.Key{Public: sm2(t, "").Public, Private: sm2(t, "").Private}
	wrongCurve := receipt.Key{Public: sm2(t, "").Public, Private: good.Private}
	for name, o := range map[string]receipt.Options{
		"nameless":          {Keys: []receipt.Key{good}},
		"no keys":           {Gateway: gateway},
		"no private key":    {Gateway: gateway, Keys: []receipt.Key{{Public: good.Public}}},
		"no public half":    {Gateway: gateway, Keys: []receipt.Key{{Private: good.Private}}},
		"halves of two":     {Gateway: gateway, Keys: []receipt.Key{mixed}},
		"halves of two SM2": {Gateway: gateway, Keys: []receipt.Key{mixedSM2}},
		"SM2 by a P-256":    {Gateway: gateway, Keys: []receipt.Key{wrongCurve}},
		"one key twice":     {Gateway: gateway, Keys: []receipt.Key{good, {Public: good.Public, ID: "another"}}},
		"one kid twice":     {Gateway: gateway, Keys: []receipt.Key{good, {Public: other.Public, ID: keys.KeyID(good.Public.Thumbprint())}}},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := receipt.NewSigner(o); err == nil || s != nil {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}
