package main

import (
	"os"
	"regexp"
	"testing"

	"tongyan/loadtest/internal/profile"
)

// The profile that the manual shows can be read.
func TestManualsProfile(t *testing.T) {
	raw, err := os.ReadFile("../docs/peak.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(raw, -1)
	if len(found) == 0 {
		t.Fatal("there is none")
	}
	for _, f := range found {
		p, err := profile.Parse(f[1], "docs/peak.md")
		if err != nil {
			t.Error(err)
		} else if len(p.Faults) == 0 || len(p.Arrivals.Bursts) == 0 {
			t.Error("it does not show faults and bursts")
		}
	}
}
