package api

import (
	"encoding/json"
)

// A Province is what /v1/provinces says of one member of the alliance.
type Province struct {
	Code      string    `json:"code"`
	Name      string    `json:"name"`
	NameEn    string    `json:"name_en"`
	Authority string    `json:"authority"`
	State     string    `json:"state"` // active or suspended
	Issuers   []Issuer  `json:"issuers"`
	Registry  *Registry `json:"registry"` // null: none is configured
}

// An Issuer is one issuer of a province.
type Issuer struct {
	Issuer string `json:"iss"`
	Keys   []Key  `json:"keys"`
	// KeysAge is the seconds since the key set was fetched; null: never, or
	// the keys stand in the trust list only.
	KeysAge *int64 `json:"keys_age_seconds"`
	// KeysFault says why the last renewal failed; null where it did not.
	KeysFault *string `json:"keys_fault"`
}

// A Key is one key of an issuer.
type Key struct {
	KeyID      string   `json:"kid"`
	Thumbprint string   `json:"thumbprint"`
	Algorithms []string `json:"algs"` // which it fits
	Revoked    bool     `json:"revoked"`
}

// A Registry is how a province's registry does.
type Registry struct {
	Breaker    string  `json:"breaker"`             // closed, open or half-open
	RetryAfter *int64  `json:"retry_after_seconds"` // of an open breaker
	Latency    Latency `json:"latency_ms"`
	InFlight   int64   `json:"in_flight"`
}

// A Latency is that of recent answers in milliseconds; null where there were none.
type Latency struct {
	P50 *float64 `json:"p50"`
	P99 *float64 `json:"p99"`
}

// provinces is GET /v1/provinces.
func (a *API) provinces(c *call) error {
	return sendJSON(c, map[string][]Province{"provinces": a.Provinces()})
}

// codes is GET /v1/codes.
func (a *API) codes(c *call) error {
	return sendJSON(c, map[string][]CodeInfo{"codes": codeTable})
}

// whoami is GET /v1/whoami: what the gateway takes the caller for.
func (a *API) whoami(c *call) error {
	who := struct {
		ID     *string  `json:"id"` // null: anonymous
		Scopes []string `json:"scopes"`
		Rate   *float64 `json:"rate"` // requests per second; null: no limit of its own
		Lane   *string  `json:"lane"`
	}{Scopes: c.party.ScopeNames()}
	if p := c.party; p.ID != "" {
		lane := string(p.Lane)
		who.ID, who.Lane = &p.ID, &lane
		if p.Rate > 0 {
			who.Rate = &p.Rate
		}
	}
	return sendJSON(c, who)
}

func sendJSON(c *call, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return send(c, body)
}
