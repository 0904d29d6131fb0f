package receipt

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tongyan/keys"
	"tongyan/verifiers"
)

// A Key is one of a gateway's own keys, ES256 or SM2.
type Key struct {
	Public *keys.Key
	ID     keys.KeyID // "" is the public key's thumbprint

	// Private signs a digest: an *ecdsa.PrivateKey, gmsm's *sm2.PrivateKey, or
	// what stands for one in a hardware module. nil: the key is only published,
	// for the receipts that it signed before.
	Private crypto.Signer
}

// Options make a [Signer].
type Options struct {
	// Gateway is the receipts' iss.
	Gateway string
	// Keys: the first of each algorithm with a private half signs, and all are
	// published, no key and no kid twice. To rotate, put the new key in front,
	// and drop the old one when its last receipt has ended: what is not listed
	// is not published, so that dropping a stolen key takes effect at once.
	// A receipt ends with the trust list at the latest. A key to come may be
	// published ahead, behind the one that signs.
	Keys []Key
	// Remember is how many receipts are kept to be given again; 0 is 8192.
	Remember int
}

// A Signer signs receipts. It is safe for concurrent use.
type Signer struct {
	gateway string
	active  []*active // ES256 before SM2
	jwks    []byte
	set     *keys.Set
	memory  *memory
}

// A published key stands in the key set.
type published struct {
	id  keys.KeyID
	key *keys.Key
	alg keys.Algorithm
}

// An active key signs.
type active struct {
	published
	protected string // the header, in base64url
	sign      func(message []byte) ([]byte, error)
}

// remembered is the default of Options.Remember: some 20 MB of receipts.
const remembered = 8192

// NewSigner makes a signer. It tries every key that is to sign.
func NewSigner(o Options) (*Signer, error) {
	if o.Gateway == "" {
		return nil, errors.New("receipts: the gateway has no name (iss)")
	}
	if o.Remember == 0 {
		o.Remember = remembered
	}
	s := &Signer{gateway: o.Gateway, memory: newMemory(o.Remember)}
	var shown []published
	for i, k := range o.Keys {
		alg, err := algorithmOf(k.Public)
		if err != nil {
			return nil, fmt.Errorf("receipts: key %d: %w", i, err)
		}
		p := published{k.ID, k.Public, alg}
		if p.id == "" {
			p.id = keys.KeyID(k.Public.Thumbprint())
		}
		if slices.ContainsFunc(shown, p.twice) {
			return nil, fmt.Errorf("receipts: key %d: its kid or itself stands there already", i)
		}
		shown = append(shown, p)
		if k.Private == nil || slices.ContainsFunc(s.active, func(a *active) bool { return a.alg == alg }) {
			continue
		}
		a, err := activate(p, k.Private)
		if err != nil {
			return nil, fmt.Errorf("receipts: key %d: %w", i, err)
		}
		s.active = append(s.active, a)
	}
	if len(s.active) == 0 {
		return nil, errors.New("receipts: no private key to sign with")
	}
	slices.SortFunc(s.active, func(a, b *active) int { return strings.Compare(string(a.alg), string(b.alg)) })
	s.jwks = appendJWKS(nil, shown)
	var err error
	if s.set, err = LoadJWKS(s.jwks); err != nil {
		return nil, fmt.Errorf("receipts: own keys: %w", err)
	}
	return s, nil
}

func (p published) twice(other published) bool {
	return p.id == other.id || p.key.Thumbprint() == other.key.Thumbprint()
}

func algorithmOf(key *keys.Key) (keys.Algorithm, error) {
	switch {
	case key == nil:
		return "", errors.New("no public half")
	case key.Fits(keys.ES256):
		return keys.ES256, nil
	case key.Fits(keys.SM2):
		return keys.SM2, nil
	}
	return "", errors.New("receipts are signed by a P-256 key (ES256) or an SM2 key")
}

// An Issued is what came of [Signer.Issue].
type Issued struct {
	// ID is the verdict's id, which the answer must carry: it is the receipts'
	// jti.
	ID string
	// Tokens are the receipts, all over the same payload: one for each
	// algorithm that the gateway signs with, ES256 first.
	Tokens []Token
}

// A Token is one receipt in its compact form.
type Token struct {
	Algorithm keys.Algorithm
	Text      string
}

// Issue returns the receipts of a verdict for one audience, "" for none.
//
// A verdict that says the same as one before, with the same end, to the same
// audience, is the same verdict: it gets the earlier one's id and receipts,
// and costs no signature. Otherwise id becomes its id. A VALID verdict's end
// stays while the standing behind it does, any other's moves with the clock;
// so those are signed once a second at most.
func (s *Signer) Issue(r *verifiers.Response, id, audience string) (Issued, error) {
	return s.memory.recall(contentOf(r, audience), func() (Issued, error) {
		c := State(s.gateway, id, audience, r)
		payload := base64.RawURLEncoding.EncodeToString(c.AppendJSON(nil))
		out := Issued{ID: id, Tokens: make([]Token, 0, len(s.active))}
		for _, a := range s.active {
			text, err := a.compact(payload)
			if err != nil {
				return Issued{}, fmt.Errorf("receipts: key %s: %w", a.id, err)
			}
			out.Tokens = append(out.Tokens, Token{a.alg, text})
		}
		return out, nil
	})
}

// Keys returns the public keys of the signer's receipts, old ones included: by
// them a gateway takes its own receipts.
func (s *Signer) Keys() *keys.Set { return s.set }

// JWKS returns the key set for /.well-known/jwks.json, a JSON document. The
// caller must not change it.
func (s *Signer) JWKS() []byte { return s.jwks }

// Gateway returns the receipts' iss.
func (s *Signer) Gateway() string { return s.gateway }
