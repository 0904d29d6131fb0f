package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"

	"filippo.io/edwards25519"

	"tongyan/keys/sm2"
	"tongyan/strict"
)

// ErrPrivate is returned for a JWK that holds private or symmetric material:
// its owner has lost it, and a set with one in it is refused whole.
var ErrPrivate = errors.New("private or symmetric key material")

// A KeyError says why a JWK is unusable, in words for the log that quote
// nothing of it.
type KeyError struct{ Why string }

func (e *KeyError) Error() string { return "unusable key: " + e.Why }

func unusable(why string) error { return &KeyError{why} }

// maxTime is the last second of the year 9999, the end of every time here (contract §2.2).
const maxTime = 253402300799

// ParseJWK admits one public key (RFC 7517) by the rules of contract §3, all
// but the one that it must have a kid, which belongs to sets. The error is
// ErrPrivate or a *KeyError.
func ParseJWK(v strict.Value) (*Key, error) {
	k, err := readJWK(v)
	if err == nil && k.named != "" && !fits(k.public, k.named) {
		return nil, unusable("alg is unknown or does not fit the key")
	}
	return k, err
}

// readJWK is ParseJWK, but that it takes a key whose alg can never fit it. Such
// a key is there, and whatever is asked of it is ALGORITHM_NOT_ALLOWED.
func readJWK(v strict.Value) (*Key, error) {
	if v.Kind() != strict.Object {
		return nil, unusable("not a JSON object")
	}
	kty, _ := v.Get("kty").Text()
	if kty == "oct" {
		return nil, ErrPrivate
	}
	// "priv" is the private half of a kty that we do not have (AKP: ML-DSA).
	for _, name := range [...]string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		if v.Get(name).Kind() != strict.Absent {
			return nil, ErrPrivate
		}
	}
	k := new(Key)
	if err := k.readMaterial(kty, v); err != nil {
		return nil, err
	}
	if err := k.readUse(v); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Key) readMaterial(kty string, v strict.Value) (err error) {
	crv, _ := v.Get("crv").Text()
	switch {
	case kty == "EC" && crv == "P-256":
		return k.readEC(elliptic.P256(), crv, v)
	case kty == "EC" && crv == "P-384":
		return k.readEC(elliptic.P384(), crv, v)
	case kty == "EC" && crv == "SM2":
		return k.readSM2(v)
	case kty == "EC", kty == "OKP" && crv != "Ed25519":
		return unusable("unknown curve")
	case kty == "OKP":
		return k.readEd25519(v)
	case kty == "RSA":
		return k.readRSA(v)
	}
	return unusable("unknown key type")
}

func (k *Key) readEC(curve elliptic.Curve, crv string, v strict.Value) error {
	size := curve.Params().BitSize / 8
	x, y := bytesOf(v.Get("x")), bytesOf(v.Get("y"))
	if len(x) != size || len(y) != size {
		return unusable("coordinate of the wrong length")
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return unusable("point is not on the curve")
	}
	k.public = pub
	k.thumbprint = thumbprint(`{"crv":"` + crv + `","kty":"EC","x":"` + encode(x) + `","y":"` + encode(y) + `"}`)
	return nil
}

func (k *Key) readSM2(v strict.Value) error {
	id, ok := v.Get("distid").Text()
	if !ok && v.Get("distid").Kind() != strict.Absent || ok && (id == "" || len(id) > 1024) {
		return unusable("distid is not a text of 1 to 1024 bytes")
	}
	x, y := bytesOf(v.Get("x")), bytesOf(v.Get("y"))
	pub, err := sm2.NewPublicKey(x, y, id)
	if err != nil {
		return unusable("point is not on the SM2 curve")
	}
	k.public = pub
	k.thumbprint = thumbprint(`{"crv":"SM2","kty":"EC","x":"` + encode(x) + `","y":"` + encode(y) + `"}`)
	return nil
}

func (k *Key) readEd25519(v strict.Value) error {
	x := bytesOf(v.Get("x"))
	if len(x) != ed25519.PublicKeySize {
		return unusable("coordinate of the wrong length")
	}
	point, err := new(edwards25519.Point).SetBytes(x)
	if err != nil {
		return unusable("point is not on the curve")
	}
	if string(point.Bytes()) != string(x) {
		return unusable("point is not encoded canonically")
	}
	// A key of small order has signatures that fit every message.
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return unusable("point of small order")
	}
	k.public = ed25519.PublicKey(x)
	k.thumbprint = thumbprint(`{"crv":"Ed25519","kty":"OKP","x":"` + encode(x) + `"}`)
	return nil
}

