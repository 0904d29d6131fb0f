package facts

import (
	"context"
	"encoding/binary"
	"time"
)

// tokenPatience bounds one transfer of a signed token, which may have megabytes.
// No request waits for it alone: it spares a fetch that takes longer.
const tokenPatience = 250 * time.Millisecond

// Load returns a signed token that some gateway saved under key, nil where
// there is none or Redis is not to be had. It was sealed, and is a stranger's
// all the same: whoever loads it verifies it again.
func (c *Cache) Load(ctx context.Context, key string) []byte {
	if c.shared == nil || !c.shared.health.up() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	name := c.shared.seal.name(KindToken, []byte(key))
	value, err := c.shared.client.Get(ctx, name).Bytes()
	if err != nil {
		return nil
	}
	plain, err := c.shared.seal.open(name, false, value)
	if err != nil {
		c.unsealed(KindToken)
		return nil
	}
	// The value names its key: an answer of Redis may belong to another command.
	n, used := binary.Uvarint(plain)
	if used <= 0 || uint64(len(plain)-used) < n || string(plain[used:used+int(n)]) != key {
		c.unsealed(KindToken)
		return nil
	}
	return plain[used+int(n):]
}

// Save keeps a signed token for all gateways until a time, if Redis takes it.
func (c *Cache) Save(ctx context.Context, key string, token []byte, until time.Time) {
	life := time.Until(until)
	if c.shared == nil || !c.shared.health.up() || life <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	name := c.shared.seal.name(KindToken, []byte(key))
	plain := binary.AppendUvarint(make([]byte, 0, len(key)+len(token)+4), uint64(len(key)))
	plain = append(append(plain, key...), token...)
	if err := c.shared.client.Set(ctx, name, c.shared.seal.seal(name, "", plain), life).Err(); err != nil {
		c.drop(1, DropRefused)
	}
}
