package config

import (
	"crypto/x509"
	"net/url"
	"strings"
	"time"

	"tongyan/keys"
)

// long bounds durations that have no nearer bound: past it a wait is a mistake
// in the unit.
const long = 366 * 24 * time.Hour

// Trust is the section trust: where the trust list comes from and whose
// signatures make it count (contract §3).
type Trust struct {
	// Source (source) is an https address or a file. Required. Exactly one of
	// SourceURL and SourceFile is set; the file must be there.
	SourceURL  *url.URL
	SourceFile string

	// Roots (roots) are files with one public JWK each. Required, at least one.
	// Old and new may stand side by side; one that stands twice (by its
	// thumbprint, whatever its kid) counts once, and is here once.
	Roots []*keys.Key

	// Threshold (threshold) is how many different roots must have signed, from
	// 1 to the number of roots. Default 1.
	Threshold int

	// Refresh (refresh) is the time between two looks at the source. Default 5m.
	// It bounds how long a key lives on after it was revoked.
	Refresh time.Duration

	// CAs are the machine's roots and those in the PEM file CAFile (ca_file),
	// for trust list, key sets and status lists. nil without the file: the
	// machine's only.
	CAFile string
	CAs    *x509.CertPool
}

func readTrust(v value) (t Trust) {
	if !v.required() {
		return t
	}
	o := v.object()
	defer o.done()
	source := o.get("source")
	if s, _ := source.text(); strings.Contains(s, "://") {
		t.SourceURL = source.httpsURL(true)
	} else {
		t.SourceFile, _, _ = source.requiredFile()
	}
	var named int
	t.Roots, named = readRoots(o.get("roots"))
	t.Threshold = readThreshold(o.get("threshold"), len(t.Roots), named)
	t.Refresh = o.get("refresh").duration(5*time.Minute, time.Millisecond, long)
	t.CAFile, t.CAs = o.get("ca_file").pool(true)
	return t
}

// readRoots returns the different roots, and how many the file may mean: more,
// where some could not be read.
func readRoots(v value) (roots []*keys.Key, most int) {
	if !v.required() {
		return nil, 0
	}
	items := v.items()
	if len(items) == 0 {
		v.fail("must name at least one root key, else nobody is trusted")
	}
	first := map[keys.Thumbprint]value{}
	for _, item := range items {
		key := item.publicJWK()
		if key == nil {
			most++
			continue
		}
		if twin, twice := first[key.Thumbprint()]; twice {
			item.warn("is the same key as %s and counts once", twin.path)
			continue
		}
		first[key.Thumbprint()] = item
		roots = append(roots, key)
		most++
	}
	return roots, most
}

func readThreshold(v value, different, most int) int {
	n := v.integer(1, 1, 1000)
	if most > 0 && n > most {
		v.fail("is %d, but there are only %d different roots", n, different)
	}
	return n
}

// Keys is the section keys: how the issuers' key sets are kept (contract §3).
type Keys struct {
	// Refresh (refresh) is the time between two fetches of a set. Default 15m.
	Refresh time.Duration

	// RefetchInterval (refetch_interval) is the least time between two fetches
	// of one issuer's set because of an unknown kid, whatever the traffic.
	// Default 60s. A key is unknown here that much longer than it exists.
	RefetchInterval time.Duration

	// MaxStale (max_stale) is how long a set counts after the last good fetch;
	// past it verdicts are KEYS_UNAVAILABLE. Default 24h. Below Refresh, keys
	// become unavailable between two fetches, which is a warning.
	MaxStale time.Duration
}

func readKeys(v value) (k Keys) {
	o := v.object()
	defer o.done()
	k.Refresh = o.get("refresh").duration(15*time.Minute, time.Millisecond, long)
	k.RefetchInterval = o.get("refetch_interval").duration(time.Minute, time.Millisecond, long)
	k.MaxStale = o.get("max_stale").duration(24*time.Hour, time.Millisecond, long)
	if k.MaxStale < k.Refresh {
		o.get("max_stale").warn("is below refresh (%s): keys become unavailable between two fetches", k.Refresh)
	}
	return k
}
