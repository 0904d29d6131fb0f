package trustlist

import (
	"context"
	"time"
)

// The waits after a failure (contract §3): the first, doubling up to refresh.
const firstRetry = 5 * time.Second

// The least time between two looks that peers' hints cause. A hint is believed
// by nobody, so one that led to nothing makes the next wait twice as long: who
// can write to the shared Redis cannot make all gateways storm the source.
const (
	leastHintGap = 250 * time.Millisecond
	mostHintGap  = 30 * time.Second
)

// OnHint says that a peer has seen this version. If it is newer than ours the
// source is looked at soon. It never waits.
func (k *Keeper) OnHint(version int64) {
	if version <= k.Status().Version {
		return
	}
	select {
	case k.hints <- struct{}{}:
	default: // one is waiting already
	}
}

// Run keeps the list fresh until ctx ends. It must run once, after Start.
func (k *Keeper) Run(ctx context.Context) {
	r := &runner{k: k, retry: firstRetry, hintGap: leastHintGap}
	due := time.NewTimer(r.wait(k.Status().Refused == ""))
	defer due.Stop()
	var looks <-chan time.Time
	if every := k.source.poll(); every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		looks = t.C
	}
	hinted := time.NewTimer(0)
	hinted.Stop()
	defer hinted.Stop()
	for {
		load, byHint := true, false
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		case <-looks:
			load = r.changed(ctx)
		case <-k.hints:
			r.calm()
			hinted.Reset(max(time.Until(r.noHintBefore), 0))
			continue
		case <-hinted.C:
			byHint = true
		}
		r.warn()
		if load {
			due.Reset(r.look(ctx, byHint))
		}
	}
}

// A runner is what Run keeps between two looks.
type runner struct {
	k            *Keeper
	retry        time.Duration // the wait after the next failure
	hintGap      time.Duration
	noHintBefore time.Time
	warned       int   // how much of the list's life was gone at the last warning
	warnedOf     int64 // the version that warned is about
}

// look loads and returns how long to wait for the next time.
func (r *runner) look(ctx context.Context, byHint bool) time.Duration {
	before := r.k.Status().Version
	err := r.k.Reload(ctx)
	if err != nil && ctx.Err() == nil {
		r.k.config.Log.Warn("trust list: not taken from the source, the one in force stays", "reason", ReasonOf(err), "error", err)
	}
	if byHint {
		if r.k.Status().Version > before {
			r.hintGap = leastHintGap
		} else {
			r.hintGap = min(2*r.hintGap, mostHintGap)
		}
		r.noHintBefore = time.Now().Add(r.hintGap)
	}
	return r.wait(err == nil)
}

// calm forgets fruitless hints once there was none for a while.
func (r *runner) calm() {
	if time.Since(r.noHintBefore) > mostHintGap {
		r.hintGap = leastHintGap
	}
}

func (r *runner) wait(ok bool) time.Duration {
	refresh := r.k.config.Refresh
	if ok {
		r.retry = firstRetry
		return jitter(refresh)
	}
	wait := min(r.retry, refresh)
	r.retry = min(2*r.retry, refresh)
	return jitter(wait)
}

func (r *runner) changed(ctx context.Context) bool {
	if r.k.acquire(ctx) != nil {
		return false
	}
	defer r.k.release()
	return r.k.source.changed()
}

// warn logs once when half and when four fifths of the list's life are gone,
// and when it has ended.
func (r *runner) warn() {
	s := r.k.Status()
	if s.Version == 0 {
		return
	}
	if s.Version != r.warnedOf {
		r.warned, r.warnedOf = 0, s.Version
	}
	stage := lifeStage(s, time.Now())
	if stage <= r.warned {
		return
	}
	r.warned = stage
	log := r.k.config.Log.With("version", s.Version, "expires", s.Expires)
	if stage >= 100 {
		log.Error("trust list has expired: no verdict can be given until a newer one comes")
		return
	}
	log.Warn("trust list grows old", "percent_of_life", stage)
}

// Life returns how much of the life of the list in force is gone: 0 at its iat,
// 1 at its exp and after, 1 without a list. It is a metric; warn at 0.5 and 0.8.
func (s Status) Life(now time.Time) float64 {
	whole := s.Expires.Sub(s.IssuedAt)
	if s.Version == 0 || whole <= 0 {
		return 1
	}
	return min(max(float64(now.Sub(s.IssuedAt))/float64(whole), 0), 1)
}

func lifeStage(s Status, now time.Time) int {
	switch life := s.Life(now); {
	case life >= 1:
		return 100
	case life >= 0.8:
		return 80
	case life >= 0.5:
		return 50
	}
	return 0
}
