package metricscrape

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tongyan/loadtest/internal/words"
)

// Bounds of what a run keeps.
const (
	maxSignals = 512
	maxMoves   = 4000

	// learn is how many readings say what a signal is at first, turned how
	// many in a row beyond make it turned, and factor how far beyond.
	learn  = 5
	turned = 2
	factor = 3
)

// A Finding is a signal that turned.
type Finding struct {
	Metric string     `json:"metric"`
	Target string     `json:"target"`
	About  words.Text `json:"about"`
	At     float64    `json:"at_s"` // seconds from the start
	First  float64    `json:"first"`
	Peak   float64    `json:"peak"`
	Bound  float64    `json:"bound"` // that it passed
	Unit   string     `json:"unit"`
}

// A Move is a breaker's change of state.
type Move struct {
	At       float64 `json:"at_s"`
	Target   string  `json:"target"`
	Province string  `json:"province"`
	State    string  `json:"state"` // closed, half-open or open
}

// A Watcher scrapes until its context ends. Its results may be asked for at
// any time.
type Watcher struct {
	targets []string // URLs of /metrics
	client  *http.Client

	mu      sync.Mutex // guards what follows; not held while scraping
	signals map[string]*signal
	moves   []Move
	scraped int
	failed  int
	state   map[[2]string]string // of breakers, by target and province
	last    map[string]map[series]float64
	lastAt  map[string]time.Duration
}

type signal struct {
	Finding
	early  []float64 // the first readings, of those without a bound
	streak int
	since  time.Duration
	done   bool
	sum    float64
	n      int
}

// New returns a watcher of the /metrics at these URLs.
func New(urls []string) *Watcher {
	return &Watcher{
		targets: urls, signals: map[string]*signal{}, state: map[[2]string]string{},
		last: map[string]map[series]float64{}, lastAt: map[string]time.Duration{},
		client: &http.Client{Timeout: 900 * time.Millisecond, Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 1}},
	}
}

// Run scrapes every second until ctx ends. Times count from start.
func (w *Watcher) Run(ctx context.Context, start time.Time) {
	defer w.client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var all sync.WaitGroup
		for _, target := range w.targets {
			all.Go(func() { w.Scrape(ctx, target, start) })
		}
		all.Wait()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Scrape looks at one target once.
func (w *Watcher) Scrape(ctx context.Context, target string, start time.Time) {
	now, err := w.fetch(ctx, target)
	at := time.Since(start)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed++
		delete(w.last, target) // counters may begin anew
		return
	}
	w.scraped++
	if before, ok := w.last[target]; ok {
		if dt := (at - w.lastAt[target]).Seconds(); dt > 0 {
			w.look(target, before, now, at, dt)
		}
	}
	w.last[target], w.lastAt[target] = now, at
}

func (w *Watcher) fetch(ctx context.Context, target string) (map[series]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metricscrape: status %d", resp.StatusCode)
	}
	return parse(resp.Body)
}

// look feeds the signals; w.mu is held.
func (w *Watcher) look(target string, before, now map[series]float64, at time.Duration, dt float64) {
	w.breakers(target, before, now, at)
	for _, r := range readings(before, now, dt) {
		key := target + " " + r.key
		s := w.signals[key]
		if s == nil {
			if len(w.signals) >= maxSignals {
				continue
			}
			s = &signal{Finding: Finding{Metric: r.key, Target: target, About: r.about, Unit: r.unit, Bound: r.bound, First: r.value}}
			w.signals[key] = s
		}
		s.take(r.value, at)
	}
}

func (s *signal) take(v float64, at time.Duration) {
	s.Peak = max(s.Peak, v)
	s.sum, s.n = s.sum+v, s.n+1
	if s.done {
		return
	}
	if s.Bound == 0 {
		if s.early = append(s.early, v); len(s.early) < learn {
			return
		}
		slices.Sort(s.early)
		middle := s.early[len(s.early)/2]
		// Small figures jump without meaning anything.
		s.Bound, s.First, s.early = max(middle*factor, middle+10), middle, nil
		return
	}
	if v < s.Bound {
		s.streak = 0
		return
	}
	if s.streak++; s.streak == 1 {
		s.since = at
	}
	if s.streak == turned || v >= 5*s.Bound || s.Unit == "/s" {
		s.done, s.At = true, s.since.Seconds()
	}
}

// Findings returns what turned: resources that have an end, then refusals and
// faults, then mere growth; of each kind the earliest first.
func (w *Watcher) Findings() []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Finding
	for _, s := range w.signals {
		if s.done {
			out = append(out, s.Finding)
		}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(math.Round(a.At), math.Round(b.At)),
			cmp.Compare(b.Peak/b.Bound, a.Peak/a.Bound), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Target, b.Target))
	})
	return out
}

// rank puts resources that have an end first, refusals and faults next, and
// mere growth last.
func rank(f Finding) int {
	switch f.Unit {
	case "of its cores", "of process_max_fds":
		return 0
	case "/s":
		return 1
	}
	return 2
}

// Moves returns the breakers' moves in the order seen.
func (w *Watcher) Moves() []Move {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.moves)
}

// Mean returns a signal's mean over the run and all targets, by its metric.
func (w *Watcher) Mean(metric string) (mean float64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum, n := 0.0, 0
	for _, s := range w.signals {
		if s.Metric == metric {
			sum, n = sum+s.sum, n+s.n
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

// Coverage says in how many attempts there were figures.
func (w *Watcher) Coverage() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strconv.Itoa(w.scraped) + "/" + strconv.Itoa(w.scraped+w.failed)
}

// Close lets go of idle connections; Run does so itself.
func (w *Watcher) Close() { w.client.CloseIdleConnections() }
