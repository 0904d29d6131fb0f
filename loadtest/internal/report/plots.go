package report

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

// Colours that people who see fewer of them can tell apart (Okabe and Ito).
const (
	blue    = "#0072B2"
	sky     = "#56B4E9"
	green   = "#009E73"
	orange  = "#E69F00"
	red     = "#D55E00"
	purple  = "#CC79A7"
	grey    = "#8a8f98"
	darkish = "#333a44"
)

var (
	seconds   = words.T("seconds from the start", "开始后秒数")
	perSecond = words.T("per second", "次/秒")
	millisT   = words.T("ms", "毫秒")
)

// line makes a curve of a series.
func line(r *Run, name words.Text, color string, get func(stats.Point) float64) curve {
	c := curve{name: name, color: color}
	for _, p := range r.Series {
		c.x, c.y = append(c.x, p.T), append(c.y, get(p))
	}
	return c
}

func spans(r *Run) (out []span) {
	for _, f := range r.Faults {
		name := f.What
		if f.Province != "" {
			name += " (" + f.Province + ")"
		}
		out = append(out, span{f.From, f.To, name})
	}
	return out
}

func same(s string) words.Text { return words.T(s, s) }

// runPlots are those of a run, in the order of the page.
func runPlots(r *Run) []template.HTML {
	raw := line(r, words.T("raw p99 (from sending)", "原始 p99（自发送起）"), darkish, func(p stats.Point) float64 { return p.RawP99 })
	raw.dashed = true
	planned := line(r, words.T("planned", "计划"), darkish, func(p stats.Point) float64 { return p.Planned })
	planned.dashed = true
	latency := &plot{
		title: words.T("Latency over time, from the planned moment (logarithmic)", "延迟随时间变化，自计划时刻起算（对数）"), xUnit: seconds, yUnit: millisT, logY: true, spans: spans(r),
		curves: []curve{
			line(r, same("p50"), sky, func(p stats.Point) float64 { return p.P50 }),
			line(r, same("p90"), green, func(p stats.Point) float64 { return p.P90 }),
			line(r, same("p99"), blue, func(p stats.Point) float64 { return p.P99 }),
			line(r, same("p99.9"), red, func(p stats.Point) float64 { return p.P999 }), raw,
		},
	}
	for _, b := range r.SLO {
		if b.Name == "p99" {
			latency.level = &mark{b.Bound, words.F("p99 bound, %g ms", "p99 界限 %g 毫秒", b.Bound)}
		}
	}
	rates := &plot{title: words.T("Rates: offered, completed and correct are three different things", "速率：到达、完成与正确是三回事"), xUnit: seconds, yUnit: perSecond, spans: spans(r), curves: []curve{
		planned,
		line(r, words.T("offered", "到达"), orange, func(p stats.Point) float64 { return p.Offered }),
		line(r, words.T("completed", "完成"), sky, func(p stats.Point) float64 { return p.Completed }),
		line(r, words.T("correct", "正确"), green, func(p stats.Point) float64 { return p.Correct }),
		line(r, words.T("never sent", "未发出"), red, func(p stats.Point) float64 { return p.Unsent + p.Late }),
	}}
	verdicts := &plot{title: words.T("Verdicts", "核验结论"), xUnit: seconds, yUnit: perSecond, stack: true, spans: spans(r), curves: []curve{
		line(r, same("VALID"), green, func(p stats.Point) float64 { return p.Valid }),
		line(r, same("INVALID"), blue, func(p stats.Point) float64 { return p.Invalid }),
		line(r, same("INDETERMINATE"), orange, func(p stats.Point) float64 { return p.Indeterminate }),
		line(r, words.T("refused (429, 503)", "被拒（429、503）"), purple, func(p stats.Point) float64 { return p.Refused }),
		line(r, words.T("failed", "失败"), red, func(p stats.Point) float64 { return p.Failed }),
		line(r, words.T("never sent", "未发出"), grey, func(p stats.Point) float64 { return p.Unsent + p.Late }),
	}}
	generator := &plot{title: words.T("The generator itself: scheduler lag (p99) and CPU", "发压端自身：调度延迟（p99）与 CPU"), xUnit: seconds, yUnit: words.T("ms · cores", "毫秒 · 核"), curves: []curve{
		line(r, words.T("scheduler lag p99, ms", "调度延迟 p99，毫秒"), red, func(p stats.Point) float64 { return p.LagP99 }),
		line(r, words.T("CPU of the generator, cores", "发压端 CPU，核"), blue, func(p stats.Point) float64 { return p.CPU }),
	}}
	return []template.HTML{latency.draw(), rates.draw(), verdicts.draw(), breakers(r), histogram(r), generator.draw()}
}

