package report

import (
	"fmt"
	"net/url"
	"slices"

	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/words"
)

// firstTable ranks what turned.
func firstTable(all []metricscrape.Finding) table {
	t := table{Title: words.T("What breaks first", "最先出问题的环节"), Head: []words.Text{
		same("#"), words.T("what", "环节"), words.T("metric", "指标"), words.T("gateway", "网关"), words.T("turned at", "转折时刻"), words.T("at first", "起初"), words.T("bound", "界限"), words.T("peak", "峰值"),
	}}
	for i, f := range all {
		if i == 15 {
			break
		}
		row := cells(fmt.Sprint(i+1), "", f.Metric, where(f.Target), fmt.Sprintf("%.0f s", f.At), fmt.Sprintf("%.3g", f.First), fmt.Sprintf("%.3g %s", f.Bound, f.Unit), fmt.Sprintf("%.3g %s", f.Peak, f.Unit))
		row[1].Text, row[1].Long = f.About, true
		t.Rows = append(t.Rows, row)
	}
	return t
}

// where is the host and port of a metrics address.
func where(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Host
	}
	return target
}

func keysOf[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
