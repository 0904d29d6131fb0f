package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"

	"tongyan/loadtest/internal/words"
)

// A plot is drawn in these units; the page scales it.
const (
	plotWidth  = 960.0
	plotHeight = 300.0
	left       = 62.0
	right      = 18.0
	top        = 26.0
	bottom     = 42.0
)

// A curve of a plot. Points are in the order of x; NaN breaks the line.
type curve struct {
	name   words.Text
	color  string
	dashed bool
	dots   bool // mark the points
	noLine bool
	x, y   []float64
}

// A span is a stretch of x with a name, shaded.
type span struct {
	from, to float64
	name     string
}

// plot is one drawing: curves over two axes.
type plot struct {
	title  words.Text
	xUnit  words.Text
	yUnit  words.Text
	logX   bool
	logY   bool
	curves []curve
	spans  []span
	stack  bool // areas on top of each other
	bars   bool // of neighbours with the same x, side by side
	minY   float64
	level  *mark // a line across
	whole  bool  // x counts things
}

type mark struct {
	at   float64
	name words.Text
}

// both writes a text once in each language; the page shows one.
func both(b *strings.Builder, attrs string, t words.Text) {
	if t.En == t.Zh {
		fmt.Fprintf(b, `<text %s>%s</text>`, attrs, html.EscapeString(t.En))
		return
	}
	fmt.Fprintf(b, `<text class="en" %s>%s</text><text class="zh" %s>%s</text>`,
		attrs, html.EscapeString(t.En), attrs, html.EscapeString(t.Zh))
}

// axis maps values to positions.
type axis struct {
	low, high  float64
	log        bool
	from, size float64
	ticks      []float64
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(max(v, a.low)), math.Log10(low), math.Log10(high)
	}
	return a.from + (v-low)/(high-low)*a.size
}

// newAxis chooses bounds and ticks for values between low and high.
func newAxis(low, high float64, log bool, from, size float64, most int) axis {
	a := axis{low: low, high: high, log: log, from: from, size: size}
	if log {
		a.low = math.Pow(10, math.Floor(math.Log10(max(low, 1e-3))))
		a.high = math.Pow(10, math.Ceil(math.Log10(max(high, a.low*1.01))))
		decades := math.Log10(a.high / a.low)
		for v := a.low; v <= a.high*1.001; v *= 10 {
			a.ticks = append(a.ticks, v)
			if decades <= 3 && v*2 < a.high {
				a.ticks = append(a.ticks, v*2, v*5)
			}
		}
		return a
	}
	if high <= low {
		high = low + 1
	}
	step := niceStep((high - low) / float64(most))
	a.high = math.Ceil(high/step-1e-9) * step
	a.low = math.Floor(low/step+1e-9) * step
	for i := 0; a.low+float64(i)*step <= a.high+step/2; i++ {
		a.ticks = append(a.ticks, a.low+float64(i)*step)
	}
	return a
}

func niceStep(raw float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if raw <= base*f {
			return base * f
		}
	}
	return base * 10
}

// short writes a tick.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func num(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// bounds are the extremes of what is drawn.
func (p *plot) bounds() (x0, x1, y0, y1 float64) {
	x0, x1, y0, y1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	sums := map[float64]float64{}
	for _, c := range p.curves {
		for i, x := range c.x {
			y := c.y[i]
			if math.IsNaN(y) || p.logY && y <= 0 {
				continue
			}
			x0, x1 = min(x0, x), max(x1, x)
			sums[x] += y
			if p.stack {
				y = sums[x]
			}
			y0, y1 = min(y0, y), max(y1, y)
		}
	}
	if p.level != nil {
		y0, y1 = min(y0, p.level.at), max(y1, p.level.at)
	}
	if !p.logY {
		y0 = p.minY
	}
	return x0, x1, y0, y1
}

// draw returns the plot with its title and legend; "" where there is nothing
// to be seen.
func (p *plot) draw() template.HTML {
	x0, x1, y0, y1 := p.bounds()
	if math.IsInf(x0, 0) {
		return ""
	}
	if !p.logX && !p.bars {
		x0 = min(x0, 0)
	}
	xs := newAxis(x0, x1, p.logX, left, plotWidth-left-right, 10)
	if p.whole {
		xs.ticks = nil
		for v := 1.0; v <= x1; v++ {
			xs.ticks = append(xs.ticks, v)
		}
	}
	if !p.logX {
		xs.low, xs.high = x0, max(x1, x0+1e-9) // no empty room at the end
	}
	ys := newAxis(y0, y1, p.logY, plotHeight-bottom, -(plotHeight - top - bottom), 5)
	var b strings.Builder
	b.WriteString("<figure>")
	fmt.Fprintf(&b, `<figcaption><span class="en">%s</span><span class="zh">%s</span></figcaption>`, html.EscapeString(p.title.En), html.EscapeString(p.title.Zh))
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.title.En))
	p.grid(&b, xs, ys)
	for _, s := range p.spans {
		f, t := xs.at(max(s.from, xs.low)), xs.at(min(s.to, xs.high))
		fmt.Fprintf(&b, `<rect class="span" x="%s" y="%g" width="%s" height="%g"><title>%s</title></rect>`, num(f), top, num(max(t-f, 1)), plotHeight-top-bottom, html.EscapeString(s.name))
	}
	switch {
	case p.bars:
		p.drawBars(&b, xs, ys)
	case p.stack:
		p.drawStack(&b, xs, ys)
	default:
		for _, c := range p.curves {
			c.draw(&b, xs, ys, p.logY)
		}
	}
	if p.level != nil {
		y := ys.at(p.level.at)
		fmt.Fprintf(&b, `<line class="level" x1="%g" x2="%g" y1="%s" y2="%s"/>`, left, plotWidth-right, num(y), num(y))
	}
	b.WriteString("</svg>")
	p.legend(&b)
	b.WriteString("</figure>")
	return template.HTML(b.String())
}

