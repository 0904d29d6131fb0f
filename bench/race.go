package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A contestant is started anew for every round, alone on the first core.
type contestant struct {
	name  string
	load  *load
	start func(ctx context.Context) (*process, string, error) // with its address, ready to be measured
	check func(ctx context.Context, t *tally) error           // of what a round did, while the server still runs
}

// A round is one contestant's turn.
type round struct {
	rate float64       // requests a second
	cost time.Duration // processor time a request
}

// race lets two take turns and compares them: how much of b's throughput a
// reaches. Each of a's rounds is compared with b's next to it, so that what
// disturbs the machine for longer than a round meets both.
func (b *bench) race(ctx context.Context, a, floor *contestant, bound float64) (*table, error) {
	var ofA, ofFloor []round
	again := 0
	for i := range b.rounds {
		// Who begins changes, so that a steady drift cancels.
		turns := []*contestant{floor, a}
		if i%2 == 1 {
			turns = []*contestant{a, floor}
		}
		for _, c := range turns {
			r, err := b.turn(ctx, c)
			for ; errors.Is(err, errDisturbed) && again < b.rounds; again++ {
				r, err = b.turn(ctx, c)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if c == a {
				ofA = append(ofA, *r)
			} else {
				ofFloor = append(ofFloor, *r)
			}
		}
	}
	var byRate, byCost []float64
	var each []string
	for i := range ofA {
		byRate = append(byRate, ofA[i].rate/ofFloor[i].rate)
		byCost = append(byCost, float64(ofFloor[i].cost)/float64(ofA[i].cost))
		each = append(each, fmt.Sprintf("%.2f", byRate[i]))
	}
	t := &table{head: []string{"server", "requests/s", "CPU/request", "least"}}
	var least []float64
	for _, c := range []struct {
		name   string
		rounds []round
	}{{floor.name, ofFloor}, {a.name, ofA}} {
		var rates []float64
		var costs []time.Duration
		for _, r := range c.rounds {
			rates, costs = append(rates, r.rate), append(costs, r.cost)
		}
		t.row(c.name, fmt.Sprintf("%.0f", median(rates)), micros(median(costs)), micros(slices.Min(costs)))
		least = append(least, float64(slices.Min(costs)))
	}
	got := median(byRate)
	t.row("ratio", got, median(byCost), least[0]/least[1])
	word := "kept"
	if got < bound {
		word, t.missed = "MISSED", true
	}
	t.note("bound: ratio of throughput at least %.2f: %s (rounds: %s)", bound, word, strings.Join(each, " "))
	if again > 0 {
		t.note("%d rounds were disturbed and played again", again)
	}
	return t, nil
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }

// turn measures one round.
func (b *bench) turn(ctx context.Context, c *contestant) (*round, error) {
	p, addr, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	before := p.cpu()
	t, err := drive(ctx, addr, c.load, b.duration)
	if err != nil {
		return nil, err
	}
	used := p.cpu() - before
	if c.check != nil {
		if err := c.check(ctx, t); err != nil {
			return nil, err
		}
	}
	return &round{t.rate(), used / time.Duration(t.Requests)}, nil
}

// floor is one of our own servers as a contestant.
func (b *bench) floor(name string, l *load) *contestant {
	return &contestant{name: name, load: l, start: func(ctx context.Context) (*process, string, error) {
		p, err := start(ctx, serverCore, b.self, floorCommand, name)
		if err != nil {
			return nil, "", err
		}
		addr, err := p.await("serving ")
		if err != nil {
			p.kill()
			return nil, "", err
		}
		return p, addr, nil
	}}
}
