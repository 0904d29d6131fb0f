package tty

import (
	"os"
	"strings"
	"testing"
	"time"

	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/words"
)

var (
	point  = stats.Point{T: 5, Planned: 100, Offered: 99, Correct: 98, P50: 1.5, P99: 12, P999: 30, RawP99: 2}
	totals = stats.Totals{Outcomes: map[string]int64{"wrong": 3, "refused": 7, "timeout": 1, "late": 2}}
)

func TestPlainLines(t *testing.T) {
	var b strings.Builder
	p := Plain(&b, "en")
	p.Start("steady", time.Minute)
	for at := 1.0; at <= 12; at++ {
		pt := point
		pt.T = at
		p.Point(pt, totals, "")
	}
	p.Say(words.T("done", "完"))
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 || lines[2] != "done" || strings.Contains(b.String(), "\x1b") {
		t.Fatalf("%q", lines)
	}
	for _, want := range []string{"0:05/1:00", "p99 12.0", "raw p99 2.0", "wrong 3", "refused 7", "failed 1", "unsent 2"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("no %q in %q", want, lines[0])
		}
	}
}

func TestPanelIsDrawnOver(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		var b strings.Builder
		p := Plain(&b, lang)
		p.live, p.color, p.width = true, true, func() int { return 60 }
		p.Start("steady", time.Minute)
		p.Point(point, totals, "上午")
		first := strings.Count(b.String(), "\n")
		p.Point(point, totals, "上午")
		if !strings.Contains(b.String(), "\x1b[7A") || first != 7 {
			t.Errorf("%d lines; %q", first, b.String())
		}
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct{ in, out string }{
		{"abcdef", "abcd"}, {"核验核验", "核验"}, {"a核验", "a核"},
		{"\x1b[1mabcdef", "\x1b[1mabcd"}, {"abc", "abc"},
	} {
		if got := cut(tc.in, 4); got != tc.out {
			t.Errorf("%q: %q, want %q", tc.in, got, tc.out)
		}
	}
}

func TestNoColor(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := New(f, "en"); p.live || p.color {
		t.Error("a file is taken for a terminal")
	}
	p := Plain(&strings.Builder{}, "en")
	if got := p.paint("31", "x"); got != "x" {
		t.Errorf("painted %q", got)
	}
}
