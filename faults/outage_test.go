package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/sandbox"
)

// The share of the outage after which something ends that known verdicts stand
// on: the standings' freshness limit, then the trust list itself.
const (
	freshShare = 0.5
	trustShare = 0.8
)

// budget is each gateway's of calls a second to one registry, and its burst.
const (
	outageRate = 60
	budget     = 5.0
	burst      = 1 // a tenth of the rate, but one
)

// outageRows are what must hold, and the words for it if it does.
var outageRows = []struct{ what, found string }{
	{"before: known and new", "right"},
	{"all gone, known standings within the limit: known", "right"},
	{"the same: new", "REGISTRY_UNAVAILABLE"},
	{"beyond the limit: known, whose standing would be needed", "REGISTRY_UNAVAILABLE"},
	{"beyond the limit: known, wrong by what needs no registry", "right"},
	{"the trust list has ended: all", "TRUST_LIST_EXPIRED"},
	{"readiness (contract §6.2) till the trust list ends · from then on · after the return", "200 · 503 · 200"},
	{"recovery without a restart: known and new", "right"},
	{"calls a second to a returning registry, beyond the gateways' budgets", "never"},
	{"5xx and broken connections, the whole time", "0"},
}

const outageHead = `| all dependencies gone | found | figures |
|---|---|---|
`

// All dependencies are gone for long: trust list, key sets, registries and status
// lists of all provinces, and Redis, for three gateways.
func TestOutage(t *testing.T) {
	half(t, true)
	lasts := *outageTime
	limit := time.Duration(freshShare * float64(lasts))
	w := newWorld(t)
	redis := startRedis(t)
	wire := newProxy(t, "redis", redis.addr)
	s := setup{redis: `url: "redis://` + wire.Listen + `"`, limits: fmt.Sprintf("rate: %v, max_in_flight: 64", budget),
		freshness: fmt.Sprintf("max_age: %v, stale_if_error: %v", limit*2/5, limit-limit*2/5)}
	var gateways []*gateway
	var targets []*target
	for range 3 {
		g := w.gateway(s)
		gateways, targets = append(gateways, g), append(targets, g.target)
	}
	warm := time.Now()
	mix := w.newQuestions(func(string) bool { return true }, targets...)
	warmed := time.Now()
	l := begin(t, outageRate, mix.next, targets...)
	start := time.Now()
	time.Sleep(10 * time.Second)

	gone := time.Now()
	w.publish(func(list *sandbox.List) { list.Exp = gone.Add(time.Duration(trustShare * float64(lasts))).Unix() })
	version := w.version()
	for _, g := range gateways {
		eventually(t, "the list that will end is in force", func() bool { return g.target.ask(mix.known[0].token).Version == version })
	}
	away := time.Now()
	for _, e := range w.box.Endpoints() {
		must(t, e.Set(sandbox.Fault{Mode: sandbox.Gone}))
	}
	wire.Stop()
	ends := gone.Truncate(time.Second).Add(time.Duration(trustShare * float64(lasts)))
	ready := watchReadiness(gateways)
	time.Sleep(time.Until(away.Add(lasts)))

	w.publish(func(list *sandbox.List) { list.Exp = time.Now().Add(24 * time.Hour).Unix() })
	back := time.Now()
	for _, e := range w.box.Endpoints() {
		must(t, e.Clear())
	}
	must(t, wire.Start())
	herd := watchCalls(w)
	fresh := w.good(broken, sandbox.LicenceSpec{})
	var took time.Duration
	for _, g := range gateways {
		took = max(took, eventually(t, "all is well", func() bool {
			known, fresh := mix.known[0], fresh
			return g.target.ask(known.token).is(known.verdict, known.code) && g.target.ask(fresh.token).is("VALID", "OK") && g.ready() == http.StatusOK
		}))
	}
	took = max(took, time.Since(back))
	// Until every licence's standing is renewed.
	for _, k := range mix.known {
		for _, g := range gateways {
			eventually(t, "known again", func() bool { return g.target.ask(k.token).is(k.verdict, k.code) })
		}
	}
	for _, p := range w.box.Provinces() {
		q := w.good(p.Code, sandbox.LicenceSpec{})
		for _, g := range gateways {
			eventually(t, "its new ones are verified", func() bool { return g.target.ask(q.token).is(q.verdict, q.code) })
		}
	}
	well := time.Now()
	time.Sleep(10 * time.Second)
	most := herd()
	readiness := ready()
	l.end()
	end := time.Now()

	o := outageStory{l: l, margin: 3 * time.Second}
	found := []struct{ found, figures string }{
		o.told(start, gone, all, "right"),
		o.told(away, warm.Add(limit), known, "right"),
		o.told(away, ends, newOnes, "REGISTRY_UNAVAILABLE"),
		o.told(warmed.Add(limit), ends, standing, "REGISTRY_UNAVAILABLE"),
		o.told(warmed.Add(limit), ends, proven, "right"),
		o.told(ends, back, all, "TRUST_LIST_EXPIRED"),
		{readiness.words(away, ends, back, well), ""},
		o.told(well, end, all, "right"),
		{within(most, 3*(budget+burst)), fmt.Sprintf("at most %d in a second to one registry, budget 3 × %v; all was well after %s", most, budget, seconds(took))},
		{fmt.Sprint(l.count(func(o observation) bool { return o.failed != "" })), fmt.Sprintf("%d requests", len(l.all))},
	}
	text := fmt.Sprintf("For %v, three gateways with one Redis, %d questions a second. `freshness` is %s; the trust list ends after %v.\n\n", lasts, outageRate, s.freshness, time.Duration(trustShare*float64(lasts))) + outageHead
	for i, r := range outageRows {
		if found[i].found != r.found {
			t.Errorf("%s: %s, want %s", r.what, found[i].found, r.found)
		}
		text += promised(r.what, found[i].found) + " " + found[i].figures + " |\n"
	}
	t.Log("\n" + text)
	write(t, "outage", text)
}

