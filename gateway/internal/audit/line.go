package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"tongyan/strict"
)

// A Hash is the SHA-256 of a line up to its member hash. The zero Hash stands
// before the first line of a chain.
type Hash [sha256.Size]byte

// String returns the hash as it stands in the file: base64url.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(s string) (h Hash, err error) {
	b, err := strict.Base64URL(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("a hash is 43 characters of base64url")
	}
	return Hash(b), nil
}

const (
	maxWords = 256         // bytes kept of a purpose or a reference
	maxLine  = 16 << 10    // bytes; six times what the longest entry takes
	hashMark = `,"hash":"` // what is hashed ends before it
	lineEnd  = `"}`
)

// The events: lines that are about the file itself.
const (
	eventBegin    = "begin"    // first of a chain
	eventContinue = "continue" // first of a file that continues another
	eventStart    = "start"    // the gateway was started anew
	eventLost     = "lost"     // verdicts were given that have no line
)

// appendBody writes an entry without its place in the chain:
// `"id":…,"trust_list_version":7`.
func appendBody(b []byte, e *Entry) []byte {
	b = append(b, `"id":`...)
	b = appendText(b, e.ID)
	b = appendTime(append(b, `,"time":`...), e.Time)
	b = append(b, `,"party":`...)
	b = appendText(b, e.Party)
	b = appendWords(b, "purpose", e.Purpose)
	b = appendWords(b, "reference", e.Reference)
	b = append(b, `,"credential_digest":"`...)
	b = append(b, e.Digest.String()...)
	b = append(b, `","verdict":"`...)
	b = append(b, e.Outcome.String()...)
	b = append(b, `","code":`...)
	b = appendText(b, string(e.Code))
	b = append(b, `,"policy":`...)
	b = appendText(b, clip(e.Policy))
	b = append(b, `,"trust_list_version":`...)
	return strconv.AppendInt(b, e.TrustVersion, 10)
}

// appendEvent writes the body of an event, with one number that belongs to it.
func appendEvent(b []byte, event string, at time.Time, name string, n int64) []byte {
	b = append(b, `"event":"`...)
	b = append(b, event...)
	b = appendTime(append(b, `","time":`...), at)
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return strconv.AppendInt(b, n, 10)
}

// appendLine puts a body in its place in the chain, and returns the line's hash.
func appendLine(b []byte, number int64, prev Hash, body []byte) ([]byte, Hash) {
	start := len(b)
	b = append(b, `{"n":`...)
	b = strconv.AppendInt(b, number, 10)
	b = append(b, `,"prev":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, prev[:])
	b = append(b, `",`...)
	b = append(b, body...)
	hash := Hash(sha256.Sum256(b[start:]))
	b = append(b, hashMark...)
	b = base64.RawURLEncoding.AppendEncode(b, hash[:])
	b = append(b, lineEnd...)
	return append(b, '\n'), hash
}

// A line is one that is sound in itself: its hash is that of its bytes.
type line struct {
	number int64
	prev   Hash
	hash   Hash
	event  string // "" of a verdict
	count  int64  // of eventStart: bytes cut; of eventLost: lines
}

// readLine reads a line without its line feed. ok is false where it is not what
// was once written.
func readLine(b []byte) (l line, ok bool) {
	i := bytes.LastIndex(b, []byte(hashMark))
	if i < 0 || !bytes.HasSuffix(b, []byte(lineEnd)) {
		return l, false
	}
	stated, err := ParseHash(string(b[i+len(hashMark) : max(i+len(hashMark), len(b)-len(lineEnd))]))
	if l.hash = sha256.Sum256(b[:i]); err != nil || stated != l.hash {
		return l, false
	}
	v, err := strict.Parse(b)
	if err != nil {
		return l, false
	}
	const most = 1<<63 - 1
	number, ok := v.Get("n").Integer(most)
	prev, _ := v.Get("prev").Text()
	if l.prev, err = ParseHash(prev); err != nil || !ok || number < 0 {
		return l, false
	}
	l.number = number
	l.event, _ = v.Get("event").Text()
	switch l.event {
	case eventLost:
		l.count, _ = v.Get("lines").Integer(most)
	case eventStart, eventBegin, eventContinue:
		l.count, _ = v.Get("cut").Integer(most)
	}
	return l, true
}

// appendWords writes a caller's words, cut at 256 bytes; then their true length
// stands beside them.
func appendWords(b []byte, name, s string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	kept := clip(s)
	b = appendText(b, kept)
	if len(kept) < len(s) {
		b = append(b, `,"`...)
		b = append(b, name...)
		b = append(b, `_bytes":`...)
		b = strconv.AppendInt(b, int64(len(s)), 10)
	}
	return b
}

// clip cuts s at the last character that ends within maxWords bytes.
func clip(s string) string {
	if len(s) <= maxWords {
		return s
	}
	i := maxWords
	for i > maxWords-utf8.UTFMax && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i]
}

// appendText writes a JSON string. Whatever a terminal or an editor would not
// show as itself (control characters, bidirectional overrides, what has no
// width) is escaped: a caller's words never imitate or hide a line.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < utf8.RuneSelf && r >= ' ' && r != 0x7f:
			b = append(b, byte(r))
		case r >= utf8.RuneSelf && unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			r -= 0x10000
			b = appendUnit(appendUnit(b, 0xd800|r>>10), 0xdc00|r&0x3ff)
		default:
			b = appendUnit(b, r)
		}
	}
	return append(b, '"')
}

func appendUnit(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '"')
}
