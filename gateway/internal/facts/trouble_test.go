package facts_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

// One request looks for a finding and then for a standing.
const mayWait = 60 * time.Millisecond

// hurried are options with the patience of the real thing.
func hurried(s *redistest.Server) facts.Options {
	o := options(s)
	o.Redis.Patience = 0
	return o
}

// request does what one request does with a credential nobody has seen, whose
// registry answers at once, and returns how long it waited.
func request(t testing.TB, c *facts.Cache) time.Duration {
	t.Helper()
	d := someDigest()
	key := keyOf(d.String())
	r := newRegistry(key)
	close(r.release)
	start := time.Now()
	f := c.Finding(context.Background(), d, func() verifiers.StandingKey { return key })
	c.KeepFinding(d, someFinding(d))
	_, live, err := c.Standing(context.Background(), key, withinMinutes, r.ask, time.Second)
	took := time.Since(start)
	if f != nil || err != nil || !live {
		t.Fatalf("finding %v, live %t, error %v", f, live, err)
	}
	if c.Finding(context.Background(), d, nil) == nil {
		t.Fatal("memory forgot")
	}
	return took
}

func TestFrozenRedis(t *testing.T) {
	s := redistest.Start(t)
	heard := newCounts()
	o := hurried(s)
	o.Observer = heard.observer()
	c := open(t, o)
	for range 20 {
		request(t, c) // connections are open
	}
	s.Freeze()
	var waited []time.Duration
	for c.Status().Up {
		waited = append(waited, request(t, c))
		if len(waited) > 100 {
			t.Fatal("the breaker does not open")
		}
	}
	// The machine may stall one request for a moment, but not most of them.
	slices.Sort(waited)
	if middle := waited[len(waited)/2]; middle > mayWait {
		t.Errorf("requests wait %v, the middle one more than %v", waited, mayWait)
	}
	if worst := waited[len(waited)-1]; worst > 4*mayWait {
		t.Errorf("a request waited %v", worst)
	}
	start := time.Now()
	const many = 1000
	for range many {
		request(t, c)
	}
	// Not one in ten waited: each one would have added 25 ms.
	if took := time.Since(start); took > many/10*25*time.Millisecond {
		t.Errorf("%d requests took %v while the breaker was open", many, took)
	}
	if c.Status().Up {
		t.Error("a frozen Redis counts as up")
	}
	s.Thaw()
	eventually(t, "Redis is used again", func() bool { return c.Status().Up })
	request(t, c)
	eventually(t, "the observer heard both", func() bool {
		return slices.Equal([]bool{true, false}, get(heard, func() []bool { return slices.Clone(heard.breaker) }))
	})
	if n := get(heard, func() int { return heard.failed[facts.OpRead] }); n < 3 {
		t.Errorf("%d failed reads were counted", n)
	}
}

func TestManyRequestsMeetAFrozenRedis(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, hurried(s))
	request(t, c)
	s.Freeze()
	start := time.Now()
	done := make(chan time.Duration)
	const many = 200
	for range many {
		go func() {
			start := time.Now()
			c.Finding(context.Background(), someDigest(), nil)
			done <- time.Since(start)
		}()
	}
	var waited []time.Duration
	for range many {
		waited = append(waited, <-done)
	}
	slices.Sort(waited)
	if middle := waited[many/2]; middle > mayWait {
		t.Errorf("the middle one waited %v", middle)
	}
	if all := time.Since(start); all > 10*mayWait {
		t.Errorf("all of them took %v", all)
	}
}

func TestRedisKilledAndBack(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, hurried(s))
	d := someDigest()
	c.KeepFinding(d, someFinding(d))
	settled(t, c, s, 1)
	s.Kill()
	for range 50 {
		request(t, c)
	}
	eventually(t, "Redis is left alone", func() bool { request(t, c); return !c.Status().Up })
	if c.Finding(context.Background(), d, nil) == nil {
		t.Fatal("memory forgot")
	}
	s.Restart()
	eventually(t, "Redis is used again", func() bool { return c.Status().Up })
	c.KeepFinding(d, someFinding(d))
	settled(t, c, s, 1)
	other := open(t, options(s))
	if other.Finding(context.Background(), d, nil) == nil {
		t.Fatal("what is kept after the restart is not shared")
	}
}

