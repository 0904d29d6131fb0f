// Package trustlist decides which trust list is in force: it loads the list,
// verifies it against the pinned roots, and never goes back behind one that was
// accepted before (contract §3).
//
// The source is believed in nothing. Whoever controls it can withhold a newer
// list until the one in force expires, and no more. The state directory is
// believed: who can write there can also change the configuration.
package trustlist

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"tongyan/keys"
)

// maxStep is how far one list's version may lie above the last one. A quorum
// that was tricked once into signing the largest number there is could never
// sign a newer list again; with this bound it always can. The number is the
// largest step of RFC 1982 §3.1 for 32 bits, enough for versions that count,
// and for ones made of dates or of seconds.
const maxStep = 1<<31 - 1

// maxVersion is where versions end, with room for two thousand steps of maxStep
// below 2⁵³, up to which every JSON reader agrees about integers.
const maxVersion = 1 << 52

// Read parses and verifies a list and returns its content. What came before it
// is not its business: see [Keeper]. Errors are Refusals.
func Read(token []byte, roots *Roots) (*keys.List, error) {
	u, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	if _, err := u.Verify(roots); err != nil {
		return nil, err
	}
	return ParseContent(u.Payload)
}

// InTime reports with a Refusal whether a list can come into force at now:
// skew is by how much the signer's clock may be ahead of ours.
func InTime(l *keys.List, now time.Time, skew time.Duration) error {
	switch {
	case l.IssuedAt.After(now.Add(skew)):
		return refuse(NotYet, "issued at %s, it is %s now", stamp(l.IssuedAt), stamp(now))
	case !now.Before(l.Expires):
		return refuse(Expired, "expired at %s, it is %s now", stamp(l.Expires), stamp(now))
	}
	return nil
}

// follows reports with a Refusal whether a list may follow what was accepted last.
func follows(l *keys.List, highest int64, digest string) error {
	switch {
	case l.Version > maxVersion, highest > 0 && l.Version-highest > maxStep:
		return refuse(FastForward, "version %d after %d leaves no room for later ones", l.Version, highest)
	case l.Version < highest:
		return refuse(Rollback, "version %d after %d", l.Version, highest)
	case l.Version == highest && l.Digest != digest:
		return refuse(Rollback, "version %d again, with other content", l.Version)
	}
	return nil
}

func digestOf(payload []byte) string {
	sum := sha256.Sum256(payload)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
