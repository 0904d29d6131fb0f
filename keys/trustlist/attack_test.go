package trustlist_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
)

type general struct {
	Payload    string             `json:"payload"`
	Signatures []generalSignature `json:"signatures"`
}

type generalSignature struct {
	Protected string         `json:"protected"`
	Header    map[string]any `json:"header,omitempty"`
	Signature string         `json:"signature"`
}

func generalOf(t testing.TB, token []byte) (g general) {
	t.Helper()
	if err := json.Unmarshal(token, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g general) token(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withHeader signs with any protected header, as a root that was tricked could.
func withHeader(t testing.TB, root *signer.Key, header string, payload []byte) []byte {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64(payload)
	signature, err := root.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(input + "." + b64(signature))
}

// The attacks on update systems (The Update Framework §1.5.2 names most), played
// against a gateway that holds version 7 with roots A, B and C, of which two must
// sign. Each is refused with its own word, version 7 stays in force, and a good
// version 8 is taken afterwards.
func TestAttacks(t *testing.T) {
	a, b, c, thief := rootKeys()[0], rootKeys()[1], rootKeys()[2], rootKeys()[3]
	held := encode(t, listOf(7, nil))
	eight := encode(t, listOf(8, nil))
	nine := encode(t, listOf(9, nil))
	both := func(payload []byte) []byte { return signed(t, payload, a, b) }
	headerOf := func(root *signer.Key, more string) string {
		return `{"alg":"ES256","kid":"` + string(root.Public().Thumbprint()) + `","typ":"trust-list+jwt"` + more + `}`
	}
	week := 7 * 24 * time.Hour

	attacks := []struct {
		name  string
		token func() []byte
		want  trustlist.Reason
	}{
		{"rollback: an older list, well signed", func() []byte { return both(encode(t, listOf(6, nil))) }, trustlist.Rollback},
		{"rollback: version 1", func() []byte { return both(encode(t, listOf(1, nil))) }, trustlist.Rollback},
		{"equivocation: version 7 with other content", func() []byte { return both(encode(t, listOf(7, object{"gateways": []any{}}))) }, trustlist.Rollback},
		{"freeze: a newer list, kept back until it expired", func() []byte {
			return both(encode(t, listOf(8, object{"iat": time.Now().Add(-week).Unix(), "exp": time.Now().Add(-time.Second).Unix()})))
		}, trustlist.Expired},
		{"time: a list from tomorrow", func() []byte {
			return both(encode(t, listOf(8, object{"iat": time.Now().Add(24 * time.Hour).Unix(), "exp": time.Now().Add(week).Unix()})))
		}, trustlist.NotYet},
		{"fast-forward: the largest number", func() []byte { return both(encode(t, listOf(1<<63-1, nil))) }, trustlist.FastForward},
		{"fast-forward: the largest step and one", func() []byte { return both(encode(t, listOf(7+1<<31, nil))) }, trustlist.FastForward},

		{"mix-and-match: A over 8, B over 9, payload 8", func() []byte {
			g, other := generalOf(t, both(eight)), generalOf(t, both(nine))
			g.Signatures[1] = other.Signatures[1]
			return g.token(t)
		}, trustlist.Mixed},
		{"mix-and-match: payload 9 under the signatures of 8", func() []byte {
			g := generalOf(t, both(eight))
			g.Payload = base64.RawURLEncoding.EncodeToString(nine)
			return g.token(t)
		}, trustlist.Signature},
		{"mix-and-match: A's header with B's signature", func() []byte {
			g := generalOf(t, both(eight))
			g.Signatures[0].Signature, g.Signatures[1].Signature = g.Signatures[1].Signature, g.Signatures[0].Signature
			return g.token(t)
		}, trustlist.Signature},
		{"mix-and-match: a licence's type, well signed", func() []byte {
			return withHeader(t, a, strings.Replace(headerOf(a, ""), "trust-list+jwt", "ebl+jwt", 1), eight)
		}, trustlist.Header},

		{"threshold: one root only", func() []byte { return signed(t, eight, a) }, trustlist.Threshold},
		{"threshold: one root twice", func() []byte {
			g := generalOf(t, both(eight))
			g.Signatures[1] = g.Signatures[0]
			return g.token(t)
		}, trustlist.Threshold},
		{"threshold: one root twice, signed anew", func() []byte {
			g, again := generalOf(t, both(eight)), generalOf(t, both(eight))
			g.Signatures[1] = again.Signatures[0]
			return g.token(t)
		}, trustlist.Threshold},
		{"threshold: a root and a thief", func() []byte { return signed(t, eight, a, thief) }, trustlist.Threshold},
		{"threshold: a thief under B's name", func() []byte {
			g := generalOf(t, signed(t, eight, a, thief))
			g.Signatures[1].Protected = generalOf(t, both(eight)).Signatures[1].Protected
			return g.token(t)
		}, trustlist.Mixed},
		{"threshold: a root under two names", func() []byte {
			g := generalOf(t, both(eight))
			header := base64.RawURLEncoding.EncodeToString([]byte(headerOf(b, "")))
			signature, err := a.Sign([]byte(header + "." + g.Payload))
			if err != nil {
				t.Fatal(err)
			}
			g.Signatures[1] = generalSignature{Protected: header, Signature: base64.RawURLEncoding.EncodeToString(signature)}
			return g.token(t)
		}, trustlist.Mixed},
		{"threshold: thieves only", func() []byte { return signed(t, eight, thief) }, trustlist.UnknownRoot},
		{"threshold: no signature", func() []byte {
			g := generalOf(t, both(eight))
			g.Signatures = []generalSignature{}
			return g.token(t)
		}, trustlist.Malformed},
		{"threshold: a thousand signatures", func() []byte {
			g := generalOf(t, both(eight))
			for range 1000 {
				g.Signatures = append(g.Signatures, g.Signatures[0])
			}
			return g.token(t)
		}, trustlist.Malformed},

		{"header: alg none", func() []byte {
			return withHeader(t, a, strings.Replace(headerOf(a, ""), "ES256", "none", 1), eight)
		}, trustlist.Signature},
		{"header: another algorithm than the root's", func() []byte {
			return withHeader(t, a, strings.Replace(headerOf(a, ""), "ES256", "SM2", 1), eight)
		}, trustlist.Signature},
		{"header: a key of its own", func() []byte { return withHeader(t, a, headerOf(a, `,"jwk":{}`), eight) }, trustlist.Header},
		{"header: crit", func() []byte { return withHeader(t, a, headerOf(a, `,"crit":["exp"]`), eight) }, trustlist.Header},
		{"header: a stranger's with crit, beside two good ones", func() []byte {
			g := generalOf(t, both(eight))
			g.Signatures = append(g.Signatures, generalSignature{
				Protected: base64.RawURLEncoding.EncodeToString([]byte(headerOf(thief, `,"crit":["x"]`))), Signature: "AA"})
			return g.token(t)
		}, trustlist.Header},
		{"header: unprotected", func() []byte {
			g := generalOf(t, both(eight))
			g.Signatures[0].Header = map[string]any{"kid": "x"}
			return g.token(t)
		}, trustlist.Header},
		{"flattened JSON", func() []byte {
			g := generalOf(t, both(eight))
			return encode(t, object{"payload": g.Payload, "protected": g.Signatures[0].Protected, "signature": g.Signatures[0].Signature})
		}, trustlist.Malformed},
		{"general and flattened at once", func() []byte {
			g := generalOf(t, both(eight))
			return encode(t, object{"payload": g.Payload, "signatures": g.Signatures, "protected": g.Signatures[0].Protected, "signature": g.Signatures[0].Signature})
		}, trustlist.Malformed},

		{"duplicate members: version twice", func() []byte {
			return both2(t, bytes.Replace(eight, []byte(`"version":8`), []byte(`"version":8,"version":9`), 1), a, b)
		}, trustlist.DuplicateMember},
		{"duplicate members: payload twice", func() []byte {
			return bytes.Replace(both(eight), []byte(`{"payload":`), []byte(`{"payload":"e30","payload":`), 1)
		}, trustlist.DuplicateMember},
		{"duplicate members: kid twice in a header", func() []byte {
			return withHeader(t, a, headerOf(a, `,"kid":"x"`), eight)
		}, trustlist.DuplicateMember},
		{"two issuers, one iss", func() []byte {
			return both2(t, encode(t, listOf(8, object{"provinces": []any{
				provinceOf("310000", issuerOf("https://ebl.sh.example", nil)),
				provinceOf("320000", issuerOf("https://ebl.sh.example", nil))}})), a, b)
		}, trustlist.DuplicateIssuer},
		{"prefix look-alike: a host behind an @", func() []byte {
			return both2(t, encode(t, with(one(object{"status_lists": []any{"https://ebl.sh.example@evil.example/"}}), object{"version": 8})), a, b)
		}, trustlist.Address},

		{"endless", func() []byte { return bytes.Repeat([]byte("x"), trustlist.MaxToken+1) }, trustlist.TooLarge},
		{"an error page", func() []byte { return []byte("<html>502 Bad Gateway</html>") }, trustlist.Malformed},
		{"nothing", func() []byte { return nil }, trustlist.Malformed},
		{"bytes behind it", func() []byte { return append(both(eight), '{') }, trustlist.Malformed},
		{"two lists", func() []byte { return append(both(eight), both(nine)...) }, trustlist.Malformed},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			s, log := &server{token: both(held)}, &told{}
			k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 2, a, b, c), Dir: t.TempDir(),
				Skew: time.Minute, OnList: log.list, OnRefused: log.refuse})
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.serve(attack.token(), nil)
			wantReason(t, k.Reload(t.Context()), attack.want)
			if got := k.Status(); got.Version != 7 || got.Highest != 7 || got.Refused != attack.want || got.RefusedAt.IsZero() || got.RefusedWhy == "" {
				t.Errorf("status %+v", got)
			}
			if len(log.lists) != 1 || len(log.refused) != 1 || log.refused[0] != attack.want || !attack.want.Valid() {
				t.Errorf("told of lists %v and refusals %v", log.lists, log.refused)
			}
			s.serve(signed(t, eight, c, b), nil)
			if err := k.Reload(t.Context()); err != nil || k.Status().Version != 8 || k.Status().Refused != "" {
				t.Errorf("a good list is not taken afterwards: %v, %+v", err, k.Status())
			}
		})
	}
}

