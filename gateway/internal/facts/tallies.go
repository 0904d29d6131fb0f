package facts

import (
	"context"
	"encoding/binary"
	"time"
)

// Tally adds n to a count that all gateways share, and returns its total. The
// count is forgotten a while after it was last added to. It is kept in the open
// under a keyed name: whoever writes to Redis can grant or spend a quota, which
// moves no verdict. ok is false where Redis cannot be had: nothing was added.
func (c *Cache) Tally(ctx context.Context, name string, n int64, life time.Duration) (total int64, ok bool) {
	if c.shared == nil || !c.shared.health.up() {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, c.shared.socket)
	defer cancel()
	key := c.shared.seal.name(KindTally, binary.AppendUvarint(nil, uint64(len(name))), []byte(name))
	pipe := c.shared.client.Pipeline()
	sum := pipe.IncrBy(ctx, key, n)
	pipe.Expire(ctx, key, life)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, false
	}
	return sum.Val(), true
}
