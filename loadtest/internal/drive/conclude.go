package drive

import (
	"fmt"

	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/words"
)

// Conclude says what a run was worth.
//
// An interrupt goes before all, since the caller asked for it; then a wrong
// verdict, which no circumstance excuses; then a target that was not there; then
// doubts about the generator, which make the SLO's figures worthless.
func Conclude(r *report.Run) report.Conclusion {
	t := r.Totals
	var c report.Conclusion
	reason := func(t words.Text) { c.Reasons = append(c.Reasons, t) }
	if n := t.Count(verdict.Wrong); n > 0 {
		reason(words.F("%d wrong verdicts among %d answers", "%[2]d 次应答中有 %[1]d 次结论错误", n, t.Completed))
	}
	for _, f := range r.Faults {
		if f.Error != "" {
			reason(words.F("the fault %q could not be carried out: %s", "故障 %q 未能执行：%s", f.What, f.Error))
		}
	}
	if r.Stopped != "" {
		reason(words.F("it stopped early: %s", "提前停止：%s", r.Stopped))
	}
	c.Reasons = append(c.Reasons, r.Generator.Why...)
	for _, b := range r.SLO {
		if !b.Held {
			reason(words.F("%s is %s, bound %s", "%s 为 %s，界限 %s", b.Name, amount(b.Measured, b.Unit), amount(b.Bound, b.Unit)))
		}
	}
	settle := func(exit int, word, en, zh string) { c.Exit, c.Word, c.Line = exit, word, words.T(en, zh) }
	switch {
	case r.Interrupted:
		settle(report.ExitInterrupted, "interrupted", "interrupted: this report covers what was run until then", "被中断：本报告只含中断之前的部分")
	case t.Count(verdict.Wrong) > 0:
		settle(report.ExitWrong, "wrong", "wrong verdicts were seen", "出现错误结论")
	case t.Offered > 0 && t.Completed == 0:
		settle(report.ExitUnreachable, "unreachable", "the target answered nothing", "目标没有任何应答")
	case r.Generator.Limited || r.Stopped != "" || faulty(r.Faults) || t.Offered == 0:
		settle(report.ExitInconclusive, "inconclusive", "inconclusive: no number of this run may be used", "无定论：本次数字不可使用")
	case !report.Held(r.SLO):
		settle(report.ExitSLO, "slo", "the SLO was not held", "未达到服务目标")
	default:
		settle(report.ExitPass, "pass", "the SLO was held", "达到服务目标")
	}
	return c
}

func faulty(faults []report.Fault) bool {
	for _, f := range faults {
		if f.Error != "" {
			return true
		}
	}
	return false
}

func amount(v float64, unit string) string {
	if unit == "%" {
		return fmt.Sprintf("%.3g%%", v)
	}
	return fmt.Sprintf("%.4g %s", v, unit)
}
