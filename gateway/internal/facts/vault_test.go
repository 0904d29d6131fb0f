package facts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
)

const (
	secretName = "certificates/ca/gateway.example/gateway.example.key"
	secretText = "-----BEGIN PRIVATE KEY-----"
)

func TestVault(t *testing.T) {
	run := func(t *testing.T, o facts.Options) {
		ctx := context.Background()
		a, b := open(t, o).Vault(), open(t, o).Vault()
		if _, _, err := a.Get(ctx, secretName); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		before := time.Now()
		for _, text := range []string{"old", secretText} {
			if err := a.Put(ctx, secretName, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Put(ctx, "accounts/me", nil); err != nil {
			t.Fatal(err)
		}
		value, put, err := b.Get(ctx, secretName)
		if err != nil || string(value) != secretText || put.Before(before.Add(-time.Second)) || put.After(time.Now().Add(time.Second)) {
			t.Fatalf("%q of %v, error %v", value, put, err)
		}
		if value, _, err := a.Get(ctx, "accounts/me"); err != nil || len(value) != 0 {
			t.Fatalf("%q, error %v", value, err)
		}
		for prefix, want := range map[string][]string{"": {"accounts/me", secretName}, "certificates/": {secretName}, "cert/": nil} {
			names, err := b.List(ctx, prefix)
			slices.Sort(names)
			if err != nil || !slices.Equal(names, want) {
				t.Fatalf("%q: %q, error %v", prefix, names, err)
			}
		}
		if err := b.Delete(ctx, secretName, "not there"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Get(ctx, secretName); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := a.Put(ctx, secretName, make([]byte, 256<<10)); !errors.Is(err, facts.ErrVaultFull) {
			t.Fatal(err)
		}
	}
	t.Run("redis", func(t *testing.T) { run(t, options(redistest.Start(t))) })
	t.Run("cluster", func(t *testing.T) {
		o := options(redistest.StartCluster(t))
		o.Redis.Cluster = true
		run(t, o)
	})
	t.Run("memory only", func(t *testing.T) {
		if open(t, options(nil)).Vault() != nil {
			t.Fatal("there is a vault")
		}
	})
}

// Whoever reads Redis learns neither names nor values; whoever writes to it can
// neither change a value nor move it to another name.
func TestVaultIsSealed(t *testing.T) {
	s, ctx := redistest.Start(t), context.Background()
	heard := newCounts()
	o := options(s)
	o.Observer = heard.observer()
	c := open(t, o)
	v, client := c.Vault(), s.Client()
	for _, name := range []string{secretName, "other"} {
		if err := v.Put(ctx, name, []byte(secretText+name)); err != nil {
			t.Fatal(err)
		}
	}
	hash, field, _ := c.VaultNames(secretName)
	_, other, _ := c.VaultNames("other")
	stored := client.HGetAll(ctx, hash).Val()
	if len(stored) != 2 {
		t.Fatalf("%d values stand in Redis", len(stored))
	}
	for name, value := range stored {
		if strings.Contains(name+value, "PRIVATE") || strings.Contains(name+value, "example") {
			t.Fatal("it stands in the open")
		}
	}
	strange := options(s)
	strange.Redis.SealKey = bytes.Repeat([]byte{9}, 32)
	for name, value := range map[string]string{
		"moved": stored[other], "cut": stored[field][:30], "empty": "", "flipped": flipped(stored[field]),
	} {
		client.HSet(ctx, hash, field, value)
		if got, _, err := v.Get(ctx, secretName); !errors.Is(err, facts.ErrVault) || got != nil {
			t.Errorf("%s: %q, error %v", name, got, err)
		}
		if names, err := v.List(ctx, ""); err != nil || !slices.Equal(names, []string{"other"}) {
			t.Errorf("%s: %q, error %v", name, names, err)
		}
	}
	if _, _, err := open(t, strange).Vault().Get(ctx, secretName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("under another key: %v", err)
	}
	if n := get(heard, func() int { return heard.unsealed[facts.KindSecret] }); n != 8 {
		t.Errorf("%d values did not open, want 8", n)
	}
	client.Set(ctx, hash, "not a hash", 0)
	if _, _, err := v.Get(ctx, secretName); !errors.Is(err, facts.ErrVault) {
		t.Error(err)
	}
}

func flipped(s string) string {
	b := []byte(s)
	b[len(b)-1] ^= 1
	return string(b)
}

func TestVaultIsBounded(t *testing.T) {
	s, ctx := redistest.Start(t), context.Background()
	c := open(t, options(s))
	if err := c.Vault().Put(ctx, "first", nil); err != nil {
		t.Fatal(err)
	}
	hash, _, _ := c.VaultNames("")
	var fields []string
	for i := range 4095 {
		fields = append(fields, fmt.Sprint(i), "x")
	}
	if err := s.Client().HSet(ctx, hash, fields).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Vault().Put(ctx, "one more", nil); !errors.Is(err, facts.ErrVaultFull) {
		t.Fatal(err)
	}
	if err := c.Vault().Put(ctx, "first", []byte("anew")); err != nil {
		t.Fatal(err)
	}
}

// A Redis that is away for a moment is waited for; one that stays away is not.
func TestVaultWaits(t *testing.T) {
	s, ctx := redistest.Start(t), context.Background()
	v := open(t, options(s)).Vault()
	s.Kill()
	put := make(chan error, 1)
	go func() { put <- v.Put(ctx, secretName, []byte(secretText)) }()
	s.Restart()
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	s.Kill()
	start := time.Now()
	if _, _, err := v.Get(ctx, secretName); !errors.Is(err, facts.ErrVault) || errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if took := time.Since(start); took > longEnough {
		t.Fatalf("took %v", took)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := v.Delete(short, secretName); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestVaultLocks(t *testing.T) {
	s, ctx := redistest.Start(t), context.Background()
	first, second := open(t, options(s)), open(t, options(s))
	const life = 300 * time.Millisecond
	a, b := first.HastyVault(life), second.HastyVault(life)
	_, _, name := first.VaultNames("renewal")

	release, err := a.Lock(ctx, "renewal")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := b.Lock(ctx, "another"); err != nil || other(ctx) != nil {
		t.Fatal("another lock is not to be had:", err)
	}
	// Held for longer than it would live by itself.
	short, cancel := context.WithTimeout(ctx, 4*life)
	defer cancel()
	if _, err := b.Lock(short, "renewal"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("two hold it:", err)
	}
	got := make(chan func(context.Context) error, 1)
	go func() {
		release, err := b.Lock(ctx, "renewal")
		if err != nil {
			t.Error(err)
		}
		got <- release
	}()
	if err := release(ctx); err != nil {
		t.Fatal(err)
	}
	release = <-got

	// Who lost it does not give back what is another's.
	s.Client().Del(ctx, name)
	next, err := a.Lock(ctx, "renewal")
	if err != nil {
		t.Fatal(err)
	}
	if err := release(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Client().Exists(ctx, name).Val() != 1 {
		t.Fatal("another's lock was given back")
	}
	if err := next(ctx); err != nil || s.Client().Exists(ctx, name).Val() != 0 {
		t.Fatal("it was not given back", err)
	}

	// The holder vanishes: the lock ends by itself.
	if _, err := a.Lock(ctx, "renewal"); err != nil {
		t.Fatal(err)
	}
	first.Close()
	release, err = b.Lock(ctx, "renewal")
	if err != nil {
		t.Fatal(err)
	}
	if err := release(ctx); err != nil {
		t.Fatal(err)
	}
}
