package main

import (
	"slices"
	"strings"
	"time"

	"tongyan/gateway/internal/admin"
	"tongyan/gateway/internal/api"
	"tongyan/keys"
	"tongyan/verifiers/registry"
)

// status lists everything that the gateway depends on, for /readyz?verbose.
// Only the trust list is essential.
func (p *parts) status() []admin.Part {
	now, trust := time.Now(), p.list.Status()
	list := admin.Part{Name: "trust list", Essential: true, OK: !p.book.Current().Expired(now), Problem: trust.RefusedWhy, Detail: map[string]any{
		"version": trust.Version, "highest": trust.Highest, "expires": trust.Expires, "life": trust.Life(now),
		"last_success": trust.LastSuccess, "reachable": trust.Reachable, "from_disk": trust.FromDisk, "unsaved": trust.Unsaved,
		"refused": trust.Refused, "refused_at": trust.RefusedAt,
	}}
	all := []admin.Part{list}
	for _, province := range p.provinces() {
		for _, issuer := range province.Issuers {
			part := admin.Part{Name: "keys of " + issuer.Issuer, OK: len(issuer.Keys) > 0, Detail: map[string]any{"keys": len(issuer.Keys), "age_seconds": issuer.KeysAge}}
			if issuer.KeysFault != nil {
				part.OK, part.Problem = false, *issuer.KeysFault
			}
			all = append(all, part)
		}
		if r := province.Registry; r != nil {
			all = append(all, admin.Part{Name: "registry of " + province.Code, OK: r.Breaker == string(registry.Closed), Detail: r})
		}
	}
	if shared := p.facts.Status(); shared.Shared {
		all = append(all, admin.Part{Name: "redis", OK: shared.Up, Detail: map[string]any{
			"since": shared.Since, "queued": shared.Queued, "dropped": shared.Dropped, "not_opened": shared.NotOpened}})
	}
	return all
}

// status adds what only a gateway that listens has.
func (s *server) status() []admin.Part { return append(s.parts.status(), s.canary.part()...) }

// provinces lists the alliance as it stands now, for /v1/provinces.
func (p *parts) provinces() []api.Province {
	snapshot, now := p.book.Current(), time.Now()
	list := snapshot.List()
	out := []api.Province{}
	if list == nil {
		return out
	}
	for _, province := range list.Provinces {
		view := api.Province{Code: string(province.Code), Name: province.Name, NameEn: province.NameEn, Authority: province.Authority,
			State: "suspended", Issuers: []api.Issuer{}, Registry: p.registryView(province.Code)}
		if province.Active {
			view.State = "active"
		}
		for _, a := range province.Issuers {
			view.Issuers = append(view.Issuers, p.issuerView(snapshot, a.Issuer, now))
		}
		out = append(out, view)
	}
	return out
}

func (p *parts) issuerView(snapshot *keys.Snapshot, iss keys.Issuer, now time.Time) api.Issuer {
	view := api.Issuer{Issuer: string(iss), Keys: []api.Key{}}
	for _, k := range snapshot.KeysOf(iss) {
		_, revoked := snapshot.Revocation(k)
		key := api.Key{KeyID: string(k.ID()), Thumbprint: string(k.Thumbprint()), Revoked: revoked, Algorithms: []string{}}
		for _, alg := range keys.Algorithms {
			if k.Fits(alg) {
				key.Algorithms = append(key.Algorithms, string(alg))
			}
		}
		view.Keys = append(view.Keys, key)
	}
	slices.SortFunc(view.Keys, func(a, b api.Key) int { return strings.Compare(a.KeyID, b.KeyID) })
	if renewed := snapshot.Renewed(iss); !renewed.IsZero() {
		age := max(0, int64(now.Sub(renewed)/time.Second))
		view.KeysAge = &age
	}
	if s, ok := p.sets.Status(iss); ok && s.Failed != "" {
		why := string(s.Failed)
		view.KeysFault = &why
	}
	return view
}

func (p *parts) registryView(code keys.ProvinceCode) *api.Registry {
	client, ok := p.current.Load().registries[code]
	if !ok {
		return nil
	}
	s := client.State()
	view := &api.Registry{Breaker: string(s.Breaker), InFlight: int64(s.InFlight), Latency: api.Latency{P50: millis(s.Latency.P50), P99: millis(s.Latency.P99)}}
	if s.RetryAfter > 0 {
		seconds := int64((s.RetryAfter + time.Second - 1) / time.Second)
		view.RetryAfter = &seconds
	}
	return view
}

func millis(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
	return &ms
}
