package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tongyan/sandbox"
)

const (
	rulesFile     = "prometheus/rules.yml"
	dashboardFile = "grafana/tongyan.json"
)

type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

// Each alert says how urgent it is, what is wrong and what to do, and there is a
// day in rules_test.yml on which it fires.
func TestAlertsAreWhole(t *testing.T) {
	tests, err := os.ReadFile("prometheus/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if seen[r.Alert] {
			t.Errorf("%s stands twice", r.Alert)
		}
		seen[r.Alert] = true
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || len(r.Annotations["runbook"]) < 80 {
			t.Errorf("%s: who is woken must read what to do", r.Alert)
		}
		if !strings.Contains(string(tests), fmt.Sprintf(`alertname=%q}`, r.Alert)) {
			t.Errorf("%s never fires in rules_test.yml", r.Alert)
		}
	}
}

// Prometheus itself takes rules and settings, and the alerts fire when they
// should and not else.
func TestRules(t *testing.T) {
	promtool := needs(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "prometheus"
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

// expressions are what the dashboard asks for.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q: an id of another, no title, or nothing to show", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	selector  = regexp.MustCompile(`\b((?:tongyan|process|go)_[a-z0-9_]+)(\{[^}]*\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping  = regexp.MustCompile(`\b(?:by|without)\s*\(([^)]*)\)`)
	exhibited = regexp.MustCompile(`(?m)^([a-z][a-z0-9_]*)(?:\{([^}]*)\})? `)
)

// Whatever rules and dashboard speak of is a metric of a real gateway to which
// all that it counts has happened, with the labels that they name.
func TestMetricsExist(t *testing.T) {
	labels := everything(t) // metric → its labels
	for _, r := range rules(t) {
		if r.Record != "" {
			labels[r.Record] = []string{"province"}
		}
	}
	known := func(expr string) {
		t.Helper()
		found := selector.FindAllStringSubmatch(expr, -1)
		if len(found) == 0 && !strings.Contains(expr, "up{") && !strings.Contains(expr, "tongyan:") {
			t.Errorf("no metric in %s", expr)
		}
		var had []string
		for _, m := range found {
			got, ok := labels[m[1]]
			if !ok {
				t.Errorf("%s: the gateway has no such metric, in %s", m[1], expr)
				continue
			}
			had = append(had, got...)
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(append(got, "job", "instance"), l[1]) {
					t.Errorf("%s has no label %s, in %s", m[1], l[1], expr)
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
			for _, l := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
				if !slices.Contains(append(had, "job", "instance"), l) {
					t.Errorf("nothing has a label %s, in %s", l, expr)
				}
			}
		}
	}
	for _, r := range rules(t) {
		known(r.Expr)
	}
	for _, e := range expressions(t) {
		known(e)
	}
	// And the other way: a figure that nobody looks at is no figure.
	text := strings.Join(expressions(t), "\n")
	for _, r := range rules(t) {
		text += "\n" + r.Expr
	}
	for name := range labels {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "tongyan_") && !strings.Contains(text, base) && !slices.Contains([]string{"tongyan_cache_findings", "tongyan_cache_standings", "tongyan_audit_lines"}, base) {
			t.Errorf("%s is on no panel and in no rule", name)
		}
	}
}

// everything has all that is counted happen to a gateway, and returns its
// metrics with their labels.
func everything(t *testing.T) map[string][]string {
	t.Helper()
	f := newGateways(t, 1,
		`redis: { url: "redis://127.0.0.1:1", seal_key_file: seal.key }`, // nobody is there
		`audit: { file: audit.log }`)
	g, client := f.gateways[0], f.client(nil)
	f.url = "https://" + g.listen
	f.ok(f.verify(client, f.licence(1)))
	// A request without a verdict.
	if status, _ := get(t, client, f.url+"/v1/whoami", nil); status != http.StatusUnauthorized {
		t.Fatalf("whoami of nobody: %d", status)
	}
	// A status list.
	province := f.box.Province("310000")
	list, err := province.Status.Publish(1, sandbox.StatusSpec{})
	f.ok(err)
	token, _, err := province.Mint(sandbox.LicenceSpec{Number: 2, Status: list.Entry(5)})
	f.ok(err)
	f.ok(f.verify(client, token))
	// A register that fails until it is given up.
	f.ok(f.box.Province("320000").Registry.Endpoint.Set(sandbox.Fault{Mode: sandbox.Garbage}))
	n := 100
	f.until(g.process, func() bool {
		n++
		token, _, err := f.box.Province("320000").Mint(sandbox.LicenceSpec{Number: n})
		f.ok(err)
		f.verify(client, token) // INDETERMINATE
		return strings.Contains(scrape(t, g), "tongyan_registry_breaker_moves_total{")
	})
	// A trust list that is not one, and a configuration that is not one.
	config, err := os.ReadFile(g.config)
	f.ok(err)
	f.ok(os.WriteFile(g.config, append(config, "\nnonsense: true\n"...), 0o600))
	if said, err := exec.Command(binary, "reload", "--admin", g.admin).CombinedOutput(); err == nil {
		t.Fatalf("nonsense was taken: %s", said)
	}
	f.ok(os.WriteFile(g.config, config, 0o600))
	f.box.Trust.Serve([]byte("no list"))
	if said, err := exec.Command(binary, "reload", "--admin", g.admin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	f.until(g.process, func() bool { return strings.Contains(scrape(t, g), "tongyan_trust_list_refused_total{") })
	all := map[string][]string{}
	for _, line := range exhibited.FindAllStringSubmatch(scrape(t, g), -1) {
		var names []string
		for _, l := range matcher.FindAllStringSubmatch(line[2], -1) {
			names = append(names, l[1])
		}
		all[line[1]] = names
	}
	return all
}

func scrape(t *testing.T, g *gateway) string {
	t.Helper()
	answer, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
