package jws_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/jws"
	"tongyan/strict"
)

const vectors = "../../../shared/data/vectors/"

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(vectors + name)
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: published vectors are not checked", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

type wycheproof struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			TCID    int
			Comment string
			JWS     json.RawMessage
			Result  string
		}
	}
}

type overlay map[int]string // test → why we refuse what they call valid

func readOverlay(t *testing.T, file string) overlay {
	t.Helper()
	var all map[string]json.RawMessage
	readVectors(t, "wycheproof/policy_overlay.json", &all)
	var lines []struct {
		TCID int
		Why  string
	}
	if err := json.Unmarshal(all[file], &lines); err != nil {
		t.Fatal(err)
	}
	out := overlay{}
	for _, l := range lines {
		out[l.TCID] = l.Why
	}
	return out
}

// accepts runs one published token through the parts of the reader. Those tokens
// have no typ, which ours need, so that Parse as a whole refuses them all.
func accepts(token []byte, key func(keys.KeyID) *keys.Key) error {
	if _, err := jws.Parse(token, jws.MaxToken, "ebl+jwt"); !errors.Is(err, jws.ErrHeaderInvalid) {
		if err == nil {
			return errors.New("taken without typ")
		}
		return err
	}
	parts := bytes.Split(token, []byte{'.'})
	raw, err := strict.Base64URL(string(parts[0]))
	if err != nil {
		return err
	}
	// With a typ put in, the header is read by the real rules.
	named := append([]byte(`{"typ":"x",`), bytes.TrimLeft(bytes.TrimLeft(raw, " "), "{")...)
	header, err := strict.Parse(named)
	if err != nil {
		return err
	}
	u, err := jws.ReadHeader(header)
	if err != nil {
		return err
	}
	if _, err := strict.Base64URL(string(parts[1])); err != nil {
		return err
	}
	if u.Signature, err = strict.Base64URL(string(parts[2])); err != nil {
		return err
	}
	u.SigningInput = token[:bytes.LastIndexByte(token, '.')]
	k := key(u.KeyID)
	if k == nil {
		return errors.New("no such key")
	}
	if !u.VerifiedBy(k) {
		return errors.New("signature or algorithm refused")
	}
	return nil
}

func runWycheproof(t *testing.T, file string, source func(jwk strict.Value) (func(keys.KeyID) *keys.Key, error)) {
	var all wycheproof
	readVectors(t, "wycheproof/"+file+".json", &all)
	stricter := readOverlay(t, file)
	good, bad := 0, 0
	for _, g := range all.TestGroups {
		jwk := g.Public
		if jwk == nil {
			jwk = g.Private // symmetric
		}
		v, err := strict.Parse(jwk)
		if err != nil {
			t.Fatal(err)
		}
		key, keyErr := source(v)
		for _, c := range g.Tests {
			token := []byte(c.JWS)
			var compact string
			if json.Unmarshal(c.JWS, &compact) == nil {
				token = []byte(compact)
			}
			err := keyErr
			if err == nil {
				err = accepts(token, key)
			}
			why, ours := stricter[c.TCID]
			want := c.Result == "valid" && !ours
			if ours {
				if c.Result != "valid" || err == nil {
					t.Errorf("overlay line for test %d does not apply: %s, %v", c.TCID, c.Result, err)
				}
				t.Logf("test %d: theirs valid, ours refused (overlay: %s)", c.TCID, why)
				delete(stricter, c.TCID)
			} else if (err == nil) != want {
				t.Errorf("test %d, %s %s: %v, want %s", c.TCID, g.Comment, c.Comment, err, c.Result)
			}
			if err == nil {
				good++
			} else {
				bad++
			}
		}
	}
	for id := range stricter {
		t.Errorf("overlay line for test %d, which does not exist", id)
	}
	if good == 0 || bad == 0 {
		t.Fatal("an empty file proves nothing")
	}
	t.Logf("%d tokens verified, %d refused", good, bad)
}

func TestWycheproofJWS(t *testing.T) {
	runWycheproof(t, "json_web_signature_test", func(v strict.Value) (func(keys.KeyID) *keys.Key, error) {
		key, err := keys.ParseJWK(v)
		if err != nil {
			return nil, err
		}
		return func(kid keys.KeyID) *keys.Key {
			if kid != key.ID() {
				return nil
			}
			return key
		}, nil
	})
}

func TestWycheproofJWK(t *testing.T) {
	runWycheproof(t, "json_web_key_test", func(v strict.Value) (func(keys.KeyID) *keys.Key, error) {
		set, _, err := keys.ParseSet(v, time.Now())
		if err != nil {
			return nil, err
		}
		return set.Key, nil
	})
}

// The signatures of RFC 7520 §4 and RFC 8037 A.4, by the algorithms that are
// ours; the others are refused by name.
func TestCookbook(t *testing.T) {
	verified, refused := 0, 0
	for _, name := range []string{
		"jws/4_1.rsa_v15_signature", "jws/4_2.rsa-pss_signature", "jws/4_3.ecdsa_signature",
		"jws/4_4.hmac-sha2_integrity_protection", "curve25519/jws",
	} {
		var c struct {
			Input struct {
				Key json.RawMessage
				Alg string
			}
			Signing struct {
				Input string `json:"sig-input"`
				Sig   string
			}
			Output struct{ Compact string }
		}
		readVectors(t, "jose_cookbook/"+name+".json", &c)
		if c.Output.Compact != c.Signing.Input+"."+c.Signing.Sig {
			t.Fatalf("%s: the file contradicts itself", name)
		}
		var jwk map[string]any
		if err := json.Unmarshal(c.Input.Key, &jwk); err != nil {
			t.Fatal(err)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			delete(jwk, private)
		}
		text, err := json.Marshal(jwk)
		if err != nil {
			t.Fatal(err)
		}
		v, err := strict.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		key, err := keys.ParseJWK(v)
		signature, sigErr := base64.RawURLEncoding.DecodeString(c.Signing.Sig)
		if sigErr != nil {
			t.Fatal(sigErr)
		}
		alg, known := keys.ParseAlgorithm(c.Input.Alg)
		switch ok := err == nil && known && key.Verify(alg, []byte(c.Signing.Input), signature); {
		case ok:
			verified++
		case slices.Contains([]string{"RS256", "EdDSA"}, c.Input.Alg):
			t.Errorf("%s: %v", name, err)
		default:
			refused++
			t.Logf("%s: %s is not one of ours", name, c.Input.Alg)
		}
	}
	t.Logf("%d verified, %d refused", verified, refused)
	if verified != 2 || refused != 3 {
		t.Error("want 2 and 3")
	}
}
