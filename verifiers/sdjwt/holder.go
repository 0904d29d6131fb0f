package sdjwt

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/claims"
)

// ProofType is the typ of a holder's proof (KB-JWT).
const ProofType = "kb+jwt"

// The times of a proof (contract §2.4).
const (
	// proofWindow is how far a proof's iat may lie from now, to either side.
	proofWindow = 5 * time.Minute
	// proofMargin is kept beyond it for what a proof has spent, against
	// gateways whose clocks differ.
	proofMargin = time.Minute
)

// VerifyHolder checks a holder's proof over body, which [Envelope.Open] made
// the proven finding f of. want is what the caller expects of it: nil for
// nothing, and then a right proof is Unbound, as it is where want names no
// nonce. An empty proof is HolderProofMissing: ask only where there is a proof
// or one is required.
//
// It keeps nothing. Whoever calls it spends what a right proof spends.
//
// SPEC: RFC 9901 §7.3.
func (Envelope) VerifyHolder(proof, body []byte, f *verifiers.Finding, want *verifiers.HolderExpectation, now time.Time) verifiers.HolderResult {
	if len(proof) == 0 {
		return verifiers.HolderResult{Fault: verifiers.HolderProofMissing}
	}
	invalid := verifiers.HolderResult{Fault: verifiers.HolderProofInvalid}
	if f == nil || len(proof)+len(body) > jws.MaxToken {
		return invalid
	}
	signed, err := jws.ParseProof(proof, jws.MaxToken, ProofType)
	if err != nil {
		return invalid
	}
	payload, err := strict.Parse(signed.Payload)
	if err != nil {
		return invalid
	}
	iat, ok := stated(payload, digestOf(f.HashName, body), now)
	if !ok || want != nil && !answers(payload, want) {
		return invalid
	}
	// Last because it is dear: the rest is wrong for free.
	if !signed.VerifiedBy(confirmed(f)) {
		return invalid
	}
	if want == nil || want.Nonce == "" {
		return verifiers.HolderResult{Unbound: true}
	}
	return verifiers.HolderResult{
		Unbound: want.Audience == "",
		Spends:  challenge(want),
		Until:   time.Unix(iat, 0).Add(proofWindow + proofMargin),
	}
}

// stated checks what a proof must say whoever asks: which credential, and when.
func stated(payload strict.Value, digest string, now time.Time) (iat int64, ok bool) {
	if hash, _ := payload.Get("sd_hash").Text(); digest == "" || hash != digest {
		return 0, false
	}
	if iat, ok = payload.Get("iat").Integer(claims.MaxTime); !ok {
		return 0, false
	}
	if age := now.Unix() - iat; age > int64(proofWindow/time.Second) || -age > int64(proofWindow/time.Second) {
		return 0, false
	}
	// A proof may end earlier than we would end it. SPEC: RFC 7519 §4.1.4.
	if exp := payload.Get("exp"); exp.Kind() != strict.Absent {
		if end, ok := exp.Integer(claims.MaxTime); !ok || end <= now.Unix() {
			return 0, false
		}
	}
	// Both must be there, also where nobody said what they should be.
	if nonce, _ := payload.Get("nonce").Text(); nonce == "" {
		return 0, false
	}
	return iat, audience(payload.Get("aud"), "")
}

// answers reports whether the proof was made for this caller and challenge.
func answers(payload strict.Value, want *verifiers.HolderExpectation) bool {
	if want.Required && (want.Audience == "" || want.Nonce == "") {
		return false
	}
	nonce, _ := payload.Get("nonce").Text()
	return (want.Nonce == "" || nonce == want.Nonce) && audience(payload.Get("aud"), want.Audience)
}

// audience reports whether aud, a text or an array of texts, holds want; ""
// stands for any. SPEC: RFC 7519 §4.1.3.
func audience(aud strict.Value, want string) bool {
	one, ok := aud.Text()
	if ok {
		return one != "" && (want == "" || one == want)
	}
	all, ok := aud.Strings()
	if !ok || len(all) == 0 {
		return false
	}
	for _, one := range all {
		if want == "" || one == want {
			return true
		}
	}
	return false
}

// confirmed returns the holder's key, nil where the credential names none that
// we can use.
func confirmed(f *verifiers.Finding) *keys.Key {
	v, err := strict.Parse([]byte(f.Confirmation))
	if err != nil {
		return nil
	}
	key, err := keys.ParseJWK(v)
	if err != nil {
		return nil
	}
	return key
}

// challenge names a nonce of one audience. Neither the proof nor its signature
// is part of it: those can be made again, or written differently, while the
// nonce may not serve again.
func challenge(want *verifiers.HolderExpectation) verifiers.Digest {
	text := binary.BigEndian.AppendUint64([]byte("holder nonce\x00"), uint64(len(want.Audience)))
	text = append(append(text, want.Audience...), want.Nonce...)
	return sha256.Sum256(text)
}
