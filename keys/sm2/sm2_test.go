package sm2

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"

	gmsm "github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

const vectors = "../../../shared/data/vectors/sm2/"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(strings.ReplaceAll(s, " ", ""), "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The worked example of GB/T 32918.5-2017, annex A.2.
func TestWorkedExample(t *testing.T) {
	x := unhex(t, "09F9DF31 1E5421A1 50DD7D16 1E4BC5C6 72179FAD 1833FC07 6BB08FF3 56F35020")
	y := unhex(t, "CCEA490C E26775A5 2DC6EA71 8CC1AA60 0AED05FB F35E084A 6632F607 2DA9AD13")
	d := unhex(t, "3945208F 7B2144B1 3F36E38A C6D39F95 88939369 2860B51A 42FB81EF 4DF7C5B8")
	za := unhex(t, "B2E14C5C 79C6DF5B 85F4FE7E D8DB7A26 2B9DA7E0 7CCB0EA9 F4747B8C CDA8A4F3")
	e := unhex(t, "F0B43E94 BA45ACCA ACE692ED 534382EB 17E6AB5A 19CE7B31 F4486FDF C0D28640")
	signature := unhex(t, "F5A03B06 48D2C463 0EEAC513 E1BB81A1 5944DA38 27D5B741 43AC7EAC EEE720B3"+
		"B1B6AA29 DF212FD8 763182BC 0D421CA1 BB9038FD 1F7F42D4 840B69C4 85BBC1AA")
	message := []byte("message digest")

	key, err := NewPublicKey(x, y, "1234567812345678")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.za, za) {
		t.Errorf("ZA %X, want %X", key.za, za)
	}
	if !bytes.Equal(key.digest(message), e) {
		t.Errorf("e %X, want %X", key.digest(message), e)
	}
	if !key.Verify(message, signature) {
		t.Error("the standard's own signature is refused")
	}
	private, err := NewPrivateKey(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(private.Public().X(), x) || !bytes.Equal(private.Public().Y(), y) {
		t.Error("the private key has another public half")
	}
	other, err := NewPublicKey(x, y, "ALICE123@YAHOO.COM")
	if err != nil {
		t.Fatal(err)
	}
	if other.Verify(message, signature) {
		t.Error("a signature under one distid is good under another")
	}
	for i := range signature {
		bad := bytes.Clone(signature)
		bad[i] ^= 1
		if key.Verify(message, bad) {
			t.Errorf("good with byte %d flipped", i)
		}
	}
}

func TestSignatureForms(t *testing.T) {
	key, err := Generate("")
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	good, err := key.Sign(message)
	if err != nil || len(good) != 64 || !key.Public().Verify(message, good) {
		t.Fatalf("own signature of %d bytes: %v", len(good), err)
	}
	n := gmsm.P256().Params().N
	fixed := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	one := big.NewInt(1)
	for name, bad := range map[string][]byte{
		"none": nil, "empty": {}, "short": good[:63], "long": append(bytes.Clone(good), 0), "DER": der,
		"zeros":   make([]byte, 64),
		"r is 0":  fixed(new(big.Int), s),
		"s is 0":  fixed(r, new(big.Int)),
		"r is n":  fixed(n, s),
		"s is n":  fixed(r, n),
		"r+s = n": fixed(r, new(big.Int).Sub(n, r)),
		"swapped": fixed(s, r),
		"s+1":     fixed(r, new(big.Int).Mod(new(big.Int).Add(s, one), n)),
	} {
		if key.Public().Verify(message, bad) {
			t.Errorf("%s: good", name)
		}
	}
	if key.Public().Verify([]byte("massage"), good) {
		t.Error("good for another message")
	}
}

func TestPoints(t *testing.T) {
	key, err := Generate("")
	if err != nil {
		t.Fatal(err)
	}
	x, y := key.Public().X(), key.Public().Y()
	p := gmsm.P256().Params().P.Bytes()
	off := bytes.Clone(y)
	off[31] ^= 1
	for name, c := range map[string][2][]byte{
		"off the curve":       {x, off},
		"zero":                {make([]byte, 32), make([]byte, 32)},
		"short":               {x[1:], y},
		"long":                {append([]byte{0}, x...), y},
		"nothing":             {nil, nil},
		"beyond the field":    {p, y},
		"a point of P-256":    {unhex(t, "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"), unhex(t, "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5")},
		"coordinates swapped": {y, x},
	} {
		if _, err := NewPublicKey(c[0], c[1], ""); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	n := gmsm.P256().Params().N
	for name, d := range map[string][]byte{
		"0": make([]byte, 32), "n": n.Bytes(), "n-1": new(big.Int).Sub(n, big.NewInt(1)).Bytes(), "short": {1}, "none": nil,
	} {
		if _, err := NewPrivateKey(d, ""); err == nil {
			t.Errorf("private key %s: taken", name)
		}
	}
}

func readVectors(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(vectors + name)
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: published vectors are not checked", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Botan's signatures: those over the standard curve with SM3 apply to us.
func TestBotanSignatures(t *testing.T) {
	const standardCurve = "0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
	fields := map[string]string{}
	ran, passed := 0, 0
	for line := range strings.Lines(readVectors(t, "botan_sm2_sig.vec")) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok {
			continue
		}
		fields[name] = value
		if name != "Signature" {
			continue
		}
		if fields["xG"] != standardCurve || fields["Hash"] != "SM3" {
			passed++
			continue
		}
		ran++
		private, err := NewPrivateKey(unhex(t, fields["x"]), fields["Ident"])
		if err != nil {
			t.Fatal(err)
		}
		if !private.Public().Verify(unhex(t, fields["Msg"]), unhex(t, value)) {
			t.Errorf("%s: refused", fields["Ident"])
		}
	}
	if ran == 0 {
		t.Fatal("no signature over the standard curve")
	}
	t.Logf("%d signatures verified; %d over other curves or hashes passed over", ran, passed)
}

// Tongsuo's signatures are over a digest, and in DER.
func TestTongsuoSignatures(t *testing.T) {
	text := readVectors(t, "tongsuo_evppkey_sm2.txt")
	block, _ := pem.Decode([]byte(text[strings.Index(text, "-----BEGIN"):]))
	if block == nil {
		t.Fatal("no key")
	}
	point := block.Bytes[len(block.Bytes)-64:]
	key, err := NewPublicKey(point[:32], point[32:], "")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for record := range strings.SplitSeq(text, "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(record) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
				fields[name] = value
			}
		}
		if fields["Verify"] != "SM2_key1" || fields["Ctrl"] != "digest:SM3" || fields["Result"] != "" {
			continue
		}
		ran++
		var rs struct{ R, S *big.Int }
		der := unhex(t, fields["Output"])
		if rest, err := asn1.Unmarshal(der, &rs); err != nil || len(rest) > 0 {
			t.Fatal(err)
		}
		raw := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
		digest := unhex(t, fields["Input"])
		if !key.verify(digest, raw) {
			t.Errorf("signature %d: refused", ran)
		}
		if key.verify(digest, der) {
			t.Errorf("signature %d: taken in DER", ran)
		}
	}
	if ran == 0 {
		t.Fatal("no signature")
	}
	t.Logf("%d signatures verified", ran)
}

func TestSM3(t *testing.T) {
	ran := 0
	check := func(message, want []byte) {
		t.Helper()
		ran++
		if sum := sm3.Sum(message); !bytes.Equal(sum[:], want) {
			t.Errorf("SM3 of %d bytes is %X, want %X", len(message), sum, want)
		}
	}
	var in []byte
	for line := range strings.Lines(readVectors(t, "botan_sm3.vec")) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " ="); name {
		case "In":
			in = unhex(t, strings.TrimSpace(value))
		case "Out":
			check(in, unhex(t, strings.TrimSpace(value)))
		}
	}
	if ran == 0 {
		t.Fatal("no digest")
	}
	t.Logf("%d digests checked", ran)
}

func BenchmarkVerify(b *testing.B) {
	key, err := Generate("")
	if err != nil {
		b.Fatal(err)
	}
	message := bytes.Repeat([]byte("x"), 1500)
	signature, err := key.Sign(message)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !key.Public().Verify(message, signature) {
			b.Fatal("refused")
		}
	}
}
