//go:build race

package statuslist_test

import "time"

// slow loosens a bound for the race detector, which slows the code under it.
func slow(d time.Duration) time.Duration { return 20 * d }
