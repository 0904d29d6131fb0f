package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/search"
	"tongyan/loadtest/internal/tty"
	"tongyan/loadtest/internal/words"
)

type planFlags struct {
	target         targetFlags
	profile, slo   string
	peak           string
	spare, most    int
	window, warmup time.Duration
	redis          bool
}

func newPlanCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Find the knee of one gateway and say how many are needed",
		Long: `Find the highest rate that one gateway holds within the SLO, then with two and
three, and say in one line how many are needed for the peak, what limits them,
how sure that is, and what was not tested.

Without --target (or --demo) it starts gateways and four simulated provinces on
this machine.`,
		Example: `  loadtest plan --peak 840/s --slo p99=50ms,error=0.1% --spare 1
  loadtest plan --demo demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return plan(cmd.Context(), cmd.OutOrStdout(), f) },
	}
	f.target.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.peak, "peak", "840/s", "the peak that must be held")
	flags.StringVar(&f.slo, "slo", "p99=50ms,error=0.1%", "what holding means")
	flags.IntVar(&f.spare, "spare", 1, "gateways that may be lost at the peak")
	flags.IntVar(&f.most, "gateways", 3, "without --target: measure 1 to this many gateways")
	flags.StringVar(&f.profile, "profile", "steady", "profile whose work and connections are sent")
	flags.DurationVar(&f.window, "window", 8*time.Second, "steady time measured at each rate")
	flags.DurationVar(&f.warmup, "warmup", 2*time.Second, "time before it at each rate")
	flags.BoolVar(&f.redis, "redis", false, "start a redis-server that the gateways share")
	return cmd
}

func (f planFlags) read() (p *profile.Profile, peak float64, err error) {
	if p, err = profile.Load(f.profile); err != nil {
		return nil, 0, err
	}
	rate, err := profile.ParseRate(f.peak)
	if err != nil {
		return nil, 0, err
	}
	if p.SLO, err = profile.ParseSLO(f.slo); err != nil {
		return nil, 0, err
	}
	switch {
	case rate < 1:
		err = errors.New("--peak: want at least 1/s")
	case f.spare < 0 || f.spare > 100:
		err = errors.New("--spare: want 0 to 100")
	case f.most < 1 || f.most > 8:
		err = errors.New("--gateways: want 1 to 8")
	case f.window < time.Second || f.warmup < 0 || f.window > time.Hour || f.warmup > time.Hour:
		err = errors.New("--window: want at least 1s; --window and --warmup at most 1h")
	}
	p.Faults, p.Rig.Gateways, p.Rig.Redis = nil, 1, p.Rig.Redis || f.redis
	return p, float64(rate), err
}

func plan(ctx context.Context, out io.Writer, f planFlags) (err error) {
	p, peak, err := f.read()
	if err != nil {
		return usage(err)
	}
	began := time.Now()
	b, err := f.target.open(ctx, p, 20*peak*f.window.Seconds())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	pl := &report.Plan{
		Schema: report.PlanSchema, Started: began, Machine: report.ThisMachine(), Peak: peak, Spare: f.spare,
		Settings: drive.SettingsOf(p, b.source, 1, b.rig != nil),
	}
	l := &lab{bench: b, base: p, window: f.window, warmup: f.warmup, panel: tty.New(os.Stderr, f.target.lang)}
	err = l.searches(ctx, pl, f.most, float64(p.Limits.Rate))
	if errors.Is(err, drive.ErrUnreachable) || err != nil && ctx.Err() == nil && !errors.Is(err, search.ErrBaseline) {
		return err
	}
	pl.Seconds = time.Since(began).Seconds()
	pl.Untested = append(pl.Untested, b.mix.Untested()...)
	answer(pl, ctx.Err() != nil)
	base := filepath.Join(f.target.out, "plan-"+began.Format("20060102-150405"))
	if err := errors.Join(report.Write(base+".json", pl), writeHTML(base+".html", pl)); err != nil {
		return err
	}
	report.PlanSummary(out, pl, f.target.lang)
	fmt.Fprintln(out, base+".json", base+".html")
	return ended(pl.Conclusion.Exit)
}

// searches measures one gateway, and more where there is a rig.
func (l *lab) searches(ctx context.Context, pl *report.Plan, most int, ceiling float64) error {
	if l.bench.rig == nil {
		most = 1
		pl.Untested = append(pl.Untested, words.T("more than one gateway (a running target was given)", "多个网关（给定了已运行的目标）"))
	}
	start := max(min(pl.Peak/8, 100), 5)
	for n := 1; n <= most; n++ {
		if l.bench.rig != nil {
			if err := l.bench.rig.Scale(ctx, n); err != nil {
				return err
			}
			l.bench.useRig()
		}
		l.gateways = n
		l.primed = false
		s, err := search.Run(ctx, l, search.Options{Start: start, Ceiling: ceiling, Beyond: n == 1})
		s.Gateways, s.First = n, l.first
		pl.Searches = append(pl.Searches, s)
		if err != nil {
			return err
		}
		// More gateways hold no less: begin near.
		start = max(s.Holds*0.6, start)
	}
	return nil
}

// lab tries rates with whole runs.
type lab struct {
	bench          *bench
	base           *profile.Profile
	window, warmup time.Duration
	panel          *tty.Panel
	gateways       int
	primed         bool
	first          []metricscrape.Finding // of the trial that broke last
}

// trial runs stages with the base profile's work.
func (l *lab) trial(ctx context.Context, title string, warmup time.Duration, stages ...profile.Stage) (*report.Run, error) {
	p := *l.base
	p.Warmup = profile.Duration{Duration: warmup}
	p.Arrivals = profile.Arrivals{Process: "poisson", Stages: stages}
	p.Seed += uint64(stages[0].Rate) // each rate its own arrivals, the same in every plan
	l.panel.Start(title, p.Length())
	r, err := drive.Run(ctx, drive.Options{
		Profile: &p, Engine: l.bench.engine, Work: l.bench.mix, Source: l.bench.source,
		Metrics: l.bench.metrics, Rig: l.bench.rig != nil, Watch: l.panel, Prime: !l.primed,
	})
	l.primed = err == nil
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return r, err
}

func (l *lab) title(phase string, rate float64) string {
	return fmt.Sprintf("plan n=%d %s %.0f/s", l.gateways, phase, rate)
}

// Try is search.Lab's.
func (l *lab) Try(ctx context.Context, phase string, rate float64) (report.Step, error) {
	r, err := l.trial(ctx, l.title(phase, rate), l.warmup,
		profile.Stage{For: profile.Duration{Duration: l.warmup + l.window}, Rate: profile.Rate(rate)})
	if errors.Is(err, drive.ErrUnreachable) && phase != "baseline" {
		// It was there before: too much load is why it is not there now.
		return report.Step{Error: 1}, nil
	}
	if err != nil {
		return report.Step{}, err
	}
	t := r.Totals
	s := report.Step{
		Goodput: t.Goodput, P50: t.Corrected.P50, P99: t.Corrected.P99, RawP99: t.Raw.P99, Error: t.ErrorShare,
		Wrong: t.Outcomes["wrong"], LagP99: t.Lag.P99, HostIdle: r.Generator.HostIdle, Generator: r.Generator.CPUPeak,
		Held: report.Held(r.SLO), Limited: r.Generator.Limited,
	}
	if !s.Held {
		l.first = r.First
	}
	return s, nil
}

// recoverFor is how long a recovery is waited for.
const recoverFor = 20 * time.Second

// Recover is search.Lab's.
func (l *lab) Recover(ctx context.Context, high, low float64) (float64, error) {
	r, err := l.trial(ctx, l.title("recover", low), 0,
		profile.Stage{For: profile.Duration{Duration: l.window}, Rate: profile.Rate(high)},
		profile.Stage{For: profile.Duration{Duration: recoverFor}, Rate: profile.Rate(low)})
	if errors.Is(err, drive.ErrUnreachable) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return drive.Recovery(r.Series, l.window.Seconds(), drive.Well(l.base.SLO)), nil
}
