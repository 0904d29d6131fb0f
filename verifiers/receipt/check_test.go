package receipt_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

func TestEveryVerdictGetsAReceiptThatChecks(t *testing.T) {
	s := signer(t, es256(t, ""), sm2(t, `,"distid":"someone"`))
	for name, r := range map[string]*verifiers.Response{
		"valid":                valid(),
		"malformed":            with(valid(), verifiers.CheckFormat, verifiers.Failed, verifiers.FormatMalformed),
		"forged":               with(valid(), verifiers.CheckSignature, verifiers.Failed, verifiers.SignatureInvalid),
		"no such code":         with(valid(), verifiers.CheckSubject, verifiers.Failed, verifiers.USCCInvalid),
		"registration revoked": with(valid(), verifiers.CheckRegistry, verifiers.Failed, verifiers.RegistrationRevoked),
		"registry silent":      with(valid(), verifiers.CheckRegistry, verifiers.Inconclusive, verifiers.RegistryUnavailable),
		"no keys":              with(valid(), verifiers.CheckKey, verifiers.Inconclusive, verifiers.KeysUnavailable),
	} {
		t.Run(name, func(t *testing.T) {
			tokens := issue(t, s, r)
			if len(tokens) != 2 || tokens[0].Algorithm != keys.ES256 || tokens[1].Algorithm != keys.SM2 {
				t.Fatalf("tokens: %v", tokens)
			}
			payloads := [2]string{}
			for i, token := range tokens {
				payloads[i] = strings.Split(token.Text, ".")[1]
				got, code := receipt.Check([]byte(token.Text), receipt.Only(gateway, s.Keys()), now, skew)
				if code != verifiers.OK {
					t.Fatalf("%s: %s", token.Algorithm, code)
				}
				want := receipt.State(gateway, "vrf_1", hall, r)
				if diff := cmp.Diff(&want, got); diff != "" {
					t.Error(diff)
				}
			}
			if payloads[0] != payloads[1] {
				t.Error("the two receipts have different payloads")
			}
		})
	}
}

func TestClaimsAsContract(t *testing.T) {
	s := signer(t, es256(t, ""))
	payload := payloadOf(t, issue(t, s, valid())[0].Text)
	want := `{"iss":"https://gateway.sh.example","jti":"vrf_1","iat":1790827200,"exp":1790827440,"aud":"hall-pudong","verdict":"VALID","code":"OK",` +
		`"checks":[{"check":"format","outcome":"passed"},{"check":"issuer","outcome":"passed"},{"check":"key","outcome":"passed"},` +
		`{"check":"signature","outcome":"passed"},{"check":"validity","outcome":"passed"},{"check":"subject","outcome":"passed"},` +
		`{"check":"holder","outcome":"skipped"},{"check":"status","outcome":"skipped"},{"check":"registry","outcome":"passed"}],` +
		`"credential_digest":"` + verifiers.DigestOf([]byte("a credential")).String() + `","uniscid":"91310000MA1K35Y38P","issuer":"https://ebl.sh.example",` +
		`"key":"licence-key","as_of":"2026-10-01T03:59:00Z","trust_list_version":7}`
	if diff := cmp.Diff(want, payload); diff != "" {
		t.Error(diff)
	}
	header, _ := base64.RawURLEncoding.DecodeString(strings.Split(issue(t, s, valid())[0].Text, ".")[0])
	kid := s.Keys().Keys()[0].Thumbprint()
	if want := `{"alg":"ES256","kid":"` + string(kid) + `","typ":"verification-receipt+jwt"}`; string(header) != want {
		t.Errorf("header %s, want %s", header, want)
	}
}

func TestAnUnprovenCredentialIsNotNamed(t *testing.T) {
	r := with(valid(), verifiers.CheckSignature, verifiers.Failed, verifiers.SignatureInvalid)
	c := receipt.State(gateway, "vrf_1", "", r)
	text := string(c.AppendJSON(nil))
	for _, forbidden := range []string{code, string(issuer), "licence-key", "never in a receipt", "aud", "as_of"} {
		if strings.Contains(text, forbidden) {
			t.Errorf("%q stands in %s", forbidden, text)
		}
	}
}

