// Package testworld is a small alliance for tests: five provinces with fixed
// keys, registries that do as told, and the vectors that were made in it. It is
// linked into nothing but tests.
package testworld

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/strict"
)

// The issuers. Their keys stand inline in the trust list, but for Anhui's.
const (
	Shanghai keys.Issuer = "https://ebl.sh.example" // ES256 and SM2
	Jiangsu  keys.Issuer = "https://ebl.js.example" // EdDSA
	Zhejiang keys.Issuer = "https://ebl.zj.example" // PS256, RS256, ES384
	Anhui    keys.Issuer = "https://ebl.ah.example" // ES256, a fetched key set
	Fujian   keys.Issuer = "https://ebl.fj.example" // suspended

	OtherType keys.Issuer = "https://id.sh.example"  // Shanghai's, for identity cards
	Ended     keys.Issuer = "https://old.sh.example" // Shanghai's, of earlier years
)

// The moments of this world, in seconds since 1970.
const (
	Issued     = 1700000000 // iat of what [Claims] says
	Superseded = 1750000000 // when the key sh-superseded was
	WindowFrom = 1710000000 // of the key sh-window
	WindowTo   = 1720000000
	ListEnds   = 4000000000 // of the trust list
	Expires    = 4102444800 // exp of what [Claims] says
)

// Now is the moment at which this world is looked at.
var Now = time.Unix(1790000000, 0)

// USCC is the credit code of the business in [Claims]; synthetic.
const USCC = "91310115MA1TEQ029W"

// StatusPrefix is where Shanghai's status lists may be fetched from.
const StatusPrefix = "https://ebl.sh.example/status/"

// A World holds the private keys and what is trusted.
type World struct {
	keys map[string]*signer.Key
	List *keys.List
	Sets map[keys.Issuer]*keys.Set // fetched ones
	Book *keys.Book
}

// Terms are those of contract §3.
var Terms = keys.Terms{Refresh: 15 * time.Minute, MaxStale: 24 * time.Hour}

// New makes the world as it is at the beginning of every test.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{keys: privateKeys(t), Sets: map[keys.Issuer]*keys.Set{}, Book: keys.NewBook(nil, Terms)}
	w.List = w.list(t)
	w.Sets[Anhui] = w.Set(t, Now, JWK{"ah-1", "ah", nil})
	w.Book.SetList(w.List)
	w.Book.SetKeys(Anhui, w.Sets[Anhui])
	return w
}

var (
	readOnce sync.Once
	readKeys map[string]*signer.Key
)

// privateKeys reads the key files, once: an RSA key takes a while.
func privateKeys(t testing.TB) map[string]*signer.Key {
	t.Helper()
	readOnce.Do(func() {
		files, err := filepath.Glob(filepath.Join(Testdata(t), "world", "*.jwk"))
		if err != nil {
			t.Fatal(err)
		}
		read := map[string]*signer.Key{}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if read[strings.TrimSuffix(filepath.Base(file), ".jwk")], err = signer.Parse(text); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		readKeys = read
	})
	if len(readKeys) == 0 {
		t.Fatal("no keys of the test world")
	}
	return readKeys
}

