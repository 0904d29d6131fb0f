// Package sm2 is the Chinese national signature algorithm SM2 (GB/T 32918.2)
// with SM3, as a JWS uses it: raw 64-byte signatures over the message, ZA
// computed from the key's distinguishing identifier.
package sm2

import (
	"crypto/ecdsa"
	"errors"
	"math/big"

	gmsm "github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// DefaultID is the distinguishing identifier of a key that names none
// (GB/T 35276, GM/T 0009).
const DefaultID = "1234567812345678"

// Size is the length of a coordinate, of r, of s and of a private key, in bytes.
const Size = 32

// ErrPoint is returned for coordinates that are no point of the curve.
var ErrPoint = errors.New("not a point of the SM2 curve")

// A PublicKey verifies signatures. It is immutable.
type PublicKey struct {
	point *ecdsa.PublicKey
	x, y  []byte
	id    string
	// za is what every message is prefixed with, SPEC: GB/T 32918.2 §5.5: the
	// hash of identifier, curve and key. It is the same for all messages.
	za []byte
}

// NewPublicKey makes a key from two 32-byte coordinates; an empty id is DefaultID.
func NewPublicKey(x, y []byte, id string) (*PublicKey, error) {
	if len(x) != Size || len(y) != Size {
		return nil, ErrPoint
	}
	raw := append(append([]byte{4}, x...), y...)
	point, err := gmsm.NewPublicKey(raw)
	if err != nil {
		return nil, ErrPoint
	}
	if id == "" {
		id = DefaultID
	}
	za, err := gmsm.CalculateZA(point, []byte(id))
	if err != nil {
		return nil, err
	}
	return &PublicKey{point: point, x: raw[1 : 1+Size], y: raw[1+Size:], id: id, za: za}, nil
}

// X and Y return the coordinates, 32 bytes each. The caller must not change them.
func (k *PublicKey) X() []byte { return k.x }

// Y is described at X.
func (k *PublicKey) Y() []byte { return k.y }

// ID returns the distinguishing identifier.
func (k *PublicKey) ID() string { return k.id }

// Verify reports whether signature, exactly r‖s in 64 bytes, is the key's over
// message.
func (k *PublicKey) Verify(message, signature []byte) bool {
	return k.verify(k.digest(message), signature)
}

func (k *PublicKey) verify(digest, signature []byte) bool {
	if len(signature) != 2*Size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:Size]), new(big.Int).SetBytes(signature[Size:])
	return gmsm.Verify(k.point, digest, r, s)
}

// digest is the e of GB/T 32918.2 §6.1: SM3(ZA ‖ message).
func (k *PublicKey) digest(message []byte) []byte {
	hash := sm3.New()
	hash.Write(k.za)
	hash.Write(message)
	return hash.Sum(nil)
}
