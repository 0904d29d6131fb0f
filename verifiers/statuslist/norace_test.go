//go:build !race

package statuslist_test

import "time"

// slow keeps the bound: see race_test.go.
func slow(d time.Duration) time.Duration { return d }
