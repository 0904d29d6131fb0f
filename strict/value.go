// Package strict reads JSON and base64url from strangers, and refuses whatever
// two readers could understand differently: duplicate member names, invalid
// UTF-8, lone surrogate escapes, trailing bytes, non-canonical base64url.
//
// Everything that comes from outside passes through it before it is believed:
// credentials, trust lists, key sets, registry answers, API requests.
package strict

// Kind says what a Value is. The zero Kind belongs to the zero Value, which
// stands for "not there" and is never the result of a successful Parse.
type Kind uint8

// The kinds of JSON values (RFC 8259 §3).
const (
	Absent Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// A Value is one parsed JSON value, immutable and safe for concurrent use.
type Value struct {
	kind Kind
	// text is the decoded text of a String, the literal of a Number.
	text string
	// list holds an Array's items and an Object's members in document order.
	list []Member
}

// A Member is one name and value of an object. Names are compared exactly,
// after unescaping (RFC 8259 §8.3).
type Member struct {
	Name  string
	Value Value
}

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// Text returns the text of a String; for every other kind it is empty, and ok
// false.
func (v Value) Text() (s string, ok bool) { return v.textOf(String) }

// Literal returns a Number as it was written; for every other kind it is empty,
// and ok false.
func (v Value) Literal() (s string, ok bool) { return v.textOf(Number) }

// textOf gives nothing beside a false ok: a number's literal is no text, even
// to a caller who compares it without looking.
func (v Value) textOf(kind Kind) (s string, ok bool) {
	if v.kind != kind {
		return "", false
	}
	return v.text, true
}

// Bool returns True and False as a bool; ok is false for every other kind.
func (v Value) Bool() (b, ok bool) {
	return v.kind == True, v.kind == True || v.kind == False
}

// Integer returns a Number written as plain digits, without sign, fraction or
// exponent, between 0 and max. ok is false for everything else: 1e3, 1.0 and
// -0 are numbers to JSON, but not integers to us (contract §2.2).
func (v Value) Integer(max int64) (n int64, ok bool) {
	if v.kind != Number || len(v.text) > 19 {
		return 0, false
	}
	for i := 0; i < len(v.text); i++ {
		c := v.text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (max-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// Get returns the member called name. It is the zero Value (Absent) where v is
// no object or has no such member.
func (v Value) Get(name string) Value {
	if v.kind == Object {
		for i := range v.list {
			if v.list[i].Name == name {
				return v.list[i].Value
			}
		}
	}
	return Value{}
}

// Members returns an object's members in document order, nil for other kinds.
// The caller must not change the slice.
func (v Value) Members() []Member {
	if v.kind != Object {
		return nil
	}
	return v.list
}

// Len returns the number of an array's items or an object's members.
func (v Value) Len() int { return len(v.list) }

// Item returns item i of an array, Absent where there is none.
func (v Value) Item(i int) Value {
	if v.kind != Array || i < 0 || i >= len(v.list) {
		return Value{}
	}
	return v.list[i].Value
}

// Strings returns the texts of an array that holds only strings.
func (v Value) Strings() (texts []string, ok bool) {
	if v.kind != Array {
		return nil, false
	}
	texts = make([]string, len(v.list))
	for i := range v.list {
		if texts[i], ok = v.list[i].Value.Text(); !ok {
			return nil, false
		}
	}
	return texts, true
}

// Equal reports whether two values are the same JSON: kinds, texts and order of
// arrays as written; numbers by their literal ("1" is not "1.0"); objects
// without regard to order.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.text != w.text || len(v.list) != len(w.list) {
		return false
	}
	for i := range v.list {
		other := w.Item(i)
		if v.kind == Object {
			other = w.Get(v.list[i].Name)
		}
		if !v.list[i].Value.Equal(other) {
			return false
		}
	}
	return true
}
