package config

// A Full says what happens when the audit file cannot be written.
type Full string

// What may happen.
const (
	FullRefuse   Full = "refuse"   // verdicts are refused with 503
	FullContinue Full = "continue" // verdicts go on, and a metric counts the lost lines
)

// Audit is the section audit: one line per verdict.
type Audit struct {
	// File (file) is written by appending. Required; its folder must exist.
	File string

	// MaxSize (max_size) is the size in bytes at which a new file is begun.
	// Default 100MiB, from 64KiB to 1TiB.
	MaxSize int64

	// OnFull (on_full) is refuse or continue. Default refuse.
	OnFull Full
}

func readAudit(v value) *Audit {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	return &Audit{
		File:    o.get("file").newFile(),
		MaxSize: o.get("max_size").size(100<<20, 64<<10, 1<<40),
		OnFull:  oneOf(o.get("on_full"), FullRefuse, FullContinue),
	}
}

// Edge is the section edge: a proxy in front, which ends TLS and passes the
// client's certificate on in a header.
type Edge struct {
	// Certificates (certificate_sha256) are the SHA-256 of the DER of the
	// proxy's own client certificate, in hex: one, or a list of two while it is
	// changed over. Required. The header counts in its connections only: from
	// anybody else it is a claim.
	Certificates []Digest

	// Header (header) is the header's canonical name. Default
	// X-Client-Certificate. It holds the DER in base64.
	Header string
}

func readEdge(v value) *Edge {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	e := &Edge{Header: readHeaderName(o.get("header"), "X-Client-Certificate")}
	certificates := o.get("certificate_sha256")
	certificates.required()
	for _, item := range certificates.oneOrMore(2) {
		if digest, ok := item.digest("the certificate's DER"); ok {
			e.Certificates = append(e.Certificates, digest)
		}
	}
	return e
}
