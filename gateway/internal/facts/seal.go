package facts

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"sync"
	"time"

	"tongyan/verifiers"
)

// prefix begins every name in Redis, so that a person sees whose they are. The
// rest has no braces, which Redis Cluster would take for a hash tag.
const prefix = "ty1:"

// nameBytes of the keyed hash are kept: 144 bits, 24 characters.
const nameBytes = 18

var (
	errUnsealed = errors.New("facts: a value that does not open")
	errForeign  = errors.New("facts: a value about something else")
)

// A sealer gives facts their names in Redis and seals them. Its two keys are
// derived from the one that the gateways share.
type sealer struct {
	block  cipher.Block // AES-256, from which each value's own key is derived
	subkey [aes.BlockSize]byte
	macs   sync.Pool // of hash.Hash, HMAC-SHA-256 with the key for names
}

const sealKeyBytes = 32

func newSealer(key []byte) (*sealer, error) {
	if len(key) != sealKeyBytes {
		return nil, errors.New("facts: the seal key must be 32 bytes")
	}
	forValues, err := hkdf.Key(sha256.New, key, nil, "tongyan facts: values", sealKeyBytes)
	if err != nil {
		return nil, err
	}
	forNames, err := hkdf.Key(sha256.New, key, nil, "tongyan facts: names", sha256.Size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(forValues)
	if err != nil {
		return nil, err
	}
	s := &sealer{block: block, subkey: cmacSubkey(block)}
	s.macs.New = func() any { return hmac.New(sha256.New, forNames) }
	return s, nil
}

// name returns the name under which Redis keeps a fact of this kind about what
// the parts say. The last part only may vary in length.
func (s *sealer) name(kind Kind, parts ...[]byte) string {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte(kind))
	for _, part := range parts {
		mac.Write([]byte{0})
		mac.Write(part)
	}
	var sum [sha256.Size]byte
	return prefix + base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0])[:nameBytes])
}

func (s *sealer) standingName(k verifiers.StandingKey) string {
	return s.name(KindStanding, []byte(k.Province), []byte(k.USCC))
}

func (s *sealer) leaseName(k verifiers.StandingKey) string {
	return s.name(KindLease, []byte(k.Province), []byte(k.USCC))
}

// A stamp stands in the open before a sealed standing: the microseconds since
// 1970 when it was asked for, in 16 digits, so that Redis can tell which of two
// is newer. It is authenticated like the name.
const stampBytes = 16

func stampOf(t time.Time) string {
	digits := strconv.FormatInt(t.UnixMicro(), 10)
	const zeros = "0000000000000000"
	return zeros[:max(0, stampBytes-len(digits))] + digits
}

// seal returns stamp, nonce and sealed bytes of plain, bound to name and stamp.
func (s *sealer) seal(name, stamp string, plain []byte) []byte {
	out := make([]byte, len(stamp)+nonceBytes, len(stamp)+nonceBytes+len(plain)+tagBytes)
	copy(out, stamp)
	nonce := out[len(stamp):]
	rand.Read(nonce) // never fails: it ends the program instead
	return s.aead(nonce).Seal(out, nonce[derivingBytes:], plain, additional(name, stamp))
}

// open returns what seal sealed, if it was sealed under this name.
func (s *sealer) open(name string, stamped bool, value []byte) ([]byte, error) {
	stamp := ""
	if stamped {
		if len(value) < stampBytes {
			return nil, errUnsealed
		}
		stamp, value = string(value[:stampBytes]), value[stampBytes:]
	}
	if len(value) < nonceBytes+tagBytes {
		return nil, errUnsealed
	}
	nonce, sealed := value[:nonceBytes], value[nonceBytes:]
	plain, err := s.aead(nonce).Open(make([]byte, 0, len(sealed)), nonce[derivingBytes:], sealed, additional(name, stamp))
	if err != nil {
		return nil, errUnsealed
	}
	return plain, nil
}

// additional is what a seal covers besides the value: schema, name and stamp.
func additional(name, stamp string) []byte {
	b := make([]byte, 0, 1+len(name)+len(stamp))
	b = append(b, schema)
	b = append(b, name...)
	return append(b, stamp...)
}

// finding opens a finding and makes sure that it is the one about d: an answer
// of Redis may belong to another command (the class of CVE-2025-29923).
func (s *sealer) finding(d verifiers.Digest, name string, value []byte) (*keptFinding, error) {
	plain, err := s.open(name, false, value)
	if err != nil {
		return nil, err
	}
	about, f, err := readFinding(plain)
	if err != nil {
		return nil, err
	}
	if about != d {
		return nil, errForeign
	}
	return f, nil
}

// standing opens a standing and makes sure that it is the one about k.
func (s *sealer) standing(k verifiers.StandingKey, name string, value []byte) (*keptStanding, error) {
	plain, err := s.open(name, true, value)
	if err != nil {
		return nil, err
	}
	kept, err := readStanding(plain)
	if err != nil {
		return nil, err
	}
	if kept.Key != k {
		return nil, errForeign
	}
	return kept, nil
}

// lease opens a lease.
func (s *sealer) lease(name string, value []byte) (lease, error) {
	plain, err := s.open(name, false, value)
	if err != nil {
		return lease{}, err
	}
	return readLease(plain)
}

// Values are sealed with AES-256-GCM under a key of their own, derived from the
// first half of a random nonce of 24 bytes: XAES-256-GCM (C2SP). Under one
// fixed key, random nonces of 12 bytes are safe for 2³² values only
// (NIST SP 800-38D §8.3), which a busy alliance writes within weeks.
const (
	nonceBytes    = 24
	derivingBytes = 12
	tagBytes      = 16
)

func (s *sealer) aead(nonce []byte) cipher.AEAD {
	// SPEC: C2SP XAES-256-GCM: the key is the NIST SP 800-108 counter-mode KDF
	// with CMAC, label "X", context the first 12 bytes of the nonce.
	var key [2 * aes.BlockSize]byte
	for i := range 2 {
		half := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		half[1], half[2] = byte(i+1), 'X'
		copy(half[4:], nonce[:derivingBytes])
		subtle.XORBytes(half, half, s.subkey[:])
		s.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}

// cmacSubkey is K1 of NIST SP 800-38B §6.1, for messages of whole blocks.
func cmacSubkey(block cipher.Block) (k [aes.BlockSize]byte) {
	block.Encrypt(k[:], k[:])
	high := k[0] >> 7
	for i := range len(k) - 1 {
		k[i] = k[i]<<1 | k[i+1]>>7
	}
	k[len(k)-1] = k[len(k)-1]<<1 ^ high*0x87
	return k
}
