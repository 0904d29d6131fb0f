package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A table is what a run prints.
type table struct {
	head   []string
	rows   [][]string
	notes  []string
	missed bool // a bound was not kept
}

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = cell(c)
	}
	t.rows = append(t.rows, row)
}

// bound adds a row of what was measured, what it may be, and whether it is.
func (t *table) bound(what string, got any, bound string, kept bool) {
	word := "kept"
	if !kept {
		word, t.missed = "MISSED", true
	}
	t.row(what, got, bound, word)
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func cell(c any) string {
	switch c := c.(type) {
	case float64:
		return fmt.Sprintf("%.2f", c)
	case time.Duration:
		switch {
		case c >= time.Second:
			return fmt.Sprintf("%.2f s", c.Seconds())
		case c >= 100*time.Microsecond:
			return fmt.Sprintf("%.1f ms", float64(c)/1e6)
		}
		return fmt.Sprintf("%.1f µs", float64(c)/1e3)
	}
	return fmt.Sprint(c)
}

func (t *table) print(w io.Writer) {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		for _, c := range row {
			fmt.Fprintf(tab, "  %s\t", c)
		}
		fmt.Fprintln(tab)
	}
	tab.Flush()
	for _, n := range t.notes {
		fmt.Fprintln(w, "  "+n)
	}
}

// bounds is the table of a run that has bounds to keep.
func bounds() *table { return &table{head: []string{"what", "measured", "bound", ""}} }

// median returns the middle one, zero of none.
func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// A latencies is what requests took.
type latencies []time.Duration

// at returns the quantile q, zero of none.
func (l latencies) at(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(l)-1, int(q*float64(len(l))))]
}
