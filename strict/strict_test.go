package strict_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tongyan/strict"
)

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		in     string
		reason error
		offset int
	}{
		"nothing":                {"", strict.ErrMalformed, 0},
		"byte order mark":        {"\ufeff{}", strict.ErrMalformed, 0},
		"two texts":              {`{} {}`, strict.ErrMalformed, 3},
		"trailing NUL":           {"{}\x00", strict.ErrMalformed, 2},
		"trailing comma":         {`{"a":1,}`, strict.ErrMalformed, 7},
		"trailing comma in list": {`[1,]`, strict.ErrMalformed, 3},
		"leading zero":           {`[01]`, strict.ErrMalformed, 2},
		"plus sign":              {`[+1]`, strict.ErrMalformed, 1},
		"hex":                    {`[0x1]`, strict.ErrMalformed, 2},
		"not a number":           {`[NaN]`, strict.ErrMalformed, 1},
		"comment":                {`[/**/1]`, strict.ErrMalformed, 1},
		"single quotes":          {`{'a':1}`, strict.ErrMalformed, 1},
		"raw line feed":          {"\"a\nb\"", strict.ErrMalformed, 2},
		"bad UTF-8":              {"\"\xff\"", strict.ErrMalformed, 1},
		"overlong UTF-8":         {"\"\xc0\xaf\"", strict.ErrMalformed, 1},
		"UTF-8 surrogate":        {"\"\xed\xa0\x80\"", strict.ErrMalformed, 1},
		"bad UTF-8 after escape": {"\"\\n\xff\"", strict.ErrMalformed, 1},
		"lone high surrogate":    {`"\ud800"`, strict.ErrMalformed, 1},
		"lone low surrogate":     {`"\udc00"`, strict.ErrMalformed, 1},
		"two high surrogates":    {`"\ud800\ud800"`, strict.ErrMalformed, 1},
		"short escape":           {`"\u12"`, strict.ErrMalformed, 1},
		"signed escape":          {`"\u+123"`, strict.ErrMalformed, 1},
		"unknown escape":         {`"\x41"`, strict.ErrMalformed, 1},
		"duplicate":              {`{"a":1,"a":1}`, strict.ErrDuplicate, 7},
		"duplicate, escaped":     {`{"a":1,"\u0061":2}`, strict.ErrDuplicate, 7},
		"duplicate, deep":        {`[{"a":{"b":1,"c":2,"b":1}}]`, strict.ErrDuplicate, 19},
		"duplicate empty name":   {`{"":1,"":1}`, strict.ErrDuplicate, 6},
		"seventeen levels":       {strings.Repeat("[", 17) + strings.Repeat("]", 17), strict.ErrMalformed, 16},
		"endless nesting":        {strings.Repeat(`{"a":`, 5000), strict.ErrMalformed, 80},
		"too many values":        {"[" + strings.Repeat("1,", strict.MaxValues) + "1]", strict.ErrMalformed, 2*strict.MaxValues - 1},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := strict.Parse([]byte(tc.in))
			if v.Kind() != strict.Absent {
				t.Errorf("a value beside the error: %v", v)
			}
			var e *strict.Error
			if !errors.As(err, &e) || !errors.Is(err, tc.reason) {
				t.Fatalf("err = %v, want %v", err, tc.reason)
			}
			if e.Offset != tc.offset && !strings.Contains(name, "UTF-8") {
				t.Errorf("offset = %d, want %d", e.Offset, tc.offset)
			}
		})
	}
}

// A duplicate behind the dozen members that are compared one by one is found too.
func TestParseFindsDuplicateAmongMany(t *testing.T) {
	for n := 2; n < 40; n++ {
		var b strings.Builder
		b.WriteByte('{')
		for i := range n {
			b.WriteString(`"m` + strings.Repeat("x", i) + `":0,`)
		}
		in := b.String()
		if _, err := strict.Parse([]byte(in + `"other":0}`)); err != nil {
			t.Fatalf("%d different members: %v", n, err)
		}
		for i := range n {
			_, err := strict.Parse([]byte(in + `"m` + strings.Repeat("x", i) + `":0}`))
			if !errors.Is(err, strict.ErrDuplicate) {
				t.Fatalf("%d members, number %d twice: %v", n, i, err)
			}
		}
	}
}

