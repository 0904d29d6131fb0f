package faults

import (
	"testing"
	"time"

	"tongyan/sandbox"
)

// A dependency can be broken and mended, and knows what that is to change.
type dependency struct {
	w   *world
	g   *gateway // who depends on it
	mix *questions

	proxy    *proxy
	endpoint *sandbox.Endpoint // behind the proxy; nil: not the sandbox's
	other    func(fault string, set bool) bool

	begin     func()        // when the fault begins: what is asked from now on
	settle    time.Duration // from then to when that is asked
	bitten    func() bool   // the fault has done what it does; nil: the codes show it
	recovered func() bool   // it is used again
}

// The sizes of faults.
const (
	delay  = 500 * time.Millisecond // of slow: below all time-outs but that of Redis
	period = 350 * time.Millisecond // of flapping: away that long, there that long
)

// set begins a fault.
func (d *dependency) set(fault string) {
	t := d.w.t
	t.Helper()
	if d.other != nil && d.other(fault, true) {
		return
	}
	switch fault {
	case "slow":
		d.proxy.toxic("latency", `"latency":500`)
	case "hang":
		d.proxy.toxic("timeout", `"timeout":0`)
	case "reset":
		d.proxy.toxic("reset_peer", `"timeout":0`)
	case "gone":
		d.proxy.Stop()
	case "flapping":
		d.proxy.flapping(period)
	case "garbage":
		must(t, d.endpoint.Set(sandbox.Fault{Mode: sandbox.Garbage}))
	case "truncated":
		must(t, d.endpoint.Set(sandbox.Fault{Mode: sandbox.Truncated}))
	case "wrong certificate":
		must(t, d.endpoint.Set(sandbox.Fault{Mode: sandbox.Gone})) // else connections that there are know the right one
		must(t, d.endpoint.Set(sandbox.Fault{Mode: sandbox.WrongName}))
	default:
		t.Fatalf("no such fault: %q", fault)
	}
}

// mend ends it.
func (d *dependency) mend(fault string) {
	d.w.t.Helper()
	if d.other != nil && d.other(fault, false) {
		return
	}
	if d.endpoint != nil {
		must(d.w.t, d.endpoint.Clear())
	}
	d.proxy.clear()
}

// build makes a world in which a dependency can be broken.
func buildDependency(t *testing.T, name, fault string) *dependency {
	t.Helper()
	w := newWorld(t)
	d := &dependency{w: w, begin: func() {}}
	switch name {
	case "registry":
		d.aboutRegistry()
	case "key set":
		d.aboutKeys()
	case "trust list":
		d.aboutTrust()
	case "status list":
		d.aboutStatus()
	case "Redis":
		d.aboutRedis(fault == "wrong certificate")
	case "ACME CA":
		d.aboutACME()
	default:
		t.Fatalf("no such dependency: %q", name)
	}
	return d
}

// plain starts a gateway and has it hear of the known licences.
func (d *dependency) plain(s setup, fresh func(province string) bool) {
	d.g = d.w.gateway(s)
	d.mix = d.w.newQuestions(fresh, d.g.target)
}

func (d *dependency) aboutRegistry() {
	d.proxy, d.endpoint = d.w.registry, d.w.box.Province(broken).Registry.Endpoint
	d.plain(setup{}, func(province string) bool { return province == broken })
	d.recovered = func() bool { return d.valid(d.w.good(broken, sandbox.LicenceSpec{})) }
}

// valid asks a question beside the load.
func (d *dependency) valid(q question) bool { return d.g.target.ask(q.token).is(q.verdict, q.code) }

