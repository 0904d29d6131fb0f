package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/sandbox"
)

// pool is how many licences the soak asks about: what is cached does not grow
// for ever, so that what does can be seen.
const pool = 4000

// warmth is what a gateway may take to settle; minutes before it do not count.
const warmth = 3

// soakRows are what must hold.
var soakRows = []struct{ what, found string }{
	{"wrong · failed · INDETERMINATE", "0 · 0 · 0"},
	{"memory, last quarter against the first after settling", "flat"},
	{"goroutines, likewise", "flat"},
	{"open descriptors, likewise", "flat"},
}

// A reading is a gateway's state at the end of a minute.
type reading struct{ memory, cache, goroutines, files float64 }

// Long and steadily, by the clock: half of what the machine holds.
func TestSoak(t *testing.T) {
	half(t, true)
	w := newWorld(t)
	// Standings end within the soak, so that they are asked for anew.
	g := w.gateway(setup{redis: `url: "redis://` + startRedis(t).addr + `"`, freshness: "max_age: 2m, stale_if_error: 1h"})
	var asked []question
	for n := range pool {
		p := w.box.Provinces()[n%4].Code
		switch n / 4 % 10 {
		case 0:
			asked = append(asked, w.forged(p))
		case 1:
			asked = append(asked, w.struckOff(p))
		default:
			asked = append(asked, w.good(p, sandbox.LicenceSpec{}))
		}
	}
	next := func(n int) question {
		if n%100 == 0 {
			return w.good("320000", sandbox.LicenceSpec{})
		}
		return asked[rand.IntN(len(asked))]
	}
	l := begin(t, *soakRate, next, g.target)
	var readings []reading
	var sum tally
	head := fmt.Sprintf("For %v, one gateway with Redis, %d requests a second about %d licences, one in a hundred about a new one; standings end after two minutes.\n\n", *soakTime, *soakRate, pool)
	minutes := "| minute | memory | of it cached | goroutines | descriptors | requests | p99 |\n|---|---|---|---|---|---|---|\n"
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for minute := 1; minute <= int(soakTime.Minutes()); minute++ {
		<-tick.C
		got := l.take()
		r := reading{g.metric("process_resident_memory_bytes") / (1 << 20), g.metric("tongyan_cache_bytes") / (1 << 20), g.metric("go_goroutines"), g.metric("process_open_fds")}
		readings = append(readings, r)
		sum.add(got)
		line := fmt.Sprintf("| %d | %.0f MiB | %.0f MiB | %.0f | %.0f | %d | %s |\n", minute, r.memory, r.cache, r.goroutines, r.files, got.requests, millis(got.p99))
		t.Log(line)
		minutes += line
	}
	l.end()
	sum.add(l.take())
	if len(sum.examples) > 0 {
		t.Log(strings.Join(sum.examples, "\n"))
	}
	found := []struct{ found, figures string }{
		{fmt.Sprintf("%d · %d · %d", sum.wrong, sum.failed, sum.indeterminate), fmt.Sprintf("%d requests", sum.requests)},
		flat(readings, func(r reading) float64 { return r.memory }, 10),
		flat(readings, func(r reading) float64 { return r.goroutines }, 30),
		flat(readings, func(r reading) float64 { return r.files }, 30),
	}
	text := head + "| soak | found | figures |\n|---|---|---|\n"
	for i, r := range soakRows {
		if found[i].found != r.found {
			t.Errorf("%s: %s, want %s (%s)", r.what, found[i].found, r.found, found[i].figures)
		}
		text += promised(r.what, found[i].found) + " " + found[i].figures + " |\n"
	}
	write(t, "soak", text+"\n"+minutes)
}

// flat compares two quarters of the readings; slack is what counts as nothing
// beside a tenth.
func flat(all []reading, value func(reading) float64, slack float64) (r struct{ found, figures string }) {
	if len(all) > 2*warmth {
		all = all[warmth:]
	}
	quarter := max(1, len(all)/4)
	first, last := median(all[:quarter], value), median(all[len(all)-quarter:], value)
	r.found, r.figures = "flat", fmt.Sprintf("%.0f, then %.0f", first, last)
	if last > first*1.1+slack {
		r.found = "grows"
	}
	return r
}

func median(all []reading, value func(reading) float64) float64 {
	var values []float64
	for _, r := range all {
		values = append(values, value(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// take tallies what has been observed and forgets it.
func (l *load) take() tally {
	got := l.between(time.Time{}, time.Now().Add(time.Hour), nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = l.all[min(got.requests, len(l.all)):] // in the order of their ends
	l.all = slices.Clone(l.all)
	return got
}

func (t *tally) add(more tally) {
	t.requests += more.requests
	t.wrong += more.wrong
	t.failed += more.failed
	t.indeterminate += more.indeterminate
	t.examples = append(t.examples, more.examples...)
	t.examples = t.examples[:min(len(t.examples), 5)]
}
