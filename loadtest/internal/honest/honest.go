// Package honest watches the generator itself, and says whether a run measured
// the target or the generator.
package honest

import (
	"math"
	"runtime"
	"runtime/metrics"
	"time"

	"tongyan/loadtest/internal/words"
)

// Bounds past which a result is inconclusive.
const (
	// LagFloor is the scheduler lag (p99) that is always taken.
	LagFloor = 2 * time.Millisecond

	// LagShare is the lag that is taken as a share of the latency measured, or
	// of its bound: a tenth of p99 cannot turn a conclusion.
	LagShare = 0.1

	// LateShare is the work given up because the generator was late.
	LateShare = 0.001

	// CPUShare of the processors that the generator may use. Past it there is
	// nothing left to be punctual with.
	CPUShare = 0.9
)

// A Sample is the generator's state over an interval.
type Sample struct {
	CPU      float64 // cores used
	HostIdle float64 // share of the machine's CPU time that was idle; -1 unknown
}

// A Watch samples the generator. Not for concurrent use.
type Watch struct {
	at       time.Time
	cpu      time.Duration
	idle     uint64
	total    uint64
	began    time.Time
	beganCPU time.Duration
	pauses   uint64 // GC pauses at the start

	peak    float64 // of CPU, in cores
	cpuFull int     // intervals with the CPU used up
	count   int
	idleSum float64
	idleN   int
	memory  uint64
}

// New starts watching.
func New() *Watch {
	w := &Watch{at: time.Now(), cpu: processCPU()}
	w.began, w.beganCPU = w.at, w.cpu
	w.idle, w.total = hostCPU()
	w.pauses, _ = pauses()
	return w
}

// Cores is how many the generator may use.
func Cores() float64 { return float64(runtime.GOMAXPROCS(0)) }

// Sample ends an interval.
func (w *Watch) Sample() Sample {
	now, cpu := time.Now(), processCPU()
	idle, total := hostCPU()
	s := Sample{HostIdle: -1}
	if d := now.Sub(w.at); d > 0 {
		s.CPU = float64(cpu-w.cpu) / float64(d)
	}
	if total > w.total {
		s.HostIdle = float64(idle-w.idle) / float64(total-w.total)
		w.idleSum, w.idleN = w.idleSum+s.HostIdle, w.idleN+1
	}
	w.at, w.cpu, w.idle, w.total = now, cpu, idle, total
	w.count++
	w.peak = max(w.peak, s.CPU)
	if s.CPU > CPUShare*Cores() {
		w.cpuFull++
	}
	w.memory = max(w.memory, liveMemory())
	return s
}

// Facts are what a run did to the generator.
type Facts struct {
	CPUPerRequest float64 `json:"cpu_us_per_request"` // microseconds of generator CPU; simulated provinces included, where it plays them
	CPUPeak       float64 `json:"cpu_peak_cores"`
	Cores         float64 `json:"cores"`
	HostIdle      float64 `json:"host_idle"` // mean share; -1 unknown
	LagP99        float64 `json:"lag_p99_ms"`
	LagMax        float64 `json:"lag_max_ms"`
	LateShare     float64 `json:"late_share"` // of the work offered
	GCPauseMax    float64 `json:"gc_pause_max_ms"`
	MemoryPeak    float64 `json:"memory_peak_mib"`
	NoSocket      int64   `json:"no_socket"` // connections that the machine could not open

	Limited bool         `json:"limited"` // the generator was the limit: the result is inconclusive
	Why     []words.Text `json:"why,omitempty"`
}

// Measured is what the run says about the generator's punctuality.
type Measured struct {
	All            int64 // pieces of work, warm-up included
	Offered, Late  int64 // without it
	LagP99, LagMax time.Duration
	P99            time.Duration // corrected latency
	Bound          time.Duration // of it; 0: none
	NoSocket       int64
}

// Judge says whether the generator was the limit.
func (w *Watch) Judge(m Measured) Facts {
	f := Facts{
		CPUPeak: w.peak, Cores: Cores(), HostIdle: -1,
		LagP99: ms(m.LagP99), LagMax: ms(m.LagMax), NoSocket: m.NoSocket,
		MemoryPeak: float64(w.memory) / (1 << 20),
	}
	if w.idleN > 0 {
		f.HostIdle = w.idleSum / float64(w.idleN)
	}
	if m.All > 0 {
		f.CPUPerRequest = float64((w.cpu - w.beganCPU).Microseconds()) / float64(m.All)
	}
	if m.Offered > 0 {
		f.LateShare = float64(m.Late) / float64(m.Offered)
	}
	before := w.pauses
	if after, longest := pauses(); after > before {
		f.GCPauseMax = longest * 1000
	}
	say := func(limited bool, t words.Text) {
		if limited {
			f.Limited, f.Why = true, append(f.Why, t)
		}
	}
	bound := max(LagFloor, time.Duration(LagShare*float64(max(m.P99, m.Bound))))
	say(m.LagP99 > bound, words.F("the generator was late: scheduler lag p99 %.1f ms, taken up to %.1f ms",
		"发压端发送迟到：调度延迟 p99 为 %.1f ms，容许 %.1f ms", ms(m.LagP99), ms(bound)))
	say(f.LateShare > LateShare, words.F("the generator gave up %.2f%% of the work because it was late itself",
		"发压端自身迟到，放弃了 %.2f%% 的请求", f.LateShare*100))
	say(w.count > 0 && float64(w.cpuFull) > 0.2*float64(w.count), words.F("the generator used up its own CPU (peak %.1f of %.0f cores)",
		"发压端自身 CPU 用尽（峰值 %.1f / %.0f 核）", w.peak, f.Cores))
	say(m.NoSocket > 0, words.F("the generator's machine ran out of sockets or files, %d times",
		"发压机的端口或文件句柄用尽，共 %d 次", m.NoSocket))
	return f
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// pauses returns how many stop-the-world pauses of the collector there have
// been, and the longest in seconds, as far as the runtime's buckets tell.
func pauses() (count uint64, longest float64) {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0, 0
	}
	h := s[0].Value.Float64Histogram()
	for i, n := range h.Counts {
		count += n
		if n > 0 && !math.IsInf(h.Buckets[i+1], 0) {
			longest = h.Buckets[i+1]
		}
	}
	return count, longest
}

func liveMemory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 || s[1].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
