package vcjwt_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers/vcjwt"
)

const cookbook = "../../../shared/data/vectors/jose_cookbook"

// The published JWS examples: those of our algorithms verify with our keys,
// and none of them is a credential.
func TestCookbook(t *testing.T) {
	if _, err := os.Stat(cookbook); err != nil {
		t.Skip("published vectors are not here:", err)
	}
	files, _ := filepath.Glob(cookbook + "/jws/*.json")
	others, _ := filepath.Glob(cookbook + "/rfc7797/*.json")
	files = append(append(files, others...), cookbook+"/curve25519/jws.json")
	count := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var example struct {
			Input   struct{ Key json.RawMessage }
			Signing json.RawMessage
			Output  struct {
				Compact  string
				JSON     json.RawMessage
				JSONFlat json.RawMessage `json:"json_flat"`
			}
		}
		if err := json.Unmarshal(data, &example); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, token := range []string{example.Output.Compact, string(example.Output.JSON), string(example.Output.JSONFlat)} {
			if token == "" {
				continue
			}
			u, err := vcjwt.Envelope{}.Open([]byte(token))
			if u != nil || err == nil {
				t.Errorf("%s: taken", file)
			}
			count["tokens refused: no typ and kid, or a JSON serialization"]++
		}
		var signing struct {
			Protected struct{ Alg string }
			Input     string `json:"sig-input"`
			Signature string `json:"sig"`
		}
		if json.Unmarshal(example.Signing, &signing) != nil {
			count["several signatures in one: not taken"]++
			continue
		}
		alg, ours := keys.ParseAlgorithm(signing.Protected.Alg)
		if !ours {
			count["signatures of other algorithms: "+signing.Protected.Alg]++
			continue
		}
		signature, err := strict.Base64URL(signing.Signature)
		if err != nil {
			t.Fatal(err)
		}
		key := admit(t, public(t, example.Input.Key))
		if !key.Verify(alg, []byte(signing.Input), signature) {
			t.Errorf("%s: signature is refused", file)
		}
		if key.Verify(alg, []byte(signing.Input+"x"), signature) {
			t.Errorf("%s: signature over something else is taken", file)
		}
		count["signatures verified: "+string(alg)]++
	}
	if count["signatures verified: EdDSA"] != 1 || count["signatures verified: RS256"] < 1 {
		t.Errorf("only %v", count)
	}
	for what, n := range count {
		t.Logf("%3d %s", n, what)
	}
}

// public returns a JWK without its private members, which a key of ours must
// not have.
func public(t *testing.T, jwk []byte) []byte {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(jwk, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		delete(members, name)
	}
	return marshal(members)
}