func TestRefused(t *testing.T) {
	key := es256(t, "")
	s := signer(t, key)
	good := issue(t, s, valid())[0].Text
	resign := func(header, claims string) string { return sign(t, key, header, claims) }
	kid := string(key.Public.Thumbprint())
	header := `{"alg":"ES256","kid":"` + kid + `","typ":"verification-receipt+jwt"}`
	claims := payloadOf(t, good)
	edit := func(from, to string) string {
		t.Helper()
		if !strings.Contains(claims, from) {
			t.Fatalf("%q is not in the claims", from)
		}
		return strings.Replace(claims, from, to, 1)
	}
	altered := func(from, to string) string {
		parts := strings.Split(good, ".")
		return parts[0] + "." + encode([]byte(edit(from, to))) + "." + parts[2]
	}
	trust := receipt.Only(gateway, s.Keys())
	if _, code := receipt.Check([]byte(resign(header, claims)), trust, now, skew); code != verifiers.OK {
		t.Fatalf("the fixture itself: %s", code)
	}
	for name, c := range map[string]struct {
		token string
		trust receipt.Trust
		now   time.Time
		want  verifiers.Code
	}{
		"empty":              {token: "", want: verifiers.ReceiptMalformed},
		"trailing feed":      {token: good + "\n", want: verifiers.ReceiptMalformed},
		"alg none":           {token: resign(strings.Replace(header, "ES256", "none", 1), claims), want: verifiers.ReceiptMalformed},
		"alg none, unsigned": {token: encode([]byte(strings.Replace(header, "ES256", "none", 1))) + "." + encode([]byte(claims)) + ".", want: verifiers.ReceiptMalformed},
		"alg of others":      {token: resign(strings.Replace(header, "ES256", "EdDSA", 1), claims), want: verifiers.ReceiptMalformed},
		"typ of a licence":   {token: resign(strings.Replace(header, "verification-receipt+jwt", "ebl+jwt", 1), claims), want: verifiers.ReceiptMalformed},
		"a key in it":        {token: resign(strings.Replace(header, "{", `{"jwk":{},`, 1), claims), want: verifiers.ReceiptMalformed},
		"duplicate claim":    {token: resign(header, edit(`{"iss"`, `{"iss":"x","iss"`)), want: verifiers.ReceiptMalformed},
		"iat as a float":     {token: resign(header, edit(`1790827200`, `1790827200.0`)), want: verifiers.ReceiptMalformed},
		"no exp":             {token: resign(header, edit(`"exp"`, `"exq"`)), want: verifiers.ReceiptMalformed},
		"aud null":           {token: resign(header, edit(`"aud":"hall-pudong"`, `"aud":null`)), want: verifiers.ReceiptMalformed},
		"a fourth verdict":   {token: resign(header, edit(`"VALID"`, `"FINE"`)), want: verifiers.ReceiptMalformed},
		"a failed check":     {token: resign(header, edit(`"registry","outcome":"passed"`, `"registry","outcome":"failed"`)), want: verifiers.ReceiptMalformed},
		"no register asked":  {token: resign(header, edit(`"registry","outcome":"passed"`, `"registry","outcome":"skipped"`)), want: verifiers.ReceiptMalformed},
		"a check missing":    {token: resign(header, edit(`{"check":"format","outcome":"passed"},`, ``)), want: verifiers.ReceiptMalformed},
		"checks swapped":     {token: resign(header, edit(`"issuer","outcome"`, `"key","outcome"`)), want: verifiers.ReceiptMalformed},
		"no key":             {token: resign(header, edit(`"key":"licence-key",`, ``)), want: verifiers.ReceiptMalformed},
		"no as_of":           {token: resign(header, edit(`"as_of":"2026-10-01T03:59:00Z",`, ``)), want: verifiers.ReceiptMalformed},
		"as_of yesterday":    {token: resign(header, edit(`"2026-10-01T03:59:00Z"`, `"yesterday"`)), want: verifiers.ReceiptMalformed},
		"not a credit code":  {token: resign(header, edit(code, "913100001322602500")), want: verifiers.ReceiptMalformed},
		"short digest":       {token: resign(header, edit(`"sha-256:`, `"sha-256:AA`)), want: verifiers.ReceiptMalformed},
		"verdict altered":    {token: altered(`"VALID"`, `"INVALID"`), want: verifiers.ReceiptSignatureInvalid},
		"a check altered":    {token: altered(`"registry","outcome":"passed"`, `"registry","outcome":"failed"`), want: verifiers.ReceiptSignatureInvalid},
		"code altered":       {token: altered(code, "913100001322602500"), want: verifiers.ReceiptSignatureInvalid},
		"a stranger":         {token: good, trust: receipt.Only("https://other.example", s.Keys()), want: verifiers.ReceiptIssuerNotRecognised},
		"nobody trusted":     {token: good, trust: receipt.Trust{List: snapshot(list{})}, want: verifiers.ReceiptIssuerNotRecognised},
		"keys not at hand":   {token: good, trust: receipt.Only(gateway, nil), want: verifiers.KeysUnavailable},
		"unknown kid":        {token: resign(strings.Replace(header, kid, "another", 1), claims), want: verifiers.ReceiptSignatureInvalid},
		"another's keys":     {token: good, trust: receipt.Only(gateway, signer(t, es256(t, "")).Keys()), want: verifiers.ReceiptSignatureInvalid},
		"SM2 said of P-256":  {token: resign(strings.Replace(header, "ES256", "SM2", 1), claims), want: verifiers.ReceiptSignatureInvalid},
		"ended":              {token: good, now: now.Add(4*time.Minute + skew), want: verifiers.ReceiptExpired},
		"from the future":    {token: good, now: now.Add(-skew - time.Second), want: verifiers.ReceiptExpired},
		"unknown claims":     {token: resign(header, edit(`{"iss"`, `{"new":[1],"iss"`)), want: verifiers.OK},
		"within the skew":    {token: good, now: now.Add(4*time.Minute + skew - time.Second), want: verifiers.OK},
	} {
		t.Run(name, func(t *testing.T) {
			if c.trust.Keys == nil && c.trust.List == nil {
				c.trust = trust
			}
			if c.now.IsZero() {
				c.now = now
			}
			claims, got := receipt.Check([]byte(c.token), c.trust, c.now, skew)
			if got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if (claims != nil) != (c.want == verifiers.OK) {
				t.Errorf("claims %v beside %s", claims, got)
			}
		})
	}
}

