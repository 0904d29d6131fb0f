package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

// hostile makes many kinds of credentials of which none is good.
func (w *world) hostile() []string {
	w.t.Helper()
	good := w.good(shanghai)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	header := func(h string) string { return b64([]byte(h)) + "." + parts[1] + "." + parts[2] }
	payload := func(p string) string { return parts[0] + "." + b64([]byte(p)) + "." + parts[2] }
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	w.ok(err)
	head := `{"alg":"ES256","kid":"31-ES256-1","typ":"ebl+jwt"`
	sd, _ := w.mint(shanghai, sandbox.LicenceSpec{Format: sandbox.SDJWTVC})
	vc, _ := w.mint(shanghai, sandbox.LicenceSpec{Format: sandbox.VCJWT})
	stranger, err := sandbox.NewKey("ES256", w.box.Province(shanghai).SigningKey("").KID)
	w.ok(err)
	byStranger, _ := w.mint(shanghai, sandbox.LicenceSpec{Key: stranger})
	ofNobody, _ := w.mint(shanghai, sandbox.LicenceSpec{Edit: func(_, c map[string]any) { c["iss"] = "https://evil.example" }})
	ofOther, _ := w.mint(shanghai, sandbox.LicenceSpec{Edit: func(_, c map[string]any) { c["iss"] = w.box.Province(jiangsu).Issuer }})
	noise := make([]byte, 600)
	rand.Read(noise)
	all := []string{
		" ", ".", "..", "...", "~", "a", "null", "{}", `{"credential":"x"}`, string(noise), b64(noise), b64(noise) + "." + b64(noise) + "." + b64(noise),
		good + ".", good + "=", good + "\n\n", "\n" + good, good + " ", good + "~", good + "." + parts[2], parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2],
		strings.Replace(good, ".", ".\n", 1), strings.ToUpper(good), good[:len(good)-1], good[1:], forge(good), forge(vc), byStranger, ofNobody, ofOther,
		header(`{"alg":"none","typ":"ebl+jwt","kid":"x"}`), header(`{"alg":"HS256","typ":"ebl+jwt","kid":"x"}`), header(head + `,"crit":["exp"]}`),
		header(head + `,"jwk":{"kty":"EC"}}`), header(head + `,"jku":"https://evil.example/"}`), header(head + `,"x5u":"https://evil.example/"}`),
		header(head + `,"x5c":[]}`), header(head + `,"b64":false}`), header(head + `,"zip":"DEF"}`), header(head + `,"alg":"none"}`),
		header(`{"alg":"ES256","typ":"ebl+jwt"}`), header(`{"alg":"ES256","typ":"at+jwt","kid":"x"}`), header(`[]`), header(`"x"`), header(head), header(head + "}}"),
		header(`{"alg":"ES256","kid":"` + strings.Repeat("k", 257) + `","typ":"ebl+jwt"}`), header(head + `,"x":"` + strings.Repeat("x", 5<<10) + `"}`),
		payload(string(claims) + " x"), payload(string(claims) + string(claims)), payload(`{"iss":"a","iss":"b"}`), payload(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)),
		payload(strings.Repeat("[", 20000)), payload("{\"iss\":\"\xff\xfe\"}"), payload(`{"iss":"\ud800"}`), payload(`{"iat":1e9999}`), payload(`{"iat":-1}`),
		payload(strings.Replace(string(claims), `"iat":`, `"iat":1.5,"x":`, 1)), payload(`{}`), payload(`null`), payload(string(claims[:len(claims)/2])),
		strings.Repeat("A", 70<<10), strings.Repeat("~", 20000), sd + strings.Repeat("~", 20000), sd + "x~", sd + sd, strings.Replace(sd, "~", "~~", 1),
		"eyJ" + strings.Repeat(".", 60000), strings.Repeat("eyJhbGciOiJFUzI1NiJ9.", 3000), `{"payload":"` + parts[1] + `","signatures":[]}`,
	}
	// Every 37th byte of good ones flipped.
	for _, whole := range []string{good, sd, vc} {
		for i := 0; i < len(whole); i += 37 {
			if c := whole[i] ^ 1; whole[i] != '.' && whole[i] != '~' {
				all = append(all, whole[:i]+string(c)+whole[i+1:])
			}
		}
	}
	return append(all, w.vectors()...)
}

