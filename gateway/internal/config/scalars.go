package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// maxText bounds every text of the file, in bytes.
const maxText = 64 << 10

// text reads a text as it is. ok is false for an absent or wrong value, and the
// wrong one has been reported. Numbers are not texts: 0123 and 1e3 would not
// come back as they were written.
func (v value) text() (s string, ok bool) {
	switch n := v.node.(type) {
	case nil:
		return "", false
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		v.fail("is %s; expected text: put it in quotes", kindOf(v.node))
		return "", false
	default:
		v.wrongType("text")
		return "", false
	}
	if len(s) > maxText {
		v.fail("is longer than %d bytes", maxText)
		return "", false
	}
	return s, true
}

// requiredText is text that must be there and not be empty.
func (v value) requiredText() (string, bool) {
	if !v.required() {
		return "", false
	}
	s, ok := v.text()
	if ok && s == "" {
		v.fail("is empty")
	}
	return s, ok && s != ""
}

func (v value) boolean() bool {
	if v.node == nil {
		return false
	}
	b, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.wrongType("true or false")
		return false
	}
	return b.Value
}

// oneOf reads one of a closed set of words; absent is the first of them.
func oneOf[T ~string](v value, choices ...T) T {
	word, _ := choose(v, choices...)
	return word
}

// choose is oneOf that tells whether the word may be built upon.
func choose[T ~string](v value, choices ...T) (word T, ok bool) {
	if v.node == nil {
		return choices[0], !v.broken
	}
	s, ok := v.text()
	if slices.Contains(choices, T(s)) {
		return T(s), true
	}
	if ok {
		v.fail("%s is not known; expected %s", show(s), oneOfWords(choices))
	}
	return choices[0], false
}

func oneOfWords[T ~string](choices []T) string {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

// show quotes a value that is no secret, cut to a readable length.
func show(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

// duration reads a span such as 800ms, 30s, 5m or 24h between least and most.
func (v value) duration(absent, least, most time.Duration) time.Duration {
	if v.node == nil {
		return absent
	}
	if _, isNumber := v.node.(*ast.IntegerNode); isNumber {
		v.fail("has no unit; expected a duration such as 800ms, 30s, 5m or 24h")
		return absent
	}
	s, ok := v.text()
	if !ok {
		return absent
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		v.fail("%s is no duration; expected one such as 800ms, 30s, 5m or 24h", show(s))
	case d < 0:
		v.fail("%s is negative", show(s))
	case d < least:
		v.fail("%s is too short; at least %s", show(s), least)
	case d > most:
		v.fail("%s is too long; at most %s", show(s), most)
	default:
		return d
	}
	return absent
}

// number reads an integer or a decimal in plain digits. YAML's other spellings
// (010 is eight, 0x10, 1_000, .inf) are refused rather than guessed at.
func (v value) number() (f float64, whole, ok bool) {
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		v.wrongType("a number")
		return 0, false, false
	}
	s := v.node.GetToken().Value
	if !plainNumber.MatchString(s) {
		v.fail("%s is not written in plain digits", show(s))
		return 0, false, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		v.fail("%s is out of range", show(s))
	}
	return f, !strings.Contains(s, "."), err == nil
}

var plainNumber = regexp.MustCompile(`^[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// integer reads a whole number between least and most.
func (v value) integer(absent, least, most int) int {
	return int(v.integer64(int64(absent), int64(least), int64(most)))
}

func (v value) integer64(absent, least, most int64) int64 {
	if v.node == nil {
		return absent
	}
	f, whole, ok := v.number()
	switch {
	case !ok:
	case !whole:
		v.fail("must be a whole number")
	case f < float64(least):
		v.fail("%.0f is too small; at least %d", f, least)
	case f > float64(most):
		v.fail("%.0f is too large; at most %d", f, most)
	default:
		return int64(f)
	}
	return absent
}

// maxRate bounds a rate, in events per second; beyond it a limit is none.
const maxRate = 1e6

// rate reads events per second, above 0; 0.5 is one in two seconds.
func (v value) rate(absent float64) float64 {
	if v.node == nil {
		return absent
	}
	f, _, ok := v.number()
	switch {
	case !ok:
	case f <= 0:
		v.fail("must be above 0 a second")
	case f > maxRate:
		v.fail("must be at most %.0f a second", float64(maxRate))
	default:
		return f
	}
	return absent
}

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

// size reads bytes: 512KiB, 8MiB, 1GiB, or a plain number of bytes.
func (v value) size(absent, least, most int64) int64 {
	if v.node == nil {
		return absent
	}
	if _, isNumber := v.node.(*ast.IntegerNode); isNumber {
		return v.integer64(absent, least, most)
	}
	s, ok := v.text()
	if !ok {
		return absent
	}
	for _, u := range units {
		digits, found := strings.CutSuffix(s, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		switch {
		case err != nil:
		case n < 0:
			v.fail("%s is negative", show(s))
			return absent
		case n > most/u.bytes:
			v.fail("%s is too large; at most %d bytes", show(s), most)
			return absent
		case n*u.bytes < least:
			v.fail("%s is too small; at least %d bytes", show(s), least)
			return absent
		default:
			return n * u.bytes
		}
		break
	}
	v.fail("%s is no size; expected one such as 512KiB, 8MiB or 1GiB", show(s))
	return absent
}

// resolve makes a path absolute by the configuration file's folder.
func (d *decoder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.dir, path)
}

// filePath reads a path; "" where it is absent or empty, which say the same.
func (v value) filePath() string {
	s, _ := v.text()
	if s == "" {
		return ""
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		v.fail("is no path: it holds a control character")
		return ""
	}
	return v.d.resolve(s)
}
