// The faults a server can be told to have, and what each looks like to a
// client.

package sandbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// A Kind says what an endpoint serves.
type Kind string

// The kinds of endpoint. One listener serves one kind for one province, so
// that each can die alone.
const (
	KindRegistry Kind = "registry"
	KindKeys     Kind = "jwks"
	KindStatus   Kind = "status"
	KindTrust    Kind = "trust"
)

// A Mode is one way of misbehaving. The words are those of load-test profiles.
type Mode string

// The modes. None answers well (and late, if the fault has a Latency).
const (
	None         Mode = ""              // behaves
	Error        Mode = "error"         // 500 with a JSON body
	Hang         Mode = "hang"          // no answer until the client leaves or the sandbox closes
	Reset        Mode = "reset"         // TCP reset instead of an answer
	ContentType  Mode = "content-type"  // 200 with an HTML page
	NotFoundPage Mode = "not-found"     // 404 with an HTML page: not the protocol's 404
	WrongLicence Mode = "wrong-licence" // a registry that answers about another business
	Garbage      Mode = "garbage"       // 200, right media type, not JSON and no JWT
	Duplicate    Mode = "duplicate"     // JSON whose first member stands twice
	Truncated    Mode = "truncated"     // half of the promised bytes, then the end
	Oversized    Mode = "oversized"     // the right answer, and 32 MiB of blanks after it
	TooMany      Mode = "too-many"      // 429 with Retry-After
	Unavailable  Mode = "unavailable"   // 503 with Retry-After
	Redirect     Mode = "redirect"      // 302 to the right answer at another path
	WrongName    Mode = "wrong-name"    // TLS certificate of another host (new connections)
	Gone         Mode = "gone"          // listener closed, connections cut
)

// modes lists them all, and for some the only kinds they make sense for.
var modes = map[Mode][]Kind{
	None: nil, Error: nil, Hang: nil, Reset: nil, ContentType: nil, NotFoundPage: nil,
	WrongLicence: {KindRegistry},
	Garbage:      nil,
	Duplicate:    {KindRegistry, KindKeys}, // a signed token has no place for it
	Truncated:    nil, Oversized: nil, TooMany: nil, Unavailable: nil, Redirect: nil, WrongName: nil, Gone: nil,
}

// A Fault is what a switch is set to. The zero value is no fault.
type Fault struct {
	Mode Mode

	// Latency is waited before anything is sent, whatever the mode; it ends
	// early when the client leaves or the sandbox closes.
	Latency time.Duration

	// Rate is the share of requests hit, 0 < Rate <= 1; 0 means all. It does
	// not apply to Gone and WrongName, which are properties of the listener.
	Rate float64

	// Period makes the fault flap: faulty for one period from the moment it
	// was set, then well for one, and so on. 0 means steady. Not for Gone.
	Period time.Duration

	// RetryAfter is the header sent by TooMany and Unavailable. Default "1".
	RetryAfter string
}

// oversize is the blank tail of an Oversized answer: beyond every cap of the
// contract (16 MiB), and an end all the same.
const oversize = 32 << 20

func (f Fault) check(kind Kind) error {
	kinds, known := modes[f.Mode]
	switch {
	case !known:
		return fmt.Errorf("sandbox: fault %q is not known", f.Mode)
	case kinds != nil && !slices.Contains(kinds, kind):
		return fmt.Errorf("sandbox: fault %q makes no sense for kind %q", f.Mode, kind)
	case f.Latency < 0 || f.Period < 0 || f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("sandbox: fault %q: latency, period or rate out of range", f.Mode)
	case f.Mode == Gone && f.Period > 0:
		return fmt.Errorf("sandbox: fault %q cannot flap: set and clear it", f.Mode)
	}
	return nil
}

// setting is a fault and the moment it was set; immutable.
type setting struct {
	Fault
	since time.Time
}

// on says whether a flapping fault is in a faulty period.
func (s *setting) on() bool {
	return s.Period == 0 || time.Since(s.since)/s.Period%2 == 0
}

// hits draws whether this request is hit.
func (s *setting) hits() bool {
	return s.on() && (s.Rate == 0 || s.Rate == 1 || rand.Float64() < s.Rate)
}

// spoil returns what a well-meant reply becomes under a fault that still
// answers over HTTP. Hang, Reset, Truncated, Oversized are the endpoint's.
func (f Fault) spoil(good reply) reply {
	switch f.Mode {
	case Error:
		return reply{status: 500, contentType: "application/json", body: []byte(`{"code":"internal"}`)}
	case ContentType:
		return reply{status: 200, contentType: "text/html; charset=utf-8", body: []byte(htmlPage)}
	case NotFoundPage:
		return reply{status: 404, contentType: "text/html; charset=utf-8", body: []byte(htmlPage)}
	case WrongLicence:
		if good.other != nil {
			return good.other()
		}
	case Garbage:
		return reply{status: 200, contentType: good.contentType, body: []byte("{\"]\x00.\xff")}
	case Duplicate:
		good.body = repeatFirstMember(good.body)
	case TooMany, Unavailable:
		status := http.StatusTooManyRequests
		if f.Mode == Unavailable {
			status = http.StatusServiceUnavailable
		}
		after := f.RetryAfter
		if after == "" {
			after = "1"
		}
		return reply{status: status, contentType: "application/json", body: []byte(`{"code":"busy"}`), retryAfter: after}
	case Redirect:
		return reply{status: http.StatusFound, location: redirectPrefix + good.path}
	}
	return good
}

const htmlPage = "<!DOCTYPE html><html><head><title>系统维护</title></head><body>系统维护中，请稍后再试。</body></html>"

// repeatFirstMember writes the first member of a JSON object a second time, as
// its last one. Objects here are written by this package: no blanks around
// names, and no name with a quote in it.
func repeatFirstMember(body []byte) []byte {
	end := bytes.LastIndexByte(body, '}')
	if end < 0 || len(body) < 2 || body[1] != '"' {
		return body
	}
	name := body[1 : 3+bytes.IndexByte(body[2:], '"')]
	out := append(slices.Clone(body[:end]), ',')
	out = append(append(out, name...), `:null}`...)
	return out
}
