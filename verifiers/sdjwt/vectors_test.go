package sdjwt_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/sdjwt"
)

const vectors = "../../../shared/data/vectors/sd_jwt"

type index struct {
	IssuerJWK json.RawMessage `json:"issuer_jwk"`
	Cases     []struct {
		File           string
		Disclosures    int
		KB             bool
		Header         struct{ Typ string }
		Expect         string
		ExpectedClaims string `json:"expected_claims"`
	}
}

// profileRefuses says why the published SD-JWT VC examples are no credentials
// to us, although their SD-JWT is processed and verified below.
var profileRefuses = map[string]struct {
	code verifiers.Code
	why  string
}{
	"rfc9901_examples/arf-pid":     {verifiers.HeaderInvalid, "no kid: keys are looked up by it"},
	"sd_jwt_vc_examples/01":        {verifiers.ClaimInvalid, "vct is an identity credential's"},
	"sd_jwt_vc_examples/02":        {verifiers.HeaderInvalid, "no kid"},
	"sd_jwt_vc_examples/03-pid":    {verifiers.HeaderInvalid, "no kid"},
	"example+sd-jwt":               {verifiers.HeaderInvalid, "typ is another"},
	"json_serialization_flattened": {verifiers.FormatMalformed, "JWS JSON Serialization"},
}

// The published presentations: signature, processing, expected claims and
// holder's proofs by the RFC; then what the profile says of each.
func TestPublished(t *testing.T) {
	var published index
	decode(t, read(t, "index.json"), &published)
	issuer := parseKey(t, published.IssuerJWK)
	count := map[string]int{}
	for _, tc := range published.Cases {
		file := filepath.Join(vectors, tc.File)
		if _, err := os.Stat(filepath.Dir(filepath.Dir(file))); err != nil {
			count["of folders not present, passed over"]++
			continue
		}
		folder := filepath.Dir(tc.File)
		t.Run(folder, func(t *testing.T) {
			whole := string(read(t, tc.File))
			body, proof := whole[:strings.LastIndexByte(whole, '~')+1], whole[strings.LastIndexByte(whole, '~')+1:]
			processed, hash := processPublished(t, body, tc.Header.Typ, issuer)
			if tc.Expect != "accept" {
				t.Fatalf("index expects %q: this test knows only accept", tc.Expect)
			}
			if want := parse(t, read(t, tc.ExpectedClaims)); !processed.Equal(want) {
				t.Errorf("processed payload\n%s, want\n%s", processed.Canonical(), want.Canonical())
			}
			if n := strings.Count(body, "~") - 1; n != tc.Disclosures {
				t.Errorf("%d disclosures, index says %d", n, tc.Disclosures)
			}
			count["presentations accepted by the RFC's rules"]++
			count["disclosures"] += tc.Disclosures
			if (proof != "") != tc.KB {
				t.Fatal("index is wrong about the proof")
			}
			if tc.KB {
				verifyPublishedProof(t, folder, proof, body, hash, processed)
				count["holder proofs verified"]++
			}
			refusal, ok := profileRefuses[folder]
			if !ok {
				refusal, ok = profileRefuses[tc.Header.Typ]
			}
			if code := refused(t, []byte(body)); !ok || code != refusal.code {
				t.Errorf("profile: %s, want %s (%s)", code, refusal.code, refusal.why)
			}
			count["refused by the profile: "+string(refusal.code)+", "+refusal.why]++
		})
	}
	if n := count["presentations accepted by the RFC's rules"]; n < 16 {
		t.Errorf("only %d presentations found", n)
	}
	if n := count["holder proofs verified"]; n < 6 {
		t.Errorf("only %d holder proofs found", n)
	}
	for what, n := range count {
		t.Logf("%3d %s", n, what)
	}
}