func TestValue(t *testing.T) {
	v, err := strict.Parse([]byte(` {"s":"\u4e2d\ud83d\ude00\n","n":-1.5e3,"i":7,"t":true,"f":false,"z":null,"l":["a",{"x/y":{"~":1}}],"K":1} `))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := v.Get("s").Text(); !ok || s != "中😀\n" {
		t.Errorf("s = %q, %v", s, ok)
	}
	if s, ok := v.Get("i").Text(); ok || s != "" {
		t.Errorf("a number passed for the text %q", s)
	}
	if s, ok := v.Get("s").Literal(); ok || s != "" {
		t.Errorf("a text passed for the number %q", s)
	}
	if l, ok := v.Get("n").Literal(); !ok || l != "-1.5e3" {
		t.Errorf("n = %q", l)
	}
	if b, ok := v.Get("t").Bool(); !b || !ok {
		t.Error("t is not true")
	}
	if b, ok := v.Get("f").Bool(); b || !ok {
		t.Error("f is not false")
	}
	if v.Get("z").Kind() != strict.Null || v.Get("none").Kind() != strict.Absent || v.Get("\u212a").Kind() != strict.Absent {
		t.Error("null, absent and folded names are not kept apart")
	}
	if n, ok := v.At("/l/1/x~1y/~0").Integer(9); !ok || n != 1 {
		t.Errorf("pointer found %d, %v", n, ok)
	}
	for _, p := range []string{"/l/01", "/l/-", "/l/2", "l", "/s/0", "/l/1/x"} {
		if v.At(p).Kind() != strict.Absent {
			t.Errorf("pointer %q reached something", p)
		}
	}
}

func TestInteger(t *testing.T) {
	const max = 253402300799
	for in, want := range map[string]int64{"0": 0, "1": 1, "253402300799": max,
		"253402300800": -1, "-0": -1, "-1": -1, "1.0": -1, "1e0": -1, "1E2": -1,
		"99999999999999999999": -1, "9223372036854775808": -1, `"1"`: -1, "true": -1, "null": -1} {
		v, err := strict.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		n, ok := v.Integer(max)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%s: %d, %v", in, n, ok)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{`"0"`, `0`, false}, {`0`, `0`, true}, {`{"a":1,"b":[2]}`, `{"b":[2],"a":1}`, true},
		{`[1,2]`, `[2,1]`, false}, {`{"a":1}`, `{"b":1}`, false}, {`null`, `null`, true}, {`true`, `false`, false},
	} {
		a, _ := strict.Parse([]byte(tc.a))
		b, _ := strict.Parse([]byte(tc.b))
		if a.Equal(b) != tc.same || b.Equal(a) != tc.same {
			t.Errorf("%s = %s: %v", tc.a, tc.b, !tc.same)
		}
	}
}

func TestBase64URL(t *testing.T) {
	for _, in := range []string{"Zg==", "Zg=", "Zh", "Z", "Z g", "Zm\n8", "Zm8\r", "\nZm8", "Zm+8", "Zm/8", "中"} {
		if out, err := strict.Base64URL(in); !errors.Is(err, strict.ErrMalformed) || out != nil {
			t.Errorf("%q: %q, %v", in, out, err)
		}
	}
	for in, want := range map[string]string{"": "", "Zg": "f", "Zm9v": "foo", "_-8": "\xff\xef"} {
		if out, err := strict.Base64URL(in); err != nil || string(out) != want {
			t.Errorf("%q: %q, %v", in, out, err)
		}
	}
}

