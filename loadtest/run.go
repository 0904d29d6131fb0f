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
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/tty"
)

// shapeFlags change a profile from the command line.
type shapeFlags struct {
	peak, slo string
	timeScale float64
	seed      uint64
	gateways  int
	redis     bool
}

func (f *shapeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.peak, "peak", "", "scale the profile so that its highest rate is this, such as 840/s")
	flags.Float64Var(&f.timeScale, "time-scale", 1, "divide all planned times: 60 makes an hour a minute")
	flags.Uint64Var(&f.seed, "seed", 0, "seed in place of the profile's")
	flags.StringVar(&f.slo, "slo", "", "SLO in place of the profile's, such as p99=50ms,error=0.1%")
	flags.IntVar(&f.gateways, "gateways", 0, "gateways to start, in place of the profile's")
	flags.BoolVar(&f.redis, "redis", false, "start a redis-server that they share")
}

func (f *shapeFlags) shape(p *profile.Profile) error {
	if f.peak != "" {
		rate, err := profile.ParseRate(f.peak)
		if err != nil {
			return err
		}
		p.ScaleTo(float64(rate))
	}
	if f.timeScale < 1 {
		return errors.New("--time-scale: must be 1 or more")
	}
	p.Compress(f.timeScale)
	if f.seed != 0 {
		p.Seed = f.seed
	}
	if f.slo != "" {
		slo, err := profile.ParseSLO(f.slo)
		if err != nil {
			return err
		}
		p.SLO = slo
	}
	if f.gateways != 0 {
		p.Rig.Gateways = f.gateways
	}
	p.Rig.Redis = p.Rig.Redis || f.redis
	p.Warmup.Duration = min(p.Warmup.Duration, p.Length()/5)
	return p.Check()
}

func newRunCommand() *cobra.Command {
	var target targetFlags
	var shape shapeFlags
	cmd := &cobra.Command{
		Use:   "run PROFILE",
		Short: "One shaped run against a running gateway, or against what it starts itself",
		Example: `  loadtest run steady --demo demo
  loadtest run deadline-day --time-scale 60 --gateways 2
  loadtest run my.yaml --target https://127.0.0.1:8443 --ca ca.pem --key-file key --samples samples`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := profile.Load(args[0])
			if err == nil {
				err = shape.shape(p)
			}
			if err != nil {
				return usage(err)
			}
			return run(cmd.Context(), cmd.OutOrStdout(), p, target)
		},
	}
	target.add(cmd)
	shape.add(cmd)
	return cmd
}

// closedGuess is how much work a closed model may come to ask for, a second.
const closedGuess = 5000

func run(ctx context.Context, out io.Writer, p *profile.Profile, target targetFlags) (err error) {
	need := drive.NewSchedule(p).Expected()
	if p.Closed() {
		need = closedGuess * p.Length().Seconds()
	}
	b, err := target.open(ctx, p, need)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	base := filepath.Join(target.out, p.Name+"-"+time.Now().Format("20060102-150405"))
	log, err := os.Create(base + ".hlog")
	if err != nil {
		return usage(err)
	}
	defer log.Close()
	panel := tty.New(os.Stderr, target.lang)
	panel.Start(p.Name, p.Length())
	r, err := drive.Run(ctx, drive.Options{
		Profile: p, Engine: b.engine, Work: b.mix, Source: b.source, Metrics: b.metrics,
		Breaker: b.breaker(), Rig: b.rig != nil, Watch: panel, HDRLog: log, Prime: true,
	})
	if err != nil {
		return err
	}
	if err := errors.Join(report.Write(base+".json", r), writeHTML(base+".html", r)); err != nil {
		return err
	}
	report.Summary(out, r, target.lang)
	fmt.Fprintln(out, base+".json", base+".html", base+".hlog")
	return ended(r.Conclusion.Exit)
}

func writeHTML(path string, v any) error {
	page, err := report.HTML(v)
	if err != nil {
		return err
	}
	return report.WriteFile(path, page)
}
