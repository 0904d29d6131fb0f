package faults

import (
	"strings"
	"sync/atomic"

	"tongyan/sandbox"
)

// A question is a credential with the verdict that is right about it.
type question struct {
	token         string
	verdict, code string
	touched       bool // the fault may keep us from knowing
}

// Questions is a mix: most ask about what has been asked before, the others
// about businesses that nobody has asked about yet.
type questions struct {
	w     *world
	known []question

	fresh   func(province string) bool             // a registry's fault touches new licences of this one
	special atomic.Pointer[func(n int) []question] // what one dependency's fault is about, further on
}

// newQuestions makes the mix, and has the gateways hear of the known ones.
func (w *world) newQuestions(fresh func(province string) bool, gateways ...*target) *questions {
	w.t.Helper()
	q := &questions{w: w, fresh: fresh}
	list := w.statusList()
	must(w.t, list.Set(7, 1))
	for _, p := range w.box.Provinces() {
		for range 3 {
			q.known = append(q.known, w.good(p.Code, sandbox.LicenceSpec{}))
		}
		q.known = append(q.known, w.struckOff(p.Code), w.forged(p.Code))
	}
	good := w.good(broken, sandbox.LicenceSpec{Status: list.entry(3)})
	revoked := w.good(broken, sandbox.LicenceSpec{Status: list.entry(7)})
	revoked.verdict, revoked.code = "INVALID", "STATUS_REVOKED"
	q.known = append(q.known, good, revoked)
	for _, to := range gateways {
		for _, k := range q.known {
			eventually(w.t, "the first "+k.verdict+" "+k.code, func() bool { return to.ask(k.token).is(k.verdict, k.code) })
		}
	}
	return q
}

// next is the question of the nth moment.
func (q *questions) next(n int) question {
	w := q.w
	other := []string{"320000", "330000", "340000"}[n/10%3]
	switch n % 10 {
	case 6:
		return q.new(broken, w.good(broken, sandbox.LicenceSpec{}))
	case 7:
		return q.new(other, w.good(other, sandbox.LicenceSpec{}))
	case 8:
		if n/10%2 == 0 {
			return w.forged(broken)
		}
		return q.new(broken, w.struckOff(broken))
	case 9:
		if special := q.special.Load(); special != nil {
			all := (*special)(n / 10)
			return all[n/10%len(all)]
		}
		return q.new(other, w.struckOff(other))
	}
	return q.known[(n/10*6+n%10)%len(q.known)]
}

func (q *questions) new(province string, ask question) question {
	ask.touched = q.fresh != nil && q.fresh(province)
	return ask
}

// good is a licence that nobody has asked about.
func (w *world) good(province string, spec sandbox.LicenceSpec) question {
	spec.Number = int(w.number.Add(1))
	token, _, err := w.box.Province(province).Mint(spec)
	if err != nil {
		w.t.Error(err)
	}
	return question{token: token, verdict: "VALID", code: "OK"}
}

// struckOff is one whose business the register has struck off.
func (w *world) struckOff(province string) question {
	p := w.box.Province(province)
	b := p.Business(sandbox.Company, int(w.number.Add(1)))
	record := b.Record()
	record.RegState = "2"
	p.Registry.Put(record)
	token, _, err := p.Mint(sandbox.LicenceSpec{Business: &b})
	if err != nil {
		w.t.Error(err)
	}
	return question{token: token, verdict: "INVALID", code: "REGISTRATION_REVOKED"}
}

// forged is one whose signature has a bit changed.
func (w *world) forged(province string) question {
	q := w.good(province, sandbox.LicenceSpec{})
	at := strings.LastIndexByte(q.token, '.') + 5
	c := byte('A')
	if q.token[at] == c {
		c = 'B'
	}
	return question{token: q.token[:at] + string(c) + q.token[at+1:], verdict: "INVALID", code: "SIGNATURE_INVALID"}
}
