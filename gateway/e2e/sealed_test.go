package e2e

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/sandbox"
)

// contents reads all that Redis holds: names, values, and what DUMP shows.
func contents(t *testing.T, c *redis.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys := c.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		dump, err := c.Dump(t.Context(), keys.Val()).Result()
		if err != nil {
			continue // it has ended meanwhile
		}
		text, err := c.Get(t.Context(), keys.Val()).Result()
		if err != nil {
			t.Errorf("%q is no plain value: %v", keys.Val(), err)
		}
		all[keys.Val()] = text + "\n" + dump
	}
	if keys.Err() != nil {
		t.Fatal(keys.Err())
	}
	return all
}

// disguises are the ways in which a text could stand in other bytes.
func disguises(text string) []string {
	out := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + text
		whole := base64.RawURLEncoding.EncodeToString([]byte(padded)[:len(padded)/3*3])
		out = append(out, whole[(shift*4+2)/3:]) // what the neighbours do not change
	}
	return out
}

// Who reads Redis learns no name, no credit code and no token.
func TestRedisShowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := redistest.Start(t)
	a := w.gateway(setup{redis: server.Addr, policy: "status: if-present"})
	all := w.patterns()
	list, err := w.box.Province(shanghai).Status.Publish(1, sandbox.StatusSpec{})
	w.ok(err)
	listed, _ := w.mint(shanghai, sandbox.LicenceSpec{Status: list.Entry(7)})
	all = append(all, pattern{listed, "VALID", "OK"})
	proven, request := w.proven(jiangsu, "a nonce of 32 characters, or so.")
	for _, p := range all {
		a.expect(p.verdict, p.code, p.token)
	}
	want(t, a.request(request(proven)), "VALID", "OK")
	client := server.Client()
	var held map[string]string
	eventually(t, 5*time.Second, "findings, standings, a list and a nonce are in Redis", func() bool {
		held = contents(t, client)
		return len(held) > 40
	})
	signed, err := list.Token()
	w.ok(err)
	w.secretToken(string(signed))
	w.mu.Lock()
	secrets := slices.Collect(maps.Keys(w.secrets))
	w.mu.Unlock()
	for _, p := range w.box.Provinces() {
		secrets = append(secrets, p.Issuer, p.SigningKey("").KID)
	}
	var everything strings.Builder
	for name, value := range held {
		everything.WriteString(name + "\n" + value + "\n")
	}
	text := everything.String()
	for _, s := range secrets {
		for _, d := range disguises(s) {
			if len(d) >= 6 && strings.Contains(text, d) {
				t.Errorf("%q stands in Redis", s)
			}
		}
	}
	// The search would have found it.
	if !strings.Contains(hex.EncodeToString([]byte("x"+all[0].token)), disguises(all[0].token)[1]) || !strings.Contains(base64.RawURLEncoding.EncodeToString([]byte("xy上海某某有限公司yx")), disguises("上海某某有限公司")[5]) {
		t.Error("the disguises are not what they should be")
	}
}

