package keys_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/sm2"
	"tongyan/strict"
)

type object = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// material is one public key of every kind, without anything said about it.
var material = sync.OnceValue(func() map[string]object {
	out := map[string]object{}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		raw, err := key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(raw) / 2
		out[curve.Params().Name] = object{"kty": "EC", "crv": curve.Params().Name, "x": b64(raw[1 : 1+half]), "y": b64(raw[1+half:])}
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	out["Ed25519"] = object{"kty": "OKP", "crv": "Ed25519", "x": b64(pub)}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	out["RSA"] = object{"kty": "RSA", "n": b64(rsaKey.N.Bytes()), "e": "AQAB"}
	national, err := sm2.Generate("")
	if err != nil {
		panic(err)
	}
	out["SM2"] = object{"kty": "EC", "crv": "SM2", "x": b64(national.Public().X()), "y": b64(national.Public().Y())}
	return out
})

// a returns a key of that kind with changes laid over it; a nil removes.
func a(kind string, changes ...object) object {
	out := object{}
	for _, o := range append([]object{material()[kind]}, changes...) {
		for name, value := range o {
			out[name] = value
			if value == nil {
				delete(out, name)
			}
		}
	}
	return out
}

func value(t testing.TB, v any) strict.Value {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := strict.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func flip(s string) string { // one bit of the last byte, still canonical
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	raw[len(raw)-1] ^= 1
	return b64(raw)
}

func ones(bits int) string { // an odd number of that many bits
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	return b64(n.Sub(n, big.NewInt(1)).Bytes())
}

func text(o object, name string) string { return o[name].(string) }

// Contract §3, rule by rule.
func TestAdmission(t *testing.T) {
	p256, p384 := a("P-256"), a("P-384")
	private := "private"
	for name, c := range map[string]struct {
		jwk  any
		want string // "" for a key that is taken, private, or what the reason holds
	}{
		"P-256":               {a("P-256"), ""},
		"P-384":               {a("P-384"), ""},
		"Ed25519":             {a("Ed25519"), ""},
		"RSA":                 {a("RSA"), ""},
		"SM2":                 {a("SM2"), ""},
		"SM2 with distid":     {a("SM2", object{"distid": "ALICE123@YAHOO.COM", "alg": "SM2"}), ""},
		"all members":         {a("P-256", object{"kid": "k", "alg": "ES256", "use": "sig", "key_ops": []string{"verify"}, "nbf": 1, "exp": 2}), ""},
		"Ed25519 as EdDSA":    {a("Ed25519", object{"alg": "EdDSA"}), ""},
		"Ed25519 as Ed25519":  {a("Ed25519", object{"alg": "Ed25519"}), ""},
		"members of tomorrow": {a("P-256", object{"x5t#S256": "abc", "future": object{"x": 1}}), ""},
		"RSA of 8192 bits":    {a("RSA", object{"n": ones(8192)}), ""},

		"no object":     {"key", "not a JSON object"},
		"no kty":        {a("P-256", object{"kty": nil}), "unknown key type"},
		"unknown kty":   {a("P-256", object{"kty": "AKP"}), "unknown key type"},
		"kty ec":        {a("P-256", object{"kty": "ec"}), "unknown key type"},
		"unknown curve": {a("P-256", object{"crv": "P-521"}), "unknown curve"},
		"secp256k1":     {a("P-256", object{"crv": "secp256k1"}), "unknown curve"},
		"X25519":        {a("Ed25519", object{"crv": "X25519"}), "unknown curve"},
		"no curve":      {a("P-256", object{"crv": nil}), "unknown curve"},

		"P-256 off its curve":    {a("P-256", object{"y": flip(text(p256, "y"))}), "not on the curve"},
		"P-256 zero":             {a("P-256", object{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), "not on the curve"},
		"P-256 called P-384":     {a("P-256", object{"crv": "P-384"}), "wrong length"},
		"P-384 called P-256":     {a("P-384", object{"crv": "P-256"}), "wrong length"},
		"P-256 called SM2":       {a("P-256", object{"crv": "SM2"}), "not on the SM2 curve"},
		"SM2 called P-256":       {a("SM2", object{"crv": "P-256"}), "not on the curve"},
		"SM2 off its curve":      {a("SM2", object{"y": flip(text(a("SM2"), "y"))}), "not on the SM2 curve"},
		"short coordinate":       {a("P-256", object{"x": text(p256, "x")[:42]}), "wrong length"},
		"33 bytes":               {a("P-256", object{"x": b64(append([]byte{0}, make([]byte, 32)...))}), "wrong length"},
		"padded coordinate":      {a("P-256", object{"x": text(p256, "x") + "="}), "wrong length"},
		"coordinate as number":   {a("P-256", object{"x": 5}), "wrong length"},
		"no y":                   {a("P-384", object{"y": nil}), "wrong length"},
		"P-384 off its curve":    {a("P-384", object{"y": flip(text(p384, "y"))}), "not on the curve"},
		"SM2 with empty distid":  {a("SM2", object{"distid": ""}), "distid"},
		"SM2 with number distid": {a("SM2", object{"distid": 5}), "distid"},
		"SM2 with long distid":   {a("SM2", object{"distid": strings.Repeat("x", 1025)}), "distid"},

		"Ed25519 small order":   {a("Ed25519", object{"x": b64(append([]byte{1}, make([]byte, 31)...))}), "small order"},
		"Ed25519 zero":          {a("Ed25519", object{"x": b64(make([]byte, 32))}), "small order"},
		"Ed25519 not canonical": {a("Ed25519", object{"x": b64(append([]byte{0xee}, append(bytesOf(0xff, 30), 0x7f)...))}), "canonical"},
		"Ed25519 no point":      {a("Ed25519", object{"x": b64(append([]byte{2}, make([]byte, 31)...))}), "not on the curve"},
		"Ed25519 short":         {a("Ed25519", object{"x": b64(make([]byte, 31))}), "wrong length"},

		"RSA of 2047 bits":        {a("RSA", object{"n": ones(2047)}), "outside 2048 to 8192"},
		"RSA of 1024 bits":        {a("RSA", object{"n": ones(1024)}), "outside 2048 to 8192"},
		"RSA of 8193 bits":        {a("RSA", object{"n": ones(8193)}), "outside 2048 to 8192"},
		"RSA even modulus":        {a("RSA", object{"n": b64(append(bytesOf(0xff, 255), 0xfe))}), "even"},
		"RSA leading zero":        {a("RSA", object{"n": b64(append([]byte{0}, bytesOf(0xff, 256)...))}), "shortest form"},
		"RSA exponent 1":          {a("RSA", object{"e": b64([]byte{1})}), "exponent"},
		"RSA exponent 3":          {a("RSA", object{"e": b64([]byte{3})}), "exponent"},
		"RSA exponent 65535":      {a("RSA", object{"e": b64([]byte{0xff, 0xff})}), "exponent"},
		"RSA exponent 65538":      {a("RSA", object{"e": b64([]byte{1, 0, 2})}), "exponent"},
		"RSA exponent 2^32+1":     {a("RSA", object{"e": b64([]byte{1, 0, 0, 0, 1})}), "exponent"},
		"RSA exponent, padded":    {a("RSA", object{"e": b64([]byte{0, 1, 0, 1})}), "shortest form"},
		"RSA without exponent":    {a("RSA", object{"e": nil}), "shortest form"},
		"RSA exponent 4294967295": {a("RSA", object{"e": b64(bytesOf(0xff, 4))}), "not supported"},

		"use enc":              {a("P-256", object{"use": "enc"}), "use is other"},
		"use null":             {a("P-256", object{"use": json.RawMessage("null")}), "use is other"},
		"key_ops sign":         {a("P-256", object{"key_ops": []string{"sign"}}), "key_ops"},
		"key_ops text":         {a("P-256", object{"key_ops": "verify"}), "key_ops"},
		"ES384 for P-256":      {a("P-256", object{"alg": "ES384"}), "alg"},
		"ES256 for SM2":        {a("SM2", object{"alg": "ES256"}), "alg"},
		"SM2 for P-256":        {a("P-256", object{"alg": "SM2"}), "alg"},
		"EdDSA for P-256":      {a("P-256", object{"alg": "EdDSA"}), "alg"},
		"ES256 for RSA":        {a("RSA", object{"alg": "ES256"}), "alg"},
		"RS384":                {a("RSA", object{"alg": "RS384"}), "alg"},
		"HS256":                {a("RSA", object{"alg": "HS256"}), "alg"},
		"none":                 {a("P-256", object{"alg": "none"}), "alg"},
		"es256":                {a("P-256", object{"alg": "es256"}), "alg"},
		"alg number":           {a("P-256", object{"alg": 256}), "alg"},
		"kid empty":            {a("P-256", object{"kid": ""}), "kid"},
		"kid number":           {a("P-256", object{"kid": 7}), "kid"},
		"kid of 257 bytes":     {a("P-256", object{"kid": strings.Repeat("k", 257)}), "kid"},
		"nbf text":             {a("P-256", object{"nbf": "1"}), "nbf"},
		"nbf with a fraction":  {a("P-256", object{"nbf": 1.5}), "nbf"},
		"exp negative":         {a("P-256", object{"exp": -1}), "exp"},
		"exp beyond year 9999": {a("P-256", object{"exp": 253402300800}), "exp"},

		"symmetric":         {object{"kty": "oct", "k": "c2VjcmV0"}, private},
		"symmetric, bare":   {object{"kty": "oct"}, private},
		"private, ML-DSA":   {object{"kty": "AKP", "alg": "ML-DSA-44", "kid": "a", "pub": "AQ", "priv": "AQ"}, private},
		"P-256 with d":      {a("P-256", object{"d": "AQ"}), private},
		"Ed25519 with d":    {a("Ed25519", object{"d": "AQ"}), private},
		"RSA with p only":   {a("RSA", object{"p": "AQ"}), private},
		"RSA with qi only":  {a("RSA", object{"qi": "AQ"}), private},
		"RSA with oth only": {a("RSA", object{"oth": []any{}}), private},
		"SM2 with d":        {a("SM2", object{"d": "AQ"}), private},
		"d is null":         {a("P-256", object{"d": json.RawMessage("null")}), private},
		"unknown with d":    {object{"kty": "AKP", "d": "AQ"}, private},
		"EC with k":         {a("P-256", object{"k": "c2VjcmV0"}), private},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := keys.ParseJWK(value(t, c.jwk))
			var unusable *keys.KeyError
			switch {
			case c.want == "" && (err != nil || key.Thumbprint() == ""):
				t.Errorf("refused: %v", err)
			case c.want == private && !errors.Is(err, keys.ErrPrivate):
				t.Errorf("%v, want it refused as private", err)
			case c.want != "" && c.want != private && (!errors.As(err, &unusable) || !strings.Contains(unusable.Why, c.want)):
				t.Errorf("%v, want it unusable: %s", err, c.want)
			case err != nil && key != nil:
				t.Error("a key beside an error")
			}
		})
	}
}

