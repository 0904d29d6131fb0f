package receipt_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// FuzzClaims reads any payload: what is accepted says the same when it is
// written and read again, and is never restated as more than it says.
func FuzzClaims(f *testing.F) {
	for _, r := range []*verifiers.Response{
		valid(), with(valid(), verifiers.CheckFormat, verifiers.Failed, verifiers.FormatMalformed),
		with(valid(), verifiers.CheckRegistry, verifiers.Inconclusive, verifiers.RegistryUnavailable),
	} {
		f.Add(claimsOf(r).AppendJSON(nil))
	}
	f.Add([]byte(`{"iss":"","as_of":"0000-01-01T00:00:00Z"}`))
	f.Add([]byte(`[]`))
	trust := snapshot(list{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := receipt.Read(payload)
		if err != nil {
			return
		}
		written := got.AppendJSON(nil)
		again, err := receipt.Read(written)
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if !bytes.Equal(again.AppendJSON(nil), written) {
			t.Fatal("written again, it says something else")
		}
		v := receipt.Decide(&receipt.Case{Claims: got, Trust: trust, Now: now})
		if v.Outcome == verifiers.Valid && got.Verdict != verifiers.Valid {
			t.Fatal("restated as VALID")
		}
		wellFormed(t, v)
	})
}

// FuzzToken hands in any bytes: only what was signed is accepted.
func FuzzToken(f *testing.F) {
	s := signer(f, fixed(f))
	good := issue(f, s, valid())[0].Text
	signed, _ := split(f, good)
	f.Add([]byte(good))
	f.Add([]byte("a.b.c"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, token []byte) {
		claims, code := receipt.Check(token, receipt.Whoever(s.Keys()), now, skew)
		if (claims != nil) != (code == verifiers.OK) || code == "" {
			t.Fatalf("%v beside %q", claims, code)
		}
		if code == verifiers.OK && !bytes.HasPrefix(token, signed) {
			t.Fatal("accepted what was never signed")
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