func (w *World) list(t testing.TB) *keys.List {
	all := []string{"business-licence"}
	issuer := func(iss keys.Issuer, division string, algs []keys.Algorithm, jwks ...JWK) keys.Authority {
		a := keys.Authority{Issuer: iss, Types: all, Algorithms: algs, Divisions: []string{division}, ValidFrom: 1600000000}
		if jwks != nil {
			a.Inline = w.Set(t, time.Time{}, jwks...)
		} else {
			a.KeySetURL = string(iss) + "/jwks.json"
		}
		return a
	}
	es256 := []keys.Algorithm{keys.ES256}
	shanghai := issuer(Shanghai, "31", []keys.Algorithm{keys.ES256, keys.SM2},
		JWK{"sh-1", "sh", nil}, JWK{"sh-sm2", "sm2", nil}, JWK{"shared", "sh", nil},
		JWK{"sh-compromised", "compromised", nil}, JWK{"sh-superseded", "superseded", nil},
		JWK{"sh-window", "window", Object{"nbf": WindowFrom, "exp": WindowTo}},
		JWK{"sh-own", "own", Object{"revoked": Object{"revoked_at": Superseded, "reason": "compromised"}}},
		JWK{"sh-384", "p384", nil})
	shanghai.StatusLists = []string{StatusPrefix}
	otherType := issuer(OtherType, "31", es256, JWK{"sh-1", "sh", nil})
	otherType.Types = []string{"identity-card"}
	ended := issuer(Ended, "31", es256, JWK{"sh-1", "sh", nil})
	ended.ValidUntil = Issued
	province := func(code keys.ProvinceCode, name, en string, issuers ...keys.Authority) keys.Province {
		return keys.Province{Code: code, Name: name, NameEn: en, Authority: name + "市场监督管理局", Active: code != "350000", Issuers: issuers}
	}
	return &keys.List{
		Issuer: "https://trust.example", Version: 7, IssuedAt: time.Unix(Issued, 0), Expires: time.Unix(ListEnds, 0),
		Provinces: []keys.Province{
			province("310000", "上海市", "Shanghai", shanghai, otherType, ended),
			province("320000", "江苏省", "Jiangsu", issuer(Jiangsu, "32", []keys.Algorithm{keys.EdDSA}, JWK{"js-1", "js", nil}, JWK{"shared", "js", nil})),
			province("330000", "浙江省", "Zhejiang", issuer(Zhejiang, "33", []keys.Algorithm{keys.PS256, keys.RS256, keys.ES384},
				JWK{"zj-rsa", "zj", Object{"alg": nil}}, JWK{"zj-ps", "zj", nil}, JWK{"zj-384", "p384", nil})),
			province("340000", "安徽省", "Anhui", issuer(Anhui, "34", es256)),
			province("350000", "福建省", "Fujian", issuer(Fujian, "35", es256, JWK{"fj-1", "sh", nil})),
		},
		Revoked: map[keys.Thumbprint]keys.Revocation{
			w.Key("compromised").Public().Thumbprint(): {At: Now.Unix(), Reason: "compromised"},
			w.Key("superseded").Public().Thumbprint():  {At: Superseded, Reason: keys.ReasonSuperseded},
		},
	}
}

// A JWK is one key of a set: a name of the world's keys under a kid. Edit
// changes the public JWK; nil removes a member.
type JWK struct {
	KeyID string
	Key   string
	Edit  Object
}

// Set makes a key set.
func (w *World) Set(t testing.TB, renewed time.Time, jwks ...JWK) *keys.Set {
	t.Helper()
	var list []Object
	for _, j := range jwks {
		text, err := w.Key(j.Key).PublicJWK()
		if err != nil {
			t.Fatal(err)
		}
		var o Object
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		list = append(list, o.With("kid", j.KeyID).Edit(j.Edit))
	}
	v, err := strict.Parse(Marshal(Object{"keys": list}))
	if err != nil {
		t.Fatal(err)
	}
	set, out, err := keys.ParseSet(v, renewed)
	if err != nil || len(out) > 0 {
		t.Fatalf("key set: %v %v", out, err)
	}
	return set
}

// Key returns a private key: sh, sm2, js, zj, zjrs (as zj, for RS256), p384, ah,
// compromised, superseded, window, own, stranger.
func (w *World) Key(name string) *signer.Key {
	key, ok := w.keys[name]
	if !ok {
		panic("no key " + name + " in the test world")
	}
	return key
}

// Change puts a changed copy of the trust list in force.
func (w *World) Change(change func(*keys.List)) {
	l := *w.List
	l.Version++
	l.Provinces = append([]keys.Province(nil), l.Provinces...)
	change(&l)
	w.List = &l
	w.Book.SetList(&l)
}

// Testdata returns the folder testdata of package verifiers.
func Testdata(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "verifiers", "testdata")
		}
	}
	t.Fatal("not inside the module")
	return ""
}

// B64 is base64url without padding.
func B64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
