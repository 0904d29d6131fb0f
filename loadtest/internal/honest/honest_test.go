package honest_test

import (
	"strings"
	"testing"
	"time"

	"tongyan/loadtest/internal/honest"
)

func TestJudge(t *testing.T) {
	ms := time.Millisecond
	for name, tc := range map[string]struct {
		m    honest.Measured
		want string // in the reason; "" for none
	}{
		"punctual":                 {honest.Measured{Offered: 10_000, LagP99: ms, P99: 5 * ms}, ""},
		"late":                     {honest.Measured{Offered: 10_000, LagP99: 3 * ms, P99: 5 * ms}, "lag"},
		"late beside what is slow": {honest.Measured{Offered: 10_000, LagP99: 3 * ms, P99: 80 * ms}, ""},
		"late beside its bound":    {honest.Measured{Offered: 10_000, LagP99: 3 * ms, P99: 5 * ms, Bound: 50 * ms}, ""},
		"late beyond its bound":    {honest.Measured{Offered: 10_000, LagP99: 6 * ms, P99: 8 * ms, Bound: 50 * ms}, "lag"},
		"gave work up":             {honest.Measured{Offered: 10_000, Late: 11}, "gave up"},
		"gave a little up":         {honest.Measured{Offered: 10_000, Late: 9}, ""},
		"no sockets":               {honest.Measured{Offered: 10_000, NoSocket: 1}, "sockets"},
	} {
		f := honest.New().Judge(tc.m)
		if f.Limited != (tc.want != "") || f.Limited != (len(f.Why) > 0) {
			t.Errorf("%s: %+v", name, f)
		}
		if f.Limited && !strings.Contains(f.Why[0].En, tc.want) {
			t.Errorf("%s: because %q", name, f.Why[0].En)
		}
	}
}

// A generator that computes all the time has no time to be punctual.
func TestCPU(t *testing.T) {
	w := honest.New()
	stop := make(chan struct{})
	for range int(honest.Cores()) + 1 {
		go func() {
			for !done(stop) {
			}
		}()
	}
	defer close(stop)
	// Until some CPU has been had: the machine may be busy with other things.
	for s := w.Sample(); s.CPU < 0.1; s = w.Sample() {
		time.Sleep(20 * time.Millisecond)
	}
	f := w.Judge(honest.Measured{All: 1})
	if f.CPUPeak <= 0 || f.CPUPerRequest <= 0 || f.MemoryPeak <= 0 || f.HostIdle > 1 {
		t.Errorf("%+v", f)
	}
}

// done reports whether stop is closed: a loop around it has a core to itself.
func done(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
