package registry

import (
	"net/http"
	"time"

	"tongyan/verifiers"
)

// NewOver is New with calls made over transport, so that a test can move time.
func NewOver(c Config, transport http.RoundTripper) (*Client, error) { return newClient(c, transport) }

// Answer reads the body of an answer; a nil dialect is the plain protocol.
func Answer(d *Dialect, status int, body []byte, key verifiers.StandingKey, askedAt time.Time) (verifiers.Standing, error) {
	return newSpeech("https://registry.example", d).answer(status, body, key, askedAt)
}

// ReasonIn returns the reason of an error of Answer.
func ReasonIn(err error) Reason {
	f, ok := err.(*failure)
	if !ok {
		return "not a failure"
	}
	return f.reason
}
