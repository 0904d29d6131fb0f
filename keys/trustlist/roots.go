package trustlist

import (
	"errors"
	"fmt"

	"tongyan/keys"
)

// Roots are the pinned keys that may sign a list, and how many different ones
// must. Nothing but configuration changes them: a list that revokes a root's
// thumbprint ends that key's credentials, not its seat here.
type Roots struct {
	byThumbprint map[keys.Thumbprint]*keys.Key
	threshold    int
}

// NewRoots pins keys. One key given twice, under whatever kid, is one root: its
// identity is its thumbprint. The threshold is at least 1 and at most the
// number of different roots.
func NewRoots(threshold int, pinned ...*keys.Key) (*Roots, error) {
	r := &Roots{byThumbprint: make(map[keys.Thumbprint]*keys.Key, len(pinned)), threshold: threshold}
	for _, key := range pinned {
		if key == nil || key.Thumbprint() == "" {
			return nil, errors.New("a trust root is empty")
		}
		r.byThumbprint[key.Thumbprint()] = key
	}
	if threshold < 1 || threshold > len(r.byThumbprint) {
		return nil, fmt.Errorf("the threshold of %d does not lie between 1 and the number of different roots, %d",
			threshold, len(r.byThumbprint))
	}
	return r, nil
}
