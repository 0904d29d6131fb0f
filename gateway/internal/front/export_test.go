package front

import (
	"log/slog"
	"time"

	"github.com/caddyserver/certmagic"
)

// Hasty shortens the life of internal certificates.
func Hasty(o Options, leafLife time.Duration) Options {
	o.leafLife = leafLife
	return o
}

// NewSharedStorage is what certmagic gets where Options.Shared is set.
func NewSharedStorage(store Store, dir string) certmagic.Storage {
	return newSharedStorage(store, &certmagic.FileStorage{Path: dir}, slog.New(slog.DiscardHandler))
}