func histogram(r *Run) template.HTML {
	p := &plot{title: words.T("Histogram of latency, warm-up left out (logarithmic)", "延迟直方图，不含预热（对数）"), xUnit: words.T("ms", "毫秒"), yUnit: words.T("requests", "请求数"), logX: true, logY: true, bars: true}
	c := curve{name: words.T("corrected: from the planned moment", "修正值：自计划时刻起"), color: blue}
	w := curve{name: words.T("raw: from the moment of sending", "原始值：自发送时刻起"), color: orange}
	for _, b := range r.Totals.Histogram {
		c.x, c.y = append(c.x, b.From), append(c.y, float64(b.Corrected))
		w.x, w.y = append(w.x, b.From), append(w.y, float64(b.Raw))
	}
	p.curves = []curve{c, w}
	return p.draw()
}

var breakerColors = map[string]string{"closed": green, "half-open": orange, "open": red}

// breakers draws a bar for each province and gateway. A breaker that never
// moved is closed.
func breakers(r *Run) template.HTML {
	type row struct{ target, province string }
	var rows []row
	for _, m := range r.Moves {
		if at := (row{m.Target, m.Province}); !slices.Contains(rows, at) {
			rows = append(rows, at)
		}
	}
	var b strings.Builder
	b.WriteString(`<figure><figcaption><span class="en">Breakers of the provinces' registries</span><span class="zh">各省登记系统的断路器</span></figcaption>`)
	if len(rows) == 0 {
		say := words.T("No breaker moved: all stayed closed.", "断路器均未动作，始终闭合。")
		if r.Scraped == "" {
			say = words.T("Not known: no metrics were scraped.", "未知：未采集网关指标。")
		}
		fmt.Fprintf(&b, `<p><span class="en">%s</span><span class="zh">%s</span></p></figure>`, say.En, say.Zh)
		return template.HTML(b.String())
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.province+a.target, b.province+b.target) })
	var targets []string
	for _, w := range rows {
		if !slices.Contains(targets, w.target) {
			targets = append(targets, w.target)
		}
	}
	slices.Sort(targets)
	const rowHeight, label = 26.0, 120.0
	height := 20 + rowHeight*float64(len(rows)) + 36
	end := max(r.Seconds, 1)
	if n := len(r.Series); n > 0 {
		end = r.Series[n-1].T
	}
	xs := newAxis(0, end, false, label, plotWidth-label-right, 10)
	xs.low, xs.high = 0, end
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="breakers">`, plotWidth, height)
	for _, s := range spans(r) {
		fmt.Fprintf(&b, `<rect class="span" x="%s" y="8" width="%s" height="%s"/>`, num(xs.at(s.from)), num(max(xs.at(min(s.to, end))-xs.at(s.from), 1)), num(rowHeight*float64(len(rows))+8))
	}
	for i, w := range rows {
		y := 14 + rowHeight*float64(i)
		name := w.province
		if len(targets) > 1 {
			name += fmt.Sprintf(" · %d", slices.Index(targets, w.target)+1)
		}
		fmt.Fprintf(&b, `<text x="%g" y="%s" text-anchor="end">%s</text>`, label-8, num(y+13), html.EscapeString(name))
		state, from := "closed", 0.0
		bar := func(to float64) {
			fmt.Fprintf(&b, `<rect fill="%s" x="%s" y="%s" width="%s" height="16"/>`, breakerColors[state], num(xs.at(from)), num(y), num(max(xs.at(to)-xs.at(from), 1)))
		}
		for _, m := range r.Moves {
			if m.Target == w.target && m.Province == w.province && breakerColors[m.State] != "" {
				bar(min(m.At, end))
				state, from = m.State, min(m.At, end)
			}
		}
		bar(end)
	}
	y := 20 + rowHeight*float64(len(rows))
	for _, t := range xs.ticks {
		if t <= end {
			fmt.Fprintf(&b, `<text x="%s" y="%s" text-anchor="middle">%s</text>`, num(xs.at(t)), num(y+14), short(t))
		}
	}
	both(&b, fmt.Sprintf(`font-weight="600" x="%g" y="%s" text-anchor="end"`, plotWidth-right, num(y+31)), seconds)
	b.WriteString(`</svg><div class="legend">`)
	for _, s := range []struct {
		state string
		t     words.Text
	}{{"closed", words.T("closed: asked as usual", "闭合：正常询问")}, {"half-open", words.T("half-open: probing", "半开：试探")}, {"open", words.T("open: not asked", "断开：不再询问")}} {
		fmt.Fprintf(&b, `<span><i style="background:%s"></i><span class="en">%s</span><span class="zh">%s</span></span>`, breakerColors[s.state], s.t.En, s.t.Zh)
	}
	if len(targets) > 1 {
		b.WriteString(`<span class="en">number behind the province: gateway</span><span class="zh">省份后的数字为网关序号</span>`)
	}
	b.WriteString(`</div></figure>`)
	return template.HTML(b.String())
}

// planPlots are those of a plan.
func planPlots(p *Plan) []template.HTML {
	colors := []string{blue, green, red, purple, orange, sky, grey, darkish}
	load := words.T("load offered, per second", "到达负载，次/秒")
	goodput := &plot{title: words.T("Correct verdicts per second against the load", "每秒正确结论与负载"), xUnit: load, yUnit: perSecond}
	latency := &plot{title: words.T("p99 against the load (logarithmic)", "p99 与负载（对数）"), xUnit: load, yUnit: millisT, logY: true}
	var top float64
	for i, s := range p.Searches {
		steps := slices.Clone(s.Steps)
		slices.SortFunc(steps, func(a, b Step) int {
			switch {
			case a.Rate < b.Rate:
				return -1
			case a.Rate > b.Rate:
				return 1
			}
			return 0
		})
		name := words.F("%d gateway(s)", "%d 个网关", s.Gateways)
		g := curve{name: name, color: colors[i%len(colors)], dots: true}
		l := g
		for _, st := range steps {
			g.x, g.y = append(g.x, st.Rate), append(g.y, st.Goodput)
			l.x, l.y = append(l.x, st.Rate), append(l.y, st.P99)
			top = max(top, st.Rate)
		}
		goodput.curves, latency.curves = append(goodput.curves, g), append(latency.curves, l)
	}
	if top > 0 {
		goodput.curves = append(goodput.curves, curve{name: words.T("all correct", "全部正确"), color: grey, dashed: true, x: []float64{0, top}, y: []float64{0, top}})
	}
	if p.Peak <= top {
		goodput.level = &mark{p.Peak, words.F("the peak, %.0f/s", "峰值 %.0f 次/秒", p.Peak)}
	}
	out := []template.HTML{goodput.draw(), latency.draw()}
	if len(p.Searches) > 1 {
		out = append(out, scaling(p))
	}
	return out
}

func scaling(p *Plan) template.HTML {
	pl := &plot{title: words.T("What so many gateways hold", "不同网关数量的承载力"), xUnit: words.T("gateways", "网关数"), yUnit: perSecond, whole: true}
	m := curve{name: words.T("measured", "实测"), color: blue, dots: true, noLine: true}
	for _, s := range p.Searches {
		if s.Holds > 0 {
			m.x, m.y = append(m.x, float64(s.Gateways)), append(m.y, s.Holds)
		}
	}
	if len(m.x) < 2 {
		return ""
	}
	pl.curves = []curve{m}
	if p.Fit != nil {
		f := curve{name: words.T("scaling law, to twice what was measured", "扩展规律（至实测两倍）"), color: orange, dashed: true}
		for n := 1; n <= 2*p.Fit.Measured; n++ {
			f.x, f.y = append(f.x, float64(n)), append(f.y, p.Fit.At(n))
		}
		pl.curves = append(pl.curves, f)
	}
	pl.level = &mark{p.Peak, words.F("the peak, %.0f/s", "峰值 %.0f 次/秒", p.Peak)}
	return pl.draw()
}