func bytesOf(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestParseSet(t *testing.T) {
	now := time.Unix(1790000000, 0)
	k := func(kind, kid string, more ...object) object {
		return a(kind, append([]object{{"kid": kid}}, more...)...)
	}
	many := func(n int) (all []any) {
		for i := range n {
			all = append(all, k("P-256", fmt.Sprint(i)))
		}
		return all
	}
	for name, c := range map[string]struct {
		set  any
		keys int
		out  int // -1: refused
	}{
		"one of each":           {object{"keys": []any{k("P-256", "1"), k("P-384", "2"), k("Ed25519", "3"), k("RSA", "4"), k("SM2", "5")}}, 5, 0},
		"other members":         {object{"keys": []any{k("P-256", "1")}, "iss": "x"}, 1, 0},
		"unusable left out":     {object{"keys": []any{k("P-256", "1"), k("P-256", "2", object{"crv": "P-521"}), k("RSA", "3", object{"e": "Aw"}), k("Ed25519", "4", object{"use": "enc"})}}, 1, 3},
		"no kid left out":       {object{"keys": []any{a("P-256"), k("P-384", "2")}}, 1, 1},
		"no object left out":    {object{"keys": []any{7, nil, k("P-384", "2")}}, 1, 2},
		"100 keys":              {object{"keys": many(100)}, 100, 0},
		"101 keys":              {object{"keys": many(101)}, 0, -1},
		"2,000 keys":            {object{"keys": many(2000)}, 0, -1},
		"empty":                 {object{"keys": []any{}}, 0, -1},
		"none usable":           {object{"keys": []any{a("P-256"), k("RSA", "2", object{"e": "Aw"})}}, 0, 2},
		"alg that cannot fit":   {object{"keys": []any{k("P-256", "1", object{"alg": "ES384"}), k("SM2", "2", object{"alg": "ES512"})}}, 2, 0},
		"alg that is no text":   {object{"keys": []any{k("P-256", "1", object{"alg": ""}), k("P-256", "2", object{"alg": json.RawMessage("null")})}}, 0, 2},
		"no keys":               {object{}, 0, -1},
		"keys is null":          {object{"keys": nil}, 0, -1},
		"keys is an object":     {object{"keys": object{"0": k("P-256", "1")}}, 0, -1},
		"an array":              {[]any{k("P-256", "1")}, 0, -1},
		"private":               {object{"keys": []any{k("P-256", "1"), k("P-384", "2", object{"d": "AQ"})}}, 0, -1},
		"symmetric":             {object{"keys": []any{k("P-256", "1"), object{"kty": "oct", "k": "AQ"}}}, 0, -1},
		"a kid twice":           {object{"keys": []any{k("P-256", "1"), k("P-384", "1")}}, 0, -1},
		"an unusable kid twice": {object{"keys": []any{k("P-256", "1"), k("P-384", "1", object{"use": "enc"})}}, 0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			set, out, err := keys.ParseSet(value(t, c.set), now)
			if c.out < 0 {
				if !errors.Is(err, keys.ErrSet) || set != nil {
					t.Errorf("taken: %v, %v", set, err)
				}
				return
			}
			if err != nil || len(set.Keys()) != c.keys || len(out) != c.out || !set.Renewed.Equal(now) {
				t.Errorf("%d keys, left out %v, %v; want %d and %d", len(set.Keys()), out, err, c.keys, c.out)
			}
		})
	}
}

