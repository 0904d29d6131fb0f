// Package tty shows a run while it goes on: a panel that is drawn again in a
// terminal, plain lines elsewhere.
package tty

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/width"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/words"
)

// A Panel shows one run after another. Safe for concurrent use.
type Panel struct {
	out   io.Writer
	lang  string
	live  bool // draw again; else plain lines
	color bool
	every time.Duration // between plain lines

	mu     sync.Mutex // guards what follows; held while writing
	title  string
	length time.Duration
	lines  int // drawn, to be drawn over
	said   float64
	width  func() int
}

// New makes a panel on f: live if it is a terminal that can be drawn on, in
// colour unless NO_COLOR is set (https://no-color.org).
func New(f *os.File, lang string) *Panel {
	p := &Panel{out: f, lang: lang, every: 5 * time.Second, width: func() int { return columns(f) }}
	p.live = p.width() > 0 && os.Getenv("TERM") != "dumb"
	p.color = p.live && os.Getenv("NO_COLOR") == ""
	return p
}

// Plain makes a panel that writes lines.
func Plain(w io.Writer, lang string) *Panel {
	return &Panel{out: w, lang: lang, every: 5 * time.Second, width: func() int { return 0 }}
}

// Start begins another run of that title and length.
func (p *Panel) Start(title string, length time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.title, p.length, p.lines, p.said = title, length, 0, 0
}

// Say writes a line that stays.
func (p *Panel) Say(t words.Text) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = 0
	fmt.Fprintln(p.out, t.In(p.lang))
}

// Point shows an interval.
func (p *Panel) Point(pt stats.Point, t stats.Totals, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		p.draw(p.panel(pt, t, note))
		return
	}
	if pt.T-p.said < p.every.Seconds() && pt.T < p.length.Seconds() {
		return
	}
	p.said = pt.T
	fmt.Fprintln(p.out, p.line(pt, t, note))
}

func (p *Panel) line(pt stats.Point, t stats.Totals, note string) string {
	if note != "" {
		note = " · " + note
	}
	return fmt.Sprintf(p.text(
		"%s %s/%s · offered %.0f/s correct %.0f/s · p50 %.1f p99 %.1f p99.9 %.1f ms (raw p99 %.1f) · wrong %d degraded %d refused %d failed %d unsent %d · lag p99 %.1f ms%s",
		"%s %s/%s · 到达 %.0f/s 正确 %.0f/s · p50 %.1f p99 %.1f p99.9 %.1f ms（原始 p99 %.1f）· 错误结论 %d 降级 %d 被拒 %d 失败 %d 未发 %d · 调度延迟 p99 %.1f ms%s"),
		p.title, clock(pt.T), clock(p.length.Seconds()), pt.Offered, pt.Correct, pt.P50, pt.P99, pt.P999, pt.RawP99,
		t.Count(verdict.Wrong), t.Count(verdict.Degraded), t.Count(verdict.Refused), failed(t), unsent(t), pt.LagP99, note)
}

func failed(t stats.Totals) int64 {
	return t.Count(verdict.Fault) + t.Count(verdict.Malformed) + t.Count(verdict.Timeout) + t.Count(verdict.Broken)
}

func unsent(t stats.Totals) int64 { return t.Count(verdict.Unsent) + t.Count(verdict.Late) }

func (p *Panel) text(en, zh string) string { return words.T(en, zh).In(p.lang) }

// panel is a run in seven lines.
func (p *Panel) panel(pt stats.Point, t stats.Totals, note string) []string {
	left := max(p.length.Seconds()-pt.T, 0)
	done := min(pt.T/max(p.length.Seconds(), 1), 1)
	const bar = 24
	full := int(done * bar)
	if note != "" {
		note = " · " + note
	}
	alarm := func(n int64, s string) string {
		if n > 0 {
			return p.paint("31;1", s)
		}
		return s
	}
	wrong := t.Count(verdict.Wrong)
	return []string{
		p.paint("1", p.title) + fmt.Sprintf(p.text("  %s  %s  %s left%s", "  %s  %s  剩余 %s%s"),
			"["+strings.Repeat("#", full)+strings.Repeat("-", bar-full)+"]", clock(pt.T), clock(left), note),
		fmt.Sprintf(p.text("  rate       planned %.0f/s   offered %.0f/s   completed %.0f/s   correct %.0f/s", "  速率       计划 %.0f/s   到达 %.0f/s   完成 %.0f/s   正确 %.0f/s"),
			pt.Planned, pt.Offered, pt.Completed, pt.Correct),
		fmt.Sprintf(p.text("  latency    p50 %.2f   p99 %.2f   p99.9 %.2f ms from the planned moment   (raw p99 %.2f)", "  延迟       p50 %.2f   p99 %.2f   p99.9 %.2f ms，自计划时刻起算（原始 p99 %.2f）"),
			pt.P50, pt.P99, pt.P999, pt.RawP99),
		fmt.Sprintf(p.text("  verdicts   VALID %.0f/s   INVALID %.0f/s   INDETERMINATE %.0f/s", "  结论       VALID %.0f/s   INVALID %.0f/s   INDETERMINATE %.0f/s"),
			pt.Valid, pt.Invalid, pt.Indeterminate),
		"  " + alarm(wrong, fmt.Sprintf(p.text("so far     wrong %d", "累计       错误结论 %d"), wrong)) +
			alarm(failed(t)+unsent(t), fmt.Sprintf(p.text("   degraded %d   refused %d   failed %d   never sent %d", "   降级 %d   被拒 %d   失败 %d   未发 %d"),
				t.Count(verdict.Degraded), t.Count(verdict.Refused), failed(t), unsent(t))),
		fmt.Sprintf(p.text("  all        p50 %.2f   p99 %.2f   p99.9 %.2f   max %.1f ms", "  总体       p50 %.2f   p99 %.2f   p99.9 %.2f   最大 %.1f ms"),
			t.Corrected.P50, t.Corrected.P99, t.Corrected.P999, t.Corrected.Max),
		fmt.Sprintf(p.text("  generator  lag p99 %.2f ms   CPU %.2f cores   %d sockets   %d in flight", "  发压端     调度延迟 p99 %.2f ms   CPU %.2f 核   %d 个连接   %d 个在途"),
			pt.LagP99, pt.CPU, pt.Sockets, pt.InFlight),
	}
}

// draw writes over what it drew before.
func (p *Panel) draw(lines []string) {
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	most := p.width()
	for _, line := range lines {
		b.WriteString(cut(line, most))
		b.WriteString("\x1b[0m\x1b[K\n")
	}
	p.lines = len(lines)
	io.WriteString(p.out, b.String())
}

func (p *Panel) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// cut shortens a line to so many columns: one that wraps would be drawn over
// wrongly. A Chinese character takes two; escapes none.
func cut(s string, most int) string {
	used := 0
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			if end := strings.IndexByte(s[i:], 'm'); end >= 0 {
				i += end + 1
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		w := 1
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			w = 2
		}
		if used+w > most {
			return s[:i]
		}
		used += w
		i += size
	}
	return s
}

func clock(seconds float64) string {
	s := int(seconds + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
