// Package metricscrape reads the gateways' own /metrics once a second and says
// what turned first: which figure, and when.
package metricscrape

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Bounds of one answer.
const (
	maxScrape = 4 << 20
	maxSeries = 20_000
)

// A series is one line's name with its labels; the value is apart.
type series struct {
	name   string
	labels string // between the braces, as written
}

func (s series) label(name string) string {
	_, rest, ok := strings.Cut(s.labels, name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// parse reads the Prometheus text format, as far as it is needed: names,
// labels, values. Lines that make no sense are passed over.
func parse(r io.Reader) (map[series]float64, error) {
	out := map[series]float64{}
	lines := bufio.NewScanner(io.LimitReader(r, maxScrape))
	lines.Buffer(make([]byte, 64<<10), 256<<10)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		var s series
		rest := ""
		if open := strings.IndexByte(line, '{'); open >= 0 {
			end := strings.LastIndexByte(line, '}')
			if end < open {
				continue
			}
			s, rest = series{line[:open], line[open+1 : end]}, line[end+1:]
		} else {
			s.name, rest, _ = strings.Cut(line, " ")
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			continue
		}
		if len(out) >= maxSeries {
			return nil, errors.New("metricscrape: too many series")
		}
		out[s] = v
	}
	return out, lines.Err()
}
