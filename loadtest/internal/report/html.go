package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

//go:embed page.html
var pageText string

// page is the one template: a head, then whatever of the parts is there.
type page struct {
	Title    words.Text
	Word     string
	Line     words.Text
	Reasons  []words.Text
	Facts    []words.Text
	Tiles    []tile
	Notes    []words.Text // under the tiles
	Plots    []template.HTML
	Tables   []table
	Untested []words.Text
}

type tile struct {
	Name  words.Text
	Value string
	Bad   bool
}

type table struct {
	Title words.Text
	Head  []words.Text
	Rows  [][]cell
}

// cell is text or a drawing.
type cell struct {
	Text words.Text
	HTML template.HTML
	Bad  bool
	Long bool // may be broken into lines
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"t": func(t words.Text) template.HTML {
		en, zh := template.HTMLEscapeString(t.En), template.HTMLEscapeString(t.Zh)
		if en == zh {
			return template.HTML(en)
		}
		return template.HTML(`<span class="en">` + en + `</span><span class="zh">` + zh + `</span>`)
	},
}).Parse(pageText))

// HTML draws a *Run, a *Plan or a *Faults as one page that needs nothing else.
func HTML(v any) ([]byte, error) {
	var p page
	switch v := v.(type) {
	case *Run:
		p = runPage(v)
	case *Plan:
		p = planPage(v)
	case *Faults:
		p = faultsPage(v)
	default:
		return nil, fmt.Errorf("report: a %T cannot be drawn", v)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

func facts(s Settings, m Machine, started string) []words.Text {
	where := words.T("a running target", "已运行的目标")
	if s.Rig {
		where = words.F("%d gateway(s) started by loadtest", "由 loadtest 启动的 %d 个网关", s.Gateways)
	}
	return []words.Text{
		same(started), where,
		words.F("work: %[1]s, population %[3]d, cold %[4]s", "请求：%[2]s，热点 %[3]d 份，冷请求 %[4]s", s.Source, map[string]string{"minted": "现场签发", "samples": "样例"}[s.Source], s.Population, percent(s.Cold)),
		words.F("SLO %s", "服务目标 %s", s.SLO),
		words.F("%s/%s, %d cores, %s", "%s/%s，%d 核，%s", m.OS, m.Arch, m.Cores, m.Go),
		words.F("settings %s, seed %d", "设置摘要 %s，种子 %d", s.Digest, s.Seed),
	}
}

func text(s string) cell { return cell{Text: same(s)} }

func cells(values ...string) (out []cell) {
	for _, v := range values {
		out = append(out, text(v))
	}
	return out
}

func runPage(r *Run) page {
	t := r.Totals
	p := page{
		Title: words.T("Load run: "+r.Settings.Profile, "压测报告："+r.Settings.Profile),
		Word:  r.Conclusion.Word, Line: r.Conclusion.Line, Reasons: r.Conclusion.Reasons,
		Facts:    facts(r.Settings, r.Machine, r.Started.Format("2006-01-02 15:04:05 -07:00")),
		Notes:    []words.Text{Twins(r)},
		Plots:    runPlots(r),
		Untested: r.Untested,
	}
	rate := func(v float64) string { return fmt.Sprintf("%.1f/s", v) }
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v) }
	wrong := t.Outcomes["wrong"]
	p.Tiles = []tile{
		{words.T("offered", "到达"), rate(t.OfferedRate), false},
		{words.T("completed", "完成"), rate(t.CompletedRate), false},
		{words.T("correct", "正确"), rate(t.Goodput), false},
		{words.T("p50, corrected", "p50（修正）"), ms(t.Corrected.P50), false},
		{words.T("p99, corrected", "p99（修正）"), ms(t.Corrected.P99), false},
		{words.T("p99.9, corrected", "p99.9（修正）"), ms(t.Corrected.P999), false},
		{words.T("p99, raw", "p99（原始）"), ms(t.Raw.P99), false},
		{words.T("not correct", "非正确"), fmt.Sprintf("%.3g%%", t.ErrorShare*100), false},
		{words.T("wrong verdicts", "错误结论"), fmt.Sprint(wrong), wrong > 0},
		{words.T("scheduler lag p99", "调度延迟 p99"), ms(r.Generator.LagP99), r.Generator.Limited},
	}
	p.Tables = []table{sloTable(r.SLO), firstTable(r.First), faultTable(r.Faults), outcomeTable(r), answerTable(t.Answers), generatorTable(r)}
	return p
}

