package facts_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
)

// Of many callers at once, one spends a nonce; a second cache on the same store
// finds it spent.
func nonceIsSpentOnce(t *testing.T, open func() *facts.Cache) {
	a := open()
	nonce, until := someDigest(), time.Now().Add(time.Minute)
	var first atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ok, err := a.Spend(context.Background(), nonce, until)
			if err != nil {
				t.Error(err)
			}
			if ok {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if n := first.Load(); n != 1 {
		t.Fatalf("spent %d times", n)
	}
	if ok, err := a.Spend(context.Background(), nonce, until); ok || err != nil {
		t.Errorf("spent again: %v, %v", ok, err)
	}
	if ok, _ := a.Spend(context.Background(), someDigest(), time.Now().Add(-time.Second)); ok {
		t.Error("a nonce passed whose proof is past")
	}
	if ok, err := a.Spend(context.Background(), someDigest(), until); !ok || err != nil {
		t.Errorf("another nonce: %v, %v", ok, err)
	}
}

func firstAnswerCounts(t *testing.T, open func() *facts.Cache) {
	c, ctx := open(), context.Background()
	var key facts.AnswerKey
	rand.Read(key[:])
	if _, ok := c.Answer(ctx, key); ok {
		t.Fatal("an answer to a question never asked")
	}
	if got := c.KeepAnswer(ctx, key, []byte("one")); string(got) != "one" {
		t.Fatalf("kept %q", got)
	}
	if got := c.KeepAnswer(ctx, key, []byte("two")); string(got) != "one" {
		t.Errorf("a second answer replaced the first: %q", got)
	}
	if got, ok := c.Answer(ctx, key); !ok || string(got) != "one" {
		t.Errorf("answer %q, %v", got, ok)
	}
}

// What gateways share by Redis: nonces, answers, signed tokens, tallies.
func TestShared(t *testing.T) {
	s := redistest.Start(t)
	a, b := open(t, options(s)), open(t, options(s))
	ctx := context.Background()

	nonce := someDigest()
	if ok, err := a.Spend(ctx, nonce, time.Now().Add(time.Minute)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := b.Spend(ctx, nonce, time.Now().Add(time.Minute)); ok || err != nil {
		t.Errorf("the other gateway takes a spent nonce: %v, %v", ok, err)
	}

	key := facts.AnswerKey{1}
	a.KeepAnswer(ctx, key, []byte("first"))
	if got := b.KeepAnswer(ctx, key, []byte("second")); string(got) != "first" {
		t.Errorf("the other gateway's answer is %q", got)
	}

	token := bytes.Repeat([]byte("status list "), 100_000)
	a.Save(ctx, "https://ebl.example/status/1", token, time.Now().Add(time.Minute))
	if got := b.Load(ctx, "https://ebl.example/status/1"); !bytes.Equal(got, token) {
		t.Errorf("the other gateway loads %d bytes", len(got))
	}
	if got := b.Load(ctx, "https://ebl.example/status/2"); got != nil {
		t.Errorf("another list has %d bytes", len(got))
	}

	for i, c := range []*facts.Cache{a, b, a} {
		if total, ok := c.Tally(ctx, "bank/2026-06", 2, time.Hour); !ok || total != int64(2*(i+1)) {
			t.Errorf("tally %d: %d, %v", i, total, ok)
		}
	}
}

// Not knowing whether a nonce was spent is not knowing that it was not.
func TestNonceWithoutRedis(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, options(s))
	s.Freeze()
	defer s.Thaw()
	for range 5 {
		if ok, err := c.Spend(context.Background(), someDigest(), time.Now().Add(time.Minute)); ok || err == nil {
			t.Fatalf("a frozen store: %v, %v", ok, err)
		}
	}
	if _, ok := c.Answer(context.Background(), facts.AnswerKey{2}); ok {
		t.Error("a frozen store answers")
	}
	if got := c.KeepAnswer(context.Background(), facts.AnswerKey{2}, []byte("x")); string(got) != "x" {
		t.Errorf("without the store the answer is %q", got)
	}
}
