package facts_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

func TestMain(m *testing.M) {
	// The client's pool tries to dial a dead Redis once a second, and learns only
	// at its next try that it has been closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

var sealKey = bytes.Repeat([]byte{7}, 32)

// testPatience keeps a busy machine from looking like a slow Redis, where a
// test is not about slowness.
const testPatience = 5 * time.Second

// longEnough bounds every wait of a test for something that must happen.
const longEnough = 20 * time.Second

// counts are what an Observer heard.
type counts struct {
	mu       sync.Mutex
	looked   map[facts.Kind]map[facts.Layer]int
	unsealed map[facts.Kind]int
	dropped  map[facts.DropReason]int
	failed   map[facts.Operation]int
	breaker  []bool
}

func newCounts() *counts {
	return &counts{
		looked: map[facts.Kind]map[facts.Layer]int{facts.KindFinding: {}, facts.KindStanding: {}}, unsealed: map[facts.Kind]int{},
		dropped: map[facts.DropReason]int{}, failed: map[facts.Operation]int{},
	}
}

func (c *counts) observer() facts.Observer {
	locked := func(f func()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		f()
	}
	return facts.Observer{
		Looked:   func(k facts.Kind, l facts.Layer) { locked(func() { c.looked[k][l]++ }) },
		Unsealed: func(k facts.Kind) { locked(func() { c.unsealed[k]++ }) },
		Dropped:  func(n int, why facts.DropReason) { locked(func() { c.dropped[why] += n }) },
		Failed:   func(op facts.Operation) { locked(func() { c.failed[op]++ }) },
		Breaker:  func(open bool) { locked(func() { c.breaker = append(c.breaker, open) }) },
	}
}

// get reads a count under its lock.
func get[T any](c *counts, f func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f()
}

func options(s *redistest.Server) facts.Options {
	o := facts.Options{
		MemoryBytes: 8 << 20,
		NegativeTTL: time.Minute,
		Ceiling:     verifiers.Bounds{MaxAge: 5 * time.Minute, StaleIfError: time.Hour},
	}
	if s != nil {
		o.Redis = &facts.RedisOptions{Addrs: []string{s.Addr}, SealKey: sealKey, Patience: testPatience}
	}
	return o
}

func open(t testing.TB, o facts.Options) *facts.Cache {
	t.Helper()
	c, err := facts.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// openHearing opens a cache that has nothing in doubt: what it learned before it
// heard news for the first time would be.
func openHearing(t testing.TB, o facts.Options) *facts.Cache {
	t.Helper()
	c := open(t, o)
	eventually(t, "it hears news", c.Hears)
	return c
}

// eventually waits until something has happened in another goroutine or process.
func eventually(t interface {
	Helper()
	Fatal(...any)
}, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(longEnough); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened: " + what)
		}
	}
}

// settled waits until everything that was kept stands in Redis, or was dropped.
func settled(t testing.TB, c *facts.Cache, s *redistest.Server, names int64) {
	t.Helper()
	client := s.Client()
	eventually(t, "the values are written", func() bool {
		n, err := client.DBSize(context.Background()).Result()
		return err == nil && n >= names && c.Status().Queued == 0
	})
}

func someDigest() (d verifiers.Digest) {
	rand.Read(d[:])
	return d
}

const (
	someName = "上海浦东测试贸易有限公司"
	someUSCC = "91310115MA1K4JNT5X"
)

func someFinding(d verifiers.Digest) *verifiers.Finding {
	now := time.Now()
	return &verifiers.Finding{
		Format: "ebl+jwt", Key: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", Algorithm: "ES256", KeyID: "sh-2026-1",
		Issuer: "https://ebl.sh.example", Subject: someUSCC, SubjectIn: true, ID: "urn:uuid:5f0c",
		IssuedAt: now.Unix() - 60, NotBefore: now.Unix() - 30, Expires: now.Add(48 * time.Hour).Unix(),
		Licence: licence.Licence{
			Uniscid: someUSCC, Entname: someName, Enttype: "1130", EnttypeCn: "有限责任公司", Lerep: "张三丰",
			Regcap: "1000.50", Regcapcur: "156", Dom: "上海市浦东新区世纪大道1号", Opscope: "货物进出口；技术进出口",
			Regorg: "310115", RegorgCn: "上海市浦东新区市场监督管理局", Copyno: "1-1", Estdate: "2015-03-02",
			Opfrom: "2015-03-02", Opto: "2035-03-01", Apprdate: "2024-06-30", Perpetual: true,
		},
		Status:       &verifiers.StatusRef{URI: "https://ebl.sh.example/status/1", Index: 4711, Malformed: true},
		Confirmation: `{"kty":"EC"}`, HashName: "sha-256", Body: d,
	}
}

func keyOf(uscc string) verifiers.StandingKey {
	return verifiers.StandingKey{Province: keys.ProvinceCode("310000"), USCC: licence.USCC(uscc)}
}

func standingAt(key verifiers.StandingKey, asked time.Time) verifiers.Standing {
	asked = asked.Round(0).UTC()
	return verifiers.Standing{
		Key: key, Answer: verifiers.Registered, State: licence.RegActive, Entname: someName,
		Apprdate: "2024-06-30", AsOf: asked.Add(-time.Minute), AskedAt: asked,
	}
}

// registry counts the questions it is asked and answers when it may.
type registry struct {
	key     verifiers.StandingKey
	asked   atomic.Int64
	begun   chan struct{} // one token for each question, as far as there is room
	release chan struct{} // closed: answers may go out
	err     error
}

func newRegistry(key verifiers.StandingKey) *registry {
	return &registry{key: key, begun: make(chan struct{}, 1000), release: make(chan struct{})}
}

func (r *registry) ask(ctx context.Context) (verifiers.Standing, error) {
	asked := time.Now()
	r.asked.Add(1)
	r.begun <- struct{}{}
	select {
	case <-r.release:
	case <-ctx.Done():
		return verifiers.Standing{}, &verifiers.UnavailableError{Reason: "timeout", Err: ctx.Err()}
	}
	if r.err != nil {
		return verifiers.Standing{}, r.err
	}
	return standingAt(r.key, asked), nil
}

func never(*verifiers.Standing) bool { return false }

func withinMinutes(s *verifiers.Standing) bool { return s.Age(time.Now()) < 5*time.Minute }

// answered is what one call of Standing returned.
type answered struct {
	s    verifiers.Standing
	live bool
	err  error
}

// together has n callers ask c, and returns their answers once all are there.
func together(n int, caches []*facts.Cache, key verifiers.StandingKey, fresh func(*verifiers.Standing) bool, r *registry) func() []answered {
	all := make([]answered, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			c := caches[i%len(caches)]
			all[i].s, all[i].live, all[i].err = c.Standing(context.Background(), key, fresh, r.ask, 10*time.Second)
		})
	}
	return func() []answered { wg.Wait(); return all }
}

// leases returns a function that tells how often somebody has tried to get a
// lease since. A gateway that has one does not try again.
func leases(t testing.TB, s *redistest.Server) func() int {
	client := s.Client()
	sets := func() (n int) {
		t.Helper()
		stats := client.Info(context.Background(), "commandstats").Val()
		_, rest, ok := strings.Cut(stats, "cmdstat_set:calls=")
		if digits, _, _ := strings.Cut(rest, ","); ok {
			n, _ = strconv.Atoi(digits)
		}
		return n
	}
	before := sets()
	return func() int { return sets() - before }
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
