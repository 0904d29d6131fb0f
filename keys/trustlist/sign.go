package trustlist

import (
	"encoding/base64"
	"encoding/json"

	"tongyan/keys"
)

// A Signer signs with one root's private key. [tongyan/keys/signer.Key] is one.
type Signer interface {
	// Public returns the public half.
	Public() *keys.Key
	// Protected returns the base64url of a header with the key's alg, typ and kid.
	Protected(typ string, kid keys.KeyID) (string, error)
	// Sign returns the signature over message.
	Sign(message []byte) ([]byte, error)
}

// general is JWS General JSON Serialization (RFC 7515 §7.2.1).
type general struct {
	Payload    string             `json:"payload"`
	Signatures []generalSignature `json:"signatures"`
}

type generalSignature struct {
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// Sign makes a list out of its content, in JWS Compact Serialization. Content
// that a gateway would refuse is refused here, before anybody sees it.
func Sign(payload []byte, root Signer) ([]byte, error) {
	if _, err := ParseContent(payload); err != nil {
		return nil, err
	}
	encoded := base64.RawURLEncoding.EncodeToString(payload)
	s, err := sign(encoded, root)
	if err != nil {
		return nil, err
	}
	return sized([]byte(s.Protected + "." + encoded + "." + s.Signature))
}

// AddSignature adds a root's signature to a list, which becomes, or stays, JWS
// General JSON. The signatures that it has are kept as they are; an earlier one
// of the same root is replaced. What is signed is what the list says: look at
// it first.
func AddSignature(token []byte, root Signer) ([]byte, error) {
	u, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	if _, err := ParseContent(u.Payload); err != nil {
		return nil, err
	}
	g := general{Payload: base64.RawURLEncoding.EncodeToString(u.Payload)}
	for _, s := range u.Signatures {
		if s.Root == root.Public().Thumbprint() {
			continue
		}
		g.Signatures = append(g.Signatures, generalSignature{s.jws.Protected(), base64.RawURLEncoding.EncodeToString(s.jws.Signature)})
	}
	s, err := sign(g.Payload, root)
	if err != nil {
		return nil, err
	}
	g.Signatures = append(g.Signatures, s)
	out, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	return sized(out)
}

func sign(payload string, root Signer) (s generalSignature, err error) {
	s.Protected, err = root.Protected(Type, keys.KeyID(root.Public().Thumbprint()))
	if err != nil {
		return s, err
	}
	signature, err := root.Sign([]byte(s.Protected + "." + payload))
	s.Signature = base64.RawURLEncoding.EncodeToString(signature)
	return s, err
}

func sized(token []byte) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, refuse(TooLarge, "%d bytes long once signed, at most %d are read", len(token), MaxToken)
	}
	return token, nil
}
