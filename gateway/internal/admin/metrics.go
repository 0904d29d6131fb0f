package admin

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/registry"
)

// Metrics are the gateway's figures. All labels come from closed sets: codes,
// provinces of the trust list, formats and algorithms that are known here.
// Its methods satisfy the observers of the rooms that they are handed to.
type Metrics struct {
	*prometheus.Registry
	verdicts  *counters[verdictLabels]
	steps     *histograms[stepLabels]
	age       prometheus.Histogram
	lookups   *counters[[2]string]
	asked     *histograms[[2]string]
	breaker   *counters[[2]string]
	refused   *counters[[1]string]
	shared    *counters[[2]string]
	inFlight  prometheus.Gauge
	trustFail *counters[[1]string]
	lists     *counters[[1]string]
	reloads   *counters[[1]string]
}

type verdictLabels = [3]string // province, verdict, code
type stepLabels = [3]string    // check, format, alg

// fine are buckets from 5 µs to 3 s: checks take the one end, registries the other.
var fine = []float64{5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.4, 0.8, 1.5, 3}

// NewMetrics makes the metrics, all at zero.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{
		Registry:  r,
		verdicts:  newCounters[verdictLabels](r, "tongyan_verdicts_total", "Verdicts by province of the issuer, outcome and deciding code.", "province", "verdict", "code"),
		steps:     newHistograms[stepLabels](r, "tongyan_check_seconds", "What the costly checks took.", "check", "format", "alg"),
		lookups:   newCounters[[2]string](r, "tongyan_cache_lookups_total", "Look-ups of findings and standings by the layer that had them.", "kind", "layer"),
		asked:     newHistograms[[2]string](r, "tongyan_registry_seconds", "Time in calls to a province's registry, by how the question ended.", "province", "result"),
		breaker:   newCounters[[2]string](r, "tongyan_registry_breaker_moves_total", "Moves of a province's breaker, by the state it came to.", "province", "state"),
		refused:   newCounters[[1]string](r, "tongyan_refused_total", "Requests that got no verdict, by fault code.", "code"),
		shared:    newCounters[[2]string](r, "tongyan_redis_events_total", "What went wrong with Redis: values that did not open, that were not written, round trips that failed.", "event", "what"),
		trustFail: newCounters[[1]string](r, "tongyan_trust_list_refused_total", "Trust lists refused, by reason.", "reason"),
		reloads:   newCounters[[1]string](r, "tongyan_reloads_total", "Reloads of the configuration, done or refused.", "result"),
		lists:     newCounters[[1]string](r, "tongyan_status_list_fetches_total", "Attempts to get a status list, by how they ended.", "result"),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tongyan_standing_age_seconds", Help: "Age of the standings that verdicts stand on.",
			Buckets: []float64{0.1, 1, 5, 15, 60, 150, 300, 600, 1800, 3600, 7200}}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tongyan_in_flight", Help: "Verifications under way."}),
	}
	r.MustRegister(m.age, m.inFlight)
	return m
}

// Step counts one costly check. alg may be anything that a stranger wrote.
func (m *Metrics) Step(check verifiers.Check, format verifiers.Format, alg string, took time.Duration) {
	known, ok := keys.ParseAlgorithm(alg)
	if !ok {
		known = "other"
	}
	m.steps.at(stepLabels{check.String(), string(format), string(known)}).Observe(took.Seconds())
}

// Done counts one verdict.
func (m *Metrics) Done(r *verifiers.Response) {
	v := &r.Verdict
	province := "none"
	if v.Province != nil {
		province = string(v.Province.Code)
	}
	m.verdicts.at(verdictLabels{province, v.Outcome.String(), string(v.Code)}).Inc()
	if v.Source != "" {
		m.age.Observe(v.Age.Seconds())
	}
}

// InFlight moves the gauge of verifications under way.
func (m *Metrics) InFlight(delta int) { m.inFlight.Add(float64(delta)) }

// Refused counts a request that got no verdict.
func (m *Metrics) Refused(code string) { m.refused.at([1]string{code}).Inc() }

// Looked counts a look-up of a fact.
func (m *Metrics) Looked(kind, layer string) { m.lookups.at([2]string{kind, layer}).Inc() }

// Shared counts n times something wrong with Redis.
func (m *Metrics) Shared(event, what string, n int) {
	m.shared.at([2]string{event, what}).Add(float64(n))
}

// TrustRefused counts a refused trust list.
func (m *Metrics) TrustRefused(reason string) { m.trustFail.at([1]string{reason}).Inc() }

// StatusFetched counts an attempt to get a status list.
func (m *Metrics) StatusFetched(result string) { m.lists.at([1]string{result}).Inc() }

// Reloaded counts a reload: done or refused.
func (m *Metrics) Reloaded(result string) { m.reloads.at([1]string{result}).Inc() }

// Asked counts one question to a registry.
func (m *Metrics) Asked(o registry.Observation) {
	result := string(o.Reason)
	if result == "" {
		result = "answered"
	}
	m.asked.at([2]string{string(o.Province), result}).Observe(o.Took.Seconds())
}

// Moved counts a move of a breaker.
func (m *Metrics) Moved(province keys.ProvinceCode, _, to registry.Breaker) {
	m.breaker.at([2]string{string(province), string(to)}).Inc()
}

// Gauge registers a figure that is read whenever the metrics are.
func (m *Metrics) Gauge(name, help string, labels map[string]string, read func() float64) {
	m.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

// Labels are resolved once and then found in a map: resolving them at every
// request costs more than the counting.
type counters[L labelSet] struct {
	vec   *prometheus.CounterVec
	known sync.Map // L → prometheus.Counter
}

type histograms[L labelSet] struct {
	vec   *prometheus.HistogramVec
	known sync.Map // L → prometheus.Observer
}

type labelSet interface {
	[1]string | [2]string | [3]string
}

func newCounters[L labelSet](r *prometheus.Registry, name, help string, labels ...string) *counters[L] {
	c := &counters[L]{vec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)}
	r.MustRegister(c.vec)
	return c
}

func newHistograms[L labelSet](r *prometheus.Registry, name, help string, labels ...string) *histograms[L] {
	h := &histograms[L]{vec: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: fine}, labels)}
	r.MustRegister(h.vec)
	return h
}

func (c *counters[L]) at(labels L) prometheus.Counter {
	if known, ok := c.known.Load(labels); ok {
		return known.(prometheus.Counter)
	}
	counter := c.vec.WithLabelValues(values(labels)...)
	c.known.Store(labels, counter)
	return counter
}

func (h *histograms[L]) at(labels L) prometheus.Observer {
	if known, ok := h.known.Load(labels); ok {
		return known.(prometheus.Observer)
	}
	observer := h.vec.WithLabelValues(values(labels)...)
	h.known.Store(labels, observer)
	return observer
}

func values[L labelSet](labels L) []string {
	switch l := any(labels).(type) {
	case [1]string:
		return l[:]
	case [2]string:
		return l[:]
	case [3]string:
		return l[:]
	}
	return nil
}
