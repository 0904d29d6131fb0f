package main

import (
	"strings"
	"testing"

	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/words"
)

func plan1(holds, breaks float64, limit string, idle float64) *report.Plan {
	return &report.Plan{Peak: 840, Spare: 1, Settings: report.Settings{Rig: true}, Searches: []report.Search{{
		Gateways: 1, Holds: holds, Breaks: breaks, Limit: limit, Recovery: -2,
		Steps: []report.Step{{Rate: holds, Held: true, HostIdle: 0.5}, {Rate: breaks, HostIdle: idle}},
		First: []metricscrape.Finding{{Metric: "process_cpu_seconds_total", About: words.T("the gateway's CPU", "网关 CPU"), Peak: 0.97, Unit: "of its cores", At: 4}},
	}}}
}

func TestAnswer(t *testing.T) {
	for _, tc := range []struct {
		name   string
		plan   *report.Plan
		exit   int
		needs  int
		en, zh []string
	}{
		{"enough", plan1(3000, 3200, "slo", 0.4), report.ExitPass, 2,
			[]string{"2 gateways for 840/s", "process_cpu_seconds_total at 0.97", "between 3000 and 3200/s", "Not tested: 2 gateways"},
			[]string{"840 次/秒需要 2 个网关", "单网关可承受 3000 次/秒", "第 4 秒"}},
		{"not enough", plan1(500, 540, "slo", 0.4), report.ExitSLO, 0,
			[]string{"not known for 840/s: one gateway holds 500/s"}, []string{"单网关可承受 500 次/秒"}},
		{"the generator's end", plan1(500, 540, "generator", 0.02), report.ExitInconclusive, 0,
			[]string{"the generator, not the gateway", "a lower bound"}, []string{"此为下限"}},
		{"nothing held", plan1(0, 100, "slo", 0.4), report.ExitSLO, 0, []string{"even at the lowest rate"}, []string{"最低速率"}},
		{"wrong verdicts", plan1(3000, 3200, "wrong", 0.4), report.ExitWrong, 2, []string{"wrong verdicts"}, []string{"错误结论"}},
	} {
		answer(tc.plan, false)
		if tc.plan.Conclusion.Exit != tc.exit || tc.plan.Needs != tc.needs {
			t.Errorf("%s: exit %d, %d gateways; want %d, %d", tc.name, tc.plan.Conclusion.Exit, tc.plan.Needs, tc.exit, tc.needs)
		}
		for _, want := range tc.en {
			if !strings.Contains(tc.plan.Answer.En, want) {
				t.Errorf("%s: no %q in %q", tc.name, want, tc.plan.Answer.En)
			}
		}
		for _, want := range tc.zh {
			if !strings.Contains(tc.plan.Answer.Zh, want) {
				t.Errorf("%s: no %q in %q", tc.name, want, tc.plan.Answer.Zh)
			}
		}
		if both := tc.plan.Answer.En + tc.plan.Answer.Zh; strings.Contains(both, "%!") || strings.Contains(both, "\n") {
			t.Errorf("%s: %s", tc.name, both)
		}
	}
}

func TestInterruptedPlan(t *testing.T) {
	p := plan1(3000, 3200, "slo", 0.4)
	answer(p, true)
	if p.Conclusion.Exit != report.ExitInterrupted {
		t.Errorf("exit %d", p.Conclusion.Exit)
	}
	answer(&report.Plan{}, true) // nothing was had: still an answer
}

// Three gateways that scale give a law, and numbers up to twice what was
// measured.
func TestScalingAnswer(t *testing.T) {
	p := plan1(1000, 1080, "slo", 0.4)
	p.Peak = 4200
	for n := 2; n <= 3; n++ {
		p.Searches = append(p.Searches, report.Search{Gateways: n, Holds: 1000 * float64(n), Recovery: -2})
	}
	answer(p, false)
	if p.Needs != 6 || p.Fit == nil || !strings.Contains(p.Sure.En, "by the scaling law") {
		t.Errorf("%d: %s", p.Needs, p.Answer.En)
	}
}
