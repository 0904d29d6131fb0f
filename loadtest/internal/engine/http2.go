package engine

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"time"
)

// transport is for the share of HTTP/2, where the standard library's own
// client is the only one.
func (e *Engine) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Protocols: protocols, TLSClientConfig: e.cfg.TLS.Clone(), DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil && !e.own(c) {
				return nil, errEnded
			}
			if err != nil {
				return nil, err
			}
			return &counted{Conn: c, engine: e}, nil
		},
	}
}

// counted leaves the books when it is closed.
type counted struct {
	net.Conn
	engine *Engine
}

// Close closes the connection.
func (c *counted) Close() error { return c.engine.disown(c.Conn) }

func (w *worker) askHTTP2(j job, deadline time.Time) (int, []byte, error) {
	e := w.engine
	target := e.choose()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+e.cfg.Targets[target]+e.cfg.Path, bytes.NewReader(j.item.Body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", j.item.Media)
	req.Header.Set("Accept", "application/json")
	if e.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.cfg.Key)
	}
	resp, err := e.paths[target].h2.RoundTrip(req)
	if err != nil {
		return 0, nil, e.why(err)
	}
	defer resp.Body.Close()
	body, err := w.read(resp.Body)
	e.bytes.Add(int64(len(j.item.Body) + len(body) + 256))
	return resp.StatusCode, body, e.why(err)
}
