// SD-JWT VC (RFC 9901): credentials whose members are disclosed one by one,
// and proofs of who holds them.

package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An SDSpec says what SD-JWT to mint. The zero value hides every member of
// the licence that may be hidden, and binds no holder.
type SDSpec struct {
	LicenceSpec // Edit sees the claims with "_sd" and "..." in place

	// Hidden names the licence members to be disclosed on demand; nil means
	// all but uniscid, regorg and apprdate. Those three are hidden if named
	// here, though no verifier may take it.
	Hidden []string

	Decoys int    // digests of nothing among the others
	Hash   string // _sd_alg: sha-256 (default), sha-384 or sha-512
	Holder *Key   // its public key becomes cnf.jwk
}

// A Disclosure is one hidden thing: an object member, or, with an empty Name,
// an array element.
type Disclosure struct {
	Name    string
	Encoded string // base64url of the JSON array, as it is presented
	Digest  string // what stands in "_sd" or behind "..." for it
}

// An SDJWT is an issued SD-JWT, from which any number of presentations can be
// made.
type SDJWT struct {
	JWT         string // the issuer-signed part
	Disclosures []Disclosure
	Hash        string
	Holder      *Key

	now func() time.Time
}

// Disclose makes the disclosure of an object member under any name, allowed
// or not.
func Disclose(hash, name string, value any) (Disclosure, error) {
	return disclose(hash, name, []any{name, value})
}

// DiscloseElement makes the disclosure of an array element; in the array
// stands {"...": Digest}.
func DiscloseElement(hash string, value any) (Disclosure, error) {
	return disclose(hash, "", []any{value})
}

func disclose(hash, name string, rest []any) (Disclosure, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	raw, err := json.Marshal(append([]any{b64(salt)}, rest...))
	if err != nil {
		return Disclosure{}, err
	}
	digest, err := digestOf(hash, b64(raw))
	return Disclosure{Name: name, Encoded: b64(raw), Digest: digest}, err
}

// digestOf hashes text as _sd_alg says.
func digestOf(hash, text string) (string, error) {
	switch hash {
	case "", "sha-256":
		sum := sha256.Sum256([]byte(text))
		return b64(sum[:]), nil
	case "sha-384":
		sum := sha512.Sum384([]byte(text))
		return b64(sum[:]), nil
	case "sha-512":
		sum := sha512.Sum512([]byte(text))
		return b64(sum[:]), nil
	}
	return "", fmt.Errorf("sandbox: hash %q is not one of the contract's", hash)
}

// alwaysOpen are the licence members that no issuer may hide (contract §2.4).
var alwaysOpen = []string{"uniscid", "regorg", "apprdate"}

// VCT is the credential type of business licences as SD-JWT VC.
const VCT = "urn:cn:ebl:business-licence:1"

// MintSD issues an SD-JWT VC (contract §2.4).
func (p *Province) MintSD(spec SDSpec) (*SDJWT, Business, error) {
	b, key, err := p.settle(spec.LicenceSpec)
	if err != nil {
		return nil, Business{}, err
	}
	out := &SDJWT{Hash: spec.Hash, Holder: spec.Holder, now: p.sandbox.now}
	claims := p.claims(spec.LicenceSpec, b)
	claims["vct"], claims["_sd_alg"] = VCT, "sha-256"
	if spec.Hash != "" {
		claims["_sd_alg"] = spec.Hash
	}
	if claims["licence"], err = out.hide(b.Members(), spec); err != nil {
		return nil, Business{}, err
	}
	if spec.Holder != nil {
		jwk, err := spec.Holder.ConfirmationJWK()
		if err != nil {
			return nil, Business{}, err
		}
		claims["cnf"] = map[string]any{"jwk": jwk}
	}
	header := map[string]any{"typ": string(SDJWTVC), "alg": key.Alg, "kid": key.KID}
	if spec.Edit != nil {
		spec.Edit(header, claims)
	}
	if out.JWT, err = signMaps(header, claims, key); err != nil {
		return nil, Business{}, fmt.Errorf("sandbox: mint: %w", err)
	}
	return out, b, nil
}

// hide turns members into disclosures and returns what stays in the open.
func (s *SDJWT) hide(licence map[string]any, spec SDSpec) (map[string]any, error) {
	var digests []string
	for name, value := range licence {
		hidden := slices.Contains(spec.Hidden, name)
		if spec.Hidden == nil {
			hidden = !slices.Contains(alwaysOpen, name)
		}
		if !hidden {
			continue
		}
		d, err := Disclose(spec.Hash, name, value)
		if err != nil {
			return nil, err
		}
		delete(licence, name)
		s.Disclosures = append(s.Disclosures, d)
		digests = append(digests, d.Digest)
	}
	for range spec.Decoys {
		digest, err := digestOf(spec.Hash, rand.Text())
		if err != nil {
			return nil, err
		}
		digests = append(digests, digest)
	}
	slices.SortFunc(s.Disclosures, func(a, b Disclosure) int { return strings.Compare(a.Name, b.Name) })
	if digests != nil {
		slices.Sort(digests) // the order must not tell which is which
		licence["_sd"] = digests
	}
	return licence, nil
}

// A Proof says what holder proof (KB-JWT) to add to a presentation. Aud and
// Nonce are what the verifier asked for.
type Proof struct {
	Aud, Nonce string
	IssuedAt   time.Time // zero: now
	Key        *Key      // nil: the holder's

	// Edit, if not nil, changes header and claims just before signing.
	Edit func(header, claims map[string]any)
}

// Present shows the members named, in the order of the issued disclosures, or
// all of them if names is nil; with a proof if it is not nil.
func (s *SDJWT) Present(names []string, proof *Proof) (string, error) {
	var shown []string
	for _, d := range s.Disclosures {
		if names == nil || slices.Contains(names, d.Name) {
			shown = append(shown, d.Encoded)
		}
	}
	return s.PresentRaw(shown, proof)
}

// PresentRaw shows any text as disclosures.
func (s *SDJWT) PresentRaw(disclosures []string, proof *Proof) (string, error) {
	presented := strings.Join(append([]string{s.JWT}, disclosures...), "~") + "~"
	if proof == nil {
		return presented, nil
	}
	key := proof.Key
	if key == nil {
		key = s.Holder
	}
	if key == nil {
		return "", fmt.Errorf("sandbox: proof: no holder is bound, and no key given")
	}
	at := proof.IssuedAt
	if at.IsZero() {
		at = s.now()
	}
	digest, err := digestOf(s.Hash, presented)
	if err != nil {
		return "", err
	}
	header := map[string]any{"typ": "kb+jwt", "alg": key.Alg}
	claims := map[string]any{"iat": at.Unix(), "aud": proof.Aud, "nonce": proof.Nonce, "sd_hash": digest}
	if proof.Edit != nil {
		proof.Edit(header, claims)
	}
	token, err := signMaps(header, claims, key)
	if err != nil {
		return "", fmt.Errorf("sandbox: proof: %w", err)
	}
	return presented + token, nil
}
