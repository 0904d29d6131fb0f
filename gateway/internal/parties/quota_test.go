package parties

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ledger is the shared count, which can be gone.
type ledger struct {
	mu     sync.Mutex
	counts map[string]int64
	gone   bool
}

func (l *ledger) tally(_ context.Context, name string, n int64, _ time.Duration) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return 0, false
	}
	l.counts[name] += n
	return l.counts[name], true
}

func take(t *testing.T, q *Quotas, n int, quota int64) (passed int) {
	t.Helper()
	for range n {
		if _, ok := q.Take("bank", quota); ok {
			passed++
		}
	}
	return passed
}

func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		shared := &ledger{counts: map[string]int64{}}
		failed := 0
		a, b := NewQuotas(shared.tally, func() { failed++ }), NewQuotas(shared.tally, func() {})
		var runs sync.WaitGroup
		runs.Go(func() { a.Run(ctx) })
		runs.Go(func() { b.Run(ctx) })
		if got := take(t, a, 60, 100); got != 60 {
			t.Fatalf("%d of 60 passed", got)
		}
		if got := take(t, a, 10, 0); got != 10 {
			t.Fatal("who has no quota was refused")
		}
		take(t, b, 1, 100)
		time.Sleep(2 * settleEvery)
		synctest.Wait()
		// The other gateway knows of the sixty.
		if got := take(t, b, 60, 100); got != 39 {
			t.Errorf("%d passed on the second gateway, want 39", got)
		}
		wait, ok := b.Take("bank", 100)
		if ok || wait <= 0 || wait > 31*24*time.Hour {
			t.Errorf("past the quota: %v, %v", wait, ok)
		}
		// Redis gone: a gateway goes on by what it knows, and nothing is lost.
		shared.mu.Lock()
		shared.gone = true
		shared.mu.Unlock()
		take(t, a, 5, 1000)
		time.Sleep(3 * settleEvery)
		synctest.Wait()
		if failed == 0 {
			t.Error("nobody was told that the count was not to be had")
		}
		shared.mu.Lock()
		shared.gone = false
		shared.mu.Unlock()
		stop()
		runs.Wait()
		if total := shared.counts["bank/"+time.Now().In(china).Format("2006-01")]; total != 105 {
			t.Errorf("the shared count is %d, want 105", total)
		}
	})
}

func TestQuotaEndsWithTheMonth(t *testing.T) {
	now := time.Date(2026, 6, 30, 23, 59, 59, 0, china)
	q := NewQuotas(nil, nil)
	q.now = func() time.Time { return now }
	if got := take(t, q, 5, 3); got != 3 {
		t.Fatalf("%d passed", got)
	}
	if wait, ok := q.Take("bank", 3); ok || wait != time.Second {
		t.Errorf("wait %v, %v", wait, ok)
	}
	now = now.Add(time.Second)
	if got := take(t, q, 5, 3); got != 3 {
		t.Errorf("%d passed in the next month", got)
	}
}