// However often it was asked for in vain, Redis is found by the first question
// after its return, or by the second if the first came too early.
func TestRedisIsFoundAfterALongAbsence(t *testing.T) {
	s := redistest.Start(t)
	heard := newCounts()
	o := hurried(s)
	o.Observer = heard.observer()
	c := open(t, o)
	request(t, c)
	s.Kill()
	eventually(t, "Redis is left alone", func() bool { request(t, c); return !c.Status().Up })
	failed := func() int { return get(heard, func() int { return heard.failed[facts.OpProbe] }) }
	eventually(t, "it was asked for often", func() bool { return failed() >= 12 })
	s.Restart()
	before := failed()
	eventually(t, "it is back", func() bool { return c.Status().Up })
	if n := failed() - before; n > 2 {
		t.Errorf("%d questions failed although it was there", n)
	}
}

func TestRedisDownAtTheStart(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	var log strings.Builder
	o := hurried(s)
	o.Logger = textLogger(&log)
	c := open(t, o)
	request(t, c)
	eventually(t, "Redis is left alone without a request", func() bool { return !c.Status().Up })
	request(t, c)
	s.Restart()
	eventually(t, "Redis is used", func() bool { return c.Status().Up })
	request(t, c)
	settled(t, c, s, 2)
	c.Close()
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("logged %d lines, want one for gone and one for back:\n%s", n, log.String())
	}
}

// A Redis that is full refuses writes and answers reads.
func TestFullRedis(t *testing.T) {
	s := redistest.Start(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	heard := newCounts()
	o := options(s)
	o.Observer = heard.observer()
	c := open(t, o)
	d := someDigest()
	c.KeepFinding(d, someFinding(d))
	settled(t, c, s, 1)
	for i := 0; get(heard, func() int { return heard.dropped[facts.DropRefused] }) < 100; i++ {
		if i > 100_000 {
			t.Fatal("Redis does not fill up")
		}
		other := someDigest()
		c.KeepFinding(other, someFinding(other))
		if i%100 == 0 {
			eventually(t, "written or refused", func() bool { return c.Status().Queued == 0 })
		}
	}
	for range 20 {
		request(t, c) // no lease to be had either
	}
	if !c.Status().Up {
		t.Fatal("a full Redis counts as gone")
	}
	fresh := open(t, o)
	if fresh.Finding(context.Background(), d, nil) == nil {
		t.Fatal("a full Redis is not read")
	}
	if n := c.Status().Dropped; n < 100 {
		t.Errorf("%d drops counted", n)
	}
}

// More is kept than a Redis that does not answer will ever take: what is too
// much is dropped and counted, and keeping never waits.
func TestWritesAreBounded(t *testing.T) {
	s := redistest.Start(t)
	heard := newCounts()
	o := options(s) // patient: the breaker stays closed for long
	o.Observer = heard.observer()
	c := open(t, o)
	request(t, c)
	s.Freeze()
	f := someFinding(someDigest())
	start := time.Now()
	for range 20_000 {
		d := someDigest()
		c.KeepFinding(d, f)
	}
	if took := time.Since(start); took > testPatience {
		t.Errorf("keeping took %v", took)
	}
	if n := get(heard, func() int { return heard.dropped[facts.DropQueue] }); n < 10_000 {
		t.Errorf("%d dropped", n)
	}
	if n := c.Status().Queued; n > 10_000 {
		t.Errorf("%d wait to be written", n)
	}
	s.Kill() // lets the writers go
}

func TestCloseOfACacheWithAFrozenRedisEnds(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, hurried(s))
	request(t, c)
	s.Freeze()
	for range 500 {
		d := someDigest()
		c.KeepFinding(d, someFinding(d))
	}
	start := time.Now()
	c.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Fatalf("took %v", took)
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, options(s))
	d := someDigest()
	c.KeepFinding(d, someFinding(d))
	c.Close()
	if open(t, options(s)).Finding(context.Background(), d, nil) == nil {
		t.Fatal("what was kept last is lost")
	}
}
