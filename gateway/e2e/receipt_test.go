package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

const issuerA = "https://gateway.a.example"

// receiptKey writes a private ES256 JWK and returns its path.
func (w *world) receiptKey(name string) string {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.ok(err)
	d, err := key.Bytes()
	w.ok(err)
	point, err := key.PublicKey.Bytes()
	w.ok(err)
	b64 := base64.RawURLEncoding.EncodeToString
	w.secret(b64(d))
	jwk, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": name, "x": b64(point[1:33]), "y": b64(point[33:]), "d": b64(d)})
	w.ok(err)
	return w.write(name+".jwk", jwk)
}

func signs(issuer, file string) string {
	return fmt.Sprintf("receipts: { issuer: %q, key_file: %q }\n", issuer, file)
}

// A checked is the answer of /v1/receipts/verify.
type checked struct {
	Valid   bool
	Code    string
	Receipt map[string]any
}

func (g *gateway) checkReceipt(receipt string) (c checked) {
	g.t.Helper()
	raw, err := g.post("/v1/receipts/verify", "application/verification-receipt+jwt", receipt)
	g.w.ok(err)
	g.w.ok(json.Unmarshal([]byte(raw.Body), &c))
	if c.Valid != (c.Code == "OK") || c.Valid != (c.Receipt != nil) {
		g.t.Errorf("an answer at odds with itself: %s", raw.Body)
	}
	return c
}

// peers starts a gateway that signs receipts and one that trusts it.
func (w *world) peers(b setup) (*gateway, *gateway) {
	w.t.Helper()
	first := w.gateway(setup{more: signs(issuerA, w.receiptKey("receipt-a"))})
	b.ca = w.write("both-ca.pem", append(w.box.CAPEM(), first.caPEM()...))
	second := w.gateway(b)
	return first, second
}

func (w *world) admit(g *gateway) {
	w.t.Helper()
	w.publish(func(l *sandbox.List) {
		l.Gateways = []sandbox.ListGateway{{Iss: issuerA, JWKSURI: g.url + "/.well-known/jwks.json"}}
	})
}

// receipt asks for one and returns it.
func (g *gateway) receipt(token string, members object) string {
	g.t.Helper()
	ask := object{"credential": token, "receipt": true}
	for name, value := range members {
		ask[name] = value
	}
	got := g.request(ask)
	receipt, ok := got.Receipt.(string)
	if !ok {
		g.t.Fatalf("no receipt: %v", got)
	}
	g.w.secretToken(receipt)
	return receipt
}

const receiptType = "application/verification-receipt+jwt"

func (g *gateway) submit(receipt string, headers ...string) answer {
	g.t.Helper()
	a, err := g.post("/v1/verify", receiptType, receipt, headers...)
	g.w.ok(err)
	return a
}

// Verified once, accepted everywhere: what one gateway says in a receipt is good
// at another that trusts it, until its evidence, or its key, is gone.
func TestReceiptTravels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.peers(setup{policy: "clock_skew: 0s"})
	token, business := w.mint(shanghai, sandbox.LicenceSpec{})
	good := a.receipt(token, nil)
	if got := a.checkReceipt(good); !got.Valid || got.Receipt["iss"] != issuerA || got.Receipt["uniscid"] != business.USCC || got.Receipt["aud"] != "all" {
		t.Errorf("its own receipt: %+v", got)
	}
	if got := b.checkReceipt(good); got.Valid || got.Code != "RECEIPT_ISSUER_NOT_RECOGNISED" {
		t.Errorf("of a gateway that is not on the list: %+v", got)
	}
	want(t, b.submit(good), "INVALID", "RECEIPT_ISSUER_NOT_RECOGNISED")
	byJSON, err := a.post("/v1/receipts/verify", "application/json", `{"receipt":"`+good+`"}`)
	w.ok(err)
	if byJSON.Status != 200 || byJSON.Code != "OK" {
		t.Errorf("by JSON: %v", byJSON)
	}
	w.admit(a)
	eventually(t, 10*time.Second, "the other gateway takes the receipt", func() bool { return b.checkReceipt(good).Valid })
	got := b.submit(good)
	want(t, got, "VALID", "OK")
	original := a.verify(token)
	if got.Format != "verification-receipt+jwt" || got.Digest != original.Digest || original.Digest == "" {
		t.Errorf("format %q, digest %q of %q", got.Format, got.Digest, original.Digest)
	}
	for _, media := range []string{"application/jwt", "text/plain"} {
		got, err := b.post("/v1/verify", media, good)
		w.ok(err)
		want(t, got, "VALID", "OK")
	}
	want(t, b.request(object{"credential": good}), "VALID", "OK")

	// Verdicts of every kind travel as what they are.
	revoked, other := w.mint(jiangsu, sandbox.LicenceSpec{})
	w.box.Province(jiangsu).Registry.SetState(other.USCC, "2")
	no := a.receipt(revoked, nil)
	if got := b.checkReceipt(no); !got.Valid || got.Receipt["verdict"] != "INVALID" || got.Receipt["code"] != "REGISTRATION_REVOKED" {
		t.Errorf("the receipt of a refusal: %+v", got)
	}
	want(t, b.submit(no), "INVALID", "REGISTRATION_REVOKED")

	// One byte, anywhere.
	for i := 0; i < len(good); i += 7 {
		changed := []byte(good)
		if changed[i] ^= 1; good[i] == '.' {
			changed[i] = ','
		}
		if got := b.checkReceipt(string(changed)); got.Valid {
			t.Errorf("byte %d changed, and it is good", i)
		}
		if got := b.submit(string(changed)); got.Status != 200 || got.Verdict != "INVALID" {
			t.Errorf("byte %d changed: %v", i, got)
		}
	}
	for text, code := range map[string]string{"nonsense": "RECEIPT_MALFORMED", token: "RECEIPT_MALFORMED", forge(good): "RECEIPT_SIGNATURE_INVALID"} {
		if got := b.checkReceipt(text); got.Valid || got.Code != code {
			t.Errorf("want %s, got %+v", code, got)
		}
	}

	// Who wants to know how the licence stands now is told by the registry.
	calls := w.box.Province(shanghai).Registry.Calls()
	b.submit(good)
	if w.box.Province(shanghai).Registry.Calls() != calls {
		t.Error("a receipt within the caller's bounds made the registry be asked")
	}
	if got := b.submit(good, "Cache-Control", "no-cache"); !got.is("VALID", "OK") || got.source() != "live" {
		t.Errorf("no-cache: %v", got)
	}
	w.box.Province(shanghai).Registry.SetState(business.USCC, "4")
	want(t, b.submit(good, "Cache-Control", "no-cache"), "INVALID", "REGISTRATION_CANCELLED")
	w.box.Province(shanghai).Registry.SetState(business.USCC, "1")
	want(t, b.submit(good, "Cache-Control", "no-cache"), "VALID", "OK")

	// The licence's key is ended.
	thumbprint, err := w.box.Province(shanghai).SigningKey("").Thumbprint()
	w.ok(err)
	w.publish(func(l *sandbox.List) {
		l.RevokedKeys = []sandbox.RevokedKey{{Thumbprint: thumbprint, RevokedAt: time.Now().Unix(), Reason: "compromised"}}
	})
	for _, g := range []*gateway{a, b} {
		eventually(t, 5*time.Second, "KEY_REVOKED", func() bool { return g.checkReceipt(good).Code == "KEY_REVOKED" })
		want(t, g.submit(good), "INVALID", "KEY_REVOKED")
	}
	// The gateway itself is off the list.
	still := a.receipt(w.good(anhui), nil)
	want(t, b.submit(still), "VALID", "OK")
	w.publish(func(l *sandbox.List) { l.Gateways = nil })
	eventually(t, 5*time.Second, "the gateway is a stranger", func() bool { return b.checkReceipt(still).Code == "RECEIPT_ISSUER_NOT_RECOGNISED" })
	want(t, b.submit(still), "INVALID", "RECEIPT_ISSUER_NOT_RECOGNISED")
	want(t, a.submit(still), "VALID", "OK") // its own it goes on to know
}

