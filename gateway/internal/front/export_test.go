package front

import "time"

// Hasty shortens the life of internal certificates.
func Hasty(o Options, leafLife time.Duration) Options {
	o.leafLife = leafLife
	return o
}
