package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"tongyan/loadtest/internal/words"
)

// Summary writes a run's end for a terminal.
func Summary(w io.Writer, r *Run, lang string) {
	t := r.Totals
	say := func(x words.Text) { fmt.Fprintln(w, x.In(lang)) }
	say(words.F("offered %.1f/s   completed %.1f/s   correct %.1f/s   errors %.3g%%", "到达 %.1f/s   完成 %.1f/s   正确 %.1f/s   错误率 %.3g%%",
		t.OfferedRate, t.CompletedRate, t.Goodput, t.ErrorShare*100))
	say(words.F("latency from the planned moment: p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f ms", "自计划时刻起的延迟：p50 %.2f  p99 %.2f  p99.9 %.2f  最大 %.1f ms",
		t.Corrected.P50, t.Corrected.P99, t.Corrected.P999, t.Corrected.Max))
	say(words.F("raw, from the moment of sending: p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f ms", "原始值（自发送时刻起）：p50 %.2f  p99 %.2f  p99.9 %.2f  最大 %.1f ms",
		t.Raw.P50, t.Raw.P99, t.Raw.P999, t.Raw.Max))
	say(Twins(r))
	say(words.F("generator: lag p99 %.2f ms, %.0f µs of CPU a request, peak %.2f of %.0f cores", "发压端：调度延迟 p99 %.2f ms，每请求 CPU %.0f µs，峰值 %.2f / %.0f 核",
		r.Generator.LagP99, r.Generator.CPUPerRequest, r.Generator.CPUPeak, r.Generator.Cores))
	for i, f := range r.First {
		if i == 3 {
			break
		}
		say(words.F("%[1]d. %[2]s: %[4]s reached %.3[5]g %[6]s, turned at %.0[7]f s", "%[1]d. %[3]s：%[4]s 达到 %.3[5]g %[6]s，第 %.0[7]f 秒转折",
			i+1, f.About.En, f.About.Zh, f.Metric, f.Peak, f.Unit, f.At))
	}
	for _, u := range r.Untested {
		say(words.T("not tested: "+u.En, "未测："+u.Zh))
	}
	say(r.Conclusion.Line)
	for _, reason := range r.Conclusion.Reasons {
		say(words.T("  "+reason.En, "  "+reason.Zh))
	}
}

// Twins says in a sentence what the two latencies tell together.
func Twins(r *Run) words.Text {
	c, raw := r.Totals.Corrected.P99, r.Totals.Raw.P99
	if raw > 0 && c > 1.5*raw && c-raw > 1 {
		return words.F("The raw p99 hides %.0f of %.0f ms: it starts its clock only when work is sent, but people wait from the moment they come.",
			"原始 p99 隐藏了 %.0f ms（实为 %.0f ms）：它从发送时才开始计时，而办事人从到达时就在等。", c-raw, c)
	}
	return words.T("Both agree: hardly any work had to wait before it was sent.", "两者一致：几乎没有请求在发送前排队。")
}

// PlanSummary writes a plan's end.
func PlanSummary(w io.Writer, p *Plan, lang string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, words.T("n\tphase\trate/s\tcorrect/s\tp50 ms\tp99 ms\traw p99\terrors\tlag p99\tidle\theld\t",
		"n\t阶段\t速率/s\t正确/s\tp50 ms\tp99 ms\t原始 p99\t错误\t调度延迟\t空闲\t达标\t").In(lang))
	for _, s := range p.Searches {
		for _, st := range s.Steps {
			held := words.T("no", "否")
			switch {
			case st.Held:
				held = words.T("yes", "是")
			case st.Limited:
				held = words.T("generator", "发压端受限")
			}
			fmt.Fprintf(tw, "%d\t%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f%%\t%.2f\t%.0f%%\t%s\t\n",
				s.Gateways, st.Phase, st.Rate, st.Goodput, st.P50, st.P99, st.RawP99, st.Error*100, st.LagP99, st.HostIdle*100, held.In(lang))
		}
	}
	tw.Flush()
	for _, s := range p.Searches {
		if s.Recovery > -2 {
			fmt.Fprintln(w, beyondText(s).In(lang))
		}
	}
	for _, n := range p.Fits {
		fmt.Fprintln(w, n.In(lang))
	}
	if p.Fit != nil {
		fmt.Fprintln(w, fitText(*p.Fit).In(lang))
	}
	fmt.Fprintln(w, p.Answer.In(lang))
}

