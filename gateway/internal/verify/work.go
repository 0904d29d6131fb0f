package verify

import (
	"bytes"
	"context"
	"errors"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/receipt"
)

// work is the state of one request.
type work struct {
	*Service
	ctx context.Context
	req *verifiers.Request
	c   verifiers.Case

	format     verifiers.Format
	digest     verifiers.Digest // of the credential as received
	body       []byte           // the credential without a holder's proof
	proof      []byte           // the holder's proof, behind the last "~"
	known      verifiers.Digest // of body
	opened     *verifiers.Unverified
	receipt    bool // a receipt stands in place of the credential
	retryAfter time.Duration
}

// read finds out what the credential says: from memory, or from its bytes.
func (w *work) read() {
	if w.req.Format == receipt.Type {
		w.receipt = true
		return
	}
	w.digest = verifiers.DigestOf(w.req.Credential)
	w.body, w.known = w.req.Credential, w.digest
	// LastIndexByte goes byte by byte; most credentials have none, which IndexByte finds fast.
	if i := bytes.IndexByte(w.body, '~'); i >= 0 && w.body[len(w.body)-1] != '~' {
		i = bytes.LastIndexByte(w.body, '~')
		w.body, w.proof = w.body[:i+1], w.body[i+1:]
		w.known = verifiers.DigestOf(w.body)
	}
	w.c.Holder.Expected = len(w.proof) > 0 || w.req.Holder != nil && w.req.Holder.Required
	back := func() {}
	f := w.Facts.Finding(w.ctx, w.known, func() verifiers.StandingKey {
		likely := w.hint()
		back = w.Outside(w.ctx) // from here on the shared store is waited for
		return likely
	})
	back()
	if f != nil {
		w.format, w.c.Finding = f.Format, f
		if w.req.Format != "" && w.req.Format != f.Format {
			w.fault(verifiers.HeaderInvalid)
			return
		}
	} else {
		w.open()
	}
	if w.c.Finding != nil && w.c.Finding.Key != "" {
		w.c.Standing.Standing, _ = w.Facts.Recall(w.standingKey())
	}
}

// hint guesses which standing a credential will want, without parsing or
// believing it: whoever forges one gains a look at a standing that nobody uses.
func (w *work) hint() (key verifiers.StandingKey) {
	_, rest, ok := bytes.Cut(w.body, []byte{'.'})
	payload, _, found := bytes.Cut(rest, []byte{'.'})
	if !ok || !found || len(w.body) > jws.MaxToken {
		return key
	}
	claims, err := strict.Base64URL(string(payload))
	if err != nil {
		return key
	}
	province, _, ok := w.c.Trust.Issuer(keys.Issuer(member(claims, `"iss":"`)))
	if code := member(claims, `"sub":"`); ok && len(code) == 18 {
		key = verifiers.StandingKey{Province: province.Code, USCC: licence.USCC(code)}
	}
	return key
}

// member returns what stands between the first name and the next quote.
func member(claims []byte, name string) string {
	_, rest, _ := bytes.Cut(claims, []byte(name))
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}

// open parses the credential.
func (w *work) open() {
	start := time.Now()
	typ, code := w.typ()
	envelope, known := w.envelopes[typ]
	switch {
	case code == "" && typ == receipt.Type:
		w.receipt = true
		return
	case code == "" && !known:
		code = verifiers.HeaderInvalid
	}
	if code != "" {
		w.fault(code)
		return
	}
	w.format = envelope.Format()
	opened, err := envelope.Open(w.body)
	var fault *verifiers.FormatError
	switch {
	case errors.As(err, &fault):
		w.fault(fault.Code)
		return
	case err != nil:
		// Not an envelope's promise; a credential that nobody could read.
		w.fault(verifiers.FormatMalformed)
		return
	}
	w.opened, w.c.Finding = opened, &opened.Finding
	w.Observer.Step(verifiers.CheckFormat, w.format, opened.Finding.Algorithm, time.Since(start))
}