// aboutKeys: an issuer publishes a key before it uses it (contract §3: an
// unknown kid in a set that is not older than keys.refresh is KEY_NOT_FOUND).
func (d *dependency) aboutKeys() {
	p := d.w.box.Province(broken)
	d.proxy, d.endpoint, d.settle = d.w.keys, p.Keys.Endpoint, 3*time.Second
	d.plain(setup{}, nil)
	kids := 0
	var key *sandbox.Key
	signed := func() question {
		q := d.w.good(broken, sandbox.LicenceSpec{Key: key})
		q.touched = true
		return q
	}
	d.begin = func() {
		kids++
		var err error
		key, err = sandbox.NewKey("ES256", "31-new-"+string(rune('a'+kids)))
		must(d.w.t, err)
		must(d.w.t, p.Keys.Add(key))
		special := func(int) []question { return []question{signed()} }
		time.AfterFunc(d.settle, func() { d.mix.special.Store(&special) })
	}
	d.recovered = func() bool { return d.valid(signed()) }
}

// aboutTrust: a list that revokes a key cannot be had, and then can.
func (d *dependency) aboutTrust() {
	p := d.w.box.Province("320000")
	d.proxy, d.endpoint = d.w.trust, d.w.box.Trust.Endpoint
	d.plain(setup{}, nil)
	kids := 0
	var revoked question
	var before int64
	d.begin = func() {
		kids++
		key, err := sandbox.NewKey("ES256", "32-stolen-"+string(rune('a'+kids)))
		must(d.w.t, err)
		thumbprint, err := key.Thumbprint()
		must(d.w.t, err)
		must(d.w.t, p.Keys.Add(key))
		good := d.w.good("320000", sandbox.LicenceSpec{Key: key})
		before = d.w.publish(func(l *sandbox.List) {
			l.RevokedKeys = append(l.RevokedKeys, sandbox.RevokedKey{Thumbprint: thumbprint, RevokedAt: time.Now().Unix(), Reason: "compromised"})
		})
		revoked = question{token: good.token, verdict: "INVALID", code: "KEY_REVOKED"}
	}
	d.recovered = func() bool {
		a := d.g.target.ask(revoked.token)
		return a.Version >= before && a.is(revoked.verdict, revoked.code)
	}
}

// aboutStatus: a list that is asked for when it cannot be had.
func (d *dependency) aboutStatus() {
	d.proxy, d.endpoint = d.w.status, d.w.box.Province(broken).Status.Endpoint
	d.plain(setup{}, nil)
	var good func() question
	d.begin = func() {
		list := d.w.statusList()
		must(d.w.t, list.Set(1, 1))
		listed := func(index int) question {
			q := d.w.good(broken, sandbox.LicenceSpec{Status: list.entry(index)})
			q.touched = true
			return q
		}
		good = func() question { return listed(0) }
		special := func(n int) []question {
			if n%2 == 0 {
				return []question{good()}
			}
			q := listed(1)
			q.verdict, q.code = "INVALID", "STATUS_REVOKED"
			return []question{q}
		}
		d.mix.special.Store(&special)
	}
	d.recovered = func() bool { return d.valid(good()) }
}

// aboutRedis: what is spoilt is what comes back from a real server.
func (d *dependency) aboutRedis(secure bool) {
	w := d.w
	var s setup
	if secure {
		right := startSecureRedis(w.t, w.servers, "redis")
		wrong := startSecureRedis(w.t, newAuthority(w.t, w.t.TempDir(), "others-ca"), "redis")
		d.proxy = newProxy(w.t, "redis", right.addr)
		s.redis = `url: "rediss://` + d.proxy.Listen + `", ca_file: servers-ca.pem`
		d.other = func(_ string, set bool) bool {
			if set {
				d.proxy.redirect(wrong.addr)
			} else {
				d.proxy.redirect(right.addr)
			}
			return true
		}
	} else {
		d.proxy = newProxy(w.t, "redis", startRedis(w.t).addr)
		s.redis = `url: "redis://` + d.proxy.Listen + `"`
		d.other = func(fault string, set bool) bool {
			switch {
			case set && fault == "garbage":
				d.proxy.toxic(garbage, "")
			case set && fault == "truncated":
				d.proxy.toxic("limit_data", `"bytes":3`)
			default:
				return false
			}
			return true
		}
	}
	d.plain(s, nil)
	eventually(w.t, "Redis is used", func() bool { return d.g.part("redis") })
	d.bitten = func() bool { return !d.g.part("redis") }
	d.recovered = func() bool { return d.g.part("redis") }
}
