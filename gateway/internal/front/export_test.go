package front

import "time"

// Hasty shortens the life of internal certificates and the interval of renewals.
func Hasty(o Options, leafLife, renewEvery time.Duration) Options {
	o.leafLife, o.renewEvery = leafLife, renewEvery
	return o
}
