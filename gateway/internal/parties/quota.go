package parties

import (
	"context"
	"sync"
	"time"
)

// A Tally adds n to a count that all gateways share and returns its total; ok
// is false where the count cannot be had, and then nothing was added.
type Tally func(ctx context.Context, name string, n int64, life time.Duration) (total int64, ok bool)

const (
	// settleEvery is how often what was counted here is added to the shared
	// count: by so much a quota can be overrun, for each gateway.
	settleEvery = time.Second
	// monthLife is how long a month's count is kept after it was last added to.
	monthLife = 40 * 24 * time.Hour
)

var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// Quotas count verdicts by party and calendar month, Asia/Shanghai. The shared
// count is right but for the last second; while it cannot be had, each gateway
// counts for itself, so that a quota is then as many times too wide as there are
// gateways: a bank at work is not stopped because a counter is.
type Quotas struct {
	tally Tally // nil: this gateway counts alone
	// uncounted is told of every settlement that failed.
	uncounted func()
	now       func() time.Time

	mu     sync.Mutex // guards counts; not held while settling
	counts map[string]*count
}

type count struct {
	month   string
	shared  int64 // the total when it was last heard
	pending int64 // counted here since
}

// NewQuotas returns quotas of which nothing is used. tally may be nil.
func NewQuotas(tally Tally, uncounted func()) *Quotas {
	return &Quotas{tally: tally, uncounted: uncounted, now: time.Now, counts: map[string]*count{}}
}

// Take counts one verdict. ok is false where the quota, 0 for none, is used up,
// and then wait says until when.
func (q *Quotas) Take(party string, quota int64) (wait time.Duration, ok bool) {
	if quota == 0 {
		return 0, true
	}
	now := q.now().In(china)
	month := now.Format("2006-01")
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.counts[party]
	if c == nil || c.month != month {
		c = &count{month: month}
		q.counts[party] = c
	}
	if c.shared+c.pending >= quota {
		next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, china)
		return next.Sub(now), false
	}
	c.pending++
	return 0, true
}

// Run settles until ctx ends, and then once more.
func (q *Quotas) Run(ctx context.Context) {
	if q.tally == nil {
		return
	}
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.settle(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleEvery)
			defer cancel()
			q.settle(last)
			return
		}
	}
}

// settle adds what was counted here to the shared counts.
func (q *Quotas) settle(ctx context.Context) {
	type due struct {
		party string
		count
	}
	var all []due
	q.mu.Lock()
	for party, c := range q.counts {
		all = append(all, due{party, *c})
	}
	q.mu.Unlock()
	for _, d := range all {
		total, ok := q.tally(ctx, d.party+"/"+d.month, d.pending, monthLife)
		if !ok {
			q.uncounted()
			continue
		}
		q.mu.Lock()
		if c := q.counts[d.party]; c.month == d.month {
			c.shared, c.pending = total, c.pending-d.pending
		}
		q.mu.Unlock()
	}
}
