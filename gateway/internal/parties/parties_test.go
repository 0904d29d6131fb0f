package parties_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"tongyan/gateway/internal/parties"
)

func register() *parties.Register {
	return parties.New([]parties.Spec{
		{ID: "hall", Keys: [][32]byte{sha256.Sum256([]byte("hall-key")), sha256.Sum256([]byte("hall-key-2"))}, Scopes: parties.Verify | parties.Licence, Rate: 10, Burst: 2},
		{ID: "bank", Keys: [][32]byte{sha256.Sum256([]byte("bank-key"))}, Certificates: [][32]byte{sha256.Sum256([]byte("bank-der"))}, Scopes: parties.Verify | parties.Batch},
		{ID: "spiffe", URINames: []string{"spiffe://bank/kyc"}, DNSNames: []string{"kyc.bank.example"}, Scopes: parties.Verify},
	}, 0, nil)
}

func request(authorization []string, cert *x509.Certificate, verified bool) *http.Request {
	r := &http.Request{Header: http.Header{}}
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	if cert != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		if verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
		}
	}
	return r
}

func TestIdentify(t *testing.T) {
	bank := &x509.Certificate{Raw: []byte("bank-der")}
	uri, _ := url.Parse("spiffe://bank/kyc")
	for name, tc := range map[string]struct {
		authorization []string
		cert          *x509.Certificate
		unverified    bool
		want          string
		err           error
	}{
		"nothing":                         {want: ""},
		"key":                             {authorization: []string{"Bearer hall-key"}, want: "hall"},
		"second key":                      {authorization: []string{"bearer hall-key-2"}, want: "hall"},
		"key behind blanks":               {authorization: []string{"Bearer   hall-key"}, want: "hall"},
		"wrong key":                       {authorization: []string{"Bearer hall-keY"}, err: parties.ErrUnknown},
		"empty key":                       {authorization: []string{"Bearer "}, err: parties.ErrUnknown},
		"blanks for a key":                {authorization: []string{"Bearer   "}, err: parties.ErrUnknown},
		"no scheme":                       {authorization: []string{"hall-key"}, err: parties.ErrUnknown},
		"other scheme":                    {authorization: []string{"Basic hall-key"}, err: parties.ErrUnknown},
		"empty header":                    {authorization: []string{""}, err: parties.ErrUnknown},
		"two headers":                     {authorization: []string{"Bearer hall-key", "Bearer bank-key"}, err: parties.ErrUnknown},
		"certificate":                     {cert: bank, want: "bank"},
		"certificate that nobody signed":  {cert: bank, unverified: true, want: "bank"},
		"a stranger's that nobody signed": {cert: &x509.Certificate{Raw: []byte("?")}, unverified: true, err: parties.ErrUnknown},
		"a name that nobody vouches for":  {cert: &x509.Certificate{URIs: []*url.URL{uri}, DNSNames: []string{"kyc.bank.example"}}, unverified: true, err: parties.ErrUnknown},
		"certificate by uri":              {cert: &x509.Certificate{URIs: []*url.URL{uri}}, want: "spiffe"},
		"certificate by dns":              {cert: &x509.Certificate{DNSNames: []string{"x.example", "kyc.bank.example"}}, want: "spiffe"},
		"certificate by DNS":              {cert: &x509.Certificate{DNSNames: []string{"KYC.Bank.example"}}, want: "spiffe"},
		"certificate of a stranger":       {cert: &x509.Certificate{Raw: []byte("?")}, err: parties.ErrUnknown},
		"key and certificate":             {authorization: []string{"Bearer bank-key"}, cert: bank, want: "bank"},
		"key and other's certificate":     {authorization: []string{"Bearer hall-key"}, cert: bank, err: parties.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := register().Identify(request(tc.authorization, tc.cert, !tc.unverified))
			if !errors.Is(err, tc.err) || (p == nil) != (err != nil) {
				t.Fatalf("%v, %v", p, err)
			}
			if p != nil && p.ID != tc.want {
				t.Errorf("identified %q, want %q", p.ID, tc.want)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	r := register()
	hall, _ := r.Identify(request([]string{"Bearer hall-key"}, nil, false))
	if !hall.May(parties.Verify) || !hall.May(parties.Verify|parties.Licence) || hall.May(parties.Verify|parties.Batch) {
		t.Error("wrong scopes")
	}
	if got := hall.ScopeNames(); !slices.Equal(got, []string{"verify", "licence"}) {
		t.Errorf("named %v", got)
	}
	nobody, _ := r.Identify(request(nil, nil, false))
	for _, s := range parties.Scopes {
		if nobody.May(s.Scope) {
			t.Errorf("a stranger may %s", s.Name)
		}
	}
}

func TestTake(t *testing.T) {
	hall, _ := register().Identify(request([]string{"Bearer hall-key"}, nil, false))
	now := time.Unix(1790000000, 0)
	for i := range 2 {
		if wait := hall.Take(now); wait != 0 {
			t.Fatalf("request %d of a burst of 2 waits %v", i, wait)
		}
	}
	for range 100 { // refused ones do not push the next place further away
		if wait := hall.Take(now); wait <= 0 || wait > 100*time.Millisecond {
			t.Fatalf("past the burst: wait %v", wait)
		}
	}
	if wait := hall.Take(now.Add(100 * time.Millisecond)); wait != 0 {
		t.Errorf("a tenth of a second later: wait %v", wait)
	}
	bank, _ := register().Identify(request([]string{"Bearer bank-key"}, nil, false))
	for range 1000 {
		if bank.Take(now) != 0 {
			t.Fatal("no rate configured, and yet refused")
		}
	}
}
