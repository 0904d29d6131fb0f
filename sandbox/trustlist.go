// The alliance's trust list: what it says, who signs it, which of its
// versions is being served.

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A List is a trust list as contract §3 writes it.
type List struct {
	Iss         string         `json:"iss"`
	Version     int64          `json:"version"`
	Iat         int64          `json:"iat"`
	Exp         int64          `json:"exp"`
	Provinces   []ListProvince `json:"provinces"`
	RevokedKeys []RevokedKey   `json:"revoked_keys,omitempty"`
	Gateways    []ListGateway  `json:"gateways,omitempty"`
}

// A ListProvince is a member of the alliance in a List.
type ListProvince struct {
	Code      string       `json:"code"`
	Name      string       `json:"name"`
	NameEn    string       `json:"name_en"`
	Authority string       `json:"authority"`
	State     string       `json:"state"` // active or suspended
	Issuers   []ListIssuer `json:"issuers"`
}

// A ListIssuer is one issuer of a ListProvince.
type ListIssuer struct {
	Iss         string          `json:"iss"`
	Types       []string        `json:"types"`
	Algs        []string        `json:"algs"`
	JWKSURI     string          `json:"jwks_uri,omitempty"`
	JWKS        json.RawMessage `json:"jwks,omitempty"`
	StatusLists []string        `json:"status_lists,omitempty"`
	Divisions   []string        `json:"divisions,omitempty"`
	ValidFrom   int64           `json:"valid_from"`
	ValidUntil  *int64          `json:"valid_until"` // nil: null, no end
}

// A RevokedKey ends a key by its thumbprint.
type RevokedKey struct {
	Thumbprint string `json:"thumbprint"`
	RevokedAt  int64  `json:"revoked_at"`
	Reason     string `json:"reason"` // compromised or superseded
}

// A ListGateway is a peer whose receipts count.
type ListGateway struct {
	Iss     string `json:"iss"`
	JWKSURI string `json:"jwks_uri"`
}

// Province returns the entry of that code, or nil; for editing in Publish.
func (l *List) Province(code string) *ListProvince {
	for i := range l.Provinces {
		if l.Provinces[i].Code == code {
			return &l.Provinces[i]
		}
	}
	return nil
}

const (
	listLife    = 7 * 24 * time.Hour
	keptPublics = 16 // older versions that can be served again
)

// A TrustList is the list in force and the endpoint that serves it, at
// /list.jwt.
type TrustList struct {
	*Endpoint

	now   func() time.Time
	roots []*Key

	mu     sync.Mutex // guards what follows and orders stores to served
	list   List
	tokens []issue // published, oldest first, the last keptPublics
	served atomic.Pointer[[]byte]
}

type issue struct {
	version int64
	token   []byte
}

func (s *Sandbox) newTrustList(roots int) (*TrustList, error) {
	t := &TrustList{now: s.now}
	for i := range roots {
		root, err := NewKey("ES256", "")
		if err != nil {
			return nil, err
		}
		if root.KID, err = root.Thumbprint(); err != nil {
			return nil, fmt.Errorf("root %d: %w", i, err)
		}
		t.roots = append(t.roots, root)
	}
	t.list = List{Iss: "https://trust.example"}
	for _, p := range s.provinces {
		t.list.Provinces = append(t.list.Provinces, ListProvince{
			Code: p.Code, Name: p.Name, NameEn: p.NameEn, Authority: p.Authority, State: "active",
			Issuers: []ListIssuer{{
				Iss: p.Issuer, Types: []string{"business-licence"}, Algs: p.algs,
				JWKSURI: p.Keys.URI(), StatusLists: []string{p.Status.Prefix()},
				Divisions: []string{p.Code[:2]}, ValidFrom: longAgo,
			}},
		})
	}
	if _, err := t.Publish(nil); err != nil {
		return nil, err
	}
	var err error
	t.Endpoint, err = s.listen("trust list", KindTrust, t.reply)
	return t, err
}

// longAgo is when every issuer began: 2020-01-01 in Shanghai.
const longAgo = 1577808000