func sloTable(bounds []Bound) table {
	t := table{Title: words.T("Service objectives", "服务目标"), Head: []words.Text{words.T("objective", "目标"), words.T("bound", "界限"), words.T("measured", "实测"), words.T("held", "达标")}}
	for _, b := range bounds {
		held := cell{Text: words.T("yes", "是")}
		if !b.Held {
			held = cell{Text: words.T("no", "否"), Bad: true}
		}
		t.Rows = append(t.Rows, []cell{text(b.Name), text(fmt.Sprintf("%.4g %s", b.Bound, b.Unit)), text(fmt.Sprintf("%.4g %s", b.Measured, b.Unit)), held})
	}
	return t
}

func outcomeTable(r *Run) table {
	t := table{Title: words.T("By province, format and algorithm", "按省份、格式与算法"), Head: []words.Text{
		words.T("what was sent", "所发证照"), words.T("correct", "正确"), words.T("degraded", "降级"), words.T("wrong", "错误"), words.T("refused", "被拒"),
		words.T("failed", "失败"), words.T("never sent", "未发出"),
	}}
	for _, name := range keysOf(r.Totals.Classes) {
		c := r.Totals.Classes[name]
		n := func(names ...string) string {
			sum := int64(0)
			for _, o := range names {
				sum += c[o]
			}
			return fmt.Sprint(sum)
		}
		row := cells(name, n("correct"), n("degraded"), n("wrong"), n("refused"), n("fault", "malformed", "timeout", "broken"), n("unsent", "late"))
		row[3].Bad = c["wrong"] > 0
		t.Rows = append(t.Rows, row)
	}
	return t
}

func answerTable(rows []stats.Row) table {
	t := table{Title: words.T("Expected and got", "预期与实得"), Head: []words.Text{words.T("expected", "预期"), words.T("got", "实得"), words.T("outcome", "结果"), words.T("count", "次数")}}
	for i, r := range rows {
		if i == 60 {
			t.Rows = append(t.Rows, []cell{{Text: words.T("… more in the JSON", "……其余见 JSON")}})
			break
		}
		row := cells(r.Want, r.Got, r.Outcome, fmt.Sprint(r.Count))
		row[2].Bad = r.Outcome == "wrong"
		t.Rows = append(t.Rows, row)
	}
	return t
}

func faultTable(all []Fault) table {
	t := table{Title: words.T("Faults brought about", "注入的故障"), Head: []words.Text{words.T("fault", "故障"), words.T("province", "省份"), words.T("from, s", "起，秒"), words.T("to, s", "止，秒"), words.T("went wrong", "注入问题")}}
	for _, f := range all {
		t.Rows = append(t.Rows, cells(f.What, f.Province, fmt.Sprintf("%.1f", f.From), fmt.Sprintf("%.1f", f.To), f.Error))
	}
	return t
}

func generatorTable(r *Run) table {
	g := r.Generator
	idle := "?"
	if g.HostIdle >= 0 {
		idle = percent(g.HostIdle)
	}
	return table{Title: words.T("The generator itself", "发压端自身"), Head: []words.Text{
		words.T("lag p99 / max", "调度延迟 p99 / 最大"), words.T("given up late", "迟到放弃"), words.T("CPU a request", "每请求 CPU"), words.T("CPU peak", "CPU 峰值"),
		words.T("machine idle", "本机空闲"), words.T("longest GC pause", "最长 GC 停顿"), words.T("memory", "内存"), words.T("metrics scraped", "指标采集"),
	}, Rows: [][]cell{cells(fmt.Sprintf("%.2f / %.1f ms", g.LagP99, g.LagMax), percent(g.LateShare), fmt.Sprintf("%.0f µs", g.CPUPerRequest),
		fmt.Sprintf("%.2f / %.0f", g.CPUPeak, g.Cores), idle, fmt.Sprintf("%.2f ms", g.GCPauseMax), fmt.Sprintf("%.0f MiB", g.MemoryPeak), r.Scraped)}}
}