func (p *plot) grid(b *strings.Builder, xs, ys axis) {
	for _, t := range ys.ticks {
		y := ys.at(t)
		if y < top-1 {
			continue
		}
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%s" y2="%s"/><text x="%g" y="%s" text-anchor="end">%s</text>`,
			left, plotWidth-right, num(y), num(y), left-6, num(y+4), short(t))
	}
	for _, t := range xs.ticks {
		if t < xs.low-1e-9 || t > xs.high*(1+1e-9) {
			continue
		}
		x := xs.at(t)
		fmt.Fprintf(b, `<line class="grid" x1="%s" x2="%s" y1="%g" y2="%g"/><text x="%s" y="%g" text-anchor="middle">%s</text>`,
			num(x), num(x), top, plotHeight-bottom, num(x), plotHeight-bottom+16, short(t))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/><line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/>`,
		left, left, top, plotHeight-bottom, left, plotWidth-right, plotHeight-bottom, plotHeight-bottom)
	both(b, fmt.Sprintf(`font-weight="600" x="%g" y="%g" text-anchor="start"`, 4.0, top-11), p.yUnit)
	both(b, fmt.Sprintf(`font-weight="600" x="%g" y="%g" text-anchor="end"`, plotWidth-right, plotHeight-8), p.xUnit)
}

func (c curve) draw(b *strings.Builder, xs, ys axis, logY bool) {
	dash := ""
	if c.dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	if !c.noLine {
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.8"%s d="`, c.color, dash)
		pen := "M"
		for i, x := range c.x {
			if math.IsNaN(c.y[i]) || logY && c.y[i] <= 0 {
				pen = "M"
				continue
			}
			b.WriteString(pen + num(xs.at(x)) + " " + num(ys.at(c.y[i])))
			pen = "L"
		}
		b.WriteString(`"/>`)
	}
	if c.dots {
		for i, x := range c.x {
			if !math.IsNaN(c.y[i]) && (!logY || c.y[i] > 0) {
				fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="4" fill="%s"/>`, num(xs.at(x)), num(ys.at(c.y[i])), c.color)
			}
		}
	}
}

func (p *plot) drawStack(b *strings.Builder, xs, ys axis) {
	if len(p.curves) == 0 {
		return
	}
	under := make([]float64, len(p.curves[0].x))
	for _, c := range p.curves {
		var up, down strings.Builder
		for i, x := range c.x {
			pen := "L"
			if i == 0 {
				pen = "M"
			}
			up.WriteString(pen + num(xs.at(x)) + " " + num(ys.at(under[i]+c.y[i])))
		}
		for i := len(c.x) - 1; i >= 0; i-- {
			down.WriteString("L" + num(xs.at(c.x[i])) + " " + num(ys.at(under[i])))
			under[i] += c.y[i]
		}
		fmt.Fprintf(b, `<path fill="%s" fill-opacity="0.85" stroke="none" d="%s%sZ"/>`, c.color, up.String(), down.String())
	}
}

// drawBars draws the curves' values side by side between a bin's edges: x
// holds the lower ones, each a tenth of a decade wide.
func (p *plot) drawBars(b *strings.Builder, xs, ys axis) {
	tenth := math.Pow(10, 0.1)
	for k, c := range p.curves {
		for i, x := range c.x {
			if c.y[i] <= 0 {
				continue
			}
			f, t := xs.at(x), xs.at(x*tenth)
			w := (t - f - 2) / float64(len(p.curves))
			y := min(ys.at(c.y[i]), plotHeight-bottom-2) // one is seen, too
			fmt.Fprintf(b, `<rect fill="%s" x="%s" y="%s" width="%s" height="%s"/>`, c.color, num(f+1+float64(k)*w), num(y), num(max(w, 1)), num(plotHeight-bottom-y))
		}
	}
}

func (p *plot) legend(b *strings.Builder) {
	b.WriteString(`<div class="legend">`)
	key := func(style string, t words.Text) {
		fmt.Fprintf(b, `<span><i style="%s"></i><span class="en">%s</span><span class="zh">%s</span></span>`, style, html.EscapeString(t.En), html.EscapeString(t.Zh))
	}
	for _, c := range p.curves {
		switch {
		case c.dashed:
			key("background:repeating-linear-gradient(90deg,"+c.color+" 0 5px,transparent 5px 8px)", c.name)
		default:
			key("background:"+c.color, c.name)
		}
	}
	if p.level != nil {
		key("background:repeating-linear-gradient(90deg,#b00020 0 3px,transparent 3px 5px)", p.level.name)
	}
	if len(p.spans) > 0 {
		var names []string
		for i, s := range p.spans {
			if i == 6 {
				names = append(names, "…")
				break
			}
			names = append(names, s.name)
		}
		joined := strings.Join(names, "; ")
		key("background:#f3d9a8", words.T("fault: "+joined, "故障："+joined))
	}
	b.WriteString("</div>")
}
