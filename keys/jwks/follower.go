package jwks

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/strict"
)

// The waits after a failure (contract §3): the first, doubling up to refresh.
const firstRetry = 5 * time.Second

// fetchTime bounds a fetch whatever the fetcher's own time-out is.
const fetchTime = 10 * time.Second

var mediaTypes = []string{"application/json", "application/jwk-set+json"}

// A follower keeps one issuer's set. Its one goroutine makes all the fetches,
// so there is never more than one at a time.
type follower struct {
	source Source
	config *Config
	stop   context.CancelFunc
	first  chan struct{} // closed once there is a set, or the first fetch failed
	wake   chan struct{} // holds one: an unknown kid wants a fetch now

	// mu guards what follows. It is held while OnSet runs, which is quick, so
	// that no set comes after its issuer was dropped; never while fetching.
	mu      sync.Mutex
	gone    bool
	flight  *flight   // the fetch under way or asked for; nil for none
	refetch time.Time // when an unknown kid last caused a fetch
	status  Status
	set     *keys.Set // the set in force, nil for none

	// For the goroutine only.
	etag  string
	body  []byte // of the set in force, for the disk
	retry time.Duration
}

// A flight is one fetch that callers wait for together.
type flight struct {
	done    chan struct{} // closed at the end
	renewed bool          // valid after done
}

func (k *Keeper) follow(s Source) *follower {
	ctx, stop := context.WithCancel(k.ctx)
	f := &follower{source: s, config: &k.config, stop: stop, retry: firstRetry,
		first: make(chan struct{}), wake: make(chan struct{}, 1)}
	k.wait.Go(func() { f.run(ctx) })
	return f
}

// drop ends the follower: nothing is told of this issuer after OnGone. It does
// not wait for a fetch under way, which the ended context cuts short.
func (f *follower) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.stop()
	if f.config.OnGone != nil {
		f.config.OnGone(f.source.Issuer)
	}
}

// ask returns the flight to wait for, nil if there is none to be had now.
func (f *follower) ask(now time.Time) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil
	}
	if f.flight != nil {
		return f.flight
	}
	if !f.refetch.IsZero() && now.Sub(f.refetch) < f.config.RefetchInterval {
		return nil
	}
	f.refetch = now
	f.status.Refetches++
	f.flight = &flight{done: make(chan struct{})}
	f.wake <- struct{}{} // there is room: whoever fills it makes the flight first
	return f.flight
}

func (f *follower) run(ctx context.Context) {
	defer f.end()
	if f.fromDisk() {
		close(f.first)
	}
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		case <-f.wake:
		}
		f.begin()
		err := f.renew(ctx)
		if ctx.Err() != nil {
			return
		}
		f.land(err == nil)
		due.Reset(f.wait(err))
	}
}

// begin makes the flight of a fetch that nobody asked for, so that those who do
// join it.
func (f *follower) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.wake: // it is being served
	default:
	}
	if f.flight == nil {
		f.flight = &flight{done: make(chan struct{})}
	}
}

// end lands whoever waits for a flight that will not be flown, and lets nobody
// else wait for one.
func (f *follower) end() {
	f.mu.Lock()
	dropped := f.gone
	f.gone = true
	f.mu.Unlock()
	f.land(false)
	if dropped {
		f.removeFile()
	}
}

func (f *follower) land(renewed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flight != nil {
		f.flight.renewed = renewed
		close(f.flight.done)
		f.flight = nil
	}
	select {
	case <-f.first:
	default:
		close(f.first)
	}
}

// wait returns how long to wait for the next renewal. The jitter is downward: a
// set is renewed before it is as old as the refresh time.
func (f *follower) wait(err error) time.Duration {
	if err == nil {
		f.retry = firstRetry
		return jitter(f.config.Refresh)
	}
	wait := jitter(min(f.retry, f.config.Refresh))
	f.retry = min(2*f.retry, f.config.Refresh)
	var failed *fetch.Error
	if errors.As(err, &failed) {
		wait = max(wait, min(failed.RetryAfter, f.config.Refresh))
	}
	return wait
}

func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}

// renew fetches the set once and puts it in force, or leaves the last good one.
func (f *follower) renew(ctx context.Context) error {
	err := f.fetch(ctx)
	if ctx.Err() != nil {
		return err
	}
	reason := reasonOf(err)
	if err != nil {
		f.mu.Lock()
		f.status.Failed, f.status.FailedAt = reason, time.Now()
		f.mu.Unlock()
		f.config.Log.Warn("key set not renewed, the last good one stays", "iss", f.source.Issuer, "reason", reason, "error", err)
	}
	if f.config.OnFetch != nil {
		f.config.OnFetch(f.source.Issuer, reason)
	}
	return err
}

func (f *follower) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	answer, err := f.config.Fetch.Get(ctx, f.source.URL, fetch.Request{
		Accept: "application/jwk-set+json, application/json", MaxBytes: MaxSet, MediaTypes: mediaTypes, ETag: f.etag})
	if err != nil {
		return err
	}
	now := time.Now()
	if answer.NotModified {
		f.mu.Lock()
		set := f.set
		f.mu.Unlock()
		if set == nil {
			f.etag = ""
			return errors.New("unchanged, says the server, but nothing was there before")
		}
		f.put(set.At(now))
		f.toDisk(now)
		return nil
	}
	set, out, err := parse(answer.Body, now)
	if err != nil {
		return err
	}
	f.etag, f.body = answer.ETag, answer.Body
	f.leftOut(out)
	f.put(set)
	f.toDisk(now)
	return nil
}

func parse(body []byte, renewed time.Time) (*keys.Set, []keys.LeftOut, error) {
	v, err := strict.Parse(body)
	if err != nil {
		return nil, nil, err
	}
	return keys.ParseSet(v, renewed)
}

func (f *follower) leftOut(out []keys.LeftOut) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.LeftOut, f.status.WhyOut = len(out), nil
	for _, o := range out {
		f.status.WhyOut = append(f.status.WhyOut, o.Why)
	}
}

// put brings a set into force.
func (f *follower) put(set *keys.Set) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return
	}
	f.set = set
	f.status.Keys, f.status.Renewed = len(set.Keys()), set.Renewed
	f.status.Failed, f.status.FailedAt, f.status.FromDisk = "", time.Time{}, false
	if f.config.OnSet != nil {
		f.config.OnSet(f.source.Issuer, set)
	}
}

func (f *follower) snapshot() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	s.WhyOut = slices.Clone(s.WhyOut)
	return s
}

func reasonOf(err error) Reason {
	var failed *fetch.Error
	var unreadable *strict.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failed):
		return Reason(failed.Reason)
	case errors.As(err, &unreadable):
		return NotJSON
	case errors.Is(err, keys.ErrPrivate):
		return Private
	case errors.Is(err, keys.ErrSet):
		return Refused
	}
	return Other
}
