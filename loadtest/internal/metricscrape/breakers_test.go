package metricscrape

import (
	"slices"
	"testing"
)

func TestOrderOfMoves(t *testing.T) {
	for name, tc := range map[string]struct {
		from string
		left map[string]int
		want []string
	}{
		"opens":               {"", map[string]int{"open": 1}, []string{"open"}},
		"probe succeeds":      {"open", map[string]int{"half-open": 1, "closed": 1}, []string{"half-open", "closed"}},
		"probe fails":         {"open", map[string]int{"half-open": 1, "open": 1}, []string{"half-open", "open"}},
		"second try":          {"open", map[string]int{"half-open": 2, "open": 1, "closed": 1}, []string{"half-open", "open", "half-open", "closed"}},
		"closes and relapses": {"half-open", map[string]int{"closed": 1, "open": 1}, []string{"closed", "open"}},
		"nothing":             {"closed", map[string]int{}, nil},
	} {
		if got := order(tc.from, tc.left); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
