package envelope_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/testworld"
)

const seeds = "testdata/fuzz/FuzzOpen"

// The corpus is what makes the fuzzing worth its time: without it every input
// ends at the first dot.
func TestSeedsAreThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(seeds, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d seeds: %v", len(files), err)
	}
	opened := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("go test fuzz v1\n[]byte(")) {
			t.Errorf("%s is no seed", file)
		}
		line := strings.TrimSuffix(strings.TrimPrefix(strings.Split(string(text), "\n")[1], `[]byte("`), `")`)
		if _, err := open(line); err == nil {
			opened++
		}
	}
	if opened == 0 {
		t.Error("no seed opens")
	}
}

// What opens says what an independent reader finds in it, and it is proven by
// the key that signed it or by nobody.
func FuzzOpen(f *testing.F) {
	for _, v := range testworld.Vectors(f) {
		f.Add(v.Credential)
	}
	w := testworld.New(f)
	signers := map[string]*keys.Key{}
	for _, name := range []string{"sh", "sm2", "js", "zj", "p384", "ah", "compromised", "superseded", "window", "own"} {
		signers[name] = w.Key(name).Public()
	}
	signed := map[string]bool{} // signing inputs that somebody of the world signed
	for _, v := range testworld.Vectors(f) {
		signed[input(v.Credential)] = true
	}
	files, _ := filepath.Glob(filepath.Join(seeds, "*"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			_, rest, _ := strings.Cut(string(text), `[]byte("`)
			token, _, _ := strings.Cut(rest, `"`)
			signed[input([]byte(token))] = true
		}
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		u, err := open(string(token))
		if err != nil {
			var fault *verifiers.FormatError
			if u != nil || !errors.As(err, &fault) || fault.Code == "" {
				t.Fatalf("%v beside %v", u, err)
			}
			return
		}
		independent(t, token, &u.Finding)
		for name, key := range signers {
			if proven, ok := u.Prove(key); ok && !signed[input(token)] {
				t.Fatalf("%s proves what nobody signed: %v", name, proven.ID)
			}
		}
	})
}

func input(token []byte) string {
	return string(token[:max(0, bytes.LastIndexByte(token, '.'))])
}

// independent reads the same token with other libraries: encoding/base64 and
// jsontext, which refuses duplicate names and bad UTF-8 on its own.
func independent(t *testing.T, token []byte, f *verifiers.Finding) {
	t.Helper()
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		t.Fatalf("opened with %d parts", len(parts))
	}
	var header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}
	var claims struct {
		Iss     string                    `json:"iss"`
		Sub     string                    `json:"sub"`
		Jti     string                    `json:"jti"`
		Iat     jsontext.Value            `json:"iat"`
		Exp     jsontext.Value            `json:"exp"`
		Nbf     jsontext.Value            `json:"nbf"`
		Licence map[string]jsontext.Value `json:"licence"`
	}
	for i, into := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != parts[i] {
			t.Fatalf("part %d opened and is not canonical: %v", i, err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("part %d opened and is not JSON to another reader: %v", i, err)
		}
	}
	if header.Alg != f.Algorithm || header.Kid != string(f.KeyID) || header.Typ != "ebl+jwt" {
		t.Fatalf("header read differently: %+v, %+v", header, f)
	}
	if claims.Iss != string(f.Issuer) || claims.Sub != f.Subject || claims.Jti != f.ID || claims.Iss == "" || claims.Sub == "" || claims.Jti == "" {
		t.Fatalf("claims read differently: %+v, %+v", claims, f)
	}
	number := func(v jsontext.Value, n int64) {
		if len(v) == 0 && n == 0 {
			return
		}
		if v.Kind() != '0' || string(v) != strconv.FormatInt(n, 10) {
			t.Fatalf("time %s read as %d", v, n)
		}
	}
	number(claims.Iat, f.IssuedAt)
	number(claims.Exp, f.Expires)
	number(claims.Nbf, f.NotBefore)
	for name, want := range map[string]string{
		"uniscid": f.Licence.Uniscid, "entname": f.Licence.Entname, "lerep": f.Licence.Lerep, "regorg": f.Licence.Regorg, "apprdate": string(f.Licence.Apprdate),
		"estdate": string(f.Licence.Estdate), "enttype": f.Licence.Enttype,
	} {
		var got string
		if err := json.Unmarshal(claims.Licence[name], &got); err != nil || got != want || got == "" {
			t.Fatalf("licence.%s read differently: %v", name, err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	token := []byte(testworld.New(b).Good())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (envelope.Envelope{}).Open(token); err != nil {
			b.Fatal(err)
		}
	}
}
