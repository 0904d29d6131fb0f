package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
)

// A onceOnly is one request under an Idempotency-Key, or under none.
type onceOnly struct {
	api   *API
	ctx   context.Context
	key   *[sha256.Size]byte // nil: no key
	body  [sha256.Size]byte
	given []byte // the answer that was given before, nil where there is none
}

// maxKey is the longest idempotency key, in bytes.
const maxKey = 255

// once looks whether a request was answered before. The same key with another
// body is a mistake of the caller's, and so is a key that nobody could repeat.
func (a *API) once(c *call, body []byte) (o onceOnly, err error) {
	values, named := c.r.Header["Idempotency-Key"]
	if !named || a.Once == nil {
		return o, nil
	}
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxKey {
		return o, problem(BadRequest, "Idempotency-Key must stand once, with 1 to 255 characters")
	}
	// Another party's key is another key; what the headers say belongs to the body.
	key := sha256.Sum256([]byte(c.party.ID + "\x00" + values[0]))
	h := sha256.New()
	for _, name := range []string{"Content-Type", "Cache-Control"} {
		for _, value := range c.r.Header[name] {
			h.Write([]byte(value))
			h.Write([]byte{0})
		}
		h.Write([]byte{1})
	}
	h.Write(body)
	o = onceOnly{api: a, ctx: c.r.Context(), key: &key, body: [sha256.Size]byte(h.Sum(nil))}
	if kept, ok := a.Once.Answer(o.ctx, key); ok {
		if o.given = o.open(kept); o.given == nil {
			return o, problem(IdempotencyConflict, "this Idempotency-Key came with another request before")
		}
	}
	return o, nil
}

// open returns the answer in what was kept, nil if it answers another body.
func (o *onceOnly) open(kept []byte) []byte {
	if len(kept) < sha256.Size || subtle.ConstantTimeCompare(kept[:sha256.Size], o.body[:]) == 0 {
		return nil
	}
	return kept[sha256.Size:]
}

// keep keeps an answer and returns the one to give: of two requests at the same
// time the first one's. A conflict that shows only now is left to the next.
func (o *onceOnly) keep(answer []byte) []byte {
	if o.key == nil {
		return answer
	}
	kept := make([]byte, 0, sha256.Size+len(answer))
	kept = append(append(kept, o.body[:]...), answer...)
	if first := o.open(o.api.Once.KeepAnswer(o.ctx, *o.key, kept)); first != nil {
		return first
	}
	return answer
}