// both2 signs content that AddSignature would refuse to touch.
func both2(t testing.TB, payload []byte, roots ...*signer.Key) []byte {
	t.Helper()
	g := general{Payload: base64.RawURLEncoding.EncodeToString(payload)}
	for _, root := range roots {
		parts := strings.Split(string(signed(t, payload, root)), ".")
		g.Signatures = append(g.Signatures, generalSignature{Protected: parts[0], Signature: parts[2]})
	}
	return g.token(t)
}

// Any flipped bit of a signed list is refused or leaves its content as it was.
func TestByteFlips(t *testing.T) {
	a, b := rootKeys()[0], rootKeys()[1]
	payload := encode(t, object{"iss": "x", "version": 1, "iat": 1, "exp": 2, "provinces": []any{}})
	want, err := trustlist.ParseContent(payload)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token []byte
		roots *trustlist.Roots
	}{
		"compact": {signed(t, payload, a), pin(t, 1, a)},
		"general": {signed(t, payload, a, b), pin(t, 2, a, b)},
	} {
		taken := 0
		for i := range len(c.token) * 8 {
			bad := bytes.Clone(c.token)
			bad[i/8] ^= 1 << (i % 8)
			list, err := trustlist.Read(bad, c.roots)
			if err == nil {
				taken++
				if list.Digest != want.Digest {
					t.Errorf("%s: another list with bit %d of byte %d flipped", name, i%8, i/8)
				}
			} else if trustlist.ReasonOf(err) == "" {
				t.Errorf("%s: refused without a reason: %v", name, err)
			}
		}
		if taken > 0 {
			t.Errorf("%s: %d flips passed", name, taken)
		}
	}
}

