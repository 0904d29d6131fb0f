package front

// Mode ACME: certificates from a CA that speaks RFC 8555, by certmagic.

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/certmagic"
)

// obtainTimeout bounds the wait for one certificate.
const obtainTimeout = 2 * time.Minute

// nobody is the e-mail address of who gives none: certmagic trims it away, and
// would ask for one on the terminal if there were nothing to trim.
const nobody = " "

// ACMEOptions say which CA is asked, and how it finds us. Its terms of service
// count as accepted. Both challenges are offered: HTTP-01 opens its port only
// while one is pending, unless Options.Shared is set; TLS-ALPN-01 is answered by
// the gateway's own listener where that has the port, else while one is pending.
type ACMEOptions struct {
	Directory   string         // URL of the CA's directory, https; required
	CAs         *x509.CertPool // who may vouch for the directory's server; nil means the system's
	Email       string         // told to the CA; may be empty
	Profile     string         // certificate profile, where the CA offers several (addresses may need one)
	HTTPPort    int            // where HTTP-01 is answered; default 80. The CA asks at 80, whatever is set here
	TLSALPNPort int            // where TLS-ALPN-01 is answered; default 443, likewise
}

func (f *Front) startACME(ctx context.Context) error {
	o := f.options.ACME
	if u, err := url.Parse(o.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return errors.New("tls mode acme needs the https address of the CA's directory")
	}
	if len(f.options.Names) == 0 {
		return errors.New("tls mode acme needs at least one name to have certified")
	}
	issuer := certmagic.NewACMEIssuer(f.magic, certmagic.ACMEIssuer{
		CA:                o.Directory,
		TrustedRoots:      o.CAs,
		Email:             cmp.Or(o.Email, nobody),
		Profile:           o.Profile,
		Agreed:            true,
		AltHTTPPort:       o.HTTPPort,
		AltTLSALPNPort:    o.TLSALPNPort,
		CertObtainTimeout: obtainTimeout,
		HTTPProxy:         func(*http.Request) (*url.URL, error) { return nil, nil }, // not from the environment
		Logger:            zapTo(f.log),
	})
	f.magic.Issuers = []certmagic.Issuer{issuer}
	if f.options.Shared != nil {
		f.serveChallenges(issuer)
	}
	return f.manage(ctx, f.options.Names)
}
