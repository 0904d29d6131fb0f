package licence

import (
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the licence as one JSON object: the members stated, in the
// order of contract §2.1, a perpetual term as "opto":null. The output is valid
// UTF-8 and fit for [Read] again, with selective where members were hidden.
func (l *Licence) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendMember(dst, "uniscid", l.Uniscid)
	dst = appendMember(dst, "entname", l.Entname)
	dst = appendMember(dst, "enttype", l.Enttype)
	dst = appendMember(dst, "enttypeCn", l.EnttypeCn)
	dst = appendMember(dst, "lerep", l.Lerep)
	dst = appendMember(dst, "regcap", l.Regcap)
	dst = appendMember(dst, "regcapcur", l.Regcapcur)
	dst = appendMember(dst, "estdate", string(l.Estdate))
	dst = appendMember(dst, "opfrom", string(l.Opfrom))
	if l.Perpetual {
		dst = append(appendName(dst, "opto"), "null"...)
	} else {
		dst = appendMember(dst, "opto", string(l.Opto))
	}
	dst = appendMember(dst, "dom", l.Dom)
	dst = appendMember(dst, "opscope", l.Opscope)
	dst = appendMember(dst, "regorg", l.Regorg)
	dst = appendMember(dst, "regorgCn", l.RegorgCn)
	dst = appendMember(dst, "apprdate", string(l.Apprdate))
	dst = appendMember(dst, "copyno", l.Copyno)
	return append(dst, '}')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(appendName(dst, name), value)
}

func appendName(dst []byte, name string) []byte {
	// No value ends in a brace, so one means that the object has just begun.
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendString quotes s (RFC 8259 §7).
func appendString(dst []byte, s string) []byte {
	// What the strict reader gave is UTF-8; a caller's own text may not be.
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
