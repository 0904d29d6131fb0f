package strict_test

import (
	"strconv"
	"testing"

	"tongyan/strict"
)

func parse(t testing.TB, text string) strict.Value {
	t.Helper()
	v, err := strict.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNewObject(t *testing.T) {
	one, two := parse(t, `1`), parse(t, `[2]`)
	v, ok := strict.NewObject([]strict.Member{{Name: "a", Value: one}, {Name: "b", Value: two}})
	if !ok || !v.Equal(parse(t, `{"b":[2],"a":1}`)) {
		t.Errorf("got %s, %v", v.Canonical(), ok)
	}
	if v, ok := strict.NewObject(nil); !ok || v.Kind() != strict.Object || v.Len() != 0 {
		t.Error("no empty object")
	}
	for n := 1; n < 70; n++ { // below and above what is compared one by one
		var members []strict.Member
		for i := range n {
			members = append(members, strict.Member{Name: strconv.Itoa(i), Value: one})
		}
		if _, ok := strict.NewObject(members); !ok {
			t.Errorf("%d different names refused", n)
		}
		for i := range n {
			v, ok := strict.NewObject(append(members[:n:n], strict.Member{Name: strconv.Itoa(i), Value: two}))
			if ok || v.Kind() != strict.Absent {
				t.Errorf("%d members, number %d twice: taken", n, i)
			}
		}
	}
	if v, ok := strict.NewObject([]strict.Member{{Name: "a"}}); ok || v.Kind() != strict.Absent {
		t.Error("an absent member was taken")
	}
}

func TestNewArray(t *testing.T) {
	v, ok := strict.NewArray([]strict.Value{parse(t, `1`), parse(t, `null`)})
	if !ok || !v.Equal(parse(t, `[1,null]`)) {
		t.Errorf("got %s, %v", v.Canonical(), ok)
	}
	if v, ok := strict.NewArray([]strict.Value{{}}); ok || v.Kind() != strict.Absent {
		t.Error("an absent item was taken")
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : [ 1.50 , -0e2 ] , "a" : { } } `: `{"a":{},"b":[1.50,-0e2]}`,
		`"\u0041\n\"\\\/\u4e2d"`:                  `"A\u000a\"\\/中"`,
		`[true,false,null,[]]`:                    `[true,false,null,[]]`,
	} {
		if got := parse(t, in).Canonical(); string(got) != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := (strict.Value{}).Canonical(); got != nil {
		t.Errorf("absent: %q", got)
	}
}
