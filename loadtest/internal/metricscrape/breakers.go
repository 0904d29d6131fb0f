package metricscrape

import (
	"maps"
	"slices"
	"time"
)

// breakers notes the moves since the last look; w.mu is held.
func (w *Watcher) breakers(target string, before, now map[series]float64, at time.Duration) {
	moved := map[string]map[string]int{} // by province and state
	for s, v := range now {
		if s.name == "tongyan_registry_breaker_moves_total" && v > before[s] {
			province := s.label("province")
			if moved[province] == nil {
				moved[province] = map[string]int{}
			}
			moved[province][s.label("state")] += int(v - before[s])
		}
	}
	for _, province := range slices.Sorted(maps.Keys(moved)) {
		key := [2]string{target, province}
		for _, state := range order(w.state[key], moved[province]) {
			w.state[key] = state
			if len(w.moves) < maxMoves {
				w.moves = append(w.moves, Move{at.Seconds(), target, province, state})
			}
		}
	}
}

// order puts moves that were counted within one second into the order in which
// a breaker makes them: closed, open, half-open, then open again or closed.
func order(from string, left map[string]int) (out []string) {
	for len(out) < 16 {
		next := ""
		switch from {
		case "open":
			next = "half-open"
		case "half-open":
			// Closing comes last, unless it must open again after that.
			next = "closed"
			if left["open"] > 0 && (left["half-open"] > 0 || left["closed"] == 0) {
				next = "open"
			}
		default:
			next = "open"
		}
		if left[next] == 0 {
			return out
		}
		left[next]--
		out = append(out, next)
		from = next
	}
	return out
}