// typ returns what the credential is: by the caller's word, else by its own.
func (w *work) typ() (verifiers.Format, verifiers.Code) {
	if w.req.Format != "" {
		return w.req.Format, ""
	}
	typ, err := jws.Type(w.body)
	if err != nil {
		return "", verifiers.FaultOf(err)
	}
	return verifiers.Format(typ), ""
}

func (w *work) fault(code verifiers.Code) { w.c.Fault, w.c.Finding = code, nil }

func (w *work) standingKey() verifiers.StandingKey {
	f := w.c.Finding
	province, _, ok := w.c.Trust.Issuer(f.Issuer)
	if !ok {
		return verifiers.StandingKey{}
	}
	return verifiers.StandingKey{Province: province.Code, USCC: licence.USCC(f.Licence.Uniscid)}
}

// gather gets the evidence that the verdict wants, or marks it as sought.
func (w *work) gather(v verifiers.Verdict) {
	if v.Wants != verifiers.WantSignature {
		defer w.Outside(w.ctx)()
	}
	switch v.Wants {
	case verifiers.WantKeys:
		w.KeySets.Refetch(w.ctx, w.c.Finding.Issuer)
		w.c.Trust, w.c.KeysSought = w.Trust.Current(), true
	case verifiers.WantSignature:
		w.prove(v.Ask)
	case verifiers.WantHolder:
		w.holder()
	case verifiers.WantStatus:
		w.c.Status.Sought = true
		if w.Status != nil {
			w.c.Status = w.Status.Lookup(w.ctx, w.c.Finding.Issuer, *w.c.Finding.Status, w.c.Trust, w.c.Now)
			w.c.Status.Sought = true
		}
	case verifiers.WantStanding:
		w.ask()
	}
}

// holder checks the holder's proof. Only a right one spends its nonce.
func (w *work) holder() {
	w.c.Holder.Sought = true
	if len(w.proof) == 0 {
		w.c.Holder.Fault = verifiers.HolderProofMissing
		return
	}
	checker, ok := w.envelopes[w.c.Finding.Format].(HolderVerifier)
	if !ok {
		w.c.Holder.Fault = verifiers.HolderProofInvalid
		return
	}
	start := time.Now()
	got := checker.VerifyHolder(w.proof, w.body, w.c.Finding, w.req.Holder, w.c.Now)
	w.Observer.Step(verifiers.CheckHolder, w.format, w.c.Finding.Algorithm, time.Since(start))
	if got.Fault == "" && got.Spends != (verifiers.Digest{}) && !w.spend(got) {
		got.Fault = verifiers.HolderProofInvalid
	}
	w.c.Holder.Fault, w.c.Holder.Unbound = got.Fault, got.Unbound
}

// spend reports whether the proof's nonce was never spent before. Not knowing
// is no: a proof that passes twice proves nothing.
func (w *work) spend(proof verifiers.HolderResult) bool {
	if w.Nonces == nil {
		return false
	}
	first, err := w.Nonces.Spend(w.ctx, proof.Spends, proof.Until)
	return err == nil && first
}

// prove checks the signature with the key that the trust list names now.
func (w *work) prove(key *keys.Key) {
	if w.opened == nil {
		// The finding was proven by a key that is no longer the one of that kid.
		if w.open(); w.opened == nil {
			return
		}
	}
	start := time.Now()
	f, ok := w.opened.Prove(key)
	w.Observer.Step(verifiers.CheckSignature, w.format, w.opened.Finding.Algorithm, time.Since(start))
	if !ok {
		w.c.Refuted = key.Thumbprint()
		return
	}
	w.c.Finding = f
	w.Facts.KeepFinding(w.known, f)
	if standing, ok := w.Facts.Recall(w.standingKey()); ok {
		w.c.Standing.Standing = standing
	}
}

// ask gets the standing that the verdict wants.
func (w *work) ask() {
	start := time.Now()
	w.c.Standing = w.standing(w.standingKey())
	w.Observer.Step(verifiers.CheckRegistry, w.format, w.c.Finding.Algorithm, time.Since(start))
}
