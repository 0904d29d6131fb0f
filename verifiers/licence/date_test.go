package licence_test

import (
	"fmt"
	"testing"
	"time"

	"tongyan/verifiers/licence"
)

func TestParseDateKnowsTheCalendar(t *testing.T) {
	for _, year := range []int{1, 4, 1900, 1999, 2000, 2023, 2024, 2100, 9999} {
		for month := range 100 {
			for day := range 100 {
				s := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				_, err := time.Parse(time.DateOnly, s)
				d, ok := licence.ParseDate(s)
				if ok != (err == nil) || ok && string(d) != s || !ok && d != "" {
					t.Errorf("ParseDate(%s) = %q, %t; the calendar says %v", s, d, ok, err)
				}
			}
		}
	}
}

func TestParseDateRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":          "",
		"year zero":        "0000-01-01",
		"short":            "2024-1-1",
		"without hyphens":  "20240101",
		"slashes":          "2024/01/01",
		"other order":      "01-01-2024",
		"with a time":      "2024-01-01T00:00:00",
		"blank in front":   " 2024-01-01",
		"line feed":        "2024-01-01\n",
		"sign":             "+024-01-01",
		"full-width digit": "202４-01-1",
		"five-digit year":  "12024-01-0",
		"Chinese":          "2024年1月1日",
	} {
		if d, ok := licence.ParseDate(s); ok || d != "" {
			t.Errorf("%s: ParseDate(%q) = %q, %t", name, s, d, ok)
		}
	}
}

func TestToday(t *testing.T) {
	for _, tc := range []struct {
		at   string
		want licence.Date
	}{
		{"2026-02-28T15:59:59Z", "2026-02-28"},
		{"2026-02-28T16:00:00Z", "2026-03-01"},
		{"2026-03-01T00:00:00+08:00", "2026-03-01"},
		{"2026-02-28T23:30:00-05:00", "2026-03-01"},
		{"2027-12-31T16:00:00Z", "2028-01-01"},
		{"1988-07-01T15:30:00Z", "1988-07-01"}, // no summer time, though there was
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := licence.Today(at); got != tc.want {
			t.Errorf("Today(%s) = %s, want %s", tc.at, got, tc.want)
		}
	}
}

func TestTermEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		l    licence.Licence
		want bool
	}{
		"day before":     {licence.Licence{Opto: "2026-02-28"}, true},
		"the last day":   {licence.Licence{Opto: "2026-03-01"}, false},
		"still to come":  {licence.Licence{Opto: "2046-01-01"}, false},
		"other century":  {licence.Licence{Opto: "1999-12-31"}, true},
		"perpetual":      {licence.Licence{Perpetual: true}, false},
		"nothing stated": {licence.Licence{}, false},
	} {
		if got := tc.l.TermEnded("2026-03-01"); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
