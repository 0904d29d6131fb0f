// VC-JOSE: the licence as a W3C verifiable credential, secured as a JWT.

package sandbox

import (
	"fmt"
	"time"
)

// A VCSpec says what verifiable credential to mint. The zero value states
// everything in VC members and nothing in JWT claims.
type VCSpec struct {
	LicenceSpec // Edit sees the whole VC

	// JWTClaims repeats iss, sub, jti, iat and exp as JWT claims.
	JWTClaims bool

	// IssuerObject writes the issuer as an object with id and name.
	IssuerObject bool
}

// MintVC issues a credential of the VC Data Model 2.0 (contract §2.4).
func (p *Province) MintVC(spec VCSpec) (string, Business, error) {
	b, key, err := p.settle(spec.LicenceSpec)
	if err != nil {
		return "", Business{}, err
	}
	claims := p.claims(spec.LicenceSpec, b)
	vc := map[string]any{
		"@context":          []string{"https://www.w3.org/ns/credentials/v2"},
		"type":              []string{"VerifiableCredential", "BusinessLicence"},
		"id":                "urn:ebl:" + claims["jti"].(string),
		"issuer":            claims["iss"],
		"validFrom":         stamp(claims["iat"]),
		"validUntil":        stamp(claims["exp"]),
		"credentialSubject": map[string]any{"licence": b.Members()},
	}
	if spec.IssuerObject {
		vc["issuer"] = map[string]any{"id": claims["iss"], "name": p.Authority}
	}
	if spec.JWTClaims {
		for _, name := range []string{"iss", "sub", "iat", "exp"} {
			vc[name] = claims[name]
		}
		vc["jti"] = vc["id"]
	}
	for _, name := range []string{"status", "nbf"} { // of which a VC has no member
		if value, there := claims[name]; there {
			vc[name] = value
		}
	}
	header := map[string]any{"typ": string(VCJWT), "cty": "vc", "alg": key.Alg, "kid": key.KID}
	if spec.Edit != nil {
		spec.Edit(header, vc)
	}
	token, err := signMaps(header, vc, key)
	if err != nil {
		return "", Business{}, fmt.Errorf("sandbox: mint: %w", err)
	}
	return token, b, nil
}

// stamp writes seconds as an XML Schema dateTimeStamp.
func stamp(seconds any) string {
	return time.Unix(seconds.(int64), 0).UTC().Format(time.RFC3339)
}
