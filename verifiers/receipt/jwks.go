package receipt

import (
	"crypto/ecdsa"
	"encoding/base64"

	"tongyan/keys/sm2"
)

func appendJWKS(b []byte, shown []published) []byte {
	b = append(b, `{"keys":[`...)
	for i, p := range shown {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.appendJWK(b)
	}
	return append(b, "]}"...)
}

// appendJWK writes the public key, from its coordinates: nothing secret is at
// hand here that could slip out.
func (p published) appendJWK(b []byte) []byte {
	crv, distID := "P-256", ""
	var x, y []byte
	switch key := p.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 0x04 ‖ x ‖ y
		if err != nil {
			return append(b, "{}"...) // an admitted key is on its curve
		}
		x, y = point[1:33], point[33:]
	case *sm2.PublicKey:
		crv, x, y = "SM2", key.X(), key.Y()
		if key.ID() != sm2.DefaultID {
			distID = key.ID()
		}
	}
	b = appendText(b, `{"kty":"EC","crv":`, crv)
	b = appendText(b, `,"x":`, base64.RawURLEncoding.EncodeToString(x))
	b = appendText(b, `,"y":`, base64.RawURLEncoding.EncodeToString(y))
	if distID != "" {
		b = appendText(b, `,"distid":`, distID)
	}
	b = appendText(b, `,"use":"sig","alg":`, string(p.alg))
	b = appendText(b, `,"kid":`, string(p.id))
	return append(b, '}')
}
