package faults

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A part of the document is written by one test, in place of what it wrote
// before; so that the record can be made piece by piece.
type part struct{ name, title string }

// parts are in the document's order.
var parts = []part{
	{"registry", "A province's registry"},
	{"key set", "A province's key set"},
	{"trust list", "The trust list"},
	{"status list", "A province's status lists"},
	{"Redis", "Redis"},
	{"ACME CA", "The ACME CA"},
	{"kills", "Killed with -9"},
	{"machine", "The machine itself"},
	{"fleet", "Three gateways"},
	{"outage", "Everything gone at once"},
	{"soak", "A long steady load"},
}

const preface = `# Faults

What each fault costs, as found by ` + "`make faults`" + `, which writes this page (module ` + "`faults/`" + `): real gateways, a real Redis, a real
Caddy, a real ACME server; the provinces are simulated. A question is held against the verdict and code that it must have.

- **wrong**: VALID where it must not be, INVALID where the licence is good, or INVALID for another reason than the right one.
- **failed**: no verdict at all: a connection that broke, 5xx, a refusal.
- **may be INDETERMINATE**: the code by which the gateway says that the fault keeps it from knowing, for the licences that the fault
  touches. **Beside that**: any other INDETERMINATE, which would be one without a reason.

These columns are verdicts: a run that finds others fails. The rest are figures of one run, on two cores that ran everything at once.
In the tables of dependencies 100 questions a second are asked: six of ten about licences that are known (good, forged, struck off, revoked),
the others about new ones. A fault lasts five seconds: *slow* is half a second more a reply, *flapping* 0.35 s away and 0.35 s there, *truncated* half
of the promised bytes, *garbage* what is no JSON under the right media type (for Redis: other bytes), *gone* a closed port. No pair of dependency and
fault is left out; a wrong certificate needs TLS, so that row's Redis is ` + "`rediss://`" + `. INDETERMINATE and p99 are those from the fault's beginning until all
was well; the way back counts from its end.
`

func opening(name string) string { return "<!-- " + name + ": written by the suite -->\n" }

func closing(name string) string { return "<!-- end of " + name + " -->\n" }

// write puts a part into the document.
func write(t *testing.T, name, text string) {
	t.Helper()
	old, err := os.ReadFile(document)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	stamp := fmt.Sprintf("\nRun of %s.\n", time.Now().UTC().Format(time.DateOnly))
	var b strings.Builder
	b.WriteString(preface)
	for _, p := range parts {
		body := partOf(string(old), p.name)
		if p.name == name {
			body = "\n## " + p.title + "\n\n" + text + stamp
		}
		b.WriteString("\n" + opening(p.name) + body + closing(p.name))
	}
	must(t, os.WriteFile(document, []byte(b.String()), 0o644))
}

// writeAll writes a part of several tests, if none of them was left out.
func writeAll(t *testing.T, name, head string, rows []string, want int) {
	t.Helper()
	if len(rows) < want {
		t.Logf("%s: %d of %d rows were run: not written", name, len(rows), want)
		return
	}
	write(t, name, head+strings.Join(rows, ""))
}

// partOf is what stands between a part's marks.
func partOf(text, name string) string {
	_, rest, found := strings.Cut(text, opening(name))
	body, _, ended := strings.Cut(rest, closing(name))
	if !found || !ended {
		return ""
	}
	return body
}

// The document has the rows of the scenarios, no others, with their verdicts.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal("make faults writes it:", err)
	}
	want := map[string][]string{} // by part
	expect := func(part, line string) { want[part] = append(want[part], line) }
	for _, s := range scenarios {
		expect(s.dependency, verdicts(s.dependency, s.fault, 0, 0, s.may, 0))
	}
	for _, what := range kills {
		expect("kills", killVerdicts(what, 0, 0, 0))
	}
	for _, m := range machineRows {
		expect("machine", verdicts(m.what, m.fault, 0, 0, m.may, 0))
	}
	for part, rows := range map[string][]struct{ what, found string }{"fleet": promises, "outage": outageRows, "soak": soakRows} {
		for _, r := range rows {
			expect(part, promised(r.what, r.found))
		}
	}
	for _, p := range parts {
		body := partOf(string(text), p.name)
		for _, line := range want[p.name] {
			if strings.Count(body, "\n"+line) != 1 {
				t.Errorf("%s, %s: not there once: %s", document, p.title, line)
			}
		}
		// Of the first table there is no other row; a soak's minutes are a second.
		table, _, _ := strings.Cut(body[strings.Index(body, "|---|")+1:], "\n\n")
		if n := strings.Count(table, "\n|"); n != len(want[p.name]) {
			t.Errorf("%s, %s: %d rows, want %d", document, p.title, n, len(want[p.name]))
		}
	}
}
