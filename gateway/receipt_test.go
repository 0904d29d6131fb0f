package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

func receiptCheck(stdin string, args ...string) (out string, code int) {
	cmd := newReceiptCommand()
	var b bytes.Buffer
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&b)
	cmd.SetErr(&b)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"check"}, args...))
	err := cmd.Execute()
	var coded *exit
	switch {
	case errors.As(err, &coded):
		return b.String() + coded.Error(), coded.code
	case err != nil:
		return err.Error(), exitUsage // as run has it
	}
	return b.String(), exitOK
}

// receiptSigner signs for https://gateway.example.
func receiptSigner(t *testing.T) *receipt.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	v, err := strict.Parse(fmt.Appendf(nil, `{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:])))
	if err != nil {
		t.Fatal(err)
	}
	public, err := keys.ParseJWK(v)
	if err != nil {
		t.Fatal(err)
	}
	s, err := receipt.NewSigner(receipt.Options{Gateway: "https://gateway.example", Keys: []receipt.Key{{Public: public, Private: private}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReceiptCheck(t *testing.T) {
	now := time.Now()
	r := &verifiers.Response{Digest: verifiers.DigestOf([]byte("x")), At: now, Verdict: verifiers.Verdict{
		Outcome: verifiers.Invalid, Code: verifiers.FormatMalformed, ValidUntil: now.Add(5 * time.Minute), TrustVersion: 7,
	}}
	r.Verdict.Checks[verifiers.CheckFormat] = verifiers.Checked{Result: verifiers.Failed, Code: verifiers.FormatMalformed}
	s := receiptSigner(t)
	issued, err := s.Issue(r, "vrf_1", "bank-a")
	if err != nil {
		t.Fatal(err)
	}
	text, dir := issued.Tokens[0].Text, t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keySet, token := file("jwks.json", string(s.JWKS())), file("receipt.jwt", text+"\n")
	others := file("others.json", string(receiptSigner(t).JWKS()))
	for name, c := range map[string]struct {
		stdin string
		args  []string
		code  int
		says  string // of those that are not good
	}{
		"a file":             {"", []string{"--jwks", keySet, token}, exitOK, ""},
		"standard input":     {text + "\r\n", []string{"--jwks", keySet, "-"}, exitOK, ""},
		"the text itself":    {"", []string{"--jwks", keySet, text}, exitOK, ""},
		"of the gateway":     {"", []string{"--jwks", keySet, "--issuer", "https://gateway.example", token}, exitOK, ""},
		"when it was filed":  {"", []string{"--jwks", keySet, "--at", now.Add(4 * time.Minute).Format(time.RFC3339), token}, exitOK, ""},
		"of another gateway": {"", []string{"--jwks", keySet, "--issuer", "https://other.example", token}, exitInvalid, "RECEIPT_ISSUER_NOT_RECOGNISED"},
		"another's keys":     {"", []string{"--jwks", others, token}, exitInvalid, "RECEIPT_SIGNATURE_INVALID"},
		"a day later":        {"", []string{"--jwks", keySet, "--at", now.Add(24 * time.Hour).Format(time.RFC3339), token}, exitInvalid, "RECEIPT_EXPIRED"},
		"no receipt":         {"hello", []string{"--jwks", keySet, "-"}, exitInvalid, "RECEIPT_MALFORMED"},
		"two line feeds":     {text + "\n\n", []string{"--jwks", keySet, "-"}, exitInvalid, "RECEIPT_MALFORMED"},
		"empty":              {"\n", []string{"--jwks", keySet, "-"}, exitUsage, "empty"},
		"too long":           {strings.Repeat("a", maxReceipt+1), []string{"--jwks", keySet, "-"}, exitUsage, "longer than 64 KiB"},
		"no keys":            {"", []string{token}, exitUsage, "jwks"},
		"keys from stdin":    {string(s.JWKS()), []string{"--jwks", "-", token}, exitUsage, "standard input"},
		"keys are none":      {"", []string{"--jwks", token, token}, exitUsage, "receipt.jwt"},
		"keys are nowhere":   {"", []string{"--jwks", filepath.Join(dir, "none"), token}, exitUsage, "no such file"},
		"receipt nowhere":    {"", []string{"--jwks", keySet, filepath.Join(dir, "none")}, exitUsage, "no such file"},
		"two receipts":       {"", []string{"--jwks", keySet, token, token}, exitUsage, "arg"},
		"noon":               {"", []string{"--jwks", keySet, "--at", "noon", token}, exitUsage, "--at"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := receiptCheck(c.stdin, c.args...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Fatalf("exit %d, want %d: %s", code, c.code, out)
			}
			if code != exitOK {
				return
			}
			var claims struct{ Iss, Jti, Aud, Verdict, Code string }
			if err := json.Unmarshal([]byte(out), &claims); err != nil {
				t.Fatal(err)
			}
			if claims.Iss != "https://gateway.example" || claims.Jti != "vrf_1" || claims.Aud != "bank-a" || claims.Verdict != "INVALID" || claims.Code != "FORMAT_MALFORMED" {
				t.Errorf("%+v", claims)
			}
		})
	}
}