// URI is the list's address.
func (t *TrustList) URI() string { return t.URL() + "/list.jwt" }

// Roots returns the alliance's root keys; their JWK method gives what a
// gateway pins.
func (t *TrustList) Roots() []*Key { return slices.Clone(t.roots) }

// Token returns the list as it is served now.
func (t *TrustList) Token() []byte { return slices.Clone(*t.served.Load()) }

// List returns a copy of the list published last.
func (t *TrustList) List() (List, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list.clone()
}

// Publish signs and serves the next version: one higher, issued now, good for
// a week, then changed by mutate (which may be nil, and may change those
// three, too). It returns the version.
func (t *TrustList) Publish(mutate func(*List)) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, err := t.successor(mutate)
	if err != nil {
		return 0, err
	}
	token, err := SignList(next, t.roots...)
	if err != nil {
		return 0, err
	}
	t.list = next
	t.tokens = append(t.tokens, issue{next.Version, token})
	if len(t.tokens) > keptPublics {
		t.tokens = slices.Delete(t.tokens, 0, 1)
	}
	t.served.Store(&token)
	return next.Version, nil
}

// Serve serves these bytes instead, until the next Publish: for lists that
// are forged, torn, or signed by others.
func (t *TrustList) Serve(token []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token = slices.Clone(token)
	t.served.Store(&token)
}

// ServeVersion serves a version published before, unchanged: an attempt to
// roll back. The last 16 are kept.
func (t *TrustList) ServeVersion(version int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, old := range t.tokens {
		if old.version == version {
			t.served.Store(&old.token)
			return nil
		}
	}
	return errors.New("sandbox: trust list version " + strconv.FormatInt(version, 10) + " is not kept")
}

// Broken returns the next version with mutate's changes and signatures that
// are well-formed but made with other keys under the roots' names.
func (t *TrustList) Broken(mutate func(*List)) ([]byte, error) {
	t.mu.Lock()
	next, err := t.successor(mutate)
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var impostors []*Key
	for _, root := range t.roots {
		impostor, err := NewKey("ES256", root.KID)
		if err != nil {
			return nil, err
		}
		impostors = append(impostors, impostor)
	}
	return SignList(next, impostors...)
}

// SignList signs any list with any keys, under the keys' own KID: one key makes
// JWS Compact, several make JWS General JSON (RFC 7515 §7).
func SignList(list List, keys ...*Key) ([]byte, error) {
	payload, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("sandbox: trust list: %w", err)
	}
	type signature struct {
		Protected string `json:"protected"`
		Signature string `json:"signature"`
	}
	general := struct {
		Payload    string      `json:"payload"`
		Signatures []signature `json:"signatures"`
	}{Payload: b64(payload)}
	for _, key := range keys {
		header, err := json.Marshal(map[string]string{"typ": "trust-list+jwt", "alg": key.Alg, "kid": key.KID})
		if err != nil {
			return nil, err
		}
		if len(keys) == 1 {
			token, err := SignCompact(header, payload, key)
			return []byte(token), err
		}
		sum, err := key.Sign([]byte(b64(header) + "." + general.Payload))
		if err != nil {
			return nil, err
		}
		general.Signatures = append(general.Signatures, signature{b64(header), b64(sum)})
	}
	return json.Marshal(general)
}

// successor returns what Publish would sign; t.mu is held.
func (t *TrustList) successor(mutate func(*List)) (List, error) {
	next, err := t.list.clone()
	if err != nil {
		return List{}, err
	}
	next.Version++
	next.Iat = t.now().Unix()
	next.Exp = next.Iat + int64(listLife/time.Second)
	if mutate != nil {
		mutate(&next)
	}
	return next, nil
}

// clone copies a list through its own encoding, so that no slice is shared.
func (l List) clone() (out List, err error) {
	raw, err := json.Marshal(l)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

func (t *TrustList) reply(r request) reply {
	if r.path != "/list.jwt" {
		return notFound
	}
	return reply{status: 200, contentType: "application/jwt", body: *t.served.Load()}
}
