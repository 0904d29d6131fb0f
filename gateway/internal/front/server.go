package front

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

// Timeouts bound how long a peer may hold a connection. Zero takes the default.
// A handler that streams may move its own bounds with http.ResponseController.
type Timeouts struct {
	ReadHeader time.Duration // from the first byte to the end of the header; default 5 s
	Read       time.Duration // whole request, body included; default 15 s
	Write      time.Duration // from the end of the header to the last byte of the answer; default 30 s
	Idle       time.Duration // between requests; default 90 s
}

const (
	maxHeader  = 32 << 10 // bytes; the largest honest header carries a bearer key and a traceparent
	maxStreams = 100      // per HTTP/2 connection (contract §9: at most 100)
)

// Server gives the public HTTP server: HTTP/1.1 and HTTP/2 over config. Start it
// with ServeTLS(listener, "", ""). What net/http has to say of broken
// connections goes to log at level debug: strangers cause it at will.
func Server(handler http.Handler, config *tls.Config, t Timeouts, log *slog.Logger) *http.Server {
	orDefault := func(d, otherwise time.Duration) time.Duration {
		if d <= 0 {
			return otherwise
		}
		return d
	}
	return &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: orDefault(t.ReadHeader, 5*time.Second),
		ReadTimeout:       orDefault(t.Read, 15*time.Second),
		WriteTimeout:      orDefault(t.Write, 30*time.Second),
		IdleTimeout:       orDefault(t.Idle, 90*time.Second),
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      30 * time.Second, // a peer that vanished is found
			PingTimeout:          15 * time.Second,
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
