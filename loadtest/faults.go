package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/tty"
	"tongyan/loadtest/internal/words"
)

// matrix is the table's faults. Where the effect waits for something to grow
// old (a status list's ttl is at least 30 s) the fault lasts longer.
var matrix = []profile.Fault{
	{Fault: "registry slow 2s", Province: "320000"},
	{Fault: "registry errors", Province: "320000"},
	{Fault: "registry flapping 2s", Province: "320000"},
	{Fault: "registry hang", Province: "320000"},
	{Fault: "registry hang"},
	{Fault: "status gone", For: profile.Duration{Duration: 50 * time.Second}},
	{Fault: "redis frozen"},
	{Fault: "redis killed"},
	{Fault: "trust expired"},
	{Fault: "gateway killed"},
}

type faultFlags struct {
	target        targetFlags
	loads, only   []string
	lasts         time.Duration
	before, after time.Duration
	gateways      int
}

func newFaultsCommand() *cobra.Command {
	var f faultFlags
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "Break every dependency under load and tabulate verdict quality, p99, refusals and recovery",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return faults(cmd.Context(), cmd.OutOrStdout(), "loadtest "+strings.Join(os.Args[1:], " "), f)
		},
	}
	f.target.add(cmd)
	for _, name := range []string{"target", "demo", "samples", "metrics", "ca", "key-file", "client-cert", "client-key"} {
		// Only what it starts itself can be broken.
		if err := cmd.Flags().MarkHidden(name); err != nil {
			panic(err)
		}
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.loads, "load", []string{"85/s", "420/s"}, "rates, each a part of the table")
	flags.StringSliceVar(&f.only, "only", nil, "faults whose text holds one of these words")
	flags.DurationVar(&f.lasts, "for", 20*time.Second, "how long a fault lasts (status lists: 50s)")
	flags.DurationVar(&f.before, "before", 10*time.Second, "time watched before it")
	flags.DurationVar(&f.after, "after", 30*time.Second, "time watched after it")
	flags.IntVar(&f.gateways, "gateways", 2, "gateways, which share a Redis")
	return cmd
}

func faults(ctx context.Context, out io.Writer, command string, f faultFlags) error {
	if len(f.target.targets) > 0 || f.target.demo != "" {
		return usage(errors.New("only what loadtest starts itself can be broken: leave out --target and --demo"))
	}
	if f.lasts < time.Second || f.before < 5*time.Second || f.after < 5*time.Second {
		return usage(errors.New("--for: at least 1s; --before and --after: at least 5s"))
	}
	began := time.Now()
	t := &report.Faults{Schema: report.FaultsSchema, Started: began, Machine: report.ThisMachine(), Command: command}
	panel := tty.New(os.Stderr, f.target.lang)
	for _, text := range f.loads {
		rate, err := profile.ParseRate(text)
		if err != nil {
			return usage(err)
		}
		for _, fault := range matrix {
			if !f.wants(fault) || ctx.Err() != nil {
				continue
			}
			row, err := f.row(ctx, panel, t, fault, rate)
			if err != nil && ctx.Err() == nil {
				return err
			}
			if err == nil {
				t.Rows = append(t.Rows, row)
			}
		}
	}
	t.Seconds = time.Since(began).Seconds()
	t.Conclusion = concludeFaults(t, ctx.Err() != nil)
	if len(t.Rows) == 0 && ctx.Err() == nil {
		return usage(fmt.Errorf("--only: no fault's text holds any of %q", f.only))
	}
	if err := os.MkdirAll(f.target.out, 0o755); err != nil {
		return usage(err)
	}
	base := filepath.Join(f.target.out, "faults-"+began.Format("20060102-150405"))
	if err := errors.Join(report.Write(base+".json", t), writeHTML(base+".html", t)); err != nil {
		return err
	}
	report.FaultsSummary(out, t, f.target.lang)
	fmt.Fprintln(out, base+".json", base+".html")
	return ended(t.Conclusion.Exit)
}

func (f faultFlags) wants(fault profile.Fault) bool {
	return len(f.only) == 0 || slices.ContainsFunc(f.only, func(word string) bool { return strings.Contains(fault.Fault, word) })
}

// row is one fault at one load, on a rig of its own: what the one before left
// behind must not be in it.
func (f faultFlags) row(ctx context.Context, panel *tty.Panel, t *report.Faults, fault profile.Fault, rate profile.Rate) (row report.FaultRow, err error) {
	p, err := f.profile(fault, rate)
	if err != nil {
		return row, usage(err)
	}
	b, err := f.target.open(ctx, p, drive.NewSchedule(p).Expected())
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	t.Settings = drive.SettingsOf(p, b.source, f.gateways, true)
	name := fault.Fault
	if fault.Province != "" {
		name += " (" + fault.Province + ")"
	}
	panel.Start(fmt.Sprintf("%s at %.0f/s", name, float64(rate)), p.Length())
	r, err := drive.Run(ctx, drive.Options{
		Profile: p, Engine: b.engine, Work: b.mix, Source: b.source, Metrics: b.metrics,
		Breaker: b.breaker(), Rig: true, Watch: panel, Prime: true,
	})
	if err != nil {
		return row, err
	}
	if ctx.Err() != nil {
		return row, ctx.Err()
	}
	row = drive.FaultRow(r, p.SLO)
	row.Fault, row.Load, row.Gateways = name, float64(rate), f.gateways
	return row, nil
}

// profile is steady load with one fault in the middle. Much of the work is
// new, so that the registries are really asked.
func (f faultFlags) profile(fault profile.Fault, rate profile.Rate) (*profile.Profile, error) {
	if fault.For.Duration < f.lasts {
		fault.For.Duration = f.lasts
	}
	const warmup = 3 * time.Second
	fault.At.Duration = warmup + f.before
	text := fmt.Sprintf(`version: 1
name: fault
warmup: %s
arrivals: { stages: [ { for: %s, rate: %g/s } ] }
workload: { cold: 30%%, status: 50%%, hostile: 1%% }
connections: { new: 0.5%%, resumed: 1%% }
slo: { p99: 100ms, error: 1%% }
rig: { gateways: %d, redis: true }
`, warmup, fault.At.Duration+fault.For.Duration+f.after, float64(rate), f.gateways)
	p, err := profile.Parse([]byte(text), "faults")
	if err != nil {
		return nil, err
	}
	p.Faults = []profile.Fault{fault}
	return p, p.Check()
}

func concludeFaults(t *report.Faults, interrupted bool) report.Conclusion {
	var wrong, limited, failed bool
	for _, r := range t.Rows {
		wrong, limited, failed = wrong || r.Wrong > 0, limited || r.Limited, failed || r.Error != ""
	}
	switch {
	case interrupted:
		return report.Conclusion{Exit: report.ExitInterrupted, Word: "interrupted", Line: words.T("interrupted: the table is not whole", "被中断：表格不完整")}
	case wrong:
		return report.Conclusion{Exit: report.ExitWrong, Word: "wrong", Line: words.T("a fault led to wrong verdicts", "有故障导致错误结论")}
	case limited || failed:
		return report.Conclusion{Exit: report.ExitInconclusive, Word: "inconclusive", Line: words.T("in some rows the generator was the limit, or the fault could not be had", "部分行受发压端限制，或故障未能注入")}
	}
	return report.Conclusion{Exit: report.ExitPass, Word: "pass", Line: words.T("no fault led to a wrong verdict", "没有任何故障导致错误结论")}
}
