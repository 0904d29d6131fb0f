package profile

import (
	"net/netip"
	"slices"
	"strings"
)

// Permits tells whether a host may be loaded: loopback addresses, localhost,
// and what the profile lists. Names are compared as written: nothing is
// resolved, so that no answer of a name server widens the list.
func (p *Profile) Permits(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().IsLoopback() {
		return true
	}
	return strings.EqualFold(host, "localhost") || host != "" && slices.Contains(p.Targets, host)
}
