package facts_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/facts/redistest"
	"tongyan/verifiers"
)

const (
	password   = "servers-p4ss"
	ofSentinel = "sentinels-p4ss"
)

// The forms in which Redis comes (contract §9, redis.url): whatever stands
// behind the address, two gateways share what they know.
func TestSecureRedis(t *testing.T) {
	s, cas := redistest.StartSecure(t, password)
	secure := func(password string, cas *x509.CertPool) facts.Options {
		o := options(s)
		o.Redis.Password, o.Redis.TLS = password, &tls.Config{RootCAs: cas, MinVersion: tls.VersionTLS12}
		return o
	}
	a, b := open(t, secure(password, cas)), open(t, secure(password, cas))
	shares(t, a, b)
	for name, o := range map[string]facts.Options{
		"wrong password":   secure("other", cas),
		"no password":      secure("", cas),
		"unknown CA":       secure(password, x509.NewCertPool()),
		"not TLS":          options(s),
		"password, no TLS": func() facts.Options { o := options(s); o.Redis.Password = password; return o }(),
	} {
		t.Run(name, func(t *testing.T) {
			heard := newCounts()
			o.Observer = heard.observer()
			patient := open(t, o)
			for range 3 {
				if first, err := patient.Spend(context.Background(), someDigest(), time.Now().Add(time.Minute)); first || err == nil {
					t.Errorf("a nonce that nobody keeps: first %t, error %v", first, err)
				}
			}
			eventually(t, "three refusals are enough", func() bool { return !patient.Status().Up })
			if n := get(heard, func() int { return heard.unsealed[facts.KindFinding] }); n != 0 {
				t.Errorf("%d findings that Redis never gave did not open", n)
			}
			o.Redis.Patience = 0
			c := open(t, o)
			eventually(t, "Redis is left alone", func() bool { request(t, c); return !c.Status().Up })
		})
	}
}

// shares makes sure that b knows what a keeps.
func shares(t *testing.T, a, b *facts.Cache) {
	t.Helper()
	eventually(t, "what one keeps, the other knows", func() bool { return passes(a, b) })
}

// passes keeps a fresh finding in one gateway and looks for it in another.
func passes(a, b *facts.Cache) bool {
	d := someDigest()
	a.KeepFinding(d, someFinding(d))
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if b.Finding(context.Background(), d, nil) != nil {
			return true
		}
	}
	return false
}

// callers ask two gateways all the time, as requests do, and count what must
// never happen: an error, an answer about something else, a long wait.
type callers struct {
	stop                 chan struct{}
	all                  sync.WaitGroup
	asked, failed, wrong atomic.Int64
	longest              atomic.Int64 // nanoseconds
	caches               []*facts.Cache
}

func call(caches ...*facts.Cache) *callers {
	c := &callers{stop: make(chan struct{}), caches: caches}
	for i := range 4 {
		c.all.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				case <-time.After(time.Millisecond):
					c.one(caches[i%len(caches)])
				}
			}
		})
	}
	return c
}

func (c *callers) one(cache *facts.Cache) {
	ctx, d, start := context.Background(), someDigest(), time.Now()
	key := keyOf(d.String())
	r := newRegistry(key)
	close(r.release)
	unknown := cache.Finding(ctx, d, func() verifiers.StandingKey { return key })
	cache.KeepFinding(d, someFinding(d))
	s, live, err := cache.Standing(ctx, key, withinMinutes, r.ask, time.Second)
	took := time.Since(start)
	c.asked.Add(1)
	if err != nil {
		c.failed.Add(1)
	}
	if known := cache.Finding(ctx, d, nil); unknown != nil || known == nil || known.Body != d || err == nil && (s.Key != key || !live) {
		c.wrong.Add(1)
	}
	for old := c.longest.Load(); int64(took) > old && !c.longest.CompareAndSwap(old, int64(took)); old = c.longest.Load() {
	}
}

// end stops the callers and tells what they met.
func (c *callers) end(t *testing.T) {
	t.Helper()
	close(c.stop)
	c.all.Wait()
	if c.failed.Load() != 0 || c.wrong.Load() != 0 || c.asked.Load() == 0 {
		t.Errorf("of %d calls %d failed, %d were wrong", c.asked.Load(), c.failed.Load(), c.wrong.Load())
	}
	t.Logf("%d calls, the longest took %v", c.asked.Load(), time.Duration(c.longest.Load()).Round(time.Millisecond))
}

