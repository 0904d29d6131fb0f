package registry_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tongyan/keys"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	code  licence.USCC = "91310000MA1FL0000X"
	other licence.USCC = "91330000MA27X0000G"
)

var (
	key     = verifiers.StandingKey{Province: "310000", USCC: code}
	askedAt = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
)

const plainBody = `{"uniscid":"91310000MA1FL0000X","entname":"上海示例有限公司","regstate":"1","apprdate":"2024-05-06","asof":"2026-03-01T11:59:00+08:00"}`

func value(s string) strict.Value {
	v, err := strict.Parse([]byte(s))
	if err != nil {
		panic(err)
	}
	return v
}

// second is the POST dialect of contract §4.
func second() *registry.Dialect {
	return &registry.Dialect{
		Method:  http.MethodPost,
		Path:    "/query",
		Body:    `{"uniscId":"{uniscid}"}`,
		Headers: map[string]string{"X-App-Key": "k3y"},
		OK:      &registry.Match{Pointer: "/code", Equals: value(`"00"`)},
		Empty:   &registry.Match{Pointer: "/dataCount", Equals: value(`0`)},
		Record:  "/datas/0",
		Fields: &registry.Fields{USCC: "/uniscId", Entname: "/companyName", Regstate: "/operatingStatus",
			Apprdate: "/appDate", AsOf: "/queriedAt"},
		States: map[string]licence.RegState{"K": "1", "D": "2", "XX": "4", "C": "5", "QX": "6", "7": "3"},
	}
}

const secondBody = `{"code":"00","dataCount":1,"datas":[{"uniscId":"91310000MA1FL0000X","companyName":"上海示例有限公司","operatingStatus":"K","appDate":"2024-05-06 00:00:00"}]}`

// A server is a registry over TLS on loopback that counts what it is asked.
type server struct {
	*httptest.Server
	asked atomic.Int32 // requests that reached the handler
	dials atomic.Int32 // connections accepted
}

func serve(t testing.TB, h http.HandlerFunc) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		h(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // broken handshakes are asked for
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.dials.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// client returns a Client that is closed before the server.
func (s *server) client(t testing.TB, change func(*registry.Config)) *registry.Client {
	t.Helper()
	config := registry.Config{Province: "310000", URL: s.URL, CAs: s.pool(), Timeout: 5 * time.Second}
	if change != nil {
		change(&config)
	}
	c, err := registry.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// say answers with one body, type and status.
func say(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// refused asks and returns the reason of the refusal.
func refused(t testing.TB, c *registry.Client, ctx context.Context) *verifiers.UnavailableError {
	t.Helper()
	standing, err := c.Ask(ctx, code)
	return unavailable(t, standing, err)
}

func unavailable(t testing.TB, standing verifiers.Standing, err error) *verifiers.UnavailableError {
	t.Helper()
	if standing != (verifiers.Standing{}) {
		t.Errorf("a standing beside an error: %+v", standing)
	}
	var e *verifiers.UnavailableError
	if !errors.As(err, &e) || !errors.Is(err, verifiers.ErrUnavailable) {
		t.Fatalf("err = %v, want an UnavailableError", err)
	}
	if strings.Contains(err.Error(), string(code)) || strings.Contains(err.Error(), string(other)) {
		t.Errorf("the error names a licence: %v", err)
	}
	return e
}

// want asks and expects this reason.
func want(t testing.TB, c *registry.Client, reason registry.Reason) *verifiers.UnavailableError {
	t.Helper()
	e := refused(t, c, context.Background())
	if registry.Reason(e.Reason) != reason {
		t.Errorf("reason = %s (%v), want %s", e.Reason, e, reason)
	}
	return e
}

// A watcher is an Observer that remembers.
type watcher struct {
	mu    sync.Mutex
	seen  []registry.Observation
	moves []string
}

func (w *watcher) Asked(o registry.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, o)
}

func (w *watcher) Moved(p keys.ProvinceCode, from, to registry.Breaker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moves = append(w.moves, string(p)+" "+string(from)+" "+string(to))
}

func (w *watcher) last() registry.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[len(w.seen)-1]
}

// codeOf converts without a check, as nobody should.
func codeOf(s string) licence.USCC { return licence.USCC(s) }
