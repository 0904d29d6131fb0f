package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

func pages(t *testing.T) map[string]string {
	t.Helper()
	run := fakeRun(1, 10, 60)
	run.Totals = stats.Totals{Histogram: []stats.Bin{{From: 1, To: 1.26, Corrected: 5, Raw: 1}}, Outcomes: map[string]int64{"wrong": 1},
		Answers: []stats.Row{{Want: "VALID OK", Got: "<script>alert(1)</script>", Outcome: "wrong", Count: 1}}}
	run.Faults = []report.Fault{{From: 5, To: 9, What: "slow 2s", Province: "320000"}}
	run.Moves = []metricscrape.Move{{At: 6, Target: "a", Province: "320000", State: "open"}}
	run.SLO = []report.Bound{{Name: "p99", Bound: 50, Measured: 60, Unit: "ms"}}
	run.First = []metricscrape.Finding{{Metric: "m", About: words.T("the registry", "登记系统"), At: 6, Peak: 3, Bound: 1, Unit: "/s"}}
	plan := &report.Plan{Peak: 840, Needs: 2, Fit: &report.Fit{One: 1000, Measured: 2}, Searches: []report.Search{
		{Gateways: 1, Steps: []report.Step{{Phase: "baseline", Rate: 100, Goodput: 100, P99: 5, Held: true}, {Phase: "up", Rate: 160, Goodput: 150, P99: 90}}, Holds: 100, Recovery: 2},
		{Gateways: 2, Steps: []report.Step{{Phase: "baseline", Rate: 200, Goodput: 200, P99: 5, Held: true}}, Holds: 200, Recovery: -2},
	}}
	faults := &report.Faults{Command: "loadtest faults", Rows: []report.FaultRow{{Fault: "redis killed", Load: 85, Correct: 0.9, Failed: 0.1, Recovery: -1}}}
	out := map[string]string{}
	for name, v := range map[string]any{"run": run, "plan": plan, "faults": faults} {
		page, err := report.HTML(v)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(page)
	}
	return out
}

// A page stands alone: it fetches nothing, runs nothing, and holds nothing that
// a target wrote as anything but text.
func TestPagesStandAlone(t *testing.T) {
	for name, page := range pages(t) {
		for _, bad := range []string{"<script", "http://", "https://", "NaN", "Inf", "%!", "url(", "<link", "<img"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
}

// Every plot is well-formed, and has units on both axes and a legend.
func TestPlots(t *testing.T) {
	figure := regexp.MustCompile(`(?s)<figure>.*?</figure>`)
	for name, page := range pages(t) {
		all := figure.FindAllString(page, -1)
		if want := map[string]int{"run": 6, "plan": 3, "faults": 0}[name]; len(all) != want {
			t.Errorf("%s: %d plots, want %d", name, len(all), want)
		}
		for _, f := range all {
			d := xml.NewDecoder(strings.NewReader(f))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Errorf("%s: %v in %.200s", name, err, f)
					break
				}
			}
			if strings.Contains(f, "<svg") && (strings.Count(f, `font-weight="600"`) < 2 || !strings.Contains(f, `class="legend"`)) {
				t.Errorf("%s: no units or no legend in %.200s", name, f)
			}
		}
	}
}

// Whatever is said in one language is said in the other.
func TestBothLanguages(t *testing.T) {
	for name, page := range pages(t) {
		en, zh := strings.Count(page, `class="en"`), strings.Count(page, `class="zh"`)
		if en != zh || en == 0 {
			t.Errorf("%s: %d texts in English, %d in Chinese", name, en, zh)
		}
	}
}

func TestTextsForTerminals(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		var b strings.Builder
		run := fakeRun(1, 10, 60)
		run.Totals.Corrected.P99, run.Totals.Raw.P99 = 1900, 20
		run.First = []metricscrape.Finding{{Metric: "m", About: words.T("the registry", "登记系统"), At: 6, Peak: 3, Bound: 1, Unit: "/s"}}
		report.Summary(&b, run, lang)
		report.PlanSummary(&b, &report.Plan{Fit: &report.Fit{One: 1, Measured: 2}, Searches: []report.Search{{Steps: []report.Step{{Held: true}, {Limited: true}, {}}, Recovery: -1, Collapse: 5}}}, lang)
		report.FaultsSummary(&b, &report.Faults{Rows: []report.FaultRow{{Fault: "x", Recovery: 3}, {Recovery: -1}, {Error: "e"}}}, lang)
		report.Differences(&b, []report.Difference{{Name: words.T("p99", "p99"), Judgment: "worse"}}, lang)
		if s := b.String(); strings.Contains(s, "%!") || !strings.Contains(s, map[string]string{"en": "hides 1880 of 1900 ms", "zh": "隐藏了 1880 ms"}[lang]) {
			t.Errorf("%s:\n%s", lang, s)
		}
	}
}

func TestFitAt(t *testing.T) {
	f := report.Fit{One: 100, Contention: 0.5}
	if f.At(1) != 100 || f.At(3) != 150 {
		t.Errorf("%v %v", f.At(1), f.At(3))
	}
}
