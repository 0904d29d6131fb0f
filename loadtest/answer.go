package main

import (
	"fmt"
	"strings"

	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/search"
	"tongyan/loadtest/internal/words"
)

// sharedIdle is the idle share below which the machine itself was used up.
const sharedIdle = 0.10

// answer draws the conclusion of a plan from its searches.
func answer(p *report.Plan, interrupted bool) {
	holds := map[int]float64{}
	wrong, generator := false, false
	for _, s := range p.Searches {
		if s.Holds > 0 {
			holds[s.Gateways] = s.Holds
		}
		wrong = wrong || s.Limit == "wrong"
		generator = generator || s.Limit == "generator"
	}
	shared := usedUp(p)
	if !shared {
		p.Fit = search.FitScaling(holds)
	} else if len(p.Searches) > 1 {
		p.Fits = append(p.Fits, words.T("no scaling law: gateways and generator shared this machine's CPU, which one gateway uses up",
			"未拟合扩展规律：网关与发压端共用本机 CPU，一个网关即已用尽"))
	}
	for n := 2; n <= 3; n++ {
		if _, measured := holds[n]; !measured && p.Settings.Rig {
			p.Untested = append(p.Untested, words.F("%d gateways", "%d 个网关", n))
		}
	}
	p.Untested = append(p.Untested,
		words.T("the real registries' latency and limits", "真实登记系统的延迟与限额"),
		words.T("the network between halls and gateways", "大厅与网关之间的网络"))
	need := search.Needed(holds, p.Fit, p.Peak)
	if need > 0 {
		p.Needs = need + p.Spare
	}
	p.Limits, p.Sure = limits(p, shared), sure(p, need, shared)
	p.Answer = line(p, holds, need)
	p.Conclusion = concludePlan(p, interrupted, wrong, generator || shared)
	p.Conclusion.Line = p.Answer
}

// usedUp tells that the machine had no CPU left where one gateway broke.
func usedUp(p *report.Plan) bool {
	for _, s := range p.Searches {
		for _, step := range s.Steps {
			if s.Gateways == 1 && step.Rate >= s.Holds && step.HostIdle >= 0 && step.HostIdle < sharedIdle {
				return true
			}
		}
	}
	return false
}

func limits(p *report.Plan, shared bool) words.Text {
	if len(p.Searches) == 0 {
		return words.T("not known", "未知")
	}
	s := p.Searches[0]
	var t words.Text
	switch {
	case s.Limit == "ceiling":
		return words.T("nothing up to the profile's highest rate", "直到方案允许的最高速率均未见瓶颈")
	case s.Limit == "generator":
		t = words.T("the generator, not the gateway", "发压端，而非网关")
	case s.Limit == "wrong":
		return words.T("wrong verdicts", "出现错误结论")
	case len(s.First) > 0:
		f := s.First[0]
		t = words.F("%[1]s (%[3]s at %[4]s %[5]s, second %.0[6]f)", "%[2]s（%[3]s 达 %[4]s %[5]s，第 %.0[6]f 秒）",
			f.About.En, f.About.Zh, f.Metric, fmt.Sprintf("%.3g", f.Peak), f.Unit, f.At)
	default:
		t = words.T("latency; no figure of the gateway turned before it", "延迟；此前网关各项指标均无异常")
	}
	if shared {
		t.En += "; the machine's CPU was used up, generator included"
		t.Zh += "；本机 CPU（含发压端）已用尽"
	}
	return t
}

func sure(p *report.Plan, need int, shared bool) words.Text {
	if len(p.Searches) == 0 || p.Searches[0].Holds == 0 {
		return words.T("nothing held", "没有任何速率达标")
	}
	s := p.Searches[0]
	var t words.Text
	if s.Breaks > 0 {
		t = words.F("the knee of one lies between %.0f and %.0f/s, and held twice", "单网关拐点在 %.0f 与 %.0f 次/秒之间，并复测一次达标", s.Holds, s.Breaks)
	} else {
		t = words.F("one held %.0f/s, the most that the profile allows", "单网关在方案允许的最高速率 %.0f 次/秒下达标", s.Holds)
	}
	if shared || s.Limit == "generator" {
		t.En += "; a lower bound, since the generator shared the machine"
		t.Zh += "；因发压端同机运行，此为下限"
	}
	if measured := len(p.Searches); need > measured {
		t.En += fmt.Sprintf("; %d gateways are beyond the %d measured, by the scaling law", need, measured)
		t.Zh += fmt.Sprintf("；%d 个网关超出实测的 %d 个，按扩展规律推算", need, measured)
	}
	return t
}

func line(p *report.Plan, holds map[int]float64, need int) words.Text {
	var head words.Text
	switch {
	case p.Needs > 0:
		head = words.F("%d gateways for %.0f/s (%d needed, %d spare; one holds %.0f/s)", "%.0[2]f 次/秒需要 %[1]d 个网关（必需 %[3]d，备用 %[4]d；单网关可承受 %.0[5]f 次/秒）",
			p.Needs, p.Peak, need, p.Spare, holds[1])
	case holds[1] > 0:
		head = words.F("not known for %.0f/s: one gateway holds %.0f/s, and more than that was not shown", "%.0f 次/秒所需数量未知：单网关可承受 %.0f 次/秒，更高未得到证实", p.Peak, holds[1])
	default:
		head = words.F("not known for %.0f/s: the SLO does not hold even at the lowest rate tried", "%.0f 次/秒所需数量未知：最低速率下服务目标也未达到", p.Peak)
	}
	var en, zh []string
	for _, u := range p.Untested {
		en, zh = append(en, u.En), append(zh, u.Zh)
	}
	return words.T(
		head.En+". Limit: "+p.Limits.En+". Sure: "+p.Sure.En+". Not tested: "+strings.Join(en, "; ")+".",
		head.Zh+"。瓶颈："+p.Limits.Zh+"。把握："+p.Sure.Zh+"。未测："+strings.Join(zh, "；")+"。")
}

func concludePlan(p *report.Plan, interrupted, wrong, doubtful bool) report.Conclusion {
	switch {
	case interrupted:
		return report.Conclusion{Exit: report.ExitInterrupted, Word: "interrupted"}
	case wrong:
		return report.Conclusion{Exit: report.ExitWrong, Word: "wrong"}
	case p.Needs > 0:
		return report.Conclusion{Exit: report.ExitPass, Word: "pass"}
	case doubtful:
		return report.Conclusion{Exit: report.ExitInconclusive, Word: "inconclusive"}
	}
	return report.Conclusion{Exit: report.ExitSLO, Word: "slo"}
}
