package config

import (
	"bytes"
)

// An Outcome is the verdict that a canary must get.
type Outcome string

// The outcomes. INDETERMINATE is none to wait for: it says that something is down.
const (
	OutcomeValid   Outcome = "VALID"
	OutcomeInvalid Outcome = "INVALID"
)

// Canary is the section canary: a credential that the gateway has verified by
// itself, every ten seconds and on the way that everybody's takes.
type Canary struct {
	// File (credential_file) holds one credential, as it would be sent. Required.
	// It should be one made for this, of a business that will not change: its
	// verdicts are counted, recorded, and ask the province's registry like all
	// others, as those of a relying party called "canary (internal)".
	File       string
	Credential Secret[[]byte]

	// Expect (expect) is VALID or INVALID. Default VALID. Any other verdict is a
	// failure, which a metric and /readyz?verbose show; readiness stays.
	Expect Outcome
}

// maxCredential bounds a credential, in bytes (contract §2.2).
const maxCredential = 64 << 10

func readCanary(v value) *Canary {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	c := &Canary{Expect: oneOf(o.get("expect"), OutcomeValid, OutcomeInvalid)}
	file := o.get("credential_file")
	path, data, ok := file.requiredFile()
	if data = bytes.TrimRight(data, "\r\n"); ok && (len(data) == 0 || len(data) > maxCredential || bytes.ContainsAny(data, " \t\r\n")) {
		file.fail("%s: must hold one credential of at most %d bytes, without blanks", path, maxCredential)
	}
	c.File, c.Credential = path, Hide(data)
	return c
}