// vectors are tokens of the published collections, none of which is a licence.
func (w *world) vectors() (all []string) {
	files, err := filepath.Glob("../../../shared/data/vectors/jsontestsuite/test_parsing/*.json")
	w.ok(err)
	if len(files) == 0 {
		w.t.Log("the published vectors are not there: ../shared/data")
	}
	key := w.box.Province(shanghai).SigningKey("")
	for _, file := range files {
		content, err := os.ReadFile(file)
		w.ok(err)
		if len(content) == 0 || len(content) > 40<<10 {
			continue
		}
		token, err := sandbox.SignCompact(fmt.Appendf(nil, `{"alg":"ES256","kid":%q,"typ":"ebl+jwt"}`, key.KID), content, key)
		w.ok(err)
		all = append(all, token)
	}
	return all
}

// Whatever is sent as a credential gets a verdict, INVALID, and costs nobody
// else anything: no registry is asked, nothing is fetched or kept.
func TestHostileFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redis := redistest.Start(t)
	g := w.gateway(setup{redis: redis.Addr, keys: "refresh: 15m, refetch_interval: 60s"})
	g.expect("VALID", "OK", w.good(anhui))
	kinds := w.hostile()
	client := redis.Client()
	eventually(t, 5*time.Second, "the good one is in Redis", func() bool { return client.DBSize(t.Context()).Val() >= 2 })
	size, calls, memory := client.DBSize(t.Context()).Val(), w.calls("registry"), g.metric("process_resident_memory_bytes")
	for _, p := range w.box.Provinces() {
		p.Keys.ResetCounters()
		p.Status.ResetCounters()
	}
	const requests, clients = 2000, 16
	media := []string{"application/jwt", "application/ebl+jwt", "application/dc+sd-jwt", "application/vc+jwt", "text/plain", "application/verification-receipt+jwt"}
	w.ok(together(clients, func(c int) error {
		for n := c; n < max(requests, len(kinds)); n += clients {
			token := kinds[n%len(kinds)]
			got, err := g.post("/v1/verify", media[n/len(kinds)%len(media)], token)
			switch {
			case err != nil:
				return err
			case got.Status != http.StatusOK || got.Verdict != "INVALID":
				return fmt.Errorf("%.200q: %v", token, got)
			case got.Licence != nil && got.outcome("signature") != "passed":
				return fmt.Errorf("%.200q: what nobody proved is shown: %v", token, got)
			}
		}
		return nil
	}))
	if n := w.calls("registry") - calls; n != 0 {
		t.Errorf("the registries were asked %d times", n)
	}
	if n := w.calls("jwks"); n > 4 {
		t.Errorf("key sets were fetched %d times", n)
	}
	if n := w.calls("status"); n != 0 {
		t.Errorf("status lists were fetched %d times", n)
	}
	// What comes after is kept, and lies behind all that could have been.
	own := int64(0)
	eventually(t, 10*time.Second, "a later one is in Redis", func() bool {
		g.expect("VALID", "OK", w.good(jiangsu))
		own += 2 // a finding and a standing, unless Redis was slow
		time.Sleep(50 * time.Millisecond)
		return client.DBSize(t.Context()).Val() > size
	})
	if n := client.DBSize(t.Context()).Val() - size - own; n > 0 {
		t.Errorf("%d values in Redis are the flood's", n)
	}
	if now := g.metric("process_resident_memory_bytes"); now > memory+100<<20 {
		t.Errorf("memory grew from %.0f to %.0f MiB", memory/(1<<20), now/(1<<20))
	} else {
		t.Logf("%d kinds, memory from %.0f to %.0f MiB", len(kinds), memory/(1<<20), now/(1<<20))
	}
}
