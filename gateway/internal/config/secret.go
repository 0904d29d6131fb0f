package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// A Secret holds what must not be shown: printed in any way, by fmt, slog or an
// encoder, it is "[redacted]". The zero Secret holds the zero T.
type Secret[T any] struct {
	// hidden is a pointer because fmt, when it complains about a verb that does
	// not fit an outer value, prints the inner ones without asking Format.
	hidden *T
}

// Hide makes a Secret.
func Hide[T any](v T) Secret[T] { return Secret[T]{&v} }

// Reveal returns what is held.
func (s Secret[T]) Reveal() (v T) {
	if s.hidden != nil {
		v = *s.hidden
	}
	return v
}

// Format prints "[redacted]" whatever the verb.
func (s Secret[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText encodes as "[redacted]".
func (s Secret[T]) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue logs "[redacted]".
func (s Secret[T]) LogValue() slog.Value { return slog.StringValue(redacted) }
