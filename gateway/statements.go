package main

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/config"
	"tongyan/keys"
	"tongyan/keys/jwks"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// statements are the gateway's own receipts, and those of its peers: whose keys
// count, and the signer where one is configured.
type statements struct {
	signer   *receipt.Signer // nil: this gateway signs none
	parts    *parts
	book     *keys.Book
	keeper   *jwks.Keeper // of the peers' key sets
	maxStale time.Duration

	mu   sync.RWMutex // guards sets
	sets map[keys.Issuer]*keys.Set
}

// errNoReceipts answers who asks for a receipt where none can be signed.
var errNoReceipts = &api.Problem{Code: api.Unprocessable, Detail: "this gateway signs no receipts: leave receipt out, or ask its operator for the section receipts"}

func newStatements(p *parts) (s *statements, err error) {
	cfg := p.config
	s = &statements{parts: p, book: p.book, maxStale: cfg.Keys.MaxStale, sets: map[keys.Issuer]*keys.Set{}}
	if r := cfg.Receipts; r != nil {
		s.signer, err = receipt.NewSigner(receipt.Options{Gateway: r.Issuer, Keys: receiptKeys(r.Keys)})
		if err != nil {
			return nil, err
		}
	}
	s.keeper, err = jwks.New(jwks.Config{
		Fetch: p.fetch, Refresh: cfg.Keys.Refresh, RefetchInterval: cfg.Keys.RefetchInterval, MaxStale: cfg.Keys.MaxStale,
		Dir: filepath.Join(cfg.StateDir, "gateways"), OnSet: s.keep, OnGone: func(iss keys.Issuer) { s.keep(iss, nil) }, Log: p.log,
	})
	return s, err
}

func receiptKeys(from []config.ReceiptKey) []receipt.Key {
	all := make([]receipt.Key, len(from))
	for i, k := range from {
		all[i] = receipt.Key{Public: k.Public, ID: k.ID, Private: k.Private.Reveal()}
	}
	return all
}

func (s *statements) keep(iss keys.Issuer, set *keys.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets[iss] = set
}

// Keys implements verify.Gateways.
func (s *statements) Keys(iss string) (*keys.Set, bool) {
	if s.signer != nil && iss == s.signer.Gateway() {
		return s.signer.Keys(), true
	}
	list := s.book.Current().List()
	if list == nil || s.book.Current().Expired(time.Now()) {
		return nil, false
	}
	for _, g := range list.Gateways {
		if g.Issuer == iss {
			s.mu.RLock()
			defer s.mu.RUnlock()
			set := s.sets[keys.Issuer(iss)]
			if set != nil && time.Since(set.Renewed) > s.maxStale {
				set = nil
			}
			return set, true
		}
	}
	return nil, false
}

// Refetch implements verify.Gateways.
func (s *statements) Refetch(ctx context.Context, iss string) {
	s.keeper.Refetch(ctx, keys.Issuer(iss))
}

// Issue implements api.Receipts.
func (s *statements) Issue(r *verifiers.Response, id, audience string) (receipt.Issued, error) {
	if s.signer == nil {
		return receipt.Issued{}, errNoReceipts
	}
	return s.signer.Issue(r, id, audience)
}

// JWKS implements api.Receipts.
func (s *statements) JWKS() []byte {
	if s.signer == nil {
		return []byte(`{"keys":[]}`)
	}
	return s.signer.JWKS()
}

// Check implements api.Receipts.
func (s *statements) Check(ctx context.Context, token []byte) (*receipt.Claims, verifiers.Code) {
	return s.parts.current.Load().service.Receipt(ctx, token)
}
