package front

// HTTP-01 for others: with a shared storage the CA may ask any gateway about a
// challenge that another one began.

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/time/rate"
)

const (
	// challengesPerSecond bounds look-ups for strangers; a CA asks from a
	// handful of places, a few times each.
	challengesPerSecond = 100
	defaultHTTPPort     = 80
)

// serveChallenges answers HTTP-01 for all gateways until Close. Where the port
// cannot be had the gateway goes on: there is TLS-ALPN-01, and whoever has the
// port, a neighbour on the same machine, answers for all.
func (f *Front) serveChallenges(issuer *certmagic.ACMEIssuer) {
	port := f.options.ACME.HTTPPort
	if port == 0 {
		port = defaultHTTPPort
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		f.log.Warn("HTTP-01 challenges that other gateways began are not answered here: the port of tls.acme.http_port cannot be had", "error", err)
		return
	}
	limit := rate.NewLimiter(challengesPerSecond, challengesPerSecond)
	answer := issuer.HTTPChallengeHandler(http.NotFoundHandler())
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			// Nothing is looked up about names that are not ours.
			case !slices.Contains(f.options.Names, strings.ToLower(hostOf(r.Host))):
				http.NotFound(w, r)
			case !limit.Allow():
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				answer.ServeHTTP(w, r)
			}
		}),
		ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	f.stop = func() { _ = server.Close() } // ends Serve, which tells
	f.watching.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			f.log.Error("HTTP-01 challenges are not answered any more", "error", err)
		}
	})
}

// hostOf is the host of a Host header, without its port.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}
