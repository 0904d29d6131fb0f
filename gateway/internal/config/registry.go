package config

import (
	"crypto/x509"
	"net/url"
	"regexp"
	"strings"
	"time"

	"tongyan/keys"
)

// A Registry is one entry of registries: a province's online register
// (contract §4).
type Registry struct {
	// Province is the entry's key: six digits of GB/T 2260.
	Province keys.ProvinceCode

	// URL (url) is the base address, https, without a query. Required. It ends
	// without a slash; paths begin with one.
	URL *url.URL

	// Timeout (timeout) bounds one question, connecting included. Default
	// 800ms, at most 30s. A question waits half of it at most for a place.
	Timeout time.Duration

	// MaxInFlight (max_in_flight) is how many questions may be under way from
	// this gateway. Default 64, from 1 to 4096.
	MaxInFlight int

	// Rate (rate) is how many questions this gateway may ask a second, above 0.
	// Default 200. Past either limit a question counts as unanswered.
	Rate float64

	// CAs are those of the PEM file CAFile (ca_file), which alone are trusted
	// for this registry. nil without it: the machine's.
	CAFile string
	CAs    *x509.CertPool

	// Dialect (dialect) describes a service that speaks otherwise than §4's
	// plain GET. nil: the plain one.
	Dialect *Dialect
}

// RegistryCommon is the section registry: for all provinces.
type RegistryCommon struct {
	// NegativeTTL (negative_ttl) is how long "no such licence" is remembered.
	// Default 60s; 0s: it is not.
	NegativeTTL time.Duration
}

func readRegistryCommon(v value) RegistryCommon {
	o := v.object()
	defer o.done()
	return RegistryCommon{NegativeTTL: o.get("negative_ttl").duration(time.Minute, 0, long)}
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func readRegistries(v value) (list []Registry) {
	v.object().each(func(code string, entry value) {
		if !sixDigits.MatchString(code) {
			entry.d.fail(entry.keyAt, entry.path, "is no province code; expected six digits, such as \"310000\"")
		}
		if entry.broken {
			return
		}
		list = append(list, readRegistry(keys.ProvinceCode(code), entry))
	})
	return list
}

func readRegistry(code keys.ProvinceCode, v value) Registry {
	o := v.object()
	defer o.done()
	r := Registry{
		Province:    code,
		URL:         o.get("url").httpsURL(false),
		Timeout:     o.get("timeout").duration(800*time.Millisecond, time.Millisecond, 30*time.Second),
		MaxInFlight: o.get("max_in_flight").integer(64, 1, 4096),
		Rate:        o.get("rate").rate(200),
		Dialect:     readDialect(o.get("dialect")),
	}
	if r.URL != nil {
		r.URL.Path = strings.TrimRight(r.URL.Path, "/")
		r.URL.RawPath = strings.TrimRight(r.URL.RawPath, "/")
	}
	r.CAFile, r.CAs = o.get("ca_file").pool(false)
	return r
}
