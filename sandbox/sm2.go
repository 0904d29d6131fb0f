// SM2 for the provinces that sign with national algorithms (contract §2.3).

package sandbox

import (
	"crypto/rand"

	"github.com/emmansun/gmsm/sm2"
)

// defaultDistID is the identity of GB/T 32918.2 users who name none (GM/T 0009).
const defaultDistID = "1234567812345678"

type sm2Key struct{ key *sm2.PrivateKey }

func newSM2() (*sm2Key, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &sm2Key{key}, nil
}

// sign returns r and s, 32 bytes each, of SM2 over SM3(ZA || input).
func (k *sm2Key) sign(distID string, input []byte) ([]byte, error) {
	if distID == "" {
		distID = defaultDistID
	}
	r, s, err := sm2.SignWithSM2(rand.Reader, &k.key.PrivateKey, []byte(distID), input)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

// public returns the point, uncompressed: 0x04, x, y.
func (k *sm2Key) public() ([]byte, error) {
	point, err := sm2.PublicKeyToECDH(&k.key.PublicKey)
	if err != nil {
		return nil, err
	}
	return point.Bytes(), nil
}
