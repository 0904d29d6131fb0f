// Package parties tells who asks: relying parties by bearer key or client
// certificate, with their scopes and their rate (contract §6.4).
//
// It keeps only the SHA-256 of keys. If the configuration forgets a party, that
// party is a stranger; a stranger has the anonymous scopes, by default none.
package parties

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// A Scope is one thing a party may do. The zero Scope is none.
type Scope uint8

// The scopes of contract §6.4.
const (
	Verify Scope = 1 << iota
	Batch
	Licence // see what stands in a licence
	Provinces
)

// Scopes names them, for configuration and /v1/whoami.
var Scopes = []struct {
	Name  string
	Scope Scope
}{{"verify", Verify}, {"batch", Batch}, {"licence", Licence}, {"provinces", Provinces}}

// A Lane says how urgent a party's questions are.
type Lane string

// The errors of Identify. All of them mean 401.
var (
	ErrUnknown  = errors.New("nobody by that key or certificate")
	ErrConflict = errors.New("key and certificate belong to different parties")
)

// A Spec is one relying party as configured.
type Spec struct {
	ID           string
	Keys         [][sha256.Size]byte // SHA-256 of bearer keys
	Certificates [][sha256.Size]byte // SHA-256 of the certificate's DER
	DNSNames     []string            // subject alternative names that stand for it
	URINames     []string
	Scopes       Scope
	Rate         float64 // requests per second
	Burst        int
	Lane         Lane
	MonthlyQuota int64 // verdicts a month; 0: any number
}

// A Party is who asks.
type Party struct {
	ID           string // "" for the anonymous one
	Lane         Lane
	Rate         float64
	MonthlyQuota int64

	scopes Scope
	limit  *rate.Limiter // nil: no limit of its own
}

// May reports whether the party has all of these scopes.
func (p *Party) May(s Scope) bool { return p.scopes&s == s }

// ScopeNames lists the party's scopes.
func (p *Party) ScopeNames() []string {
	names := []string{}
	for _, s := range Scopes {
		if p.May(s.Scope) {
			names = append(names, s.Name)
		}
	}
	return names
}

// Take counts one request against the party's rate. It returns 0 if the party
// may go on, else how long it should wait; a refused request counts for nothing.
func (p *Party) Take(now time.Time) time.Duration {
	if p.limit == nil {
		return 0
	}
	r := p.limit.ReserveN(now, 1)
	if !r.OK() {
		return time.Second
	}
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// A Register knows the parties. It is immutable but for their rates.
type Register struct {
	byKey         map[[sha256.Size]byte]*Party
	byCertificate map[[sha256.Size]byte]*Party
	byDNS, byURI  map[string]*Party
	anonymous     *Party
	edge          *Edge
}

// New makes a register. anonymous are the scopes of whoever shows nothing; edge
// may be nil.
func New(specs []Spec, anonymous Scope, edge *Edge) *Register {
	r := &Register{
		byKey:         map[[sha256.Size]byte]*Party{},
		byCertificate: map[[sha256.Size]byte]*Party{},
		byDNS:         map[string]*Party{}, byURI: map[string]*Party{},
		anonymous: &Party{scopes: anonymous},
		edge:      edge,
	}
	for _, s := range specs {
		p := &Party{ID: s.ID, Lane: s.Lane, Rate: s.Rate, MonthlyQuota: s.MonthlyQuota, scopes: s.Scopes}
		if s.Rate > 0 {
			p.limit = rate.NewLimiter(rate.Limit(s.Rate), max(1, s.Burst))
		}
		for _, k := range s.Keys {
			r.byKey[k] = p
		}
		for _, c := range s.Certificates {
			r.byCertificate[c] = p
		}
		for _, n := range s.DNSNames {
			r.byDNS[n] = p
		}
		for _, n := range s.URINames {
			r.byURI[n] = p
		}
	}
	return r
}

// Identify tells who sent a request. Who shows something that nobody is known
// by is refused, and not taken for anonymous.
func (r *Register) Identify(req *http.Request) (*Party, error) {
	var byKey, byCertificate *Party
	if header, shown := req.Header["Authorization"]; shown {
		// SPEC: RFC 9110 §11.1 the scheme is case-insensitive; RFC 6750 §2.1.
		// SPEC: RFC 9110 §11.4 "1*SP" stands between them.
		scheme, key, ok := strings.Cut(header[0], " ")
		key = strings.TrimLeft(key, " ")
		if !ok || len(header) != 1 || !strings.EqualFold(scheme, "Bearer") || key == "" {
			return nil, ErrUnknown
		}
		if byKey = r.byKey[sha256.Sum256([]byte(key))]; byKey == nil {
			return nil, ErrUnknown
		}
	}
	certificate, err := r.certificate(req)
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		if byCertificate = r.certified(certificate); byCertificate == nil {
			return nil, ErrUnknown
		}
	}
	switch {
	case byKey != nil && byCertificate != nil && byKey != byCertificate:
		return nil, ErrConflict
	case byKey != nil:
		return byKey, nil
	case byCertificate != nil:
		return byCertificate, nil
	}
	return r.anonymous, nil
}

// certified returns whom a client certificate belongs to.
func (r *Register) certified(c *x509.Certificate) *Party {
	if p := r.byCertificate[sha256.Sum256(c.Raw)]; p != nil {
		return p
	}
	for _, name := range c.DNSNames {
		if p := r.byDNS[strings.ToLower(name)]; p != nil {
			return p
		}
	}
	for _, name := range c.URIs {
		if p := r.byURI[name.String()]; p != nil {
			return p
		}
	}
	return nil
}