// A master dies under load. Nobody gets an error or a wrong answer, the new one
// is found without a restart, and so are the keys of the subscription.
func masterDies(t *testing.T, o facts.Options, servers []*redistest.Server, shared func(a, b *facts.Cache) bool) {
	t.Helper()
	a, b := open(t, o), open(t, o)
	shares(t, a, b)
	heard := hears(b)
	load := call(a, b)
	// On a machine that stood still for a moment it may be another than at first.
	first := slices.IndexFunc(servers, func(s *redistest.Server) bool { return isMaster(t.Context(), s) })
	if first < 0 {
		t.Fatal("there is no master")
	}
	promoted := promotion(t, slices.Delete(slices.Clone(servers), first, first+1))
	servers[first].Kill()
	killed := time.Now()
	eventually(t, "it is noticed", func() bool { return !shared(a, b) })
	noticed := time.Since(killed)
	eventually(t, "what one keeps, the other knows again", func() bool { return shared(a, b) })
	away := time.Since(killed)
	load.end(t)
	t.Logf("without the shared memory for %v: noticed after %v, a new master after %v", away.Round(time.Millisecond),
		noticed.Round(time.Millisecond), (<-promoted).Sub(killed).Round(time.Millisecond))
	for again := false; !again; { // announcements that were made meanwhile are lost, and that is said
		if err := a.Announce(context.Background(), 12); err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case version := <-heard:
			again = version == 12
		case <-time.After(100 * time.Millisecond):
		}
	}
	if away > mayBeAway {
		t.Errorf("the shared memory was away for %v, more than %v", away, mayBeAway)
	}
}

// promotion tells when one of the replicas has become a master.
func promotion(t *testing.T, replicas []*redistest.Server) <-chan time.Time {
	at := make(chan time.Time, 1)
	ctx, cancel := context.WithTimeout(context.Background(), longEnough)
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			for _, replica := range replicas {
				if isMaster(ctx, replica) {
					at <- time.Now()
					return
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
		at <- time.Now()
	}()
	return at
}

func isMaster(ctx context.Context, s *redistest.Server) bool {
	return strings.Contains(s.Client().Info(ctx, "replication").Val(), "role:master")
}

// mayBeAway is more than the 2 s that an idle machine keeps to: it also has to
// hold where the tests' servers share two cores with everything else.
const mayBeAway = 10 * time.Second

func TestSentinelMasterKilled(t *testing.T) {
	servers, sentinels := redistest.StartSentinels(t, password, ofSentinel)
	o := options(nil)
	o.Redis = &facts.RedisOptions{Addrs: redistest.Addrs(sentinels), Sentinel: redistest.MasterName, Password: password,
		SentinelPassword: ofSentinel, SealKey: sealKey}
	masterDies(t, o, servers, passes)
}

// A sentinel more or less changes nothing.
func TestSentinelKilled(t *testing.T) {
	_, sentinels := redistest.StartSentinels(t, password, ofSentinel)
	o := options(nil)
	o.Redis = &facts.RedisOptions{Addrs: redistest.Addrs(sentinels), Sentinel: redistest.MasterName, Password: password,
		SentinelPassword: ofSentinel, SealKey: sealKey}
	a, b := open(t, o), open(t, o)
	shares(t, a, b)
	load := call(a, b)
	sentinels[0].Kill()
	for range 20 {
		shares(t, a, b)
	}
	shares(t, open(t, o), a)
	load.end(t)
}

func TestClusterMasterKilled(t *testing.T) {
	nodes := redistest.StartClusterOfSix(t)
	o := options(nil)
	o.Redis = &facts.RedisOptions{Addrs: redistest.Addrs(nodes), SealKey: sealKey}
	// Findings fall on all three masters: together ten of them say that all work.
	masterDies(t, o, []*redistest.Server{nodes[0], nodes[3]}, func(a, b *facts.Cache) bool {
		for range 10 {
			if !passes(a, b) {
				return false
			}
		}
		return true
	})
}