func beyondText(s Search) words.Text {
	t := words.T("No collapse past the knee", "拐点之后未见崩溃")
	if s.Collapse > 0 {
		t = words.F("Collapse at %.0f/s: more load, less work done", "%.0f 次/秒时崩溃：负载增加而完成量下降", s.Collapse)
	}
	end := words.F("; recovered %.0f s after the load fell.", "；负载回落后 %.0f 秒恢复。", s.Recovery)
	if s.Recovery < 0 {
		end = words.T("; no recovery while it was watched.", "；观察期内未恢复。")
	}
	return words.T(t.En+end.En, t.Zh+end.Zh)
}

func fitText(f Fit) words.Text {
	return words.F("Scaling: %.0f/s × n / (1 + %.3f·(n−1) + %.3f·n·(n−1)), believed up to %d gateways.",
		"扩展规律：%.0f 次/秒 × n / (1 + %.3f·(n−1) + %.3f·n·(n−1))，适用至 %d 个网关。", f.One, f.Contention, f.Crosstalk, 2*f.Measured)
}

// FaultsSummary writes the table as Markdown, to be pasted.
func FaultsSummary(w io.Writer, t *Faults, lang string) {
	fmt.Fprintln(w, words.T("| fault | load | correct | degraded | wrong | refused | failed | p99 before → worst second | back to normal |",
		"| 故障 | 负载 | 正确 | 降级 | 错误 | 被拒 | 失败 | p99 之前 → 最差一秒 | 恢复 |").In(lang))
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range t.Rows {
		fmt.Fprintf(w, "| %s | %.0f/s | %s | %s | %s | %s | %s | %.1f → %.0f ms | %s |\n", r.Fault, r.Load,
			percent(r.Correct), percent(r.Degraded), percent(r.Wrong), percent(r.Refused), percent(r.Failed), r.Before, r.P99, recovery(r).In(lang))
	}
	fmt.Fprintln(w, t.Conclusion.Line.In(lang))
}

func recovery(r FaultRow) words.Text {
	t := words.F("%.0f s", "%.0f 秒", r.Recovery)
	switch {
	case r.Error != "":
		return words.T("not carried out: "+r.Error, "未执行："+r.Error)
	case r.Recovery < 0:
		t = words.T("not while watched", "观察期内未恢复")
	}
	if r.Limited {
		t.En, t.Zh = t.En+" (generator late)", t.Zh+"（发压端迟到）"
	}
	return t
}

// percent tells 0 from what is only nearly nothing.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0"
	case share < 0.0005:
		return "<0.1%"
	}
	return fmt.Sprintf("%.1f%%", share*100)
}

// Differences writes a comparison.
func Differences(w io.Writer, all []Difference, lang string) {
	judged := map[string]words.Text{"better": words.T("better", "变好"), "worse": words.T("worse", "变差"), "noise": words.T("noise", "噪声")}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, words.T("figure\tA\tB\tB − A, 95 %\t", "指标\tA\tB\tB − A（95%）\t").In(lang))
	for _, d := range all {
		fmt.Fprintf(tw, "%s\t%.4g %s\t%.4g %s\t%+.3g … %+.3g\t%s\n", d.Name.In(lang), d.A, d.Unit, d.B, d.Unit, d.Low, d.High, judged[d.Judgment].In(lang))
	}
	tw.Flush()
	fmt.Fprintln(w, words.T("The intervals come from inside of each run; runs differ more from day to day.", "区间取自各次运行内部；不同日子之间的差异更大。").In(lang))
}
