package keys

import "math/big"

// rocaGroups are, for small primes, the remainders that powers of 65537 leave.
var rocaGroups = func() map[uint64]map[uint64]bool {
	groups := map[uint64]map[uint64]bool{}
	for _, p := range [...]uint64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		groups[p] = map[uint64]bool{}
		for r := uint64(1); !groups[p][r]; r = r * 65537 % p {
			groups[p][r] = true
		}
	}
	return groups
}()

// hasROCA reports whether a modulus was made by the generator of
// CVE-2017-15361, which smart cards carried that provinces may sign with. Its
// primes are a power of 65537 modulo the product of the small primes, so its
// moduli are too; of others one in two hundred million is.
func hasROCA(modulus *big.Int) bool {
	rest, prime := new(big.Int), new(big.Int)
	for p, group := range rocaGroups {
		if !group[rest.Mod(modulus, prime.SetUint64(p)).Uint64()] {
			return false
		}
	}
	return true
}
