package admin_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"tongyan/gateway/internal/admin"
	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/registry"
)

// labels returns the values of one label of one metric.
func labels(t *testing.T, m prometheus.Gatherer, metric, label string) []string {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, one := range f.GetMetric() {
			for _, pair := range one.GetLabel() {
				if pair.GetName() == label {
					values[pair.GetValue()] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(values))
}

// What a hostile token says never becomes a label: alg, issuer, kid are its own
// choice, and every value would be a series more.
func TestLabelsAreClosed(t *testing.T) {
	m := admin.NewMetrics()
	for _, alg := range []string{"ES256", "Ed25519", "EdDSA", "none", "", "HS256", "es256", "\xff", strings.Repeat("x", 4000), "SM2"} {
		m.Step(verifiers.CheckSignature, "ebl+jwt", alg, time.Millisecond)
	}
	if got := labels(t, m, "tongyan_check_seconds", "alg"); !slices.Equal(got, []string{"ES256", "EdDSA", "SM2", "other"}) {
		t.Errorf("alg: %q", got)
	}
	hostile := "91310000MA1HOSTILE"
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Outcome: verifiers.Invalid, Code: verifiers.IssuerNotRecognised},
		Finding: &verifiers.Finding{Issuer: keys.Issuer(hostile), KeyID: keys.KeyID(hostile), Subject: hostile, Algorithm: hostile}})
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Outcome: verifiers.Valid, Code: verifiers.OK, Province: &keys.Province{Code: "310000"}, Source: verifiers.Cache, Age: time.Minute}})
	if got := labels(t, m, "tongyan_verdicts_total", "province"); !slices.Equal(got, []string{"310000", "none"}) {
		t.Errorf("province: %q", got)
	}
	if page := scrape(t, m); strings.Contains(page, hostile) || strings.Contains(page, "HS256") {
		t.Error("a token's own words stand among the metrics")
	}
}

func scrape(t *testing.T, m *admin.Metrics) string {
	t.Helper()
	a := admin.New(admin.Options{Parts: func() []admin.Part { return nil }, Gather: m})
	w := get(a, "GET", "/metrics")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w.Body.String()
}

func TestScrape(t *testing.T) {
	m := admin.NewMetrics()
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Outcome: verifiers.Invalid, Code: verifiers.Expired, Province: &keys.Province{Code: "310000"}}})
	m.Step(verifiers.CheckSignature, "ebl+jwt", "ES256", time.Millisecond)
	m.Looked("finding", "memory")
	m.Shared("dropped", "full", 3)
	m.Refused("TOO_LARGE")
	m.TrustRefused("rollback")
	m.InFlight(2)
	m.InFlight(-1)
	m.Asked(registry.Observation{Province: "310000", Took: time.Millisecond})
	m.Moved("310000", registry.Closed, registry.Open)
	m.Gauge("tongyan_test", "For the test.", nil, func() float64 { return 42 })
	page := scrape(t, m)
	for _, line := range []string{
		`tongyan_verdicts_total{code="EXPIRED",province="310000",verdict="INVALID"} 1`,
		`tongyan_refused_total{code="TOO_LARGE"} 1`,
		`tongyan_in_flight 1`, `tongyan_test 42`,
		`tongyan_trust_list_refused_total{reason="rollback"} 1`,
		`tongyan_registry_breaker_moves_total{province="310000",state="open"} 1`,
		`tongyan_cache_lookups_total{kind="finding",layer="memory"} 1`,
		`tongyan_redis_events_total{event="dropped",what="full"} 3`,
		`tongyan_check_seconds_count{alg="ES256",check="signature",format="ebl+jwt"} 1`,
		`tongyan_registry_seconds_count{province="310000",result="answered"} 1`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("%s is not on the page", line)
		}
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatalf("the page does not parse: %v", err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tongyan_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Standings of every age count; only verdicts that stand on one.
func TestStandingAge(t *testing.T) {
	m := admin.NewMetrics()
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Age: time.Hour}})
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Source: verifiers.Live}})
	m.Done(&verifiers.Response{Verdict: verifiers.Verdict{Source: verifiers.Stale, Age: time.Hour}})
	if page := scrape(t, m); !strings.Contains(page, "tongyan_standing_age_seconds_count 2\n") || !strings.Contains(page, "tongyan_standing_age_seconds_sum 3600\n") {
		t.Error("the ages do not add up")
	}
}

func TestTogether(t *testing.T) {
	m := admin.NewMetrics()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				m.Refused("OVERLOADED")
				m.Step(verifiers.CheckFormat, "ebl+jwt", "ES256", time.Microsecond)
			}
		})
	}
	all.Wait()
	if got := len(labels(t, m, "tongyan_refused_total", "code")); got != 1 {
		t.Errorf("%d series", got)
	}
	if page := scrape(t, m); !strings.Contains(page, `tongyan_refused_total{code="OVERLOADED"} 800`) {
		t.Error("counts were lost")
	}
}
