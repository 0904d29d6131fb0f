package facts_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"time"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

func BenchmarkHotFinding(b *testing.B) {
	c, d := open(b, options(nil)), someDigest()
	c.KeepFinding(d, someFinding(d))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c.Finding(context.Background(), d, nil) == nil {
				b.Fail()
			}
		}
	})
}

func BenchmarkHotRecall(b *testing.B) {
	c, key := open(b, options(nil)), keyOf(someUSCC)
	c.KeepStanding(standingAt(key, time.Now()))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := c.Recall(key); !ok {
				b.Fail()
			}
		}
	})
}

func BenchmarkReadFindingAndStanding(b *testing.B) {
	c := open(b, options(&redistest.Server{Addr: "127.0.0.1:1"}))
	d, key := someDigest(), keyOf(someUSCC)
	s := standingAt(key, time.Now())
	finding, standing := c.SealedFinding(d, d, someFinding(d)), c.SealedStanding(key, &s)
	b.SetBytes(int64(len(finding) + len(standing)))
	b.ReportAllocs()
	for b.Loop() {
		if c.Open(d, finding, key, standing) != nil {
			b.Fatal("does not open")
		}
	}
}

func BenchmarkKeepFinding(b *testing.B) {
	c, d := open(b, options(nil)), someDigest()
	f := someFinding(d)
	b.ReportAllocs()
	for b.Loop() {
		c.KeepFinding(d, f)
	}
}

// 64 callers, each of whom finds a finding and a standing in Redis.
func BenchmarkFromRedis(b *testing.B) {
	s := redistest.Start(b)
	writer := open(b, options(s))
	const many = 256
	digests, standings := make([]verifiers.Digest, many), make([]verifiers.StandingKey, many)
	for i := range digests {
		digests[i] = someDigest()
		standings[i] = keyOf(digests[i].String())
		writer.KeepFinding(digests[i], someFinding(digests[i]))
		writer.KeepStanding(standingAt(standings[i], time.Now()))
	}
	settled(b, writer, s, 2*many)
	c := open(b, options(s))
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	before := cpuTime()
	defer func() { b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e3, "cpu-µs/op") }()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			at := i % many
			c.Forget(digests[at], standings[at])
			if c.Finding(context.Background(), digests[at], func() verifiers.StandingKey { return standings[at] }) == nil {
				b.Fail()
			}
		}
	})
}

// The same, one caller after the other: what a round trip takes.
func BenchmarkFromRedisAlone(b *testing.B) {
	s := redistest.Start(b)
	c := open(b, options(s))
	d, key := someDigest(), keyOf(someUSCC)
	c.KeepFinding(d, someFinding(d))
	c.KeepStanding(standingAt(key, time.Now()))
	settled(b, c, s, 2)
	b.ReportAllocs()
	for b.Loop() {
		c.Forget(d, key)
		if c.Finding(context.Background(), d, func() verifiers.StandingKey { return key }) == nil {
			b.Fail()
		}
	}
}

// What keeping a finding costs with Redis behind, the writer's work included.
func BenchmarkKeepFindingShared(b *testing.B) {
	c, d := open(b, options(redistest.Start(b))), someDigest()
	f := someFinding(d)
	b.ReportAllocs()
	before := cpuTime()
	defer func() { b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e3, "cpu-µs/op") }()
	for i := 0; b.Loop(); i++ {
		c.KeepFinding(d, f)
		for i%1024 == 0 && c.Status().Queued > 1024 {
			time.Sleep(time.Millisecond)
		}
	}
}

// cpuTime is what this process has used, without the Redis server's share.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
