// Package config turns the gateway's YAML file into a [Config] in which nothing
// is left to check: every mistake is found before a port is opened, and all of
// them are named at once with line and column.
//
// The fields of Config and of the types below it are the manual. Keys are
// spelled as in the file; a key that is not described is an error, and so is
// one that stands twice. Durations are written 800ms, 30s, 5m, 24h; sizes
// 512KiB, 8MiB, or as a plain number of bytes. Relative paths start at the
// folder of the configuration file. Files are read once, here: regular ones of
// at most 1 MiB. Where an optional text may be left out, "" says the same.
//
// A Config holds secrets (the seal key, passwords, headers, private keys) in
// types that print as "[redacted]". It is immutable once loaded; a reload loads
// a new one.
package config

import "strings"

// A Config is one file, checked. The zero Config is of no use; see [Load].
type Config struct {
	// File is the path that was loaded, as it was given.
	File string

	// Listen (listen) is the TLS address for relying parties, host:port.
	// Default ":8443". Port 0 is any free port.
	Listen string

	// Admin (admin) is the plain HTTP address of livez, readyz and metrics.
	// Default "127.0.0.1:9443". Only loopback addresses and localhost are
	// taken, unless AdminPublic says otherwise: who reaches it may read which
	// dependencies are down and may reload.
	Admin string

	// AdminPublic (admin_public) permits any address for Admin. Default false.
	AdminPublic bool

	// StateDir (state_dir) keeps the highest trust list version, revoked keys,
	// the last good trust list and key sets, and in TLS mode internal the
	// development CA. Required. Made at the start where it is missing; whoever
	// can write there can roll the trust list back.
	StateDir string

	TLS      TLS       // tls
	Trust    Trust     // trust
	Keys     Keys      // keys
	Redis    *Redis    // redis; nil: memory only
	Receipts *Receipts // receipts; nil: no receipts are signed
	Audit    *Audit    // audit; nil: no audit file
	Edge     *Edge     // edge; nil: no certificate header is believed
	Canary   *Canary   // canary; nil: the gateway verifies nothing of its own

	// Registries (registries) maps province codes, six digits, to registries,
	// in the file's order. A province without one is REGISTRY_UNAVAILABLE.
	Registries []Registry

	Registry  RegistryCommon // registry
	Freshness Freshness      // freshness
	Policy    Policy         // policy
	Limits    Limits         // limits

	// RelyingParties (relying_parties) lists who may ask, in the file's order.
	RelyingParties []RelyingParty

	// Warnings are what deserves a look but does not stop the start: a secret
	// that others may read, a certificate that has ended, a key without effect.
	Warnings []Problem
}

func (d *decoder) config(root value) *Config {
	o := root.object()
	c := &Config{
		File:        d.file,
		Listen:      o.get("listen").address(":8443"),
		Admin:       o.get("admin").address("127.0.0.1:9443"),
		AdminPublic: o.get("admin_public").boolean(),
		StateDir:    o.get("state_dir").folder(),
		TLS:         readTLS(o.get("tls"), !o.get("redis").absent()),
		Trust:       readTrust(o.get("trust")),
		Keys:        readKeys(o.get("keys")),
		Redis:       readRedis(o.get("redis")),
		Registries:  readRegistries(o.get("registries")),
		Registry:    readRegistryCommon(o.get("registry")),
		Freshness:   readFreshness(o.get("freshness")),
		Policy:      readPolicy(o.get("policy")),
		Limits:      readLimits(o.get("limits")),
		Receipts:    readReceipts(o.get("receipts")),
		Audit:       readAudit(o.get("audit")),
		Edge:        readEdge(o.get("edge")),
		Canary:      readCanary(o.get("canary")),
	}
	c.RelyingParties = readParties(o.get("relying_parties"), c.TLS.ClientCAs != nil || c.Edge != nil)
	c.across(o)
	o.done()
	return c
}

// across checks what no single key can tell.
func (c *Config) across(o *object) {
	if !c.AdminPublic && !loopback(c.Admin) {
		o.get("admin").fail("is plain HTTP and not on a loopback address; write 127.0.0.1:port, or set admin_public: true")
	}
	if c.Listen == c.Admin && !strings.HasSuffix(c.Listen, ":0") { // port 0 is a free one each time
		o.get("admin").fail("is the same address as listen")
	}
	if len(c.RelyingParties) == 0 && len(c.Policy.Anonymous) == 0 {
		o.get("relying_parties").warn("nobody may ask: there is neither a relying party nor policy.anonymous")
	}
}
