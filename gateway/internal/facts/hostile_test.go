package facts_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

// stored is a Redis that holds one finding and one standing, for meddling with.
type stored struct {
	*redistest.Server
	client   *redis.Client
	options  facts.Options
	writer   *facts.Cache
	heard    *counts
	digest   verifiers.Digest
	key      verifiers.StandingKey
	finding  string // their names in Redis
	standing string
}

func store(t *testing.T, args ...string) *stored {
	s := &stored{Server: redistest.Start(t, args...), heard: newCounts(), digest: someDigest(), key: keyOf(someUSCC)}
	s.client = s.Client()
	s.options = options(s.Server)
	s.writer = open(t, s.options)
	s.options.Observer = s.heard.observer()
	s.writer.KeepFinding(s.digest, someFinding(s.digest))
	s.writer.KeepStanding(standingAt(s.key, time.Now()))
	settled(t, s.writer, s.Server, 2)
	s.finding, s.standing, _ = s.writer.Names(s.digest, s.key)
	return s
}

func (s *stored) value(t *testing.T, name string) []byte {
	t.Helper()
	value, err := s.client.Get(context.Background(), name).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (s *stored) put(t *testing.T, name string, value []byte) {
	t.Helper()
	if err := s.client.Set(context.Background(), name, value, redis.KeepTTL).Err(); err != nil {
		t.Fatal(err)
	}
}

// refused makes sure that a gateway with nothing in memory is served neither
// finding nor standing, and that the metric says so.
func (s *stored) refused(t *testing.T, what string, finding, standing bool) {
	t.Helper()
	c := open(t, s.options)
	defer c.Close()
	before := get(s.heard, func() [2]int {
		return [2]int{s.heard.unsealed[facts.KindFinding], s.heard.unsealed[facts.KindStanding]}
	})
	f := c.Finding(context.Background(), s.digest, nil)
	_, ok := c.Lookup(context.Background(), s.key)
	after := get(s.heard, func() [2]int {
		return [2]int{s.heard.unsealed[facts.KindFinding], s.heard.unsealed[facts.KindStanding]}
	})
	if finding != (f == nil) || standing != !ok {
		t.Errorf("%s: finding served %t, standing served %t", what, f != nil, ok)
	}
	if finding != (after[0] > before[0]) || standing != (after[1] > before[1]) {
		t.Errorf("%s: the metric went from %v to %v", what, before, after)
	}
}

func TestValuesMeddledWithAreNotServed(t *testing.T) {
	s := store(t)
	s.refused(t, "untouched", false, false)
	for _, name := range []string{s.finding, s.standing} {
		whole := s.value(t, name)
		isFinding := name == s.finding
		for _, at := range []int{0, 15, 16, 27, 28, 40, len(whole) / 2, len(whole) - 16, len(whole) - 1} {
			edited := bytes.Clone(whole)
			edited[at] ^= 1
			s.put(t, name, edited)
			s.refused(t, "edited", isFinding, !isFinding)
		}
		for _, n := range []int{0, 1, 15, 16, 39, 55, 56, len(whole) - 1} {
			s.put(t, name, whole[:n])
			s.refused(t, "truncated", isFinding, !isFinding)
		}
		s.put(t, name, append(bytes.Clone(whole), 0))
		s.refused(t, "longer", isFinding, !isFinding)
		s.put(t, name, bytes.Repeat([]byte("9"), len(whole)))
		s.refused(t, "made up", isFinding, !isFinding)
		s.put(t, name, whole)
	}
	s.refused(t, "put back", false, false)
}

func TestValuesMovedAreNotServed(t *testing.T) {
	s := store(t)
	finding, standing := s.value(t, s.finding), s.value(t, s.standing)
	s.put(t, s.finding, standing)
	s.put(t, s.standing, finding)
	s.refused(t, "finding and standing exchanged", true, true)

	d, key := someDigest(), keyOf("another")
	s.writer.KeepFinding(d, someFinding(d))
	s.writer.KeepStanding(standingAt(key, time.Now()))
	settled(t, s.writer, s.Server, 4)
	otherFinding, otherStanding, _ := s.writer.Names(d, key)
	s.put(t, s.finding, s.value(t, otherFinding))
	s.put(t, s.standing, s.value(t, otherStanding))
	s.refused(t, "another credential's, another licence's", true, true)
}

// Values that a gateway sealed under the right name but about something else,
// as if Redis had answered another command.
func TestValuesAboutSomethingElseAreNotServed(t *testing.T) {
	s := store(t)
	standing := standingAt(keyOf("another"), time.Now())
	s.put(t, s.finding, s.writer.SealedFinding(s.digest, someDigest(), someFinding(s.digest)))
	s.put(t, s.standing, s.writer.SealedStanding(s.key, &standing))
	s.refused(t, "about something else", true, true)

	unproven := someFinding(s.digest)
	unproven.Key = ""
	late := standingAt(s.key, time.Now().Add(time.Hour))
	s.put(t, s.finding, s.writer.SealedFinding(s.digest, s.digest, unproven))
	s.put(t, s.standing, s.writer.SealedStanding(s.key, &late))
	s.refused(t, "unproven, from the future", true, true)
}

func TestAnotherSealKeyOpensNothing(t *testing.T) {
	s := store(t)
	o := s.options
	shared := *o.Redis
	shared.SealKey = bytes.Repeat([]byte{8}, 32)
	o.Redis = &shared
	c := open(t, o)
	finding, standing, _ := c.Names(s.digest, s.key)
	if finding == s.finding || standing == s.standing {
		t.Fatal("names do not depend on the key")
	}
	s.put(t, finding, s.value(t, s.finding))
	if c.Finding(context.Background(), s.digest, nil) != nil {
		t.Fatal("served")
	}
}

// listsInstead puts lists where the values stand.
func (s *stored) listsInstead(ctx context.Context) {
	for _, name := range []string{s.finding, s.standing} {
		s.client.Del(ctx, name)
		s.client.RPush(ctx, name, "x")
	}
}

// A key of another type makes for an error from Redis, not for an outage.
func TestKeyOfAnotherType(t *testing.T) {
	s, ctx := store(t), context.Background()
	s.listsInstead(ctx)
	c := open(t, s.options)
	r := newRegistry(s.key)
	close(r.release)
	for range 10 {
		if c.Finding(ctx, s.digest, nil) != nil {
			t.Fatal("served")
		}
		if _, live, err := c.Standing(ctx, s.key, never, r.ask, time.Second); err != nil || !live {
			t.Fatal(live, err)
		}
	}
	if !c.Status().Up {
		t.Fatal("Redis counts as gone")
	}
}

// A list in a value's place is one more value that does not open: the metric says
// so, and the next answer stands there again.
func TestKeyOfAnotherTypeIsReplaced(t *testing.T) {
	s, ctx := store(t), context.Background()
	s.listsInstead(ctx)
	s.refused(t, "of another type", true, true)
	c := open(t, s.options)
	c.KeepFinding(s.digest, someFinding(s.digest))
	c.KeepStanding(standingAt(s.key, time.Now()))
	for _, name := range []string{s.finding, s.standing} {
		eventually(t, "it is replaced", func() bool { return s.client.Type(ctx, name).Val() == "string" })
	}
	s.refused(t, "replaced", false, false)
}

// Whoever writes to Redis can put back an older standing. It passes for what it
// is, never for a newer one, and never takes its place in memory.
func TestOlderStandingPutBack(t *testing.T) {
	s := store(t)
	now := time.Now()
	older := standingAt(s.key, now.Add(-10*time.Minute))
	newer := standingAt(s.key, now.Add(time.Second))
	c := open(t, s.options)
	c.KeepStanding(newer)
	settled(t, c, s.Server, 2)
	s.put(t, s.standing, s.writer.SealedStanding(s.key, &older))
	if got, ok := c.Lookup(context.Background(), s.key); !ok || !got.AskedAt.Equal(newer.AskedAt) {
		t.Fatal("memory forgot the newer one")
	}
	fresh := open(t, s.options)
	r := newRegistry(s.key)
	close(r.release)
	if got, live, err := fresh.Standing(context.Background(), s.key, withinMinutes, r.ask, time.Second); err != nil || !live || r.asked.Load() != 1 {
		t.Fatalf("live %t, error %v, asked at %v", live, err, got.AskedAt)
	}
}

// Nothing that Redis holds or hears can be read.
func TestRedisReadsNothing(t *testing.T) {
	s := store(t, "--repl-diskless-sync-delay", "0")
	ctx := context.Background()
	f := someFinding(s.digest)
	secrets := []string{
		someUSCC, someName, f.Licence.Lerep, f.Licence.Dom, string(f.Issuer), string(f.Key), f.ID, string(s.key.Province),
		string(s.digest[:]), s.digest.String(), "ebl+jwt", "2024-06-30",
	}
	r := newRegistry(s.key)
	c := open(t, s.options)
	wait := together(1, []*facts.Cache{c}, s.key, never, r)
	<-r.begun // so that a lease is there, too
	names := s.client.Keys(ctx, "*").Val()
	if len(names) != 3 {
		t.Fatalf("%d names, want a finding, a standing and a lease", len(names))
	}
	var all bytes.Buffer
	for _, name := range names {
		all.WriteString(name + "\n")
		all.Write(s.value(t, name))
		if ttl := s.client.PTTL(ctx, name).Val(); ttl <= 0 {
			t.Errorf("a value without an end: %v", ttl)
		}
	}
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Fatal("redis-cli is not installed: apt-get install redis-tools")
	}
	dump := filepath.Join(t.TempDir(), "dump.rdb")
	if out, err := exec.Command("redis-cli", "-u", "redis://"+s.Addr, "--rdb", dump).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, out)
	}
	rdb, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(rdb)
	for _, secret := range secrets {
		if bytes.Contains(all.Bytes(), []byte(secret)) {
			t.Errorf("Redis can read %q", secret)
		}
	}
	close(r.release)
	wait()
}
