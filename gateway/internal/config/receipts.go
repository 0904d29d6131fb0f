package config

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"slices"

	gmsm "github.com/emmansun/gmsm/sm2"

	"tongyan/keys"
	"tongyan/keys/sm2"
	"tongyan/strict"
)

// Receipts is the section receipts: who signs the gateway's own statements
// (contract §7).
type Receipts struct {
	// Issuer (issuer) is the receipts' iss, an https address; with
	// /.well-known/jwks.json behind it, where others find the keys. Required.
	Issuer string

	// Keys (key_file) are JWK files, one or a list, each ES256 or SM2.
	// Required, one of them private. The first private key of each algorithm
	// signs; with both algorithms there are two receipts. The others, public
	// halves too, are only published: keep an old key there until its last
	// receipt has ended. In the file's order.
	Keys []ReceiptKey
}

// A ReceiptKey is one key of the gateway's own.
type ReceiptKey struct {
	Public    *keys.Key
	ID        keys.KeyID     // the JWK's kid, else its thumbprint
	Algorithm keys.Algorithm // ES256 or SM2

	// Private signs: an *ecdsa.PrivateKey for ES256, gmsm's *sm2.PrivateKey for
	// SM2. nil for a key that is only published.
	Private Secret[crypto.Signer]

	// DistID is the distinguishing identifier that SM2 signs with (contract
	// §2.3), "" for ES256.
	DistID string

	// Signs says that new receipts are signed with this key.
	Signs bool
}

func readReceipts(v value) *Receipts {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	r := new(Receipts)
	issuer := o.get("issuer")
	if u := issuer.httpsURL(false); u != nil {
		// Byte for byte, since other gateways' trust lists name it.
		r.Issuer, _ = issuer.text()
	}
	files := o.get("key_file")
	if !files.required() {
		return r
	}
	intact := len(v.d.problems)
	signing := map[keys.Algorithm]bool{}
	for _, item := range files.oneOrMore(8) {
		key, ok := item.receiptKey()
		if !ok {
			continue
		}
		if slices.ContainsFunc(r.Keys, func(k ReceiptKey) bool {
			return k.ID == key.ID || k.Public.Thumbprint() == key.Public.Thumbprint()
		}) {
			item.fail("holds a key, or a kid, that stands here already")
		}
		key.Signs = key.Private.Reveal() != nil && !signing[key.Algorithm]
		if key.Signs {
			signing[key.Algorithm] = true
		}
		r.Keys = append(r.Keys, key)
	}
	if len(signing) == 0 && len(v.d.problems) == intact {
		files.fail("names no private key, so nothing could be signed")
	}
	return r
}

// receiptKey reads a file with one JWK, private or public.
func (v value) receiptKey() (k ReceiptKey, ok bool) {
	path, data, ok := v.requiredFile()
	if !ok {
		return k, false
	}
	tree, err := strict.Parse(data)
	if err != nil {
		v.fail("%s: is not strict JSON: %v", path, err)
		return k, false
	}
	// The public half passes the same admission as everybody's keys.
	if k.Public, err = keys.ParseJWK(publicHalf(tree)); err != nil {
		v.fail("%s: %v", path, err)
		return k, false
	}
	switch {
	case k.Public.Fits(keys.ES256):
		k.Algorithm = keys.ES256
	case k.Public.Fits(keys.SM2):
		k.Algorithm, k.DistID = keys.SM2, sm2.DefaultID
		if id, named := tree.Get("distid").Text(); named {
			k.DistID = id
		}
	default:
		v.fail("%s: receipts are signed by a P-256 key (ES256) or an SM2 key", path)
		return k, false
	}
	if k.ID = k.Public.ID(); k.ID == "" {
		k.ID = keys.KeyID(k.Public.Thumbprint())
	}
	if tree.Get("d").Kind() == strict.Absent {
		return k, true
	}
	v.warnReadable(path)
	signer := privateHalf(k.Algorithm, tree)
	if signer == nil {
		v.fail("%s: its private half does not belong to its public half", path)
		return k, false
	}
	k.Private = Hide(signer)
	return k, true
}

// publicHalf leaves d out, and key_ops, which in a private key says "sign".
func publicHalf(tree strict.Value) strict.Value {
	public := map[string]string{}
	for _, m := range tree.Members() {
		if text, ok := m.Value.Text(); ok && m.Name != "d" {
			public[m.Name] = text
		}
	}
	encoded, err := json.Marshal(public)
	if err != nil {
		return strict.Value{}
	}
	half, _ := strict.Parse(encoded) // the zero Value is no key
	return half
}

// privateHalf makes the signer from d, and nil of one that does not fit x and y.
func privateHalf(alg keys.Algorithm, tree strict.Value) crypto.Signer {
	d, x, y := coordinate(tree, "d"), coordinate(tree, "x"), coordinate(tree, "y")
	if len(d) != sm2.Size {
		return nil
	}
	point := slices.Concat([]byte{4}, x, y)
	if alg == keys.SM2 {
		key, err := gmsm.NewPrivateKey(d)
		if err != nil {
			return nil
		}
		got := slices.Concat([]byte{4}, key.X.FillBytes(make([]byte, sm2.Size)), key.Y.FillBytes(make([]byte, sm2.Size)))
		if !bytes.Equal(got, point) {
			return nil
		}
		return key
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return nil
	}
	if got, err := key.PublicKey.Bytes(); err != nil || !bytes.Equal(got, point) {
		return nil
	}
	return key
}

func coordinate(tree strict.Value, name string) []byte {
	text, _ := tree.Get(name).Text()
	b, err := strict.Base64URL(text)
	if err != nil {
		return nil
	}
	return b
}
