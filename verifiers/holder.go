package verifiers

import "time"

// A HolderResult is what came of one holder's proof. It is not remembered with
// the finding: a proof grows old within minutes, and serves once.
type HolderResult struct {
	// Fault is HolderProofInvalid, HolderProofMissing, or "" for a right proof.
	Fault Code
	// Unbound: right, but not in answer to a challenge that the caller stated.
	Unbound bool
	// Spends identifies the challenge that a right proof uses up; zero where
	// the caller stated none. Whoever finds it spent already refuses the proof.
	Spends Digest
	// Until is how long Spends must be remembered: by then no gateway takes
	// the proof any more. Zero where nothing is spent.
	Until time.Time
}
