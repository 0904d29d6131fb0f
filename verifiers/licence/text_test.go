package licence_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"tongyan/verifiers/licence"
)

func TestSameText(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"equal":                   {"沪上晴川科技有限公司", "沪上晴川科技有限公司", true},
		"both empty":              {"", "", true},
		"one empty":               {"", "晴川", false},
		"full-width brackets":     {"晴川（上海）有限公司", "晴川(上海)有限公司", true},
		"one bracket full-width":  {"晴川（上海)有限公司", "晴川(上海）有限公司", true},
		"small brackets":          {"晴川﹙上海﹚有限公司", "晴川(上海)有限公司", true},
		"vertical brackets":       {"晴川︵上海︶有限公司", "晴川(上海)有限公司", true},
		"other brackets":          {"晴川【上海】有限公司", "晴川(上海)有限公司", false},
		"tortoise-shell brackets": {"晴川〔上海〕有限公司", "晴川(上海)有限公司", false},
		"brackets left out":       {"晴川（上海）有限公司", "晴川上海有限公司", false},
		"full-width letters":      {"ＡＢＣ", "ABC", true},
		"full-width code":         {"９１３１００００１３２２６０２５０Ｘ", "91310000132260250X", true},
		"half-width kana":         {"ｶﾞ", "ガ", true},
		"composed":                {"Zo\u00eb", "Zoe\u0308", true},
		"radical and ideograph":   {"\u2f00品", "\u4e00品", true},
		"compatibility ideograph": {"\uf900", "\u8c48", true},
		"ideographic blank":       {"王\u3000明", "王 明", true},
		"blank":                   {"王 明", "王明", false},
		"blank behind":            {"abc", "abc ", false},
		"case":                    {"abc", "ABC", false},
		"other ASCII":             {"abc", "abd", false},
		"simplified, traditional": {"国", "國", false},
		"Cyrillic a":              {"a", "а", false},
		"zero-width":              {"王明", "王\u200b明", false},
	} {
		if got := licence.SameText(tc.a, tc.b); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
		if got := licence.SameText(tc.b, tc.a); got != tc.want {
			t.Errorf("%s, turned round: %t", name, got)
		}
	}
}

// Nobody makes us fold megabytes to learn that they are no company's name.
func TestSameTextFoldsNothingFarTooLong(t *testing.T) {
	long, short := strings.Repeat("\ufdfa", 1<<10), "晴川"
	for _, pair := range [][2]string{{long, short}, {short, long}, {long, ""}, {"", long}} {
		n := testing.AllocsPerRun(10, func() {
			if licence.SameText(pair[0], pair[1]) {
				t.Error("the same")
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for %d and %d bytes", n, len(pair[0]), len(pair[1]))
		}
	}
}

// However much folding stretches or shrinks a character, it stays the same text.
func TestSameTextOfEveryCharacter(t *testing.T) {
	for r := rune(0x80); r <= 0x10ffff; r++ {
		if 0xd800 <= r && r <= 0xdfff {
			continue
		}
		s := strings.Repeat(string(r), 3)
		for _, form := range []norm.Form{norm.NFKC, norm.NFKD} {
			if other := form.String(s); !licence.SameText(s, other) {
				t.Fatalf("%U is not the same as its normal form of %d bytes", r, len(other))
			}
		}
	}
	// The most that can be between two spellings: from what shrinks to what stretches.
	stretched := strings.Repeat("\ufdfa", 3)
	var b strings.Builder
	for _, r := range norm.NFKC.String(stretched) {
		b.WriteRune(widest(r))
	}
	if wide := b.String(); !licence.SameText(stretched, wide) {
		t.Errorf("%d and %d bytes are not the same", len(stretched), len(wide))
	}
}

// widest returns the mathematical letter that folds to r alone, four bytes long, or r.
func widest(r rune) rune {
	for c := rune(0x1d400); c < 0x1ef00; c++ {
		if norm.NFKC.String(string(c)) == string(r) {
			return c
		}
	}
	return r
}

func BenchmarkSameText(b *testing.B) {
	for name, other := range map[string]string{
		"equal":    "晴川（上海）科技有限公司",
		"folded":   "晴川(上海)科技有限公司",
		"mismatch": "晴川（苏州）科技有限公司",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				licence.SameText("晴川（上海）科技有限公司", other)
			}
		})
	}
}