// The versions that can be reached, and no others, from what was accepted.
func TestVersionSteps(t *testing.T) {
	root := rootKeys()[0]
	for _, c := range []struct {
		from, to int64
		want     trustlist.Reason
	}{
		{7, 8, ""}, {7, 7 + 1<<31 - 1, ""}, {7, 7 + 1<<31, trustlist.FastForward},
		{7, 2026112301, ""}, {1790000000, 1790604800, ""}, {202612312359, 202701010000, ""},
		{0, 1, ""}, {0, 202612312359, ""}, {0, 1 << 52, ""}, {0, 1<<52 + 1, trustlist.FastForward},
		{8, 7, trustlist.Rollback},
	} {
		s := &server{}
		k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root)})
		if c.from > 0 {
			s.serve(signed(t, encode(t, listOf(c.from, nil)), root), nil)
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.serve(signed(t, encode(t, listOf(c.to, nil)), root), nil)
		if got := trustlist.ReasonOf(k.Reload(t.Context())); got != c.want {
			t.Errorf("from %d to %d: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestRoots(t *testing.T) {
	a, b := rootKeys()[0].Public(), rootKeys()[1].Public()
	for name, c := range map[string]struct {
		threshold int
		pinned    []*keys.Key
		ok        bool
	}{
		"one of one":          {1, []*keys.Key{a}, true},
		"two of two":          {2, []*keys.Key{a, b}, true},
		"none":                {1, nil, false},
		"none of none":        {0, nil, false},
		"threshold 0":         {0, []*keys.Key{a}, false},
		"threshold -1":        {-1, []*keys.Key{a}, false},
		"two of one":          {2, []*keys.Key{a}, false},
		"two of one, twice":   {2, []*keys.Key{a, a}, false},
		"an empty key":        {1, []*keys.Key{nil}, false},
		"an empty key beside": {1, []*keys.Key{a, {}}, false},
	} {
		if r, err := trustlist.NewRoots(c.threshold, c.pinned...); (err == nil) != c.ok || (r != nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One key under two kids, and one SM2 key under two distids, is one root.
	sm := newKey(keys.SM2)
	text, err := sm.PublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	other := parseJWK(t, bytes.Replace(text, []byte(`"use":"sig"`), []byte(`"use":"sig","distid":"other"`), 1))
	if _, err := trustlist.NewRoots(2, sm.Public(), other); err == nil {
		t.Error("one SM2 key counts as two roots")
	}
	renamed := parseJWK(t, bytes.Replace(text, []byte(sm.Public().ID()), []byte("other"), 1))
	if _, err := trustlist.NewRoots(2, sm.Public(), renamed); err == nil {
		t.Error("one key under two kids counts as two roots")
	}
	token := signed(t, encode(t, listOf(7, nil)), rootKeys()[0])
	for name, roots := range map[string]*trustlist.Roots{"nil": nil, "zero": {}} {
		if _, err := trustlist.Read(token, roots); trustlist.ReasonOf(err) != trustlist.UnknownRoot {
			t.Errorf("%s roots: %v", name, err)
		}
	}
}

// During a rotation a list carries signatures of old and new roots, and each
// gateway counts those that it knows, one algorithm or another.
func TestRootRotation(t *testing.T) {
	old, new := rootKeys()[0], newKey(keys.SM2)
	token := signed(t, encode(t, listOf(8, nil)), old, new)
	for name, roots := range map[string]*trustlist.Roots{
		"old only": pin(t, 1, old), "new only": pin(t, 1, new), "both, one needed": pin(t, 1, old, new), "both, two needed": pin(t, 2, old, new),
	} {
		if _, err := trustlist.Read(token, roots); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
