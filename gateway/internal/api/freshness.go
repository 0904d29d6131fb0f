package api

import (
	"strings"
	"time"

	"tongyan/verifiers"
)

// A wish is what a caller says about freshness (contract §6.1).
type wish struct {
	named        bool // something was said at all
	maxAge       bound
	staleIfError bound
	onlyIfCached bool
}

// A bound is a duration that may not have been named.
type bound struct {
	d     time.Duration
	named bool
}

func (b bound) negative() bool { return b.named && b.d < 0 }

// bounds works out what counts: the configured values where nothing is named;
// no stale_if_error for who names only max_age; never more than the ceiling.
func (w wish) bounds(ceiling verifiers.Bounds) verifiers.Bounds {
	b := ceiling
	if w.maxAge.named {
		b.MaxAge, b.StaleIfError = w.maxAge.d, 0
	}
	if w.staleIfError.named {
		b.StaleIfError = w.staleIfError.d
	}
	b.OnlyIfCached = w.onlyIfCached
	return b.Within(verifiers.Bounds{MaxAge: ceiling.MaxAge, StaleIfError: ceiling.StaleIfError})
}

// cacheControl reads the request header (RFC 9111 §5.2.1, RFC 5861 §4). Unknown
// directives are ignored; of two bounds for one thing the stricter counts.
func cacheControl(values []string) (w wish, err error) {
	for _, value := range values {
		for directive := range strings.SplitSeq(value, ",") {
			name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-cache":
				w.maxAge.tighten(0)
			case "only-if-cached":
				w.onlyIfCached = true
			case "max-age":
				err = w.maxAge.read(argument, err)
			case "stale-if-error":
				err = w.staleIfError.read(argument, err)
			default:
				continue
			}
			w.named = true
		}
	}
	return w, err
}

func (b *bound) tighten(d time.Duration) {
	if !b.named || d < b.d {
		*b = bound{d, true}
	}
}

// maxSeconds stands for every longer time: RFC 9111 §1.2.2 has a cache take a
// number that it cannot hold for 2^31.
const maxSeconds = 1 << 31

// read takes delta-seconds; the first error stays.
func (b *bound) read(argument string, before error) error {
	argument = strings.Trim(argument, `"`)
	digits := strings.TrimPrefix(argument, "-")
	var n int64
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			digits = ""
			break
		}
		n = min(n*10+int64(c-'0'), maxSeconds)
	}
	switch {
	case before != nil:
		return before
	case digits == "":
		return problem(BadRequest, "a bound in Cache-Control is not a number of seconds")
	case digits != argument && n > 0:
		return problem(Unprocessable, "a bound in Cache-Control is negative")
	}
	b.tighten(time.Duration(n) * time.Second)
	return nil
}
