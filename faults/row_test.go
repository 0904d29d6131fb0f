package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// rate is how many questions a second are asked in the table's rows.
func rate() int {
	if *record {
		return 100
	}
	return 40
}

// A row is what was found. Its first columns are verdicts and are the same each
// time; the others are figures.
type row struct {
	what, fault string
	may         string
	tally
	before    time.Duration // p99
	recovered time.Duration // after the end of the fault
	lasted    time.Duration // the fault
}

const rowHead = `| what | fault | wrong | failed | may be INDETERMINATE | INDETERMINATE beside that | requests | INDETERMINATE | p99 before | p99 during | recovered after |
|---|---|---|---|---|---|---|---|---|---|---|
`

// verdicts are the columns that do not change from one run to the next.
func verdicts(what, fault string, wrong, failed int, may string, unexplained int) string {
	if may == "" {
		may = "–"
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %d |", what, fault, wrong, failed, may, unexplained)
}

func (r row) String() string {
	share := 0.0
	if r.requests > 0 {
		share = 100 * float64(r.indeterminate) / float64(r.requests)
	}
	return verdicts(r.what, r.fault, r.wrong, r.failed, r.may, r.unexplained) + fmt.Sprintf(" %d | %.1f %% | %s | %s | %s |\n",
		r.requests, share, millis(r.before), millis(r.p99), seconds(r.recovered))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// judge fails the test where a row is not as it must be. On the short half's
// machine, which may do much else, what is too late may be INDETERMINATE or refused.
func (r row) judge(t *testing.T) {
	t.Helper()
	if r.wrong > 0 || *record && (r.failed > 0 || r.unexplained > 0) {
		t.Errorf("%s, %s: %d wrong, %d failed, %d INDETERMINATE without a reason: %s",
			r.what, r.fault, r.wrong, r.failed, r.unexplained, strings.Join(r.examples, "\n"))
	} else if len(r.examples) > 0 {
		t.Logf("%s, %s: %s", r.what, r.fault, strings.Join(r.examples, "\n"))
	}
	if r.requests == 0 {
		t.Errorf("%s, %s: nothing was asked", r.what, r.fault)
	}
}

// stretch is how long each phase of a row lasts.
func stretch(phase time.Duration) time.Duration {
	if *record {
		return phase
	}
	return phase / 3
}

// play runs one scenario: a while as usual, the fault, the way back.
func (d *dependency) play(t *testing.T, s scenario) row {
	t.Helper()
	d.mix.special.Store(nil)
	l := begin(t, rate(), d.mix.next, d.g.target)
	start := time.Now()
	time.Sleep(stretch(3 * time.Second))
	d.set(s.fault)
	d.begin()
	from := time.Now()
	time.Sleep(stretch(5*time.Second) + d.settle)
	if s.must {
		eventually(t, "somebody is told "+s.may, func() bool {
			return l.count(func(o observation) bool { return o.Code == s.may }) > 0
		})
	}
	if d.bitten != nil && s.fault != "flapping" {
		eventually(t, "the fault is noticed", d.bitten)
	}
	to := time.Now()
	d.mend(s.fault)
	r := row{what: s.dependency, fault: s.fault, may: s.may, lasted: to.Sub(from)}
	r.recovered = eventually(t, "recovered", d.recovered)
	well := time.Now()
	time.Sleep(stretch(time.Second))
	l.end()
	may := []string{s.may}
	r.tally = l.between(from, well, may)
	r.before = l.between(start, from, nil).p99
	after := l.between(start, time.Now(), may)
	r.wrong, r.failed, r.unexplained = after.wrong, after.failed, after.unexplained // of the whole row
	r.examples = after.examples
	if s.may == "" && !slices.Equal(keysOf(r.codes), nil) {
		t.Logf("INDETERMINATE: %v", r.codes)
	}
	return r
}

func keysOf(m map[string]int) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
