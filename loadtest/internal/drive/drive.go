// Package drive carries out one run: it starts the clock, the engine, the
// watchers and the faults, and puts together what they saw.
package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/honest"
	"tongyan/loadtest/internal/metricscrape"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
	"tongyan/loadtest/internal/schedule"
	"tongyan/loadtest/internal/stats"
	"tongyan/loadtest/internal/verdict"
	"tongyan/loadtest/internal/words"
	"tongyan/loadtest/internal/workload"
)

// ErrUnreachable says that the target answered nothing before the run began.
var ErrUnreachable = errors.New("the target does not answer")

// A Breaker brings faults about and ends them again.
type Breaker interface {
	// Break does what the action says to a province ("": all of them) and
	// returns what ends it. Both may be called while work is under way.
	Break(a profile.Action, province string) (mend func() error, err error)
}

// A Watcher of the run, such as a panel. Point comes once an interval.
type Watcher interface {
	Point(p stats.Point, t stats.Totals, note string)
}

// Options of a run.
type Options struct {
	Profile *profile.Profile
	Engine  engine.Config // targets, TLS, keys; the rest is filled in here
	Work    *workload.Mix
	Source  string // minted or samples
	Metrics []string
	Breaker Breaker // nil: faults are refused
	Rig     bool
	Watch   Watcher   // may be nil
	HDRLog  io.Writer // may be nil
	Prime   bool      // send hot work once before
}

// points bounds the series, so that a day takes no more memory than an hour.
const points = 1800

// interval of the series for a run of that length.
func interval(length time.Duration) time.Duration {
	for _, i := range []time.Duration{1, 2, 5, 10, 15, 30, 60} {
		if length/(i*time.Second) < points {
			return i * time.Second
		}
	}
	return 2 * time.Minute
}

// NewSchedule is the profile's schedule.
func NewSchedule(p *profile.Profile) *schedule.Schedule {
	var pieces []schedule.Piece
	for _, s := range p.Arrivals.Stages {
		pieces = append(pieces, schedule.Piece{For: s.For.Duration, From: float64(s.Rate), To: s.End()})
	}
	var bursts []schedule.Burst
	for _, b := range p.Arrivals.Bursts {
		bursts = append(bursts, schedule.Burst{At: b.At.Duration, Every: b.Every.Duration, Size: b.Size, Over: b.Over.Duration})
	}
	return schedule.New(pieces, bursts, p.Arrivals.Process == "poisson", p.Seed)
}

