// Package sm2 is the Chinese national signature algorithm SM2 (GB/T 32918.2)
// with SM3, as a JWS uses it: raw 64-byte signatures over the message, ZA
// computed from the key's distinguishing identifier.
package sm2

import (
	"crypto/ecdsa"
	"errors"
	"math/big"

	gmsm "github.com/emmansun/gmsm/sm2"
)

// DefaultID is the distinguishing identifier of a key that names none
// (GB/T 35276, GM/T 0009).
const DefaultID = "1234567812345678"

// Size is the length of a coordinate, and of r and of s, in bytes.
const Size = 32

// ErrPoint is returned for coordinates that are no point of the curve.
var ErrPoint = errors.New("not a point of the SM2 curve")

// A PublicKey verifies signatures. It is immutable.
type PublicKey struct {
	point *ecdsa.PublicKey
	id    []byte
}

// NewPublicKey makes a key from two 32-byte coordinates; an empty id is DefaultID.
func NewPublicKey(x, y []byte, id string) (*PublicKey, error) {
	if len(x) != Size || len(y) != Size {
		return nil, ErrPoint
	}
	point, err := gmsm.NewPublicKey(append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, ErrPoint
	}
	if id == "" {
		id = DefaultID
	}
	return &PublicKey{point, []byte(id)}, nil
}

// Verify reports whether signature, exactly r‖s in 64 bytes, is the key's over
// message.
func (k *PublicKey) Verify(message, signature []byte) bool {
	if len(signature) != 2*Size {
		return false
	}
	hash, err := gmsm.CalculateSM2Hash(k.point, message, k.id)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:Size]), new(big.Int).SetBytes(signature[Size:])
	return gmsm.Verify(k.point, hash, r, s)
}