// One key, one algorithm: whatever else is asked of it verifies nothing.
func TestFits(t *testing.T) {
	fits := map[string][]keys.Algorithm{
		"P-256": {keys.ES256}, "P-384": {keys.ES384}, "Ed25519": {keys.EdDSA}, "RSA": {keys.PS256, keys.RS256}, "SM2": {keys.SM2},
	}
	for kind, algs := range fits {
		key, err := keys.ParseJWK(value(t, a(kind)))
		if err != nil {
			t.Fatal(err)
		}
		for _, alg := range append(keys.Algorithms, "", "none", "HS256", "es256") {
			want := false
			for _, ok := range algs {
				want = want || ok == alg
			}
			if key.Fits(alg) != want {
				t.Errorf("%s fits %q: %v", kind, alg, !want)
			}
			if !want && key.Verify(alg, nil, make([]byte, 64)) {
				t.Errorf("%s verified under %q", kind, alg)
			}
		}
	}
	named, err := keys.ParseJWK(value(t, a("RSA", object{"alg": "PS256"})))
	if err != nil || named.Fits(keys.RS256) || !named.Fits(keys.PS256) {
		t.Error("a key's own alg does not bind it")
	}
	for kind := range fits {
		for _, alg := range []string{"ES256K", "none", "es256", "HS256", "ES384"} {
			if kind == "P-384" && alg == "ES384" {
				continue
			}
			set, _, err := keys.ParseSet(value(t, object{"keys": []any{a(kind, object{"kid": "k", "alg": alg})}}), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for _, asked := range append(keys.Algorithms, keys.Algorithm(alg), "") {
				if set.Key("k").Fits(asked) {
					t.Errorf("%s that is for %s fits %q", kind, alg, asked)
				}
			}
		}
	}
}

func TestThumbprintIsTheKeys(t *testing.T) {
	of := func(o object) keys.Thumbprint {
		k, err := keys.ParseJWK(value(t, o))
		if err != nil {
			t.Fatal(err)
		}
		return k.Thumbprint()
	}
	for kind := range material() {
		if of(a(kind)) != of(a(kind, object{"kid": "another", "use": "sig", "nbf": 5})) {
			t.Errorf("%s: another kid is another thumbprint", kind)
		}
	}
	if of(a("SM2")) != of(a("SM2", object{"distid": "x"})) {
		t.Error("SM2: another distid is another thumbprint, which no revocation of the key names")
	}
}