func (k *Key) readRSA(v strict.Value) error {
	n, e := bytesOf(v.Get("n")), bytesOf(v.Get("e"))
	// SPEC: RFC 7518 §2 Base64urlUInt "MUST utilize the minimum number of octets":
	// a second spelling would be a second thumbprint, which no revocation names.
	if len(n) == 0 || n[0] == 0 || len(e) == 0 || e[0] == 0 {
		return unusable("modulus or exponent not in its shortest form")
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < 2048 || bits > 8192 {
		return unusable("RSA modulus outside 2048 to 8192 bits")
	}
	if modulus.Bit(0) == 0 {
		return unusable("RSA modulus is even")
	}
	if exponent.Bit(0) == 0 || exponent.Cmp(big.NewInt(65537)) < 0 || exponent.BitLen() > 32 {
		return unusable("RSA exponent is even, below 65537 or above 2^32")
	}
	// The standard library takes exponents up to 2^31-1 only; one above verifies nothing.
	if exponent.BitLen() > 31 {
		return unusable("RSA exponent above 2^31 is not supported")
	}
	if hasROCA(modulus) {
		return unusable("RSA modulus can be factored (CVE-2017-15361)")
	}
	k.public = &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
	k.thumbprint = thumbprint(`{"e":"` + encode(e) + `","kty":"RSA","n":"` + encode(n) + `"}`)
	return nil
}

// readUse reads what the key may be used for: alg, use, key_ops, kid, window
// and revocation.
func (k *Key) readUse(v strict.Value) error {
	if alg := v.Get("alg"); alg.Kind() != strict.Absent {
		name, _ := alg.Text()
		if name == "" {
			return unusable("alg is no text, or empty")
		}
		var known bool
		if k.named, known = ParseAlgorithm(name); !known {
			k.named = Algorithm(name)
		}
	}
	if use := v.Get("use"); use.Kind() != strict.Absent {
		if s, _ := use.Text(); s != "sig" {
			return unusable("use is other than sig")
		}
	}
	if ops := v.Get("key_ops"); ops.Kind() != strict.Absent && !verifies(ops) {
		return unusable("key_ops without verify")
	}
	if kid := v.Get("kid"); kid.Kind() != strict.Absent {
		s, ok := kid.Text()
		if !ok || s == "" || len(s) > 256 {
			return unusable("kid is not a text of 1 to 256 bytes")
		}
		k.id = KeyID(s)
	}
	var ok bool
	if k.notBefore, ok = seconds(v.Get("nbf")); !ok {
		return unusable("nbf is not in whole seconds")
	}
	if k.notAfter, ok = seconds(v.Get("exp")); !ok {
		return unusable("exp is not in whole seconds")
	}
	if revoked := v.Get("revoked"); revoked.Kind() != strict.Absent && revoked.Kind() != strict.Null {
		r, ok := ParseRevocation(revoked)
		if !ok {
			// Something was meant by it; the safe reading is that the key is dead.
			r = Revocation{Reason: "unreadable"}
		}
		k.revoked = &r
	}
	return nil
}

func verifies(ops strict.Value) bool {
	names, _ := ops.Strings()
	for _, name := range names {
		if name == "verify" {
			return true
		}
	}
	return false
}

// ParseRevocation reads {"revoked_at": seconds, "reason": text}.
func ParseRevocation(v strict.Value) (Revocation, bool) {
	at, ok := v.Get("revoked_at").Integer(maxTime)
	if !ok {
		return Revocation{}, false
	}
	reason, ok := v.Get("reason").Text()
	return Revocation{At: at, Reason: reason}, ok
}

// seconds reads an optional time; 0 is "not stated". A stated 0 is read as 1,
// so that an end in 1970 stays an end.
func seconds(v strict.Value) (int64, bool) {
	if v.Kind() == strict.Absent {
		return 0, true
	}
	n, ok := v.Integer(maxTime)
	return max(n, 1), ok
}

func bytesOf(v strict.Value) []byte {
	s, ok := v.Text()
	if !ok || s == "" {
		return nil
	}
	b, err := strict.Base64URL(s)
	if err != nil {
		return nil
	}
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func thumbprint(canonical string) Thumbprint {
	sum := sha256.Sum256([]byte(canonical))
	return Thumbprint(encode(sum[:]))
}
