package parties

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
)

// An Edge is a proxy in front, which ends the clients' TLS and passes their
// certificates on in a header. From anybody else that header is a claim that
// costs nothing: it counts only in connections that show the edge's own
// certificate.
type Edge struct {
	Certificates [][sha256.Size]byte // SHA-256 of the edge's own certificates' DER
	Header       string              // canonical name; holds base64 of the client's DER
	// CAs must have signed what is passed on: the edge may have been told to
	// ask for a certificate and not to verify it.
	CAs *x509.CertPool
}

// maxPassed is the longest certificate that is passed on, in bytes of base64.
const maxPassed = 16 << 10

// Asks reports whether a request came in a connection of the edge's own. Whoever
// reaches the edge can have it send one: what a request says is the client's.
// A nil Edge asks nothing.
func (e *Edge) Asks(req *http.Request) bool {
	return e != nil && req.TLS != nil && len(req.TLS.VerifiedChains) > 0 &&
		slices.Contains(e.Certificates, sha256.Sum256(req.TLS.PeerCertificates[0].Raw))
}

// certificate returns the client's certificate, nil where there is none: the
// connection's own, or what the edge says in the connection that is its own.
func (r *Register) certificate(req *http.Request) (*x509.Certificate, error) {
	if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
		return nil, nil
	}
	if len(req.TLS.VerifiedChains) == 0 {
		// The handshake has proven that the key is the client's, and nobody that
		// the names are: it counts by its digest alone.
		own := req.TLS.PeerCertificates[0]
		if r.byCertificate[sha256.Sum256(own.Raw)] == nil {
			return nil, ErrUnknown
		}
		return own, nil
	}
	if !r.edge.Asks(req) {
		return req.TLS.PeerCertificates[0], nil
	}
	values := req.Header[r.edge.Header]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil, nil // a client without a certificate came to the edge
	}
	if len(values) != 1 || len(values[0]) > maxPassed {
		return nil, ErrUnknown
	}
	der, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil {
		return nil, ErrUnknown
	}
	passed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ErrUnknown
	}
	_, err = passed.Verify(x509.VerifyOptions{Roots: r.edge.CAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || r.edge.CAs == nil {
		return nil, ErrUnknown
	}
	return passed, nil
}
