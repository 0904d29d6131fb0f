package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/verifiers"
)

// serve puts the API behind a real TLS server.
func (r *rig) serve(read time.Duration) *httptest.Server {
	s := httptest.NewUnstartedServer(r.api)
	s.EnableHTTP2 = true
	s.Config.ReadTimeout = read
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // broken connections are what is tested
	s.StartTLS()
	r.t.Cleanup(s.Close)
	return s
}

// recorded turns a response into what refused reads.
func recorded(w *http.Response, body []byte) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	maps.Copy(out.Header(), w.Header)
	out.WriteHeader(w.StatusCode)
	out.Write(body)
	return out
}

// A reader that gives n bytes and then waits for its end.
type stalled struct {
	n   int
	end chan struct{}
}

func (s *stalled) Read(b []byte) (int, error) {
	if s.n == 0 {
		<-s.end
		return 0, io.ErrUnexpectedEOF
	}
	n := min(s.n, len(b))
	s.n -= n
	return n, nil
}

func TestSlowBody(t *testing.T) {
	r := newRig(t)
	s := r.serve(300 * time.Millisecond)
	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		t.Run(proto, func(t *testing.T) {
			end := make(chan struct{})
			q, err := http.NewRequest("POST", s.URL+"/v1/verify", &stalled{5, end})
			if err != nil {
				t.Fatal(err)
			}
			q.Header = request("POST", "/v1/verify", "x").Header
			client := s.Client()
			if proto == "HTTP/1.1" {
				client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}}
			}
			defer client.CloseIdleConnections()
			w, err := client.Do(q)
			close(end)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Body.Close()
			body, err := io.ReadAll(w.Body)
			if err != nil || w.Proto != proto {
				t.Fatalf("%s: %v", w.Proto, err)
			}
			refused(t, recorded(w, body), 408, api.RequestTimeout)
		})
	}
	if flying, _ := r.meter.read(); flying != 0 {
		t.Errorf("%d in flight", flying)
	}
}

// A body that breaks off, over a bare connection.
func TestBrokenBody(t *testing.T) {
	r := newRig(t)
	s := r.serve(10 * time.Second)
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+hall+"\r\nContent-Type: application/jwt\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nZZ\r\n")
	w, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, recorded(w, body), 400, api.BadRequest)
}

// max_body holds whether or not the length was announced, to the byte.
func TestMaxBody(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier, o.MaxBody = seen, 10_000 })
	s := r.serve(10 * time.Second)
	client := s.Client()
	for _, tt := range []struct {
		n       int
		chunked bool
		status  int
	}{{9_999, false, 200}, {10_000, false, 200}, {10_001, false, 413}, {10_000, true, 200}, {10_001, true, 413}, {5 << 20, true, 413}, {5 << 20, false, 413}, {0, true, 400}, {1, true, 200}} {
		var body io.Reader = strings.NewReader(strings.Repeat("x", tt.n))
		if tt.chunked {
			body = io.MultiReader(body) // hides the length
		}
		q, err := http.NewRequest("POST", s.URL+"/v1/verify", body)
		if err != nil {
			t.Fatal(err)
		}
		if tt.n == 0 {
			q.ContentLength = -1
		}
		q.Header = request("POST", "/v1/verify", "x").Header
		w, err := client.Do(q)
		if err != nil {
			t.Fatalf("%d bytes: %v", tt.n, err)
		}
		io.Copy(io.Discard, w.Body)
		w.Body.Close()
		if w.StatusCode != tt.status || tt.status == 200 && len(seen.Credential) != tt.n {
			t.Errorf("%d bytes, chunked %v: %d with %d bytes", tt.n, tt.chunked, w.StatusCode, len(seen.Credential))
		}
	}
}

// Buffers go from request to request: nothing of the one is in the other.
func TestBuffersAreNotShared(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier, o.MaxBody = seen, 1<<20 })
	for _, n := range []int{200_000, 3, 5000, 1, 4096, 4097, 2} {
		body := strings.Repeat(string(rune('a'+n%26)), n)
		if w := r.post(body); w.Code != 200 || string(seen.Credential) != body {
			t.Errorf("%d bytes: %d, %d passed on", n, w.Code, len(seen.Credential))
		}
	}
}

// The caller's context reaches the verifier: who went away is not worked for.
func TestCallerGone(t *testing.T) {
	ended := make(chan error, 1)
	r := newRig(t, func(o *api.Options) {
		o.Verifier = verifierFunc(func(ctx context.Context, _ *verifiers.Request) *verifiers.Response {
			<-ctx.Done()
			ended <- ctx.Err()
			return &verifiers.Response{}
		})
	})
	s := r.serve(10 * time.Second)
	q, err := http.NewRequest("POST", s.URL+"/v1/verify", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header = request("POST", "/v1/verify", "x").Header
	client := *s.Client()
	client.Timeout = 200 * time.Millisecond
	if w, err := client.Do(q); err == nil {
		w.Body.Close()
		t.Fatal("answered")
	}
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, io.EOF) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the work went on")
	}
}
