package jws_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
)

var b64 = base64.RawURLEncoding.EncodeToString

// A fixed key and token: Ed25519 signs one message in one way only.
var private = ed25519.NewKeyFromSeed([]byte("a seed that every reader of this"))

func public(t testing.TB) *keys.Key {
	t.Helper()
	v, err := strict.Parse([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k","x":"` + b64(private[32:]) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(ed25519.Sign(private, []byte(input)))
}

const goodHeader = `{"alg":"EdDSA","kid":"k","typ":"ebl+jwt"}`

func TestParse(t *testing.T) {
	good := sign(goodHeader, `{"iss":"x"}`)
	parts := strings.Split(good, ".")
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"good":                       {good, nil},
		"good, other members":        {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","cty":"x","x5t":"y","iss":{"a":1}}`, "{}"), nil},
		"good, blanks in the header": {sign(" {\n\"alg\" : \"EdDSA\", \"kid\":\"k\",\t\"typ\":\"ebl+jwt\"} ", "{}"), nil},
		"empty payload":              {sign(goodHeader, ""), nil},
		"kid of 256 bytes":           {sign(`{"alg":"EdDSA","kid":"`+long(256)+`","typ":"ebl+jwt"}`, "{}"), nil},
		"header of 4 KiB":            {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","pad":"`+long(4096-len(goodHeader)-9)+`"}`, "{}"), nil},
		"no signature bytes":         {parts[0] + "." + parts[1] + ".", nil}, // no signature is its algorithm's length

		"nothing":                 {"", jws.ErrMalformed},
		"dots":                    {"..", jws.ErrMalformed},
		"one part":                {parts[0], jws.ErrMalformed},
		"two parts":               {parts[0] + "." + parts[1], jws.ErrMalformed},
		"four parts":              {good + ".", jws.ErrMalformed},
		"JWE":                     {good + ".a.b", jws.ErrMalformed},
		"flattened JSON":          {`{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, jws.ErrMalformed},
		"line feed behind":        {good + "\n", jws.ErrMalformed},
		"line feed within":        {parts[0] + "." + parts[1][:2] + "\n" + parts[1][2:] + "." + parts[2], jws.ErrMalformed},
		"blank before":            {" " + good, jws.ErrMalformed},
		"padding":                 {parts[0] + "." + parts[1] + "." + parts[2] + "==", jws.ErrMalformed},
		"spare bits":              {parts[0] + "." + parts[1] + "." + parts[2][:85] + "B", jws.ErrMalformed},
		"standard base64":         {parts[0] + "." + parts[1] + ".+/+/", jws.ErrMalformed},
		"header not JSON":         {sign("alg=EdDSA", "{}"), jws.ErrMalformed},
		"header an array":         {sign(`["alg"]`, "{}"), jws.ErrMalformed},
		"header null":             {sign(`null`, "{}"), jws.ErrMalformed},
		"two headers":             {sign(goodHeader+goodHeader, "{}"), jws.ErrMalformed},
		"header in bad UTF-8":     {sign("{\"alg\":\"EdDSA\",\"kid\":\"\xff\",\"typ\":\"ebl+jwt\"}", "{}"), jws.ErrMalformed},
		"header with lone half":   {sign(`{"alg":"EdDSA","kid":"\ud800","typ":"ebl+jwt"}`, "{}"), jws.ErrMalformed},
		"header over 4 KiB":       {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","pad":"`+long(4096-len(goodHeader)-8)+`"}`, "{}"), jws.ErrMalformed},
		"header 17 deep":          {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","x":`+strings.Repeat("[", 17)+strings.Repeat("]", 17)+`}`, "{}"), jws.ErrMalformed},
		"alg twice":               {sign(`{"alg":"none","alg":"EdDSA","kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrDuplicate},
		"alg twice, once escaped": {sign(`{"alg":"EdDSA","\u0061lg":"EdDSA","kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrDuplicate},
		"no alg":                  {sign(`{"kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"ALG":                     {sign(`{"ALG":"EdDSA","kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"the Kelvin sign in kid":  {sign(`{"alg":"EdDSA","\u212aid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"alg a number":            {sign(`{"alg":7,"kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"alg null":                {sign(`{"alg":null,"kid":"k","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"no kid":                  {sign(`{"alg":"EdDSA","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"kid empty":               {sign(`{"alg":"EdDSA","kid":"","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"kid a number":            {sign(`{"alg":"EdDSA","kid":1,"typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"kid of 257 bytes":        {sign(`{"alg":"EdDSA","kid":"`+long(257)+`","typ":"ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"no typ":                  {sign(`{"alg":"EdDSA","kid":"k"}`, "{}"), jws.ErrHeaderInvalid},
		"another typ":             {sign(`{"alg":"EdDSA","kid":"k","typ":"JWT"}`, "{}"), jws.ErrHeaderInvalid},
		"typ in capitals":         {sign(`{"alg":"EdDSA","kid":"k","typ":"EBL+JWT"}`, "{}"), jws.ErrHeaderInvalid},
		"typ as media type":       {sign(`{"alg":"EdDSA","kid":"k","typ":"application/ebl+jwt"}`, "{}"), jws.ErrHeaderInvalid},
		"crit":                    {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","crit":["exp"]}`, "{}"), jws.ErrHeaderNotAllowed},
		"crit null":               {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","crit":null}`, "{}"), jws.ErrHeaderNotAllowed},
		"jwk":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","jwk":{}}`, "{}"), jws.ErrHeaderNotAllowed},
		"jku":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","jku":"https://evil.example"}`, "{}"), jws.ErrHeaderNotAllowed},
		"x5u":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","x5u":"https://evil.example"}`, "{}"), jws.ErrHeaderNotAllowed},
		"x5c":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","x5c":[]}`, "{}"), jws.ErrHeaderNotAllowed},
		"b64":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","b64":true}`, "{}"), jws.ErrHeaderNotAllowed},
		"zip":                     {sign(`{"alg":"EdDSA","kid":"k","typ":"ebl+jwt","zip":"DEF"}`, "{}"), jws.ErrHeaderNotAllowed},
		"header before payload":   {b64([]byte(`{"alg":"EdDSA","kid":"k","typ":"JWT"}`)) + ".###.###", jws.ErrHeaderInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := jws.Parse([]byte(c.token), jws.MaxToken, "ebl+jwt", "vc+jwt")
			if !errors.Is(err, c.want) || (u == nil) != (err != nil) {
				t.Errorf("%v, %v; want %v", u, err, c.want)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes quotes the token", len(err.Error()))
			}
		})
	}
	if _, err := jws.Parse([]byte(good), len(good)-1, "ebl+jwt"); !errors.Is(err, jws.ErrMalformed) {
		t.Errorf("longer than allowed: %v", err)
	}
	if _, err := jws.Parse([]byte(good), len(good)); !errors.Is(err, jws.ErrHeaderInvalid) {
		t.Errorf("no type is wanted: %v", err)
	}
}

// Any flipped bit of a token is refused or does not verify.
func TestEveryBitCounts(t *testing.T) {
	key := public(t)
	good := []byte(sign(goodHeader, `{"iss":"x"}`))
	if u, err := jws.Parse(good, jws.MaxToken, "ebl+jwt"); err != nil || !u.VerifiedBy(key) {
		t.Fatal("the good one is not good")
	}
	for i := range len(good) * 8 {
		bad := append([]byte{}, good...)
		bad[i/8] ^= 1 << (i % 8)
		if u, err := jws.Parse(bad, jws.MaxToken, "ebl+jwt"); err == nil && u.VerifiedBy(key) {
			t.Errorf("good with bit %d of byte %d flipped", i%8, i/8)
		}
	}
}

func TestVerifiedByNeedsItsAlgorithm(t *testing.T) {
	key := public(t)
	for header, want := range map[string]bool{
		goodHeader: true,
		`{"alg":"Ed25519","kid":"k","typ":"ebl+jwt"}`:     true,
		`{"alg":"none","kid":"k","typ":"ebl+jwt"}`:        false,
		`{"alg":"eddsa","kid":"k","typ":"ebl+jwt"}`:       false,
		`{"alg":"ES256","kid":"k","typ":"ebl+jwt"}`:       false,
		`{"alg":"SM2","kid":"k","typ":"ebl+jwt"}`:         false,
		`{"alg":"","kid":"k","typ":"ebl+jwt"}`:            false,
		`{"alg":"EdDSA\u0000","kid":"k","typ":"ebl+jwt"}`: false,
	} {
		u, err := jws.Parse([]byte(sign(header, "{}")), jws.MaxToken, "ebl+jwt")
		if err != nil {
			t.Errorf("%s: %v", header, err)
			continue
		}
		if u.VerifiedBy(key) != want {
			t.Errorf("%s: verified %v", header, !want)
		}
		if u.VerifiedBy(nil) {
			t.Error("verified by no key")
		}
	}
}

// seeds adds every file of a folder to a fuzz target; an empty one fails.
func seeds(f *testing.F, folder string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in testdata/%s: %v", folder, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzParse(f *testing.F) {
	seeds(f, "parse")
	key := public(f)
	signed := map[string]bool{}
	for _, payload := range []string{"{}", `{"iss":"x"}`, ""} {
		token := sign(goodHeader, payload)
		signed[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add([]byte(token))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		u, err := jws.Parse(token, jws.MaxToken, "ebl+jwt")
		if err != nil {
			if u != nil {
				t.Error("something beside an error")
			}
			return
		}
		if again := u.Protected() + "." + b64(u.Payload) + "." + b64(u.Signature); again != string(token) {
			t.Errorf("%q reads as %q", token, again)
		}
		if u.KeyID == "" || u.Type != "ebl+jwt" {
			t.Errorf("kid %q, typ %q", u.KeyID, u.Type)
		}
		if u.VerifiedBy(key) && !signed[string(u.SigningInput)] {
			t.Errorf("verified, but never signed: %q", token)
		}
		if typ, err := jws.Type(token); err != nil || typ != u.Type {
			t.Errorf("Type says %q, %v", typ, err)
		}
	})
}

// Who chooses the reader refuses what every reader would refuse for its parts.
func TestTypeNeedsThreeParts(t *testing.T) {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k","typ":"x+jwt"}`))
	for token, good := range map[string]bool{
		header + ".e30.c2ln": true, header + "..": true, header + ".e30.c2ln~WyJhIl0~": true,
		header: false, header + ".e30": false, header + ".e30.c2ln.": false, header + ".e30~a.b": false, "..": false, "": false,
	} {
		if typ, err := jws.Type([]byte(token)); (err == nil) != good || good && typ != "x+jwt" {
			t.Errorf("%d parts: %q, %v", strings.Count(token, ".")+1, typ, err)
		}
	}
}
