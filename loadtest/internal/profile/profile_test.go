package profile_test

import (
	"strings"
	"testing"
	"time"

	"tongyan/loadtest/internal/profile"
)

func TestShippedProfilesLoad(t *testing.T) {
	names := profile.Names()
	if len(names) < 8 {
		t.Fatalf("only %v are shipped", names)
	}
	for _, name := range names {
		p, err := profile.Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Name != name || p.Description == "" || p.DescriptionZh == "" {
			t.Errorf("%s: its name is %q, or a description is missing", name, p.Name)
		}
	}
}

const good = "version: 1\nname: x\narrivals: { stages: [ { for: 10s, rate: 5/s } ] }\n"

func TestMistakesAreNamed(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":   {good + "colour: red\n", "[4:1]"},
		"version":       {strings.Replace(good, "version: 1", "version: 2", 1), "version"},
		"closed's rate": {strings.Replace(good, "arrivals: {", "arrivals: { process: closed,", 1), "no rates"},
		"no arrivals":   {"version: 1\nname: x\n", "stages"},
		"rate":          {strings.Replace(good, "5/s", "5/fortnight", 1), "no rate"},
		"negative time": {good + "warmup: -1s\n", "no duration"},
		"share":         {good + "workload: { cold: 101% }\n", "no share"},
		"two shares":    {good + "workload: { oversized: 60%, hostile: 60% }\n", "more than everything"},
		"verdict":       {good + "workload: { verdicts: { MAYBE: 1 } }\n", "MAYBE"},
		"peak":          {good + "limits: { rate: 4/s }\n", "limits.rate"},
		"length":        {good + "limits: { duration: 9s }\n", "limits.duration"},
		"fault":         {good + "faults: [ { at: 1s, for: 1s, fault: redis slow 2s } ]\n", "redis cannot be"},
		"fault's place": {good + "faults: [ { at: 1s, for: 1s, fault: redis killed, province: \"310000\" } ]\n", "no province"},
		"late fault":    {good + "faults: [ { at: 10s, for: 1s, fault: hang } ]\n", "after the end"},
		"warmup":        {good + "warmup: 10s\n", "whole run"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := profile.Parse([]byte(tc.text), "f.yaml")
			if err == nil || p != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v; want it to name %q", err, tc.want)
			}
		})
	}
}

func TestFaultTexts(t *testing.T) {
	for text, want := range map[string]profile.Action{
		"slow 2s":             {On: "registry", What: "slow", Amount: 2 * time.Second, Share: 1},
		"registry errors 30%": {On: "registry", What: "errors", Share: 0.3},
		"flapping":            {On: "registry", What: "flapping", Amount: 2 * time.Second, Share: 1},
		"status gone":         {On: "status", What: "gone", Share: 1},
		"redis frozen":        {On: "redis", What: "frozen", Share: 1},
		"trust expired":       {On: "trust", What: "expired", Share: 1},
		"gateway killed":      {On: "gateway", What: "killed", Share: 1},
	} {
		got, err := profile.Fault{Fault: text}.Action()
		if err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "on fire", "hang 2s", "errors 0%", "slow -1s", "trust"} {
		if a, err := (profile.Fault{Fault: text}).Action(); err == nil {
			t.Errorf("%q is read as %+v", text, a)
		}
	}
}

func TestScalingKeepsTheShape(t *testing.T) {
	p, err := profile.Load("working-day")
	if err != nil {
		t.Fatal(err)
	}
	length := p.Length()
	p.ScaleTo(850)
	p.Compress(60)
	if p.Peak() < 849 || p.Peak() > 851 || p.Length() != length/60 {
		t.Errorf("peak %v over %v, want 850 over %v", p.Peak(), p.Length(), length/60)
	}
	if length != 8*time.Hour+30*time.Minute {
		t.Errorf("the day takes %s", length)
	}
}

func TestDigestTellsSettingsApart(t *testing.T) {
	parse := func(s string) *profile.Profile {
		p, err := profile.Parse([]byte(s), "f")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := parse(good).Digest()
	if a != parse(good+"seed: 7\ndescription: other\n").Digest() {
		t.Error("the seed or a word changes the digest")
	}
	if a == parse(good+"workload: { cold: 6% }\n").Digest() {
		t.Error("another cold share has the same digest")
	}
}

func TestSLOText(t *testing.T) {
	s, err := profile.ParseSLO("p99=50ms,error=0.1%")
	if err != nil || s.P99.Duration != 50*time.Millisecond || s.String() != "p99=50ms,error=0.1%" {
		t.Errorf("%v %v", s, err)
	}
	for _, text := range []string{"", "p98=1s", "p99", "error=200%", "p99=fast"} {
		if _, err := profile.ParseSLO(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
