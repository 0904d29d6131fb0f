package faults

import (
	"strings"
	"testing"
)

// Every dependency with every fault; one part of the document for each.
func TestTable(t *testing.T) {
	for _, about := range about {
		t.Run(strings.ReplaceAll(about.dependency, " ", "-"), func(t *testing.T) {
			half(t, true)
			var text strings.Builder
			text.WriteString(about.text + "\n\n" + rowHead)
			var d *dependency
			for _, s := range scenarios {
				if s.dependency != about.dependency {
					continue
				}
				if d == nil || s.dependency == "Redis" && (s.fault == "wrong certificate" || s.fault == "gone") {
					d = buildDependency(t, s.dependency, s.fault)
				}
				r := d.play(t, s)
				r.judge(t)
				t.Log(r)
				text.WriteString(r.String())
			}
			write(t, about.dependency, text.String())
		})
	}
}

// Each dependency once, for its verdicts and the way back.
func TestFaults(t *testing.T) {
	for s := range inShort {
		t.Run(strings.ReplaceAll(s.dependency+"-"+s.fault, " ", "-"), func(t *testing.T) {
			half(t, false)
			buildDependency(t, s.dependency, s.fault).play(t, s).judge(t)
		})
	}
}
