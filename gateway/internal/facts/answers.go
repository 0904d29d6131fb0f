package facts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// answerLife is how long an answer given under an idempotency key is kept.
	answerLife = 24 * time.Hour
	// maxAnswers bounds the memory for answers, in bytes; the oldest go first.
	maxAnswers = 16 << 20
)

// AnswerKey names an answer: a hash over who asked and under which key.
type AnswerKey = [sha256.Size]byte

func openAnswers() (*otter.Cache[AnswerKey, []byte], error) {
	return otter.New(&otter.Options[AnswerKey, []byte]{
		MaximumWeight:    maxAnswers,
		Weigher:          func(_ AnswerKey, answer []byte) uint32 { return uint32(len(answer)) + 128 },
		ExpiryCalculator: otter.ExpiryWriting[AnswerKey, []byte](answerLife),
	})
}

// Answer returns the answer that was given before under a key, by any gateway.
// Without Redis, or where that cannot be had, it knows of this gateway only.
func (c *Cache) Answer(ctx context.Context, key AnswerKey) ([]byte, bool) {
	if answer, ok := c.answers.GetIfPresent(key); ok {
		return answer, true
	}
	answer := c.sharedAnswer(ctx, key)
	if answer == nil {
		return nil, false
	}
	c.answers.Set(key, answer)
	return answer, true
}

// KeepAnswer keeps an answer, unless there is one already, and returns the one
// that counts: of two given at the same time both callers get the same.
func (c *Cache) KeepAnswer(ctx context.Context, key AnswerKey, answer []byte) []byte {
	answer = bytes.Clone(answer)
	if c.shared != nil {
		name := c.shared.seal.name(KindAnswer, key[:])
		sealed := c.shared.seal.seal(name, "", append(bytes.Clone(key[:]), answer...))
		q := &question{lease: name, leaseValue: sealed, leaseLife: answerLife}
		if c.shared.put(ctx, q) && !q.leased {
			if first := c.openAnswer(key, name, q.heldValue); first != nil {
				answer = first
			}
		}
	}
	kept, _ := c.answers.SetIfAbsent(key, answer)
	return kept
}

func (c *Cache) sharedAnswer(ctx context.Context, key AnswerKey) []byte {
	if c.shared == nil {
		return nil
	}
	q := &question{finding: c.shared.seal.name(KindAnswer, key[:])}
	if !c.shared.put(ctx, q) {
		return nil
	}
	return c.openAnswer(key, q.finding, q.findingValue)
}

// openAnswer opens what Redis keeps, nil where that is nothing of ours.
func (c *Cache) openAnswer(key AnswerKey, name string, value []byte) []byte {
	if value == nil {
		return nil
	}
	plain, err := c.shared.seal.open(name, false, value)
	// The value names its key: an answer of Redis may belong to another command.
	if err != nil || !bytes.HasPrefix(plain, key[:]) {
		c.unsealed(KindAnswer)
		return nil
	}
	return plain[len(key):]
}
