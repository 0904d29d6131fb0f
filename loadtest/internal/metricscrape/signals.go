package metricscrape

import (
	"strings"

	"tongyan/loadtest/internal/words"
)

// reading is one look at a signal.
type reading struct {
	key   string // names the signal for good: metric and labels
	value float64
	bound float64 // where it counts as saturated; 0: judged against its own beginning
	unit  string
	about words.Text
}

// readings derives the signals from two scrapes dt seconds apart.
//
// Of counters it is the rate, of gauges the value. A signal with a bound turns
// where it passes it; one without turns where it leaves what it was at first.
func readings(before, now map[series]float64, dt float64) (out []reading) {
	rate := func(s series) float64 { return max(now[s]-before[s], 0) / dt }
	sums := map[string]float64{} // of counters over labels that do not matter
	verdicts := 0.0
	for s := range now {
		if s.name == "tongyan_verdicts_total" {
			verdicts += rate(s)
		}
	}
	// few is how many a second are no longer a slip: one, or 0.1 % of the verdicts.
	few := max(1, verdicts/1000)
	for s := range now {
		switch {
		case s.name == "process_cpu_seconds_total":
			cores := now[series{name: "go_sched_gomaxprocs_threads"}]
			if cores == 0 {
				cores = 1
			}
			out = append(out, reading{s.name, rate(s) / cores, 0.9, "of its cores",
				words.T("the gateway's CPU", "网关 CPU")})
		case s.name == "process_open_fds":
			if most := now[series{name: "process_max_fds"}]; most > 0 {
				out = append(out, reading{s.name, now[s] / most, 0.8, "of process_max_fds",
					words.T("the gateway's open files and sockets", "网关打开的文件与套接字")})
			}
		case s.name == "tongyan_in_flight":
			out = append(out, reading{s.name, now[s], 0, "", words.T("verifications under way", "正在进行的核验")})
		case s.name == "go_goroutines":
			out = append(out, reading{s.name, now[s], 0, "", words.T("goroutines of the gateway", "网关协程数")})
		case s.name == "process_resident_memory_bytes":
			out = append(out, reading{s.name, now[s] / (1 << 20), 0, "MiB", words.T("the gateway's memory", "网关内存")})
		case s.name == "tongyan_refused_total":
			out = append(out, reading{s.name + "{code=" + s.label("code") + "}", rate(s), few, "/s",
				words.F("requests refused: %[1]s", "被拒请求：%[1]s", s.label("code"))})
		case s.name == "tongyan_registry_seconds_count":
			p, result := s.label("province"), s.label("result")
			if result == "answered" || result == "not_found" || result == "caller_gone" {
				break
			}
			out = append(out, reading{"tongyan_registry_seconds{province=" + p + ",result=" + result + "}", rate(s), few, "/s",
				words.F("registry of %[1]s: %[2]s", "%[1]s 登记系统：%[2]s", p, result)})
		case s.name == "tongyan_registry_breaker_moves_total" && s.label("state") == "open":
			out = append(out, reading{s.name + "{province=" + s.label("province") + ",state=open}", rate(s), 0.5 / dt, "/s",
				words.F("breaker of %s opened", "%s 断路器打开", s.label("province"))})
		case s.name == "tongyan_redis_events_total":
			out = append(out, reading{s.name + "{event=" + s.label("event") + "}", rate(s), few, "/s",
				words.F("Redis: %[1]s", "Redis：%[1]s", s.label("event"))})
		case s.name == "tongyan_trust_list_refused_total":
			sums[s.name] += rate(s)
		case s.name == "tongyan_status_list_fetches_total":
			if r := s.label("result"); r != "ok" && r != "fetched" && r != "unchanged" {
				out = append(out, reading{s.name + "{result=" + r + "}", rate(s), 0.5 / dt, "/s",
					words.F("status lists: %s", "状态列表：%s", r)})
			}
		}
	}
	if n, ok := sums["tongyan_trust_list_refused_total"]; ok {
		out = append(out, reading{"tongyan_trust_list_refused_total", n, 0.5 / dt, "/s",
			words.T("trust lists refused", "信任列表被拒")})
	}
	return append(out, waits(before, now)...)
}

// waits gives the mean time of registry calls by province, in milliseconds.
func waits(before, now map[series]float64) (out []reading) {
	type pair struct{ sum, count float64 }
	by := map[string]pair{}
	for s := range now {
		p := by[s.label("province")]
		switch s.name {
		case "tongyan_registry_seconds_sum":
			p.sum += now[s] - before[s]
		case "tongyan_registry_seconds_count":
			p.count += now[s] - before[s]
		default:
			continue
		}
		by[s.label("province")] = p
	}
	for province, p := range by {
		if p.count > 0 && !strings.Contains(province, ",") {
			out = append(out, reading{"tongyan_registry_seconds{province=" + province + "}", p.sum / p.count * 1000, 0, "ms",
				words.F("registry of %s: mean time of a call", "%s 登记系统：平均耗时", province)})
		}
	}
	return out
}
