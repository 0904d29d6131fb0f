package facts_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/gateway/internal/facts"
	"tongyan/verifiers"
)

// fill sets every member of a value, however deep, to something of its own, so
// that one the encoding forgets is missed whenever it is added.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("文", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Uint8:
		v.SetUint(uint64(verifiers.NotRegistered))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(i + *n))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n)*1_000_003, 999_999_999).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a member of type %v: teach this test and the encoding about it", v.Type())
	}
}

func TestEncodingForgetsNothing(t *testing.T) {
	n := 0
	var f verifiers.Finding
	fill(t, reflect.ValueOf(&f).Elem(), &n)
	d := someDigest()
	for _, want := range []*verifiers.Finding{&f, {Key: "k"}, {Key: "k", IssuedAt: math.MinInt64, Expires: math.MaxInt64, NotBefore: -1}} {
		about, got, err := facts.ReadFinding(facts.AppendFinding(nil, d, want))
		if err != nil || about != d || !cmp.Equal(want, got) {
			t.Errorf("%v, %s", err, cmp.Diff(want, got))
		}
	}
	var s verifiers.Standing
	fill(t, reflect.ValueOf(&s).Elem(), &n)
	for _, want := range []*verifiers.Standing{&s, {Answer: verifiers.Registered, AsOf: time.Time{}, AskedAt: time.Unix(1, 0).UTC()}} {
		got, err := facts.ReadStanding(facts.AppendStanding(nil, want))
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v, %s", err, cmp.Diff(want, got))
		}
	}
}

func TestEveryCutAndEveryTailIsRefused(t *testing.T) {
	d := someDigest()
	s := standingAt(keyOf(someUSCC), time.Now())
	for name, tt := range map[string]struct {
		whole []byte
		read  func([]byte) error
	}{
		"finding":  {facts.AppendFinding(nil, d, someFinding(d)), func(b []byte) error { _, _, err := facts.ReadFinding(b); return err }},
		"standing": {facts.AppendStanding(nil, &s), func(b []byte) error { _, err := facts.ReadStanding(b); return err }},
	} {
		for n := range tt.whole {
			if tt.read(tt.whole[:n]) == nil {
				t.Errorf("%s: the first %d bytes pass for the whole", name, n)
			}
		}
		if tt.read(append(bytes.Clone(tt.whole), 0)) == nil {
			t.Errorf("%s: a byte more passes", name)
		}
	}
}

// What can be read has one encoding only, and nothing comes beside an error.
func FuzzReadFinding(f *testing.F) {
	d := someDigest()
	f.Add(facts.AppendFinding(nil, d, someFinding(d)))
	f.Add(facts.AppendFinding(nil, d, &verifiers.Finding{Key: "k"}))
	f.Add(facts.AppendFinding(nil, d, &verifiers.Finding{}))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		about, finding, err := facts.ReadFinding(b)
		switch {
		case err != nil && (finding != nil || about != verifiers.Digest{}):
			t.Fatal("something beside an error")
		case err == nil && finding.Key == "":
			t.Fatal("an unproven finding")
		case err == nil && !bytes.Equal(b, facts.AppendFinding(nil, about, finding)):
			t.Fatal("another encoding of the same")
		}
	})
}

func FuzzReadStanding(f *testing.F) {
	s := standingAt(keyOf(someUSCC), time.Now())
	f.Add(facts.AppendStanding(nil, &s))
	f.Add(facts.AppendStanding(nil, &verifiers.Standing{}))
	f.Add([]byte{0x80, 0x00})
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := facts.ReadStanding(b)
		switch {
		case err != nil && s != nil:
			t.Fatal("something beside an error")
		case err == nil && s.Answer == verifiers.NoAnswer:
			t.Fatal("a standing without an answer")
		case err == nil && !bytes.Equal(b, facts.AppendStanding(nil, s)):
			t.Fatal("another encoding of the same")
		}
	})
}

func FuzzReadLease(f *testing.F) {
	f.Add([]byte{2, 3, 4})
	f.Add([]byte{0x80, 0x00, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := facts.ReencodeLease(b); err == nil && !bytes.Equal(b, again) {
			t.Fatal("another encoding of the same")
		}
	})
}

// The vectors of the specification: C2SP XAES-256-GCM.
func TestSealIsXAES256GCM(t *testing.T) {
	for _, tt := range []struct {
		key        byte
		additional string
		want       string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		got := facts.SealXAES(bytes.Repeat([]byte{tt.key}, 32), []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(tt.additional))
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("key %d: %x, want %s", tt.key, got, tt.want)
		}
	}
}
