// Package admin is the listener for operators and their monitoring, plain HTTP
// on loopback: /livez, /readyz, /metrics, and the order to reload.
package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Part is one thing that the gateway depends on, for /readyz?verbose.
type Part struct {
	Name string `json:"name"`
	// OK says that the part does its work. Only an essential part that does not
	// makes the gateway unready.
	OK        bool   `json:"ok"`
	Essential bool   `json:"essential"`
	Detail    any    `json:"detail,omitempty"` // facts of the part's own
	Problem   string `json:"problem,omitempty"`
}

// Options are what the pages show and do.
type Options struct {
	// Parts lists everything that the gateway depends on, as it is now.
	Parts func() []Part
	// Gather are the metrics.
	Gather prometheus.Gatherer
	// Reload takes up the configuration anew; nil: this gateway cannot. What it
	// returns beside nil is shown to the operator: what needs a restart.
	Reload func(context.Context) (notes []string, err error)
}

// An Admin serves the pages. It is safe for concurrent use.
type Admin struct {
	Options
	mux      *http.ServeMux
	draining atomic.Bool
}

// New makes the handler of the admin listener.
func New(o Options) *Admin {
	a := &Admin{Options: o, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /livez", a.livez)
	a.mux.HandleFunc("GET /readyz", a.readyz)
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gather, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second}))
	a.mux.HandleFunc("POST /reload", a.reload)
	return a
}

// Drain makes the gateway unready from now on, so that no more work is sent.
func (a *Admin) Drain() { a.draining.Store(true) }

// ServeHTTP answers one request.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// livez is 200 while the process works, draining included: who kills a draining
// process loses the requests that it still answers.
func (a *Admin) livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// readyz is 200 where work may be sent. A province that is down does not change
// that: the others can be verified, and another gateway would do no better.
func (a *Admin) readyz(w http.ResponseWriter, r *http.Request) {
	parts, ready := a.state()
	state := struct {
		Ready    bool   `json:"ready"`
		Draining bool   `json:"draining"`
		Parts    []Part `json:"parts,omitempty"`
	}{Ready: ready, Draining: a.draining.Load()}
	if r.URL.Query().Has("verbose") {
		state.Parts = parts
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, state)
}

// Ready reports what /readyz says.
func (a *Admin) Ready() bool {
	_, ready := a.state()
	return ready
}

func (a *Admin) state() (parts []Part, ready bool) {
	parts, ready = a.Parts(), !a.draining.Load()
	for _, p := range parts {
		ready = ready && (p.OK || !p.Essential)
	}
	return parts, ready
}

func (a *Admin) reload(w http.ResponseWriter, r *http.Request) {
	if a.Reload == nil {
		writeJSON(w, http.StatusNotImplemented, map[string]any{"reloaded": false, "problem": "this gateway runs without a configuration file"})
		return
	}
	notes, err := a.Reload(r.Context())
	if err != nil {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]any{"reloaded": false, "problem": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"reloaded": true, "needs_restart": notes})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(v)
}
