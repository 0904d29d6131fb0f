package sm2

import (
	"crypto/rand"
	"errors"

	gmsm "github.com/emmansun/gmsm/sm2"
)

// ErrPrivate is returned for a number that is no private key of the curve.
var ErrPrivate = errors.New("not a private key of the SM2 curve")

// A PrivateKey signs. It is immutable.
type PrivateKey struct {
	secret *gmsm.PrivateKey
	public *PublicKey
}

// Generate makes a new key; an empty id is DefaultID.
func Generate(id string) (*PrivateKey, error) {
	secret, err := gmsm.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newPrivateKey(secret, id)
}

// NewPrivateKey makes a key from its 32-byte number d, 0 < d < n-1; an empty id
// is DefaultID.
func NewPrivateKey(d []byte, id string) (*PrivateKey, error) {
	if len(d) != Size {
		return nil, ErrPrivate
	}
	secret, err := gmsm.NewPrivateKey(d)
	if err != nil {
		return nil, ErrPrivate
	}
	return newPrivateKey(secret, id)
}

func newPrivateKey(secret *gmsm.PrivateKey, id string) (*PrivateKey, error) {
	point, err := gmsm.PublicKeyToECDH(&secret.PublicKey)
	if err != nil {
		return nil, ErrPrivate
	}
	raw := point.Bytes() // 0x04 ‖ x ‖ y
	public, err := NewPublicKey(raw[1:1+Size], raw[1+Size:], id)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{secret, public}, nil
}

// Public returns the public half.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// D returns the secret number, 32 bytes. It is for writing the key to a file.
func (k *PrivateKey) D() ([]byte, error) {
	d, err := k.secret.ECDH()
	if err != nil {
		return nil, ErrPrivate
	}
	return d.Bytes(), nil
}

// Sign returns r‖s over message in 64 bytes.
func (k *PrivateKey) Sign(message []byte) ([]byte, error) {
	r, s, err := gmsm.Sign(rand.Reader, &k.secret.PrivateKey, k.public.digest(message))
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 2*Size)
	r.FillBytes(signature[:Size])
	s.FillBytes(signature[Size:])
	return signature, nil
}
