package profile

import (
	"fmt"
	"strings"
	"time"
)

// A Fault breaks a dependency at a moment of the run, for a while. It is
// possible only against a rig that loadtest started.
type Fault struct {
	At  Duration `yaml:"at"`
	For Duration `yaml:"for"`

	// Province is whose servers break, by code; "" with province faults means
	// all of them.
	Province string `yaml:"province"`

	// Fault is the thing and what happens to it, see [Fault.Action].
	Fault string `yaml:"fault"`
}

// An Action is a Fault's text, understood.
type Action struct {
	On     string        // registry, status, keys, province, redis, trust or gateway
	What   string        // slow, errors, flapping, hang, reset, gone, frozen, killed or expired
	Amount time.Duration // of slow: the latency; of flapping: the period
	Share  float64       // of errors: the share of questions hit
}

// actions lists what may happen to what, and the default Amount.
var actions = map[string]map[string]time.Duration{
	"registry": {"slow": 2 * time.Second, "errors": 0, "flapping": 2 * time.Second, "hang": 0, "reset": 0, "gone": 0},
	"status":   {"slow": 2 * time.Second, "errors": 0, "hang": 0, "gone": 0},
	"keys":     {"slow": 2 * time.Second, "errors": 0, "hang": 0, "gone": 0},
	"province": {"slow": 2 * time.Second, "errors": 0, "hang": 0, "reset": 0, "gone": 0},
	"redis":    {"frozen": 0, "killed": 0},
	"trust":    {"expired": 0, "gone": 0},
	"gateway":  {"killed": 0, "frozen": 0},
}

// Action reads the text: "registry errors 30%", "status gone", "redis frozen",
// "trust expired", "gateway killed". A word that names no thing is about the
// registry: "slow 2s" is "registry slow 2s".
func (f Fault) Action() (Action, error) {
	words := strings.Fields(f.Fault)
	a := Action{On: "registry", Share: 1}
	if len(words) > 0 && actions[words[0]] != nil {
		a.On, words = words[0], words[1:]
	}
	if len(words) == 0 || len(words) > 2 {
		return a, fmt.Errorf("fault %q is not understood; write such as \"slow 2s\", \"registry errors 30%%\", \"redis frozen\"", f.Fault)
	}
	a.What = words[0]
	amount, known := actions[a.On][a.What]
	if !known {
		return a, fmt.Errorf("fault %q: %s cannot be %q", f.Fault, a.On, a.What)
	}
	a.Amount = amount
	if len(words) == 2 {
		if a.What == "errors" {
			share, err := ParseShare(words[1])
			if err != nil || share == 0 {
				return a, fmt.Errorf("fault %q: %q is no share of questions", f.Fault, words[1])
			}
			a.Share = float64(share)
			return a, nil
		}
		d, err := time.ParseDuration(words[1])
		if err != nil || d <= 0 || amount == 0 {
			return a, fmt.Errorf("fault %q: %q is out of place", f.Fault, words[1])
		}
		a.Amount = d
	}
	if shared := a.On == "redis" || a.On == "trust" || a.On == "gateway"; shared && f.Province != "" {
		return a, fmt.Errorf("fault %q: %s belongs to no province", f.Fault, a.On)
	}
	return a, nil
}
