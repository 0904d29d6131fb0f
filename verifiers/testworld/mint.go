package testworld

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"strings"

	"tongyan/keys"
)

// An Object is JSON in the making.
type Object map[string]any

// With returns a copy with one member set.
func (o Object) With(name string, value any) Object { return o.Edit(Object{name: value}) }

// Edit returns a copy with the members of change: nil removes a member, the
// text "null" as json.RawMessage states it.
func (o Object) Edit(change Object) Object {
	out := maps.Clone(o)
	for name, value := range change {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// Licence returns a licence of Shanghai that has no fault.
func Licence() Object {
	return Object{
		"uniscid": USCC, "entname": "上海通验示例贸易有限公司（测试）", "enttype": "1130", "enttypeCn": "有限责任公司",
		"lerep": "甄示例", "regcap": "500.00", "regcapcur": "156", "estdate": "2016-03-01", "opfrom": "2016-03-01", "opto": json.RawMessage("null"),
		"dom": "上海市浦东新区示例路1号", "opscope": "示例用品销售", "regorg": "310115", "regorgCn": "上海市浦东新区市场监督管理局", "apprdate": "2020-05-06",
	}
}

// Claims returns the claims of a credential of Shanghai that has no fault.
func Claims() Object {
	return Object{"iss": Shanghai, "sub": USCC, "jti": "urn:example:1", "iat": Issued, "exp": int64(Expires), "licence": Licence()}
}

// From returns claims as another issuer states them, of its own division.
func From(iss keys.Issuer, division string) Object {
	return Claims().Edit(Object{"iss": iss, "licence": Licence().With("regorg", division+"0000")})
}

// Header returns the header under which a kid signs.
func Header(alg, kid string) Object { return Object{"alg": alg, "kid": kid, "typ": "ebl+jwt"} }

// Marshal is json.Marshal of what cannot fail.
func Marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// Sign signs any header and payload with a key of the world, whatever they say.
func (w *World) Sign(key string, header, payload []byte) string {
	input := B64(header) + "." + B64(payload)
	signature, err := w.Key(key).Sign([]byte(input))
	if err != nil {
		panic(err)
	}
	return input + "." + B64(signature)
}

// Mint signs an object with a key of the world.
func (w *World) Mint(key string, header, claims Object) string {
	return w.Sign(key, Marshal(header), Marshal(claims))
}

// Good mints a credential of Shanghai that has no fault.
func (w *World) Good() string { return w.Mint("sh", Header("ES256", "sh-1"), Claims()) }

// Part returns part i of a compact token.
func Part(token string, i int) string { return strings.Split(token, ".")[i] }

// OtherS returns an ES256 token whose signature has the other s: n - s.
func OtherS(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	raw, err := base64.RawURLEncoding.DecodeString(token[i:])
	if err != nil {
		panic(err)
	}
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(raw[32:])
	return token[:i] + B64(raw)
}