// The published issuances show every disclosure: together they are what the
// issuer was told.
func TestPublishedIssuances(t *testing.T) {
	var published index
	decode(t, read(t, "index.json"), &published)
	issuer := parseKey(t, published.IssuerJWK)
	files, _ := filepath.Glob(vectors + "/*/*/sd_jwt_issuance.txt")
	disclosures := 0
	for _, file := range files {
		name, err := filepath.Rel(vectors, file)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.TrimSpace(string(read(t, name)))
		typ, err := jwsType(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		processed, _ := processPublished(t, body, typ, issuer)
		disclosures += strings.Count(body, "~") - 1
		claims := parse(t, read(t, filepath.Join(filepath.Dir(name), "user_claims.json")))
		for _, m := range claims.Members() {
			if !processed.Get(m.Name).Equal(m.Value) {
				t.Errorf("%s: %s is not what the issuer was told", name, m.Name)
			}
		}
	}
	if len(files) < 15 {
		t.Errorf("only %d issuances found", len(files))
	}
	t.Logf("%d issuances with %d disclosures", len(files), disclosures)
}

// JSON serializations are refused (contract §2.2).
func TestPublishedJSONSerialization(t *testing.T) {
	files, _ := filepath.Glob(vectors + "/*/json_serialization_flattened/sd_jwt_*.json")
	if len(files) == 0 {
		t.Skip("published vectors are not here")
	}
	refusal := profileRefuses["json_serialization_flattened"]
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if code := refused(t, data); code != refusal.code {
			t.Errorf("%s: %s", file, code)
		}
	}
	t.Logf("%d files refused: %s", len(files), refusal.why)
}

// processPublished verifies and processes an SD-JWT that need not be a licence.
func processPublished(t *testing.T, body, typ string, issuer *keys.Key) (strict.Value, string) {
	t.Helper()
	token, rest, _ := strings.Cut(body, "~")
	signed, err := jws.ParseProof([]byte(token), jws.MaxToken, typ)
	if err != nil {
		t.Fatal(err)
	}
	if !signed.VerifiedBy(issuer) {
		t.Fatal("issuer's signature is refused")
	}
	processed, hash, err := sdjwt.Process(parse(t, signed.Payload), []byte(rest))
	if err != nil {
		t.Fatal(err)
	}
	return processed, hash
}

func verifyPublishedProof(t *testing.T, folder, proof, body, hash string, processed strict.Value) {
	t.Helper()
	said := parse(t, read(t, filepath.Join(folder, "kb_jwt_payload.json")))
	iat, _ := said.Get("iat").Integer(1 << 40)
	aud, _ := said.Get("aud").Text()
	nonce, _ := said.Get("nonce").Text()
	f := &verifiers.Finding{HashName: hash, Confirmation: string(processed.At("/cnf/jwk").Canonical())}
	want := &verifiers.HolderExpectation{Audience: aud, Nonce: nonce, Required: true}
	at := time.Unix(iat, 0)
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(proof), []byte(body), f, want, at); r.Fault != "" || r.Unbound {
		t.Errorf("holder's proof: %+v", r)
	}
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(proof), []byte(body), f, want, at.Add(301*time.Second)); r.Fault == "" {
		t.Error("holder's proof is taken too late")
	}
	want.Nonce += "x"
	if r := (sdjwt.Envelope{}).VerifyHolder([]byte(proof), []byte(body), f, want, at); r.Fault == "" {
		t.Error("holder's proof is taken for another nonce")
	}
}

// jwsType returns the typ of a header without kid.
func jwsType(token string) (string, error) {
	part, _, ok := strings.Cut(token, ".")
	raw, err := strict.Base64URL(part)
	if err != nil || !ok {
		return "", errors.New("no header")
	}
	header, err := strict.Parse(raw)
	if err != nil {
		return "", err
	}
	typ, _ := header.Get("typ").Text()
	return typ, nil
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := os.Stat(vectors); err != nil {
		t.Skip("published vectors are not here:", err)
	}
	data, err := os.ReadFile(filepath.Join(vectors, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, data []byte) strict.Value {
	t.Helper()
	v, err := strict.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parseKey(t *testing.T, data []byte) *keys.Key {
	t.Helper()
	key, err := keys.ParseJWK(parse(t, data))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
