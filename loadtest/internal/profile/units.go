package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Rate is work per second.
type Rate float64

// A Share is a part of the whole, 0 to 1.
type Share float64

// A Duration is a time.Duration that reads "800ms" and "5m".
type Duration struct{ time.Duration }

func scalar(raw []byte) string {
	return strings.Trim(string(bytes.TrimSpace(raw)), `"'`)
}

// ParseRate reads "840/s", "50/min", "3600/h" or a plain number per second.
func ParseRate(s string) (Rate, error) {
	number, unit, _ := strings.Cut(s, "/")
	per := map[string]float64{"": 1, "s": 1, "min": 60, "m": 60, "h": 3600}[strings.TrimSpace(unit)]
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if per == 0 || err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, fmt.Errorf("%q is no rate; write 840/s or 50/min", s)
	}
	return Rate(n / per), nil
}

// ParseShare reads "0.1%" or "0.001".
func ParseShare(s string) (Share, error) {
	number, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, fmt.Errorf("%q is no share; write 0.1%% or 0.001, at most 100%%", s)
	}
	return Share(n), nil
}

// UnmarshalYAML reads a rate.
func (r *Rate) UnmarshalYAML(raw []byte) (err error) {
	*r, err = ParseRate(scalar(raw))
	return err
}

// UnmarshalYAML reads a share.
func (s *Share) UnmarshalYAML(raw []byte) (err error) {
	*s, err = ParseShare(scalar(raw))
	return err
}

// UnmarshalYAML reads a duration; negative ones are refused.
func (d *Duration) UnmarshalYAML(raw []byte) error {
	v, err := time.ParseDuration(scalar(raw))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; write 800ms, 30s, 5m or 24h", scalar(raw))
	}
	d.Duration = v
	return nil
}

// MarshalJSON writes the duration as people write it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Duration) UnmarshalJSON(raw []byte) error { return d.UnmarshalYAML(raw) }

// ParseSLO reads "p99=50ms,error=0.1%".
func ParseSLO(s string) (slo SLO, err error) {
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		var at *Duration
		switch name {
		case "p50":
			at = &slo.P50
		case "p99":
			at = &slo.P99
		case "p99.9":
			at = &slo.P999
		case "error":
			share, err := ParseShare(value)
			if err != nil {
				return slo, fmt.Errorf("slo: %w", err)
			}
			slo.Error = &share
			continue
		}
		if !ok || at == nil {
			return slo, fmt.Errorf("slo: %q is not understood; write p99=50ms,error=0.1%%", part)
		}
		if err := at.UnmarshalYAML([]byte(value)); err != nil {
			return slo, fmt.Errorf("slo: %w", err)
		}
	}
	return slo, nil
}

// String writes the SLO as ParseSLO reads it.
func (s SLO) String() string {
	var parts []string
	for _, b := range []struct {
		name string
		at   Duration
	}{{"p50", s.P50}, {"p99", s.P99}, {"p99.9", s.P999}} {
		if b.at.Duration > 0 {
			parts = append(parts, b.name+"="+b.at.String())
		}
	}
	if s.Error != nil {
		parts = append(parts, fmt.Sprintf("error=%.4g%%", float64(*s.Error)*100))
	}
	return strings.Join(parts, ",")
}