func (w *world) version() int64 {
	list, err := w.box.Trust.List()
	must(w.t, err)
	return list.Version
}

// Kinds of questions.
func all(observation) bool       { return true }
func newOnes(o observation) bool { return o.touched && o.question.code != "SIGNATURE_INVALID" }
func known(o observation) bool   { return !o.touched }
func standing(o observation) bool {
	return known(o) && slices.Contains([]string{"OK", "REGISTRATION_REVOKED"}, o.question.code)
}
func proven(o observation) bool { return known(o) && !standing(o) }

// An outageStory reads what was observed, leaving out a margin around the turns.
type outageStory struct {
	l      *load
	margin time.Duration
}

// told is "right", or the one code that all got, or the mixture.
func (s outageStory) told(from, to time.Time, fits func(observation) bool, want string) (r struct{ found, figures string }) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	n, others := 0, map[string]int{}
	for _, o := range s.l.all {
		if o.failed != "" || o.sent.Before(from.Add(s.margin)) || o.ended.After(to.Add(-s.margin)) || !fits(o) {
			continue
		}
		n++
		if o.Code != want && !(want == "right" && o.is(o.question.verdict, o.question.code)) {
			others[o.Verdict+" "+o.Code+" instead of "+o.question.code]++
		}
	}
	r.figures = fmt.Sprintf("%d requests in %v", n, to.Sub(from).Round(time.Second))
	switch {
	case n == 0:
		r.found = "nothing was asked"
	case len(others) == 0:
		r.found = want
	default:
		r.found = fmt.Sprint(others)
	}
	return r
}

// Readiness is what /readyz said, over time.
type readiness struct {
	mu   sync.Mutex
	said []struct {
		at     time.Time
		status int
	}
}

// watchReadiness looks at all gateways until the returned function is called.
func watchReadiness(gateways []*gateway) (end func() *readiness) {
	r, stop := &readiness{}, make(chan struct{})
	var wait sync.WaitGroup
	for _, g := range gateways {
		wait.Go(func() {
			tick := time.NewTicker(500 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				at, status := time.Now(), g.ready()
				r.mu.Lock()
				r.said = append(r.said, struct {
					at     time.Time
					status int
				}{at, status})
				r.mu.Unlock()
			}
		})
	}
	return func() *readiness {
		close(stop)
		wait.Wait()
		return r
	}
}

// words are the statuses in three stretches, a margin around the turns left out.
func (r *readiness) words(away, ends, back, well time.Time) string {
	const margin = 2 * time.Second
	var told []string
	for _, stretch := range [][2]time.Time{{away, ends.Add(-margin)}, {ends.Add(margin), back}, {well, well.Add(time.Hour)}} {
		seen := map[int]bool{}
		for _, s := range r.said {
			if s.at.After(stretch[0]) && s.at.Before(stretch[1]) {
				seen[s.status] = true
			}
		}
		var statuses []string
		for status := range seen {
			statuses = append(statuses, fmt.Sprint(status))
		}
		slices.Sort(statuses)
		told = append(told, strings.Join(statuses, "+"))
	}
	return strings.Join(told, " · ")
}

// watchCalls counts the calls that arrive at each registry, by sliding seconds,
// and returns the most that were in one.
func watchCalls(w *world) (end func() int) {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		const every = 100 * time.Millisecond
		seen := map[string][]int64{}
		top := int64(0)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			for _, p := range w.box.Provinces() {
				s := append(seen[p.Code], p.Registry.Calls())
				if len(s) > 11 {
					s = s[len(s)-11:]
				}
				seen[p.Code] = s
				top = max(top, s[len(s)-1]-s[0])
			}
			select {
			case <-stop:
				most <- int(top)
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		close(stop)
		return <-most
	}
}

func within(most int, budget float64) string {
	if float64(most) <= budget {
		return "never"
	}
	return fmt.Sprintf("%d, budgets are %v", most, budget)
}
