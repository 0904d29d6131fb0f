package schedule_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"tongyan/loadtest/internal/schedule"
)

func drain(s *schedule.Schedule) (all []time.Duration) {
	for {
		t, ok := s.Next()
		if !ok {
			return all
		}
		all = append(all, t)
	}
}

func TestEvenArrivals(t *testing.T) {
	got := drain(schedule.New([]schedule.Piece{{For: time.Second, From: 4, To: 4}}, nil, false, 1))
	want := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond, time.Second}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A Poisson process: as many as planned, gaps with the spread of an
// exponential, and the same again for the same seed.
func TestPoissonArrivals(t *testing.T) {
	make := func(seed uint64) []time.Duration {
		return drain(schedule.New([]schedule.Piece{{For: 100 * time.Second, From: 500, To: 500}}, nil, true, seed))
	}
	got := make(1)
	if n := float64(len(got)); math.Abs(n-50_000) > 4*math.Sqrt(50_000) {
		t.Errorf("%v arrivals, planned 50000", n)
	}
	if !slices.IsSorted(got) {
		t.Error("out of order")
	}
	var sum, squares float64
	for i := 1; i < len(got); i++ {
		gap := (got[i] - got[i-1]).Seconds()
		sum, squares = sum+gap, squares+gap*gap
	}
	n := float64(len(got) - 1)
	mean := sum / n
	if cv := math.Sqrt(squares/n-mean*mean) / mean; cv < 0.97 || cv > 1.03 {
		t.Errorf("the gaps' coefficient of variation is %.3f, of an exponential 1", cv)
	}
	if !slices.Equal(got, make(1)) || slices.Equal(got, make(2)) {
		t.Error("the seed does not decide")
	}
}

func TestRampFollowsItsLine(t *testing.T) {
	s := schedule.New([]schedule.Piece{{For: 10 * time.Second, From: 0, To: 200}, {For: 10 * time.Second, From: 50, To: 50}}, nil, false, 1)
	if e := s.Expected(); e != 1500 {
		t.Errorf("expected %v, want 1500", e)
	}
	var firstHalf, secondHalf, flat int
	for _, at := range drain(s) {
		switch {
		case at < 5*time.Second:
			firstHalf++
		case at < 10*time.Second:
			secondHalf++
		default:
			flat++
		}
	}
	if firstHalf < 248 || firstHalf > 251 || secondHalf < 748 || secondHalf > 752 || flat < 498 || flat > 501 {
		t.Errorf("%d, %d, %d; want 250, 750, 500", firstHalf, secondHalf, flat)
	}
	if r := s.RateAt(5 * time.Second); r != 100 {
		t.Errorf("rate at half: %v", r)
	}
	if s.RateAt(20*time.Second) != 0 || s.RateAt(15*time.Second) != 50 {
		t.Error("the rate after the ramp is wrong")
	}
}

func TestBurstsComeOnTop(t *testing.T) {
	s := schedule.New([]schedule.Piece{{For: 30 * time.Second, From: 10, To: 10}},
		[]schedule.Burst{{At: 5 * time.Second, Every: 10 * time.Second, Size: 1000, Over: 2 * time.Second}}, false, 1)
	if e := s.Expected(); math.Abs(e-3300) > 1e-6 {
		t.Errorf("expected %v, want 3300", e)
	}
	in := 0
	for _, at := range drain(s) {
		if x := at.Seconds(); x > 15 && x <= 17 {
			in++
		}
	}
	if in < 1018 || in > 1022 {
		t.Errorf("%d in the second burst, want 1020", in)
	}
	if s.RateAt(6*time.Second) != 510 || s.RateAt(8*time.Second) != 10 {
		t.Error("the rate does not show the burst")
	}
}

func TestSilenceEnds(t *testing.T) {
	for name, s := range map[string]*schedule.Schedule{
		"nothing":     schedule.New(nil, nil, true, 1),
		"zero":        schedule.New([]schedule.Piece{{For: time.Hour}}, nil, true, 1),
		"burst after": schedule.New([]schedule.Piece{{For: time.Second}}, []schedule.Burst{{At: time.Hour, Size: 5, Over: time.Second}}, true, 1),
	} {
		if got := drain(s); len(got) != 0 {
			t.Errorf("%s: %d arrivals", name, len(got))
		}
	}
}