// The published suite: y_ must be taken, n_ refused, i_ may go either way; a
// duplicate name is valid to the suite and refused here.
func TestJSONTestSuite(t *testing.T) {
	const dir = "../../shared/data/vectors/jsontestsuite/test_parsing"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("published vectors are not here:", err)
	}
	files, _ := filepath.Glob(dir + "/*.json")
	count := map[byte]int{}
	for _, f := range files {
		name := filepath.Base(f)
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = strict.Parse(data)
		count[name[0]]++
		switch {
		case strings.HasPrefix(name, "y_object_duplicated_key"):
			if !errors.Is(err, strict.ErrDuplicate) {
				t.Errorf("%s: %v", name, err)
			}
		case name[0] == 'y' && err != nil:
			t.Errorf("%s refused: %v", name, err)
		case name[0] == 'n' && err == nil:
			t.Errorf("%s taken", name)
		}
	}
	if count['y'] < 90 || count['n'] < 180 {
		t.Fatalf("only %d y_ and %d n_ files found", count['y'], count['n'])
	}
	t.Logf("jsontestsuite: %d must be taken, %d refused, %d either way", count['y'], count['n'], count['i'])
}

// FuzzParse holds the reader against an independent one of the same strictness.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := strict.Parse(data)
		if err != nil && v.Kind() != strict.Absent {
			t.Fatal("a value beside an error")
		}
		if err == nil {
			if again, err := strict.Parse(v.Canonical()); err != nil || !again.Equal(v) {
				t.Fatalf("%q parses, but not in its canonical spelling: %v", data, err)
			}
		}
		other := jsontext.Value(data).IsValid()
		switch {
		case err == nil && !other:
			t.Fatalf("taken: %q", data)
		case err != nil && other && !strings.Contains(err.Error(), "nested too deeply") && !strings.Contains(err.Error(), "too many values"):
			t.Fatalf("refused: %q: %v", data, err)
		}
	})
}

var seeds = []string{`{}`, `[]`, `"\ud83d\ude00"`, `{"a":1,"b":[true,false,null],"c":{"d":-0.5e+7}}`, `{"a":1,"a":2}`,
	"\"\xff\"", `[1,]`, `"\ud800"`, ` 1 `, `{"":""}`, `[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]`}

// FuzzBase64URL: what decodes encodes to the same bytes.
func FuzzBase64URL(f *testing.F) {
	for _, s := range []string{"", "Zg", "Zm9v", "Zh", "Zm\n8", "_-8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := strict.Base64URL(s)
		if err == nil && encode(out) != s {
			t.Fatalf("%q decodes, and encodes to %q", s, encode(out))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := []byte(`{"iss":"https://ebl.sh.example","sub":"91310000MA1K35Y38P","jti":"x","iat":1790000000,"exp":1890000000,"licence":{"uniscid":"91310000MA1K35Y38P","entname":"上海某某有限公司","enttype":"1130","lerep":"某某","regcap":"1000.0000","regcapcur":"156","estdate":"2015-01-01","opfrom":"2015-01-01","opto":null,"dom":"上海市浦东新区某某路1号","opscope":"` + strings.Repeat("技术服务、", 30) + `","regorg":"310115","apprdate":"2024-01-01"}}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strict.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Every byte is looked at, wherever it stands in a string.
func TestEveryByteOfAString(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				text := bytes.Repeat([]byte{'a'}, length)
				text[at] = byte(c)
				_, err := strict.Parse(slices.Concat([]byte{'"'}, text, []byte{'"'}))
				good := c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf
				if (err == nil) != good {
					t.Fatalf("byte %#x at %d of %d: %v", c, at, length, err)
				}
			}
		}
		for _, special := range []string{"é", "照", "😀", `\"`, `\\`, `\u7167`} {
			for at := range length + 1 {
				text := strings.Repeat("a", at) + special + strings.Repeat("z", length-at)
				v, err := strict.Parse([]byte(`"` + text + `"`))
				want := strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\u7167`, "照").Replace(text)
				if got, _ := v.Text(); err != nil || got != want {
					t.Fatalf("%q reads as %q, %v", text, got, err)
				}
			}
		}
	}
}
