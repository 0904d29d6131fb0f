package faults

// A scenario is one dependency with one fault.
type scenario struct {
	dependency, fault string
	may               string // the code that the fault may bring about, where it touches; "": none
	must              bool   // it does bring it about, or the fault did not bite
}

// scenarios are the rows of the table: all eight faults of all six dependencies.
var scenarios = []scenario{
	{"registry", "slow", "", false},
	{"registry", "hang", "REGISTRY_UNAVAILABLE", true},
	{"registry", "reset", "REGISTRY_UNAVAILABLE", true},
	{"registry", "garbage", "REGISTRY_UNAVAILABLE", true},
	{"registry", "truncated", "REGISTRY_UNAVAILABLE", true},
	{"registry", "wrong certificate", "REGISTRY_UNAVAILABLE", true},
	{"registry", "gone", "REGISTRY_UNAVAILABLE", true},
	{"registry", "flapping", "REGISTRY_UNAVAILABLE", true},

	{"key set", "slow", "", false},
	{"key set", "hang", "KEYS_UNAVAILABLE", true},
	{"key set", "reset", "KEYS_UNAVAILABLE", true},
	{"key set", "garbage", "KEYS_UNAVAILABLE", true},
	{"key set", "truncated", "KEYS_UNAVAILABLE", true},
	{"key set", "wrong certificate", "KEYS_UNAVAILABLE", true},
	{"key set", "gone", "KEYS_UNAVAILABLE", true},
	{"key set", "flapping", "KEYS_UNAVAILABLE", false},

	{"trust list", "slow", "", false},
	{"trust list", "hang", "", false},
	{"trust list", "reset", "", false},
	{"trust list", "garbage", "", false},
	{"trust list", "truncated", "", false},
	{"trust list", "wrong certificate", "", false},
	{"trust list", "gone", "", false},
	{"trust list", "flapping", "", false},

	{"status list", "slow", "", false},
	{"status list", "hang", "STATUS_UNAVAILABLE", true},
	{"status list", "reset", "STATUS_UNAVAILABLE", true},
	{"status list", "garbage", "STATUS_UNAVAILABLE", true},
	{"status list", "truncated", "STATUS_UNAVAILABLE", true},
	{"status list", "wrong certificate", "STATUS_UNAVAILABLE", true},
	{"status list", "gone", "STATUS_UNAVAILABLE", true},
	{"status list", "flapping", "STATUS_UNAVAILABLE", false},

	{"Redis", "slow", "", false},
	{"Redis", "hang", "", false},
	{"Redis", "reset", "", false},
	{"Redis", "garbage", "", false},
	{"Redis", "truncated", "", false},
	{"Redis", "wrong certificate", "", false},
	{"Redis", "gone", "", false},
	{"Redis", "flapping", "", false},

	{"ACME CA", "slow", "", false},
	{"ACME CA", "hang", "", false},
	{"ACME CA", "reset", "", false},
	{"ACME CA", "garbage", "", false},
	{"ACME CA", "truncated", "", false},
	{"ACME CA", "wrong certificate", "", false},
	{"ACME CA", "gone", "", false},
	{"ACME CA", "flapping", "", false},
}

// inShort are the faults of the short half: each dependency once at least.
var inShort = map[scenario]bool{
	{"registry", "hang", "REGISTRY_UNAVAILABLE", true}:               true,
	{"key set", "garbage", "KEYS_UNAVAILABLE", true}:                 true,
	{"trust list", "truncated", "", false}:                           true,
	{"status list", "wrong certificate", "STATUS_UNAVAILABLE", true}: true,
	{"Redis", "hang", "", false}:                                     true,
	{"Redis", "garbage", "", false}:                                  true,
	{"ACME CA", "gone", "", false}:                                   true,
}

// about says of each dependency what is asked while it is broken.
var about = []struct{ dependency, text string }{
	{"registry", "One province's. New licences of it are asked about all the time; those of the three others too, which must not notice. Recovered: a new licence of the province is VALID."},
	{"key set", "One province's. It publishes a new key just when its host fails, and signs with it from three seconds later (`keys.refresh` is one second here). Recovered: a licence under the new key is VALID."},
	{"trust list", "While its host fails a list that revokes a key as compromised is published. Nothing is known of it, so nothing is INDETERMINATE. Recovered: that key's licences are KEY_REVOKED."},
	{"status list", "One province's. Licences, good ones and revoked ones, in a list that nobody has seen yet. Recovered: those of them that are good are VALID."},
	{"Redis", "One server that the gateway shares its memory through; `rediss://` where the certificate is the fault, else `redis://`. Recovered: it is used again."},
	{"ACME CA", "Three gateways: one that runs, one started with a certificate that it kept, one that has none yet. The first two serve; recovered: so does the third. (Renewals, which come months apart, are tested in `gateway/internal/front/acmetest`.)"},
}