func TestAnyChangedByteIsRefused(t *testing.T) {
	s := signer(t, es256(t, ""))
	good := []byte(issue(t, s, valid())[0].Text)
	for i := range good {
		token := bytes.Clone(good)
		token[i] ^= 1
		if _, code := receipt.Check(token, receipt.Whoever(s.Keys()), now, skew); code == verifiers.OK {
			t.Errorf("byte %d of %d does not matter", i, len(good))
		}
	}
}

func TestNegativeSkewIsNone(t *testing.T) {
	s := signer(t, es256(t, ""))
	token := []byte(issue(t, s, valid())[0].Text)
	if _, code := receipt.Check(token, receipt.Whoever(s.Keys()), now, -time.Hour); code != verifiers.OK {
		t.Error(code)
	}
}

func TestRevokedKeys(t *testing.T) {
	key := es256(t, "")
	s := signer(t, key)
	token := []byte(issue(t, s, valid())[0].Text)
	licenceKey := es256(t, `,"kid":"k","revoked":{"revoked_at":1,"reason":"compromised"}`).Public
	r := valid()
	r.Verdict.Key = licenceKey.Thumbprint()
	underRevoked := []byte(issue(t, s, r)[0].Text)
	gone := func(reason string, at time.Time) keys.Revocation {
		return keys.Revocation{Reason: reason, At: at.Unix()}
	}
	set, _, err := keys.ParseSet(parse(t, `{"keys":[`+publicJWK(licenceKey, `,"kid":"k","revoked":{"revoked_at":1,"reason":"compromised"}`)+`]}`), now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token []byte
		list  list
		want  verifiers.Code
	}{
		"nothing revoked":            {token, list{}, verifiers.OK},
		"licence key compromised":    {token, list{revoked: map[keys.Thumbprint]keys.Revocation{"licence-key": gone("compromised", now.Add(time.Hour))}}, verifiers.KeyRevoked},
		"superseded before, unknown": {token, list{version: 8, revoked: map[keys.Thumbprint]keys.Revocation{"licence-key": gone("superseded", now.Add(-time.Hour))}}, verifiers.KeyRevoked},
		"superseded before, known":   {token, list{version: 7, revoked: map[keys.Thumbprint]keys.Revocation{"licence-key": gone("superseded", now.Add(-time.Hour))}}, verifiers.OK},
		"superseded afterwards":      {token, list{version: 8, revoked: map[keys.Thumbprint]keys.Revocation{"licence-key": gone("superseded", now.Add(time.Second))}}, verifiers.OK},
		"the key set says so":        {underRevoked, list{inline: set}, verifiers.KeyRevoked},
		"gateway's key compromised":  {token, list{revoked: map[keys.Thumbprint]keys.Revocation{key.Public.Thumbprint(): gone("compromised", now)}}, verifiers.KeyRevoked},
		"gateway's key superseded":   {token, list{revoked: map[keys.Thumbprint]keys.Revocation{key.Public.Thumbprint(): gone("superseded", now)}}, verifiers.KeyRevoked},
		"gateway's superseded later": {token, list{revoked: map[keys.Thumbprint]keys.Revocation{key.Public.Thumbprint(): gone("superseded", now.Add(time.Second))}}, verifiers.OK},
	} {
		t.Run(name, func(t *testing.T) {
			trust := receipt.Only(gateway, s.Keys())
			trust.List = snapshot(c.list)
			if _, got := receipt.Check(c.token, trust, now, skew); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("its own key set says so, without a trust list", func(t *testing.T) {
		set, err := receipt.LoadJWKS([]byte(`{"keys":[` + publicJWK(key.Public, `,"kid":"`+string(key.Public.Thumbprint())+`","revoked":{"revoked_at":1,"reason":"compromised"}`) + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, got := receipt.Check(token, receipt.Whoever(set), now, skew); got != verifiers.KeyRevoked {
			t.Error(got)
		}
	})
}
