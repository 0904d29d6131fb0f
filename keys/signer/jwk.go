package signer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"tongyan/keys"
	"tongyan/keys/sm2"
	"tongyan/strict"
)

// MaxJWK is the length of the longest file that is read as a key, in bytes.
const MaxJWK = 64 << 10

// ErrPublicOnly is returned for a JWK without a private half.
var ErrPublicOnly = errors.New("the JWK has no private half")

// jwk is a key as RFC 7517 writes it: the order of members is that of the file.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Use       string `json:"use,omitempty"`
	KeyID     string `json:"kid,omitempty"`
	DistID    string `json:"distid,omitempty"`
	X         octets `json:"x,omitempty"`
	Y         octets `json:"y,omitempty"`
	N         octets `json:"n,omitempty"`
	E         octets `json:"e,omitempty"`
	D         octets `json:"d,omitempty"`
	P         octets `json:"p,omitempty"`
	Q         octets `json:"q,omitempty"`
	DP        octets `json:"dp,omitempty"`
	DQ        octets `json:"dq,omitempty"`
	QI        octets `json:"qi,omitempty"`
}

type octets []byte

func (o octets) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, o), nil
}

func (j jwk) publicHalf() jwk {
	j.D, j.P, j.Q, j.DP, j.DQ, j.QI = nil, nil, nil, nil, nil, nil
	return j
}

// PublicJWK returns the public half as a JWK, on one line without its feed.
func (k *Key) PublicJWK() ([]byte, error) { return json.Marshal(k.jwk.publicHalf()) }

// PrivateJWK returns both halves as a JWK. It is secret.
func (k *Key) PrivateJWK() ([]byte, error) { return json.Marshal(k.jwk) }

// Parse reads a private JWK, strictly; its public half must pass the rules for
// issuers' keys. A key without alg signs under the one of its curve, an RSA key
// under PS256. Errors quote nothing of it.
func Parse(text []byte) (*Key, error) {
	if len(text) > MaxJWK {
		return nil, fmt.Errorf("longer than %d bytes", MaxJWK)
	}
	v, err := strict.Parse(text)
	if err != nil {
		return nil, err
	}
	if v.Kind() != strict.Object {
		return nil, errors.New("not a JWK")
	}
	if v.Get("d").Kind() == strict.Absent {
		return nil, ErrPublicOnly
	}
	var j jwk
	for _, m := range v.Members() {
		if err := j.set(m.Name, m.Value); err != nil {
			return nil, fmt.Errorf("member %s: %w", m.Name, err)
		}
	}
	alg, private, err := j.material()
	if err != nil {
		return nil, err
	}
	stated := j
	k, err := newKey(alg, private, j)
	if err != nil {
		return nil, err
	}
	// What stands in the file must be what belongs to its secret: a foreign public
	// half would be handed out as ours.
	for _, pair := range [...][2]octets{{stated.X, k.jwk.X}, {stated.Y, k.jwk.Y}, {stated.N, k.jwk.N}, {stated.E, k.jwk.E}} {
		if len(pair[0]) > 0 && !bytes.Equal(pair[0], pair[1]) {
			return nil, errors.New("the private and the public half of the key do not fit together")
		}
	}
	return k, nil
}

// set takes over one member. Those it does not know are dropped: what a key's
// file says beyond the key is not published with it.
func (j *jwk) set(name string, v strict.Value) (err error) {
	texts := map[string]*string{"kty": &j.Type, "crv": &j.Curve, "alg": &j.Algorithm, "use": &j.Use, "kid": &j.KeyID, "distid": &j.DistID}
	numbers := map[string]*octets{"x": &j.X, "y": &j.Y, "n": &j.N, "e": &j.E, "d": &j.D, "p": &j.P, "q": &j.Q, "dp": &j.DP, "dq": &j.DQ, "qi": &j.QI}
	text, isText := v.Text()
	if target := texts[name]; target != nil {
		if !isText || text == "" {
			return errors.New("not a text, or empty")
		}
		*target = text
	}
	if target := numbers[name]; target != nil {
		raw, err := strict.Base64URL(text)
		if !isText || err != nil || len(raw) == 0 {
			return errors.New("not base64url")
		}
		*target = raw
	}
	return nil
}

// material turns the members into a key and says what it signs under.
func (j *jwk) material() (alg keys.Algorithm, private any, err error) {
	switch {
	case j.Type == "EC" && j.Curve == "P-256":
		alg = keys.ES256
		private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), j.D)
	case j.Type == "EC" && j.Curve == "P-384":
		alg = keys.ES384
		private, err = ecdsa.ParseRawPrivateKey(elliptic.P384(), j.D)
	case j.Type == "EC" && j.Curve == "SM2":
		alg = keys.SM2
		private, err = sm2.NewPrivateKey(j.D, j.DistID)
	case j.Type == "OKP" && j.Curve == "Ed25519":
		alg = keys.EdDSA
		if len(j.D) != ed25519.SeedSize {
			return "", nil, errors.New("an Ed25519 key's d is 32 bytes long")
		}
		private = ed25519.NewKeyFromSeed(j.D)
	case j.Type == "RSA":
		alg = keys.PS256
		private, err = j.rsa()
	default:
		return "", nil, errors.New("a kind of key or curve that nothing here signs with")
	}
	if err != nil {
		return "", nil, errors.New("d is no private key of its kind")
	}
	if j.Algorithm != "" {
		named, ok := keys.ParseAlgorithm(j.Algorithm)
		if !ok || named != alg && !(j.Type == "RSA" && named == keys.RS256) {
			return "", nil, errors.New("alg is unknown or does not fit the key")
		}
		alg = named
	}
	return alg, private, nil
}

func (j *jwk) rsa() (*rsa.PrivateKey, error) {
	e := new(big.Int).SetBytes(j.E)
	if len(j.N) == 0 || len(j.P) == 0 || len(j.Q) == 0 || e.BitLen() > 31 {
		return nil, errors.New("an RSA key has n, e, d, p and q")
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).SetBytes(j.N), E: int(e.Int64())},
		D:         new(big.Int).SetBytes(j.D),
		Primes:    []*big.Int{new(big.Int).SetBytes(j.P), new(big.Int).SetBytes(j.Q)},
	}
	key.Precompute()
	return key, key.Validate()
}

// fill writes the members that follow from the private key.
func (j *jwk) fill(private any) (err error) {
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		j.Type, j.Curve = "EC", key.Curve.Params().Name
		raw, err := key.PublicKey.Bytes() // 0x04 ‖ x ‖ y
		if err != nil {
			return err
		}
		half := len(raw) / 2
		j.X, j.Y = raw[1:1+half], raw[1+half:]
		if j.D, err = key.Bytes(); err != nil {
			return err
		}
	case ed25519.PrivateKey:
		j.Type, j.Curve = "OKP", "Ed25519"
		j.X, j.D = octets(key[ed25519.SeedSize:]), key.Seed()
	case *rsa.PrivateKey:
		key.Precompute()
		j.Type, j.N, j.E = "RSA", key.N.Bytes(), big.NewInt(int64(key.E)).Bytes()
		j.D, j.P, j.Q = key.D.Bytes(), key.Primes[0].Bytes(), key.Primes[1].Bytes()
		j.DP, j.DQ, j.QI = key.Precomputed.Dp.Bytes(), key.Precomputed.Dq.Bytes(), key.Precomputed.Qinv.Bytes()
	case *sm2.PrivateKey:
		j.Type, j.Curve, j.X, j.Y = "EC", "SM2", key.Public().X(), key.Public().Y()
		j.D, err = key.D()
	}
	return err
}
