package api

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

var answers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// appendText writes a JSON string. What is not UTF-8, which nothing here is,
// would be mended rather than break the document.
func appendText(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// appendMember writes a JSON string, after a comma but for the first.
func appendMember(b []byte, i int, s string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return appendText(b, s)
}

// appendTime writes a moment in RFC 3339, in UTC, to the second.
func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, time.RFC3339)
}

// send answers with a JSON document.
func send(c *call, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.r.Method != http.MethodHead {
		c.w.Write(body)
	}
	return nil
}

// accepts reports whether the caller takes a media type "application/…" (RFC
// 9110 §12.5.1). The most specific range that covers it decides.
func accepts(h http.Header, wanted string) bool {
	values := h["Accept"]
	if strings.Trim(strings.Join(values, ""), " \t,") == "" {
		return true // not there, or it names nothing
	}
	best, accepted := -1, false
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			media, params, _ := strings.Cut(part, ";")
			rank := -1
			switch strings.ToLower(strings.TrimSpace(media)) {
			case wanted:
				rank = 2
			case "application/*":
				rank = 1
			case "*/*":
				rank = 0
			}
			if rank > best {
				best, accepted = rank, !refusedByWeight(params)
			}
		}
	}
	return accepted
}

// refusedByWeight reports whether the parameters hold q=0.
func refusedByWeight(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			weight, err := strconv.ParseFloat(value, 64)
			return err == nil && weight == 0
		}
	}
	return false
}
