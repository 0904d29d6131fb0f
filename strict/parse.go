package strict

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may stand inside each other
// (contract §2.2). One more is refused.
const MaxDepth = 16

// MaxValues is how many values a text may hold. Against bodies of megabytes
// that are all commas: each value costs 64 bytes of memory, whatever its length.
const MaxValues = 1 << 16

// The reasons why a text is refused. An error of this package wraps one of them.
var (
	// ErrMalformed: not one JSON text, not UTF-8, or not canonical base64url.
	ErrMalformed = errors.New("malformed")
	// ErrDuplicate: a member name that stands twice in one object.
	ErrDuplicate = errors.New("duplicate member name")
)

// An Error says where a text was refused and why. It never quotes the text,
// so it may be logged and shown.
type Error struct {
	Offset int    // in bytes from the beginning
	What   string // for people
	Reason error  // ErrMalformed or ErrDuplicate
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// Parse reads one JSON text of at most MaxDepth levels. It costs time and memory
// in proportion to len(data), whatever the text; the caller bounds len(data).
// On an error, which is always an *Error, the Value is Absent.
func Parse(data []byte) (Value, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	// One copy makes every text without escapes a slice of it.
	p.text = string(data)
	v, err := p.value(0)
	if err == nil {
		if p.space(); p.at < len(p.text) {
			err = p.fail("bytes after the end of the text")
		}
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

type parser struct {
	text  string
	at    int
	stack []Member // members of the objects and arrays being read
	count int      // values begun so far
}

func (p *parser) release() {
	// A parser that grew for a huge text is left to the collector.
	if cap(p.stack) > 1024 {
		return
	}
	clear(p.stack) // not empty after an error
	*p = parser{stack: p.stack[:0]}
	parsers.Put(p)
}

func (p *parser) fail(what string) error {
	return &Error{Offset: p.at, What: what, Reason: ErrMalformed}
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (Value, error) {
	p.space()
	if p.at == len(p.text) {
		return Value{}, p.fail("text ends where a value should stand")
	}
	if p.count++; p.count > MaxValues {
		return Value{}, p.fail("too many values")
	}
	switch c := p.text[p.at]; {
	case c == '"':
		s, err := p.string()
		return Value{kind: String, text: s}, err
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for _, word := range words {
		if rest := p.text[p.at:]; len(rest) >= len(word.text) && rest[:len(word.text)] == word.text {
			p.at += len(word.text)
			return Value{kind: word.kind}, nil
		}
	}
	return Value{}, p.fail("no JSON value")
}

var words = [...]struct {
	text string
	kind Kind
}{{"null", Null}, {"true", True}, {"false", False}}

func (p *parser) object(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, p.fail("nested too deeply")
	}
	base := len(p.stack)
	var seen map[string]struct{}
	for first := true; ; first = false {
		p.at++ // past '{' or ','
		p.space()
		if p.at == len(p.text) {
			return Value{}, p.fail("object does not end")
		}
		if first && p.text[p.at] == '}' {
			break
		}
		if p.text[p.at] != '"' {
			return Value{}, p.fail("no member name")
		}
		start := p.at
		name, err := p.string()
		if err != nil {
			return Value{}, err
		}
		if repeated(name, p.stack[base:], &seen) {
			p.at = start
			return Value{}, &Error{Offset: start, What: "duplicate member name", Reason: ErrDuplicate}
		}
		p.space()
		if p.at == len(p.text) || p.text[p.at] != ':' {
			return Value{}, p.fail("no colon after a member name")
		}
		p.at++
		v, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		p.stack = append(p.stack, Member{name, v})
		if done, err := p.next('}'); err != nil {
			return Value{}, err
		} else if done {
			break
		}
	}
	p.at++
	return Value{kind: Object, list: p.pop(base)}, nil
}

// repeated reports whether name stands among the members read so far. Past 32
// members, more than any honest object has, it keeps a set: against a token of
// thousands of members, which would otherwise cost their number squared.
func repeated(name string, members []Member, seen *map[string]struct{}) bool {
	if len(members) < 32 {
		for i := range members {
			if members[i].Name == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 4*len(members))
		for i := range members {
			(*seen)[members[i].Name] = struct{}{}
		}
	}
	if _, there := (*seen)[name]; there {
		return true
	}
	(*seen)[name] = struct{}{}
	return false
}

func (p *parser) array(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, p.fail("nested too deeply")
	}
	base := len(p.stack)
	for first := true; ; first = false {
		p.at++ // past '[' or ','
		p.space()
		if first && p.at < len(p.text) && p.text[p.at] == ']' {
			break
		}
		v, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		p.stack = append(p.stack, Member{Value: v})
		if done, err := p.next(']'); err != nil {
			return Value{}, err
		} else if done {
			break
		}
	}
	p.at++
	return Value{kind: Array, list: p.pop(base)}, nil
}

// next stops at the comma before another element, or at the end of the list.
func (p *parser) next(end byte) (done bool, err error) {
	p.space()
	if p.at < len(p.text) {
		switch p.text[p.at] {
		case ',':
			return false, nil
		case end:
			return true, nil
		}
	}
	return false, p.fail("neither comma nor end of the list")
}

func (p *parser) pop(base int) []Member {
	list := make([]Member, len(p.stack)-base)
	copy(list, p.stack[base:])
	clear(p.stack[base:]) // the pool keeps no text of a stranger alive
	p.stack = p.stack[:base]
	return list
}

func (p *parser) number() (Value, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	// SPEC: RFC 8259 §6 "Leading zeros are not allowed."
	if p.at < len(p.text) && p.text[p.at] == '0' {
		p.at++
	} else if !p.digits() {
		return Value{}, p.fail("number without digits")
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if !p.digits() {
			return Value{}, p.fail("fraction without digits")
		}
	}
	if p.at < len(p.text) && p.text[p.at]|0x20 == 'e' {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return Value{}, p.fail("exponent without digits")
		}
	}
	return Value{kind: Number, text: p.text[start:p.at]}, nil
}

func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// string reads a string whose opening quote stands at p.at.
func (p *parser) string() (string, error) {
	p.at++
	start, high := p.at, false
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			s := p.text[start:i]
			if high && !utf8.ValidString(s) {
				return "", p.fail("string is not UTF-8")
			}
			p.at = i + 1
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			p.at = i
			return "", p.fail("control character in a string")
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	p.at = len(p.text)
	return "", p.fail("string does not end")
}

// escaped reads a string that has escapes, from its first byte on.
func (p *parser) escaped(start int) (string, error) {
	var out []byte
	for i := start; i < len(p.text); {
		switch c := p.text[i]; {
		case c == '"':
			if !utf8.Valid(out) {
				return "", p.fail("string is not UTF-8")
			}
			p.at = i + 1
			return string(out), nil
		case c < 0x20:
			p.at = i
			return "", p.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			i++
		default:
			r, n := unescape(p.text[i:])
			if n == 0 {
				p.at = i
				return "", p.fail("bad escape in a string")
			}
			out = utf8.AppendRune(out, r)
			i += n
		}
	}
	p.at = len(p.text)
	return "", p.fail("string does not end")
}

// unescape decodes the escape at the beginning of s and returns its length,
// 0 if it is not one. A surrogate counts only as half of a pair.
func unescape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	hi, ok := hex4(s)
	switch {
	case !ok || 0xDC00 <= hi && hi <= 0xDFFF:
		return 0, 0
	case hi < 0xD800 || hi > 0xDBFF:
		return hi, 6
	}
	lo, ok := hex4(s[6:])
	if !ok || lo < 0xDC00 || lo > 0xDFFF {
		return 0, 0
	}
	return (hi-0xD800)<<10 + (lo - 0xDC00) + 0x10000, 12
}

// hex4 reads \uXXXX at the beginning of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
