// Package schedule says when work arrives: planned moments drawn from a rate
// that changes over time, without regard to how the target fares. The same
// seed gives the same moments. A schedule is a stream: a day of it takes no
// more memory than a second.
package schedule

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// A Piece is a stretch of time in which the rate goes in a straight line.
type Piece struct {
	For      time.Duration
	From, To float64 // per second
}

// A Burst is Size arrivals spread over Over, from At on and every Every.
type Burst struct {
	At, Every time.Duration // Every 0: once
	Size      int
	Over      time.Duration
}

// A Schedule yields planned moments in order. Not for concurrent use.
type Schedule struct {
	pieces  []segment
	length  time.Duration
	poisson bool
	rng     *rand.Rand

	at int     // the segment we are in
	t  float64 // seconds into it
}

// segment is a Piece cut where a burst begins or ends, bursts added.
type segment struct {
	start, dur float64 // seconds
	from, to   float64
}

// New returns the schedule of pieces in a row with bursts on top. Poisson
// arrivals are independent of each other; else they are evenly spaced.
func New(pieces []Piece, bursts []Burst, poisson bool, seed uint64) *Schedule {
	s := &Schedule{poisson: poisson, rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	var starts []time.Duration
	for _, p := range pieces {
		starts = append(starts, s.length)
		s.length += p.For
	}
	var windows []window
	for _, b := range bursts {
		windows = append(windows, b.windows(s.length)...)
	}
	cuts := append([]time.Duration{}, starts...)
	for _, w := range windows {
		cuts = append(cuts, w.from, w.to)
	}
	cuts = append(cuts, s.length)
	sort.Slice(cuts, func(i, j int) bool { return cuts[i] < cuts[j] })
	piece := 0
	for i := 1; i < len(cuts); i++ {
		from, to := cuts[i-1], min(cuts[i], s.length)
		if to <= from {
			continue
		}
		for piece+1 < len(starts) && starts[piece+1] <= from {
			piece++
		}
		p, extra := pieces[piece], 0.0
		for _, w := range windows {
			if w.from <= from && to <= w.to {
				extra += w.rate
			}
		}
		line := func(t time.Duration) float64 {
			return p.From + (p.To-p.From)*float64(t-starts[piece])/float64(p.For) + extra
		}
		s.pieces = append(s.pieces, segment{from.Seconds(), (to - from).Seconds(), line(from), line(to)})
	}
	return s
}

type window struct {
	from, to time.Duration
	rate     float64
}

// maxBursts bounds what one description can unfold to: one each second of a
// day.
const maxBursts = 90_000

func (b Burst) windows(length time.Duration) (all []window) {
	for at := b.At; at < length && len(all) < maxBursts; at += b.Every {
		all = append(all, window{at, min(at+b.Over, length), float64(b.Size) / b.Over.Seconds()})
		if b.Every <= 0 {
			break
		}
	}
	return all
}

// Length is when the schedule ends.
func (s *Schedule) Length() time.Duration { return s.length }

// Expected is how many arrivals are to be expected in all.
func (s *Schedule) Expected() float64 {
	sum := 0.0
	for _, p := range s.pieces {
		sum += p.dur * (p.from + p.to) / 2
	}
	return sum
}

// RateAt is the planned rate at a moment; 0 outside of the schedule.
func (s *Schedule) RateAt(t time.Duration) float64 {
	x := t.Seconds()
	i := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].start+s.pieces[i].dur > x })
	if i == len(s.pieces) || x < s.pieces[i].start {
		return 0
	}
	p := s.pieces[i]
	return p.from + (p.to-p.from)*(x-p.start)/p.dur
}

// Next returns the next planned moment, and false after the last.
//
// With Λ the integral of the rate, arrivals stand where Λ has grown by an
// exponential (or, evenly, by one) since the last.
func (s *Schedule) Next() (time.Duration, bool) {
	need := 1.0
	if s.poisson {
		need = s.rng.ExpFloat64()
	}
	for ; s.at < len(s.pieces); s.at, s.t = s.at+1, 0 {
		p := s.pieces[s.at]
		if dt, ok := p.advance(s.t, need); ok {
			s.t += dt
			return time.Duration((p.start + s.t) * float64(time.Second)), true
		}
		need -= p.mass(s.t, p.dur)
	}
	return 0, false
}

// mass is the number of arrivals to be expected between two moments.
func (p segment) mass(a, b float64) float64 { return (b - a) * (p.rate(a) + p.rate(b)) / 2 }

func (p segment) rate(t float64) float64 { return p.from + (p.to-p.from)*t/p.dur }

// advance solves mass(t, t+dt) = need for dt, if there is that much left.
func (p segment) advance(t, need float64) (dt float64, ok bool) {
	if p.mass(t, p.dur) < need {
		return 0, false
	}
	r, slope := p.rate(t), (p.to-p.from)/p.dur
	// need = r·dt + slope·dt²/2, in the form that does not cancel where the
	// slope is small.
	root := math.Sqrt(max(r*r+2*slope*need, 0))
	if r+root == 0 {
		return 0, false
	}
	dt = 2 * need / (r + root)
	return min(dt, p.dur-t), true
}
