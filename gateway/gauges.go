package main

import (
	"time"

	"tongyan/verifiers/registry"
)

// A gauge is a figure and what it means.
type gauge struct {
	help string
	read func() float64
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// gauges registers what is read whenever the metrics are.
func (p *parts) gauges() {
	all := map[string]gauge{
		"tongyan_trust_list_version": {"Version of the trust list in force.", func() float64 { return float64(p.book.Current().Version()) }},
		"tongyan_trust_list_life":    {"How much of the life of the trust list is gone: warn at 0.5 and 0.8, at 1 it has expired.", func() float64 { return p.list.Status().Life(time.Now()) }},
		"tongyan_trust_list_unsaved": {"1 while what must outlive a restart could not be written.", func() float64 { return flag(p.list.Status().Unsaved) }},
		"tongyan_cache_bytes":        {"Memory that findings and standings take, about.", func() float64 { return float64(p.facts.Status().Bytes) }},
		"tongyan_cache_findings":     {"Findings in memory, about.", func() float64 { return float64(p.facts.Status().Findings) }},
		"tongyan_cache_standings":    {"Standings in memory, about.", func() float64 { return float64(p.facts.Status().Standings) }},
		"tongyan_status_lists":       {"Status lists at hand.", func() float64 { n, _ := p.statuses.Status(); return float64(n) }},
		"tongyan_status_list_bytes":  {"Memory that they take, about.", func() float64 { _, n := p.statuses.Status(); return float64(n) }},
	}
	// Without a Redis there is none that could be down.
	if p.facts.Status().Shared {
		all["tongyan_redis_up"] = gauge{"1 while Redis is used, 0 while it is left alone.", func() float64 { return flag(p.facts.Status().Up) }}
		all["tongyan_redis_queued"] = gauge{"Values waiting to be written to Redis.", func() float64 { return float64(p.facts.Status().Queued) }}
	}
	for name, g := range all {
		p.metrics.Gauge(name, g.help, nil, g.read)
	}
	states := map[registry.Breaker]float64{registry.Closed: 0, registry.HalfOpen: 1, registry.Open: 2}
	for code := range p.current.Load().registries {
		labels := map[string]string{"province": string(code)}
		state := func() (registry.State, bool) {
			r, ok := p.current.Load().registries[code]
			if !ok {
				return registry.State{}, false // taken out by a reload
			}
			return r.State(), true
		}
		p.metrics.Gauge("tongyan_registry_breaker", "State of a province's breaker: 0 closed, 1 half-open, 2 open.", labels, func() float64 { s, _ := state(); return states[s.Breaker] })
		p.metrics.Gauge("tongyan_registry_in_flight", "Calls under way to a province's registry.", labels, func() float64 { s, _ := state(); return float64(s.InFlight) })
	}
}

// gauges registers what only a gateway that listens has.
func (s *server) gauges() {
	m := s.parts.metrics
	m.Gauge("tongyan_ready", "1 while work may be sent, as /readyz says.", nil, func() float64 { return flag(s.admin.Ready()) })
	m.Gauge("tongyan_certificate_expires_seconds", "When the gateway's certificate ends, in seconds since 1970.", nil, func() float64 { return float64(s.front.Expires().Unix()) })
	m.Gauge("tongyan_canary_age_seconds", "How long ago the gateway's own credential last got its verdict; NaN where none is configured.", nil, s.canary.age)
	m.Gauge("tongyan_crowd_limit", "Units of work that may be under way; one is an ES256 check.", nil, func() float64 { return float64(s.gate.State().Limit) })
	m.Gauge("tongyan_crowd_working", "Units of work under way.", nil, func() float64 { return float64(s.gate.State().Working) })
	m.Gauge("tongyan_crowd_waiting", "Lines of batches that wait for room.", nil, func() float64 { return float64(s.gate.State().Waiting) })
}