// Run carries out one run. When ctx ends, the report is of what was had until
// then, and says so. An error means that there is none.
func Run(ctx context.Context, o Options) (*report.Run, error) {
	p := o.Profile
	if len(p.Faults) > 0 && o.Breaker == nil {
		return nil, errors.New("the profile has faults, and only what loadtest starts itself can be broken: leave out --target")
	}
	if err := reach(ctx, o); err != nil {
		return nil, err
	}
	if o.Prime && *p.Workload.Prime > 0 {
		if err := prime(ctx, o); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	d := &driver{Options: o, plan: NewSchedule(p), every: interval(p.Length()), watch: honest.New(), scraper: metricscrape.New(o.Metrics)}
	d.recorder = stats.NewRecorder(stats.Options{Warmup: p.Warmup.Duration, Log: d.logger()})
	cfg := o.Engine
	cfg.Connections, cfg.Schedule, cfg.Work = p.Connections, NewSchedule(p), o.Work.Next
	if p.Closed() {
		cfg.Schedule, cfg.Closed = nil, p.Length()
	}
	cfg.Recorder, cfg.MaxBytes, cfg.Seed = d.recorder, p.Limits.Bytes, p.Seed
	var err error
	if d.engine, err = engine.New(cfg); err != nil {
		return nil, err
	}
	return d.run(ctx)
}

type driver struct {
	Options
	plan     *schedule.Schedule
	every    time.Duration
	watch    *honest.Watch
	scraper  *metricscrape.Watcher
	recorder *stats.Recorder
	engine   *engine.Engine
	start    time.Time
	series   []stats.Point
	ticked   time.Duration
	logErr   error
}

func (d *driver) run(ctx context.Context) (*report.Run, error) {
	d.start = time.Now()
	inner, stop := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer stop()
	if len(d.Metrics) > 0 {
		helpers.Go(func() { d.scraper.Run(inner, d.start) })
	}
	var faults []report.Fault
	var faulting sync.WaitGroup
	faulting.Go(func() { faults = d.timeline(inner) })
	ended := make(chan error, 1)
	helpers.Go(func() { ended <- d.engine.Run(ctx, d.start) })
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	var err error
	for running := true; running; {
		select {
		case <-tick.C:
			d.tick()
		case err = <-ended:
			running = false
		}
	}
	d.tick()
	stop() // ends faults that still last
	faulting.Wait()
	return d.report(ctx, err, faults), nil
}

func (d *driver) tick() {
	now := time.Since(d.start)
	since := now - d.ticked
	pt := d.recorder.Tick(now)
	d.ticked = now
	if since < d.every/4 {
		return // the last moment of a run: rates over so little mean nothing
	}
	own, load := d.watch.Sample(), d.engine.Load()
	pt.Planned = d.plan.RateAt(now - d.every/2)
	pt.CPU, pt.HostIdle, pt.Sockets, pt.InFlight = own.CPU, own.HostIdle, load.Sockets, load.InFlight
	if len(d.series) < 2*points {
		d.series = append(d.series, pt)
	}
	if d.Watch != nil {
		d.Watch.Point(pt, d.recorder.Totals(), d.note(now))
	}
}

// note is the present stage's.
func (d *driver) note(now time.Duration) string {
	for _, s := range d.Profile.Arrivals.Stages {
		if now < s.For.Duration {
			return s.Note
		}
		now -= s.For.Duration
	}
	return ""
}

// logger writes each interval to the HdrHistogram log.
func (d *driver) logger() func(*hdr.Histogram, time.Duration, time.Duration) {
	if d.HDRLog == nil {
		return nil
	}
	w := hdr.NewHistogramLogWriter(d.HDRLog)
	head := false
	return func(h *hdr.Histogram, from, to time.Duration) {
		if !head {
			head = true
			base := d.start.UnixMilli()
			w.SetBaseTime(base)
			d.logErr = errors.Join(w.OutputComment("[tongyan loadtest: corrected latency in microseconds]"),
				w.OutputLogFormatVersion(), w.OutputBaseTime(base), w.OutputStartTime(base), w.OutputLegend())
		}
		h.SetStartTimeMs(d.start.Add(from).UnixMilli())
		h.SetEndTimeMs(d.start.Add(to).UnixMilli())
		if d.logErr == nil {
			d.logErr = w.OutputIntervalHistogram(h)
		}
	}
}

func (d *driver) report(ctx context.Context, ended error, faults []report.Fault) *report.Run {
	p, t := d.Profile, d.recorder.Totals()
	r := &report.Run{
		Schema: report.RunSchema, Started: d.start, Seconds: time.Since(d.start).Seconds(),
		Settings: SettingsOf(p, d.Source, len(d.Engine.Targets), d.Rig), Machine: report.ThisMachine(),
		Interrupted: ctx.Err() != nil, Interval: d.every.Seconds(),
		Totals: t, Series: d.series, First: d.scraper.Findings(), Moves: d.scraper.Moves(),
		Faults: faults, SLO: report.Check(p.SLO, t), Untested: d.Work.Untested(),
	}
	if len(d.Metrics) > 0 {
		r.Scraped = d.scraper.Coverage()
	} else {
		r.Untested = append(r.Untested, words.T("what breaks first inside of the gateway (no --metrics)", "网关内部最先出问题的环节（未给出 --metrics）"))
	}
	if p.Closed() {
		r.Untested = append(r.Untested, words.T("arrivals as people cause them: the closed model waits for the target", "真实的到达过程：闭环模式会等待目标"))
	}
	r.Generator = d.watch.Judge(honest.Measured{
		All: d.recorder.All(), Offered: t.Offered, Late: t.Count(verdict.Late), NoSocket: d.engine.Load().NoSocket,
		LagP99: millis(t.Lag.P99), LagMax: millis(t.Lag.Max), P99: millis(t.Corrected.P99), Bound: p.SLO.P99.Duration,
	})
	if ended != nil && ctx.Err() == nil {
		r.Stopped = ended.Error()
	}
	if d.logErr != nil {
		r.Stopped = fmt.Sprint("the HdrHistogram log could not be written: ", d.logErr)
	}
	r.Conclusion = Conclude(r)
	return r
}

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// SettingsOf describes a run's settings.
func SettingsOf(p *profile.Profile, source string, gateways int, rig bool) report.Settings {
	arrivals, err := json.Marshal(p.Arrivals)
	if err != nil { // plain data
		arrivals = []byte("null")
	}
	return report.Settings{
		Profile: p.Name, Digest: p.Digest(), Seed: p.Seed, Source: source, Gateways: gateways, Rig: rig,
		SLO: p.SLO.String(), Peak: p.Peak(), Length: p.Length().String(),
		Population: p.Workload.Population, Cold: float64(*p.Workload.Cold), Arrivals: arrivals,
	}
}
