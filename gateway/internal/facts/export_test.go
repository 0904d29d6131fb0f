package facts

import (
	"crypto/aes"
	"encoding/binary"
	"time"

	"tongyan/verifiers"
)

// Names are the names in Redis of a finding, a standing and its lease.
func (c *Cache) Names(d verifiers.Digest, k verifiers.StandingKey) (finding, standing, lease string) {
	s := c.shared.seal
	return s.name(KindFinding, d[:]), s.standingName(k), s.leaseName(k)
}

// SealedLease is what a gateway of this seal key writes while it asks.
func (c *Cache) SealedLease(k verifiers.StandingKey, began time.Time, life time.Duration) []byte {
	name := c.shared.seal.leaseName(k)
	return c.shared.seal.seal(name, "", appendLease(nil, lease{began: began, life: life}))
}

// SealedFinding is f sealed under the name of d, whatever it is about.
func (c *Cache) SealedFinding(d, about verifiers.Digest, f *verifiers.Finding) []byte {
	return c.shared.seal.seal(c.shared.seal.name(KindFinding, d[:]), "", appendFinding(nil, about, f))
}

// SealedStanding is s sealed under the name of k, whatever it is about.
func (c *Cache) SealedStanding(k verifiers.StandingKey, s *verifiers.Standing) []byte {
	return c.shared.seal.seal(c.shared.seal.standingName(k), stampOf(s.AskedAt), appendStanding(nil, s))
}

// SealXAES seals with XAES-256-GCM as published, for its vectors.
func SealXAES(key, nonce, plain, additional []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	s := &sealer{block: block, subkey: cmacSubkey(block)}
	return s.aead(nonce).Seal(nil, nonce[derivingBytes:], plain, additional)
}

var (
	AppendFinding  = appendFinding
	AppendStanding = appendStanding
)

// ReadFinding and ReadStanding read what the two above wrote.
func ReadFinding(b []byte) (verifiers.Digest, *verifiers.Finding, error) {
	d, f, err := readFinding(b)
	if err != nil {
		return d, nil, err
	}
	return d, &f.Finding, nil
}

func ReadStanding(b []byte) (*verifiers.Standing, error) {
	s, err := readStanding(b)
	if err != nil {
		return nil, err
	}
	return &s.Standing, nil
}

// ReencodeLease reads a lease and writes it again.
func ReencodeLease(b []byte) ([]byte, error) {
	l, err := readLease(b)
	if err != nil {
		return nil, err
	}
	return appendLease(nil, l), nil
}

// Channel is where announcements are made.
func (c *Cache) Channel() string { return c.shared.channel() }

// SealedAnnouncement is a version as c would announce it where of listens.
func (c *Cache) SealedAnnouncement(of *Cache, version int64) []byte {
	return c.shared.seal.seal(of.shared.channel(), "", binary.AppendVarint(nil, version))
}

// Open opens what Redis keeps, without a Redis.
func (c *Cache) Open(d verifiers.Digest, finding []byte, k verifiers.StandingKey, standing []byte) error {
	s := c.shared.seal
	if _, err := s.finding(d, s.name(KindFinding, d[:]), finding); err != nil {
		return err
	}
	_, err := s.standing(k, s.standingName(k), standing)
	return err
}

// Forget empties memory of two facts.
func (c *Cache) Forget(d verifiers.Digest, k verifiers.StandingKey) {
	c.findings.Invalidate(d)
	c.standings.Invalidate(k)
}

// Hears reports whether the cache has begun to hear news.
func (c *Cache) Hears() bool { return c.shared == nil || c.epoch.Load() > inDoubt+1 }

// NewsChannel is where news is told.
func (c *Cache) NewsChannel() string { return c.shared.newsChannel() }

// SealedNews is news as c would tell it.
func (c *Cache) SealedNews(key verifiers.StandingKey, asked time.Time) []byte {
	return c.SealedNewsFor(c, key, asked)
}

// SealedNewsFor is news as c would tell it where of listens.
func (c *Cache) SealedNewsFor(of *Cache, key verifiers.StandingKey, asked time.Time) []byte {
	return c.shared.seal.seal(of.shared.newsChannel(), "", appendNews(nil, key, asked))
}

// OpenNews reads whom news is about.
func (c *Cache) OpenNews(message string) (verifiers.StandingKey, error) {
	plain, err := c.shared.seal.open(c.shared.newsChannel(), false, []byte(message))
	if err != nil {
		return verifiers.StandingKey{}, err
	}
	key, _, err := readNews(plain)
	return key, err
}

// HastyVault is a vault whose locks live short when they are not renewed.
func (c *Cache) HastyVault(life time.Duration) *Vault { return &Vault{cache: c, life: life} }

// VaultNames are the hash of all secrets, the field of one, and a lock's name.
func (c *Cache) VaultNames(name string) (hash, field, lock string) {
	hash, field = c.shared.vaultNames(name)
	return hash, field, c.shared.seal.name(KindLock, []byte(name))
}

// Replies follows a stream of replies of Redis.
func Replies() func([]byte) error { return new(replies).pass }