// Whatever is done by hand to the values in Redis, no verdict changes: neither
// of a gateway that remembers nor of one that has just started.
func TestRedisMeddledWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := redistest.Start(t)
	s := setup{redis: server.Addr}
	a, fresh := w.gateway(s), w.gateway(s)
	all := w.patterns()
	client := server.Client()
	for name, meddle := range map[string]func(context.Context, []string, []string) map[string]string{
		"a bit flipped": each(func(v string) string {
			b := []byte(v)
			b[len(b)/2] ^= 1
			return string(b)
		}),
		"the last byte changed": each(func(v string) string { return v[:len(v)-1] + string(v[len(v)-1]^0x80) }),
		"truncated":             each(func(v string) string { return v[:len(v)-1] }),
		"halved":                each(func(v string) string { return v[:len(v)/2] }),
		"emptied":               each(func(string) string { return "" }),
		"longer":                each(func(v string) string { return v + "\x00" }),
		"another's text":        each(func(string) string { return `{"regstate":"1"}` }),
		"swapped": func(_ context.Context, names, values []string) map[string]string {
			changed := map[string]string{}
			for i, name := range names {
				changed[name] = values[(i+1)%len(values)]
			}
			return changed
		},
	} {
		var names []string
		eventually(t, 30*time.Second, "facts about all are in Redis", func() bool {
			for _, p := range all {
				a.expect(p.verdict, p.code, p.token)
			}
			names = client.Keys(t.Context(), "*").Val()
			if len(names) >= len(all) {
				return true
			}
			a.restart() // what a Redis that was slow did not take is not written again
			return false
		})
		slices.Sort(names)
		values := make([]string, len(names))
		for i, name := range names {
			values[i] = client.Get(t.Context(), name).Val()
		}
		for name, value := range meddle(t.Context(), names, values) {
			w.ok(client.Set(t.Context(), name, value, time.Hour).Err())
		}
		fresh.restart()
		for _, p := range all {
			for _, g := range []*gateway{fresh, a} {
				if got := g.verify(p.token); !got.is(p.verdict, p.code) {
					t.Errorf("%s: want %s %s, got %v", name, p.verdict, p.code, got)
				}
			}
		}
		if fresh.metric(failedRedis, `event="unsealed"`) == 0 {
			t.Errorf("%s: no value that does not open was counted", name)
		}
		a.restart() // else it would write nothing again
		server.Flush()
	}
}

func each(change func(string) string) func(context.Context, []string, []string) map[string]string {
	return func(_ context.Context, names, values []string) map[string]string {
		changed := map[string]string{}
		for i, name := range names {
			if values[i] != "" {
				changed[name] = change(values[i])
			}
		}
		return changed
	}
}

// Who puts yesterday's value back makes it no younger: where a younger standing
// is wanted, or known, the old one is none.
func TestRedisOldCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := redistest.Start(t)
	s := setup{redis: server.Addr}
	a, fresh := w.gateway(s), w.gateway(s)
	client := server.Client()
	registry := w.box.Province(shanghai).Registry
	token, business := w.mint(shanghai, sandbox.LicenceSpec{})
	a.expect("VALID", "OK", token)
	asked := time.Now()
	old := map[string]string{}
	eventually(t, 5*time.Second, "finding and standing are in Redis", func() bool {
		for _, name := range client.Keys(t.Context(), "*").Val() {
			old[name] = client.Get(t.Context(), name).Val()
		}
		return len(old) >= 2
	})
	registry.SetState(business.USCC, "2")
	a.expect("INVALID", "REGISTRATION_REVOKED", token, "Cache-Control", "no-cache")
	back := func() {
		for name, value := range old {
			w.ok(client.Set(t.Context(), name, value, time.Hour).Err())
		}
	}
	eventually(t, 5*time.Second, "a second has passed since", func() bool { return time.Since(asked) > 1100*time.Millisecond })
	back()
	for i := range 3 {
		a.expect("INVALID", "REGISTRATION_REVOKED", token) // it knows better
		fresh.restart()
		back()
		got := fresh.verify(token, "Cache-Control", []string{"max-age=1", "no-cache", "max-age=0"}[i])
		if !got.is("INVALID", "REGISTRATION_REVOKED") {
			t.Errorf("an old copy counts as a young one: %v", got)
		}
	}
	// A lease and an answer put back together do not make a live answer either.
	for range 3 {
		back()
		if got := fresh.verify(token, "Cache-Control", "no-cache"); !got.is("INVALID", "REGISTRATION_REVOKED") || got.source() != "live" {
			t.Errorf("after a replay: %v", got)
		}
	}
	// Where the registry cannot be had it is what it is: an old standing.
	w.set(registry.Endpoint, sandbox.Fault{Mode: sandbox.Error})
	fresh.restart()
	back()
	got := fresh.request(object{"credential": token, "freshness": object{"max_age": "0s"}})
	if !got.is("INDETERMINATE", "REGISTRY_UNAVAILABLE") {
		t.Errorf("want no verdict by a replayed value, got %v", got)
	}
}