// A receipt ends with the first of its evidence.
func TestReceiptEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.peers(setup{policy: "clock_skew: 0s"})
	w.admit(a)
	receipt := a.receipt(w.good(zhejiang), object{"freshness": object{"max_age": "3s"}})
	eventually(t, 3*time.Second, "the receipt is good", func() bool { return b.checkReceipt(receipt).Valid })
	eventually(t, 10*time.Second, "it has ended", func() bool { return !b.checkReceipt(receipt).Valid })
	if got := b.checkReceipt(receipt); got.Code != "RECEIPT_EXPIRED" {
		t.Errorf("after its end: %+v", got)
	}
	got := b.submit(receipt)
	want(t, got, "INVALID", "RECEIPT_EXPIRED")
	if got.outcome("validity") != "failed" {
		t.Errorf("validity %s", got.outcome("validity"))
	}
	// The gateway's keys cannot be had: nobody can tell.
	if again := a.receipt(w.good(zhejiang), nil); !b.checkReceipt(again).Valid {
		t.Error("a new one is not good")
	}
}

// The receipts' keys are changed over with an overlap, and anybody checks a
// receipt offline by what the gateway publishes.
func TestReceiptKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, next := w.receiptKey("key-1"), w.receiptKey("key-2")
	g := w.gateway(setup{more: signs(issuerA, old)})
	first := g.receipt(w.good(shanghai), nil)
	g.kill()
	w.ok(writeFile(g.config, strings.Replace(readFile(t, g.config), `key_file: "`+old+`"`, `key_file: [ "`+next+`", "`+old+`" ]`, 1)))
	g.start()
	second := g.receipt(w.good(shanghai), nil)
	for name, receipt := range map[string]string{"key-1": first, "key-2": second} {
		if got := g.checkReceipt(receipt); !got.Valid {
			t.Errorf("%s: %+v", name, got)
		}
		head, err := base64.RawURLEncoding.DecodeString(strings.Split(receipt, ".")[0])
		w.ok(err)
		if !strings.Contains(string(head), `"kid":"`+name+`"`) {
			t.Errorf("signed with %s, not %s", head, name)
		}
	}
	res, err := g.client.Get(g.url + "/.well-known/jwks.json")
	w.ok(err)
	defer res.Body.Close()
	var published struct{ Keys []map[string]any }
	var raw json.RawMessage
	w.ok(json.NewDecoder(res.Body).Decode(&raw))
	w.ok(json.Unmarshal(raw, &published))
	if len(published.Keys) != 2 || strings.Contains(string(raw), `"d"`) {
		t.Errorf("published: %s", raw)
	}
	file := w.write("published.json", raw)
	for receipt, want := range map[string]int{first: 0, second: 0, forge(second): 1} {
		check := exec.Command(binary, "receipt", "check", "--jwks", file, "-")
		check.Stdin = strings.NewReader(receipt)
		out, _ := check.CombinedOutput() // its exit code is looked at
		if code := check.ProcessState.ExitCode(); code != want {
			t.Errorf("receipt check: exit %d, want %d: %.300s", code, want, out)
		}
	}
}
