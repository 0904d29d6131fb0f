// Minting of credentials: right ones, and wrong ones to order.

package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Format is an envelope, by its typ; its media type is "application/" and
// the same.
type Format string

// The envelopes of contract §2.2 and §2.4.
const (
	EBLJWT  Format = "ebl+jwt"
	SDJWTVC Format = "dc+sd-jwt"
	VCJWT   Format = "vc+jwt"
)

// A LicenceSpec says what credential to mint. The zero value is a good one:
// an invented company, registered and in existence, signed with the
// province's first key an hour ago for a year.
type LicenceSpec struct {
	Format Format // empty: EBLJWT

	Business *Business // nil: Class and Number say which
	Class    Class
	Number   int

	Key *Key   // nil: the province's key for Alg
	Alg string // "": the province's first

	IssuedAt  time.Time // iat; zero: an hour ago
	Expires   time.Time // exp; zero: in a year
	NotBefore time.Time // nbf; zero: absent
	ID        string    // jti; "": invented
	Status    any       // claim status; nil: absent. See StatusList.Entry

	// Edit, if not nil, changes header and claims just before signing; the
	// licence is claims["licence"].(map[string]any).
	Edit func(header, claims map[string]any)

	// Unregistered leaves the registry as it is. Otherwise a business that it
	// does not know is registered as the licence says, with state 1; one that
	// it knows already keeps its record.
	Unregistered bool
}

// SignCompact makes a JWS Compact of any bytes, right or wrong, with any key:
// nothing in the header decides anything here.
func SignCompact(header, payload []byte, key Signer) (string, error) {
	input := b64(header) + "." + b64(payload)
	signature, err := key.Sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + b64(signature), nil
}

// signMaps is SignCompact for what can be marshalled.
func signMaps(header, payload any, key Signer) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	p, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	return SignCompact(h, p, key)
}

// Mint makes a credential in the envelope that spec names and returns the
// business that its claims were made from. SD-JWTs come with all disclosures
// and no proof; [Province.MintSD] and [Province.MintVC] have more to choose.
func (p *Province) Mint(spec LicenceSpec) (string, Business, error) {
	switch spec.Format {
	case "", EBLJWT:
		return p.mintEBL(spec)
	case VCJWT:
		return p.MintVC(VCSpec{LicenceSpec: spec})
	case SDJWTVC:
		issued, b, err := p.MintSD(SDSpec{LicenceSpec: spec})
		if err != nil {
			return "", Business{}, err
		}
		token, err := issued.Present(nil, nil)
		return token, b, err
	}
	return "", Business{}, fmt.Errorf("sandbox: mint: format %q is not one of the contract's", spec.Format)
}

func (p *Province) mintEBL(spec LicenceSpec) (string, Business, error) {
	b, key, err := p.settle(spec)
	if err != nil {
		return "", Business{}, err
	}
	header := map[string]any{"typ": string(EBLJWT), "alg": key.Alg, "kid": key.KID}
	claims := p.claims(spec, b)
	claims["licence"] = b.Members()
	if spec.Edit != nil {
		spec.Edit(header, claims)
	}
	token, err := signMaps(header, claims, key)
	if err != nil {
		return "", Business{}, fmt.Errorf("sandbox: mint: %w", err)
	}
	return token, b, nil
}

// settle finds the business and the key, and registers the business.
func (p *Province) settle(spec LicenceSpec) (Business, *Key, error) {
	key := spec.Key
	if key == nil {
		if key = p.SigningKey(spec.Alg); key == nil {
			return Business{}, nil, fmt.Errorf("sandbox: mint: %s publishes no key for %q", p.Code, spec.Alg)
		}
	}
	var b Business
	if spec.Business != nil {
		b = *spec.Business
	} else {
		b = p.Business(spec.Class, spec.Number)
	}
	if !spec.Unregistered {
		p.Registry.putNew(b.Record())
	}
	return b, key, nil
}

// claims are those of §2.2 that all envelopes share, without the licence.
func (p *Province) claims(spec LicenceSpec, b Business) map[string]any {
	now := p.sandbox.now()
	iat, exp, id := spec.IssuedAt, spec.Expires, spec.ID
	if iat.IsZero() {
		iat = now.Add(-time.Hour)
	}
	if exp.IsZero() {
		exp = now.AddDate(1, 0, 0)
	}
	if id == "" {
		id = "ebl-" + b.USCC + "-" + b.ApprDate
	}
	claims := map[string]any{"iss": p.Issuer, "sub": b.USCC, "jti": id, "iat": iat.Unix(), "exp": exp.Unix()}
	if !spec.NotBefore.IsZero() {
		claims["nbf"] = spec.NotBefore.Unix()
	}
	if spec.Status != nil {
		claims["status"] = spec.Status
	}
	return claims
}
