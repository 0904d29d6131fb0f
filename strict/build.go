package strict

import (
	"slices"
	"strconv"
)

// NewObject makes an object of members, which it keeps: the caller must not
// change the slice afterwards. ok is false, and the Value Absent, where a name
// stands twice or a value is Absent, since no text parses to such an object.
func NewObject(members []Member) (v Value, ok bool) {
	var seen map[string]struct{}
	for i := range members {
		if members[i].Value.kind == Absent || repeated(members[i].Name, members[:i], &seen) {
			return Value{}, false
		}
	}
	return Value{kind: Object, list: members}, true
}

// NewArray makes an array of items. ok is false where one is Absent.
func NewArray(items []Value) (v Value, ok bool) {
	list := make([]Member, len(items))
	for i := range items {
		if items[i].kind == Absent {
			return Value{}, false
		}
		list[i].Value = items[i]
	}
	return Value{kind: Array, list: list}, true
}

// Canonical returns v as JSON in one spelling: no blanks, members sorted by the
// bytes of their names, only those characters escaped that must be, numbers as
// they were written. What it returns parses to a Value that is Equal to v. It
// is nil for Absent.
func (v Value) Canonical() []byte { return v.appendTo(nil) }

func (v Value) appendTo(out []byte) []byte {
	switch v.kind {
	case Null:
		return append(out, "null"...)
	case False, True:
		return strconv.AppendBool(out, v.kind == True)
	case Number:
		return append(out, v.text...)
	case String:
		return appendText(out, v.text)
	case Array:
		out = append(out, '[')
		for i := range v.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = v.list[i].Value.appendTo(out)
		}
		return append(out, ']')
	case Object:
		sorted := slices.Clone(v.list)
		slices.SortFunc(sorted, func(a, b Member) int {
			if a.Name < b.Name {
				return -1
			}
			return 1 // no name stands twice
		})
		out = append(out, '{')
		for i := range sorted {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendText(out, sorted[i].Name), ':')
			out = sorted[i].Value.appendTo(out)
		}
		return append(out, '}')
	}
	return out
}

// appendText writes a string. SPEC: RFC 8259 §7 "the characters that MUST be
// escaped: quotation mark, reverse solidus, and the control characters".
func appendText(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
