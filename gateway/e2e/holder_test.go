package e2e

import (
	"crypto/rand"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

const audience = "https://hall.example"

// proven mints an SD-JWT with a proof over a nonce, and how to ask about it.
func (w *world) proven(province, nonce string) (string, func(token string) object) {
	w.t.Helper()
	return w.bound(province).present(nonce, nil), func(token string) object {
		return object{"credential": token, "holder": object{"aud": audience, "nonce": nonce, "required": true}}
	}
}

// A holding is a credential in the hands of its holder.
type holding struct {
	w      *world
	issued *sandbox.SDJWT
}

func (w *world) bound(province string) holding {
	w.t.Helper()
	holder, err := sandbox.NewKey("ES256", "")
	w.ok(err)
	issued, b, err := w.box.Province(province).MintSD(sandbox.SDSpec{LicenceSpec: sandbox.LicenceSpec{Number: w.next()}, Holder: holder})
	w.ok(err)
	w.secretBusiness(b)
	return holding{w, issued}
}

// present shows it with a proof; without one where the nonce is empty.
func (h holding) present(nonce string, edit func(*sandbox.Proof)) string {
	h.w.t.Helper()
	var proof *sandbox.Proof
	if nonce != "" {
		proof = &sandbox.Proof{Aud: audience, Nonce: nonce}
		if edit != nil {
			edit(proof)
		}
		h.w.secret(nonce)
	}
	token, err := h.issued.Present(nil, proof)
	h.w.ok(err)
	h.w.secretToken(token)
	return token
}

// A proof passes once, whichever of the gateways it is shown to.
func TestHolderProofServesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	a, b := w.gateway(setup{redis: redis.Addr}), w.gateway(setup{redis: redis.Addr})
	steady(t, a, func() error {
		token, ask := w.proven(shanghai, rand.Text())
		first := a.request(ask(token))
		if !first.is("VALID", "OK") {
			return errorOf(first)
		}
		for _, g := range []*gateway{b, a, b} {
			again := g.request(ask(token))
			want(t, again, "INVALID", "HOLDER_PROOF_INVALID")
			if again.outcome("holder") != "failed" {
				t.Errorf("holder: %s", again.outcome("holder"))
			}
		}
		return nil
	})
	// At once on both: one passes.
	steady(t, a, func() error {
		token, ask := w.proven(shanghai, rand.Text())
		answers := make([]answer, 20)
		err := together(len(answers), func(i int) (err error) {
			answers[i] = []*gateway{a, b}[i%2].request(ask(token))
			return nil
		})
		w.ok(err)
		passed := 0
		for _, got := range answers {
			if got.is("VALID", "OK") {
				passed++
			} else {
				want(t, got, "INVALID", "HOLDER_PROOF_INVALID")
			}
		}
		if passed > 1 {
			t.Fatalf("one proof passed %d times", passed)
		}
		if passed == 0 {
			return errorOf(answers[0])
		}
		return nil
	})
	// Where it cannot be known whether a nonce was spent, it counts as spent.
	redis.Freeze()
	for range 3 {
		token, ask := w.proven(jiangsu, rand.Text())
		want(t, a.request(ask(token)), "INVALID", "HOLDER_PROOF_INVALID")
	}
	redis.Thaw()
	eventually(t, 10*time.Second, "a new proof passes again", func() bool {
		token, ask := w.proven(jiangsu, rand.Text())
		return a.request(ask(token)).is("VALID", "OK")
	})
}

type errorText string

func (e errorText) Error() string { return string(e) }

func errorOf(a answer) error { return errorText(a.String()) }

func TestHolderProofs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gateway(setup{}) // alone: its own memory keeps the nonces
	h := w.bound(zhejiang)
	stranger, err := sandbox.NewKey("ES256", "")
	w.ok(err)
	wrong := func(edit func(*sandbox.Proof)) func(string) string {
		return func(nonce string) string { return h.present(nonce, edit) }
	}
	for name, tc := range map[string]struct {
		present       func(nonce string) string
		verdict, code string
	}{
		"right":            {wrong(nil), "VALID", "OK"},
		"missing":          {func(string) string { return h.present("", nil) }, "INVALID", "HOLDER_PROOF_MISSING"},
		"another nonce":    {wrong(func(p *sandbox.Proof) { p.Nonce = rand.Text() }), "INVALID", "HOLDER_PROOF_INVALID"},
		"another audience": {wrong(func(p *sandbox.Proof) { p.Aud = "https://bank.example" }), "INVALID", "HOLDER_PROOF_INVALID"},
		"another's key":    {wrong(func(p *sandbox.Proof) { p.Key = stranger }), "INVALID", "HOLDER_PROOF_INVALID"},
		"six minutes old":  {wrong(func(p *sandbox.Proof) { p.IssuedAt = time.Now().Add(-6*time.Minute - 5*time.Second) }), "INVALID", "HOLDER_PROOF_INVALID"},
		"from the future":  {wrong(func(p *sandbox.Proof) { p.IssuedAt = time.Now().Add(7 * time.Minute) }), "INVALID", "HOLDER_PROOF_INVALID"},
		"without iat":      {wrong(func(p *sandbox.Proof) { p.Edit = func(_, c map[string]any) { delete(c, "iat") } }), "INVALID", "HOLDER_PROOF_INVALID"},
		"over another one": {wrong(func(p *sandbox.Proof) { p.Edit = func(_, c map[string]any) { c["sd_hash"] = "AAAA" } }), "INVALID", "HOLDER_PROOF_INVALID"},
		"of another type":  {wrong(func(p *sandbox.Proof) { p.Edit = func(hd, _ map[string]any) { hd["typ"] = "jwt" } }), "INVALID", "HOLDER_PROOF_INVALID"},
		"aud among several": {wrong(func(p *sandbox.Proof) {
			p.Edit = func(_, c map[string]any) { c["aud"] = []string{"https://x.example", audience} }
		}), "VALID", "OK"},
	} {
		nonce := rand.Text()
		got := g.request(object{"credential": tc.present(nonce), "holder": object{"aud": audience, "nonce": nonce, "required": true}})
		if !got.is(tc.verdict, tc.code) {
			t.Errorf("%s: want %s %s, got %v", name, tc.verdict, tc.code, got)
		}
	}
	// Nobody asked for a proof: a right one passes with a word, a wrong one fails.
	right := g.verify(h.present(rand.Text(), nil))
	if !right.is("VALID", "OK") || !right.warned("HOLDER_PROOF_UNBOUND") {
		t.Errorf("a proof that nobody asked for: %v", right)
	}
	g.expect("INVALID", "HOLDER_PROOF_INVALID", h.present(rand.Text(), func(p *sandbox.Proof) { p.Key = stranger }))
	got := g.expect("VALID", "OK", h.present("", nil))
	if got.outcome("holder") == "failed" || got.warned("HOLDER_PROOF_UNBOUND") {
		t.Errorf("no proof, and none asked for: %v", got)
	}
	// A wrong proof spends no nonce.
	nonce := rand.Text()
	ask := func(token string) answer {
		return g.request(object{"credential": token, "holder": object{"aud": audience, "nonce": nonce, "required": true}})
	}
	want(t, ask(h.present(nonce, func(p *sandbox.Proof) { p.Key = stranger })), "INVALID", "HOLDER_PROOF_INVALID")
	want(t, ask(h.present(nonce, nil)), "VALID", "OK")
	want(t, ask(h.present(nonce, nil)), "INVALID", "HOLDER_PROOF_INVALID")
}