func planPage(pl *Plan) page {
	p := page{
		Title: words.F("How many gateways for %.0f/s", "%.0f 次/秒需要几个网关", pl.Peak), Word: pl.Conclusion.Word, Line: pl.Answer,
		Facts: facts(pl.Settings, pl.Machine, pl.Started.Format("2006-01-02 15:04:05 -07:00")),
		Plots: planPlots(pl), Untested: pl.Untested, Notes: pl.Fits,
	}
	needs := "?"
	if pl.Needs > 0 {
		needs = fmt.Sprint(pl.Needs)
	}
	p.Tiles = []tile{{words.T("gateways, spare included", "网关数（含备用）"), needs, pl.Needs == 0}, {words.T("peak", "峰值"), fmt.Sprintf("%.0f/s", pl.Peak), false}}
	for _, s := range pl.Searches {
		holds := fmt.Sprintf("%.0f/s", s.Holds)
		if s.Holds == 0 {
			holds = "–" // nothing was shown to hold: see the steps
		}
		p.Tiles = append(p.Tiles, tile{words.F("%d gateway(s) hold", "%d 个网关承载", s.Gateways), holds, false})
		if s.Recovery > -2 {
			p.Notes = append(p.Notes, beyondText(s))
		}
	}
	if pl.Fit != nil {
		p.Notes = append(p.Notes, fitText(*pl.Fit))
	}
	steps := table{Title: words.T("Every rate tried", "试过的速率"), Head: []words.Text{
		words.T("gateways", "网关"), words.T("phase", "阶段"), words.T("rate", "速率"), words.T("correct", "正确"), same("p50"), same("p99"), words.T("raw p99", "原始 p99"),
		words.T("errors", "错误"), words.T("lag p99", "调度延迟"), words.T("machine idle", "本机空闲"), words.T("held", "达标"),
	}}
	for _, s := range pl.Searches {
		for _, st := range s.Steps {
			row := cells(fmt.Sprint(s.Gateways), st.Phase, fmt.Sprintf("%.0f/s", st.Rate), fmt.Sprintf("%.0f/s", st.Goodput), fmt.Sprintf("%.2f ms", st.P50),
				fmt.Sprintf("%.2f ms", st.P99), fmt.Sprintf("%.2f ms", st.RawP99), percent(st.Error), fmt.Sprintf("%.2f ms", st.LagP99), percent(max(st.HostIdle, 0)))
			held := cell{Text: words.T("yes", "是")}
			if !st.Held {
				held = cell{Text: words.T("no", "否"), Bad: true}
			}
			if st.Limited {
				held = cell{Text: words.T("generator", "发压端受限"), Bad: true}
			}
			steps.Rows = append(steps.Rows, append(row, held))
		}
		if len(s.First) > 0 {
			t := firstTable(s.First)
			t.Title = words.F("What breaks first, %d gateway(s)", "最先出问题的环节，%d 个网关", s.Gateways)
			p.Tables = append(p.Tables, t)
		}
	}
	p.Tables = append([]table{steps}, p.Tables...)
	return p
}

func faultsPage(f *Faults) page {
	p := page{
		Title: words.T("Faults under load", "负载下的故障"), Word: f.Conclusion.Word, Line: f.Conclusion.Line,
		Facts: append(facts(f.Settings, f.Machine, f.Started.Format("2006-01-02 15:04:05 -07:00")), same(f.Command)),
	}
	t := table{Title: words.T("Fault × load", "故障 × 负载"), Head: []words.Text{
		words.T("fault", "故障"), words.T("load", "负载"), words.T("verdict quality", "结论质量"), words.T("correct", "正确"), words.T("degraded", "降级"), words.T("wrong", "错误"), words.T("refused", "被拒"),
		words.T("failed", "失败"), words.T("p99 before", "之前 p99"), words.T("p99, worst second", "最差一秒 p99"), words.T("back to normal", "恢复"),
	}}
	for _, r := range f.Rows {
		row := cells(r.Fault, fmt.Sprintf("%.0f/s", r.Load), "", percent(r.Correct), percent(r.Degraded), percent(r.Wrong), percent(r.Refused), percent(r.Failed),
			fmt.Sprintf("%.1f ms", r.Before), fmt.Sprintf("%.0f ms", r.P99))
		row[2].HTML = quality(r)
		row[5].Bad = r.Wrong > 0
		t.Rows = append(t.Rows, append(row, cell{Text: recovery(r), Bad: r.Recovery < 0, Long: true}))
	}
	p.Tables = []table{t}
	p.Notes = []words.Text{words.T(
		"Bars: green correct, orange degraded (an honest INDETERMINATE), red wrong, purple refused, grey failed.",
		"色条：绿为正确，橙为降级（如实的 INDETERMINATE），红为错误，紫为被拒，灰为失败。")}
	return p
}

// quality is a small bar of shares.
func quality(r FaultRow) template.HTML {
	var b strings.Builder
	b.WriteString(`<svg class="bar" viewBox="0 0 120 12">`)
	x := 0.0
	for _, s := range []struct {
		share float64
		color string
	}{{r.Correct, green}, {r.Degraded, orange}, {r.Wrong, "#b00020"}, {r.Refused, purple}, {r.Failed, grey}} {
		fmt.Fprintf(&b, `<rect x="%s" y="0" width="%s" height="12" fill="%s"/>`, num(x*120), num(s.share*120), s.color)
		x += s.share
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
