package receipt_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// FuzzClaims signs whatever it is given: what is accepted must say the same
// when it is written again.
func FuzzClaims(f *testing.F) {
	key := es256(f, `,"kid":"k"`)
	s := signer(f, key)
	const header = `{"alg":"ES256","kid":"k","typ":"verification-receipt+jwt"}`
	for _, r := range []*verifiers.Response{
		valid(), with(valid(), verifiers.CheckFormat, verifiers.Failed, verifiers.FormatMalformed),
		with(valid(), verifiers.CheckRegistry, verifiers.Inconclusive, verifiers.RegistryUnavailable),
	} {
		f.Add(payloadOf(f, issue(f, s, r)[0].Text))
	}
	f.Add(`{"iss":"","as_of":"0000-01-01T00:00:00Z"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, claims string) {
		got, code := receipt.Check([]byte(sign(t, key, header, claims)), receipt.Whoever(s.Keys()), now, skew)
		if (got != nil) != (code == verifiers.OK) || code == "" {
			t.Fatalf("%v beside %q", got, code)
		}
		if got == nil {
			return
		}
		again, code := receipt.Check([]byte(sign(t, key, header, string(got.AppendJSON(nil)))), receipt.Whoever(s.Keys()), now, skew)
		if code != verifiers.OK {
			t.Fatalf("written again: %s", code)
		}
		if !bytes.Equal(again.AppendJSON(nil), got.AppendJSON(nil)) {
			t.Fatal("written again, it says something else")
		}
		v := receipt.Decide(&receipt.Case{Claims: got, Trust: snapshot(list{}), Now: now})
		if v.Outcome == verifiers.Valid && got.Verdict != verifiers.Valid {
			t.Fatal("restated as VALID")
		}
	})
}

// FuzzToken hands in any bytes: none but the signed ones are accepted.
func FuzzToken(f *testing.F) {
	s := signer(f, es256(f, ""), sm2(f, ""))
	tokens := issue(f, s, valid())
	for _, token := range tokens {
		f.Add([]byte(token.Text))
	}
	f.Add([]byte("a.b.c"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, token []byte) {
		claims, code := receipt.Check(token, receipt.Whoever(s.Keys()), now, skew)
		known := string(token) == tokens[0].Text || string(token) == tokens[1].Text
		if (code == verifiers.OK) != known || (claims != nil) != known {
			t.Fatalf("%s for %d bytes", code, len(token))
		}
	})
}

// BenchmarkCheck measures an offline check and, as x-raw, how many bare
// verifications of its signature it costs (wanted: at most 1.2).
func BenchmarkCheck(b *testing.B) {
	s := signer(b, es256(b, ""), sm2(b, ""))
	for _, token := range issue(b, s, valid()) {
		text := []byte(token.Text)
		trust := receipt.Whoever(s.Keys())
		key := s.Keys().Key(headerKid(b, token.Text))
		input, signature := split(b, token.Text)
		b.Run(string(token.Algorithm), func(b *testing.B) {
			b.ReportAllocs()
			var raw, whole time.Duration
			// Turn about, so that a busy machine slows both alike.
			for b.Loop() {
				start := time.Now()
				if !key.Verify(token.Algorithm, input, signature) {
					b.Fatal("the signature is wrong")
				}
				middle := time.Now()
				if _, code := receipt.Check(text, trust, now, skew); code != verifiers.OK {
					b.Fatal(code)
				}
				raw += middle.Sub(start)
				whole += time.Since(middle)
			}
			b.ReportMetric(float64(whole)/float64(raw), "x-raw")
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	for name, keys := range map[string][]receipt.Key{"ES256": {es256(b, "")}, "SM2": {sm2(b, "")}, "both": {es256(b, ""), sm2(b, "")}} {
		s := signer(b, keys...)
		b.Run("new/"+name, func(b *testing.B) {
			r := valid()
			for b.Loop() {
				r.Verdict.ValidUntil = r.Verdict.ValidUntil.Add(time.Second)
				if _, err := s.Issue(r, "vrf_1", hall); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("repeated/"+name, func(b *testing.B) {
			r := valid()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Issue(r, "vrf_1", hall); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A receipt ends by the clock alone.
func TestReceiptEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signer(t, es256(t, ""))
		r := valid()
		r.At, r.Verdict.AsOf, r.Verdict.ValidUntil = time.Now(), time.Now(), time.Now().Add(5*time.Minute)
		token := []byte(issue(t, s, r)[0].Text)
		check := func() verifiers.Code {
			_, code := receipt.Check(token, receipt.Whoever(s.Keys()), time.Now(), 0)
			return code
		}
		time.Sleep(5*time.Minute - time.Second)
		if code := check(); code != verifiers.OK {
			t.Error(code)
		}
		time.Sleep(time.Second)
		if code := check(); code != verifiers.ReceiptExpired {
			t.Error(code)
		}
	})
}
