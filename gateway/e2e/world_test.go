package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/sandbox"
)

const (
	shanghai = "310000"
	jiangsu  = "320000"
	zhejiang = "330000" // speaks the dialect, behind an application key
	anhui    = "340000"
)

// A world is an alliance of its own for one test, so that tests can break it
// side by side.
type world struct {
	t    testing.TB
	box  *sandbox.Sandbox
	dir  string
	caps map[string]string // relying party → bearer key

	mu      sync.Mutex
	secrets map[string]bool // what must never stand in a log, a metric or a header
	number  int             // of the next business
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the built gateway: run without -short")
	}
	w := &world{t: t, dir: t.TempDir(), secrets: map[string]bool{}, caps: map[string]string{}}
	appKey := rand.Text()
	var err error
	w.box, err = sandbox.Start(t.Context(), sandbox.Options{Dialect: map[string]sandbox.Dialect{zhejiang: {Enabled: true, AppKey: appKey}}})
	w.ok(err)
	t.Cleanup(w.box.Close)
	root, err := w.box.Trust.Roots()[0].JWK()
	w.ok(err)
	w.caps["all"], w.caps["verdict-only"], w.caps["slow"] = rand.Text(), rand.Text(), rand.Text()
	seal := make([]byte, 32)
	rand.Read(seal)
	w.write("root.jwk", root)
	w.write("ca.pem", w.box.CAPEM())
	w.write("seal.key", []byte(base64.StdEncoding.EncodeToString(seal)))
	w.write("app-key", []byte(appKey))
	w.secret(appKey, base64.StdEncoding.EncodeToString(seal))
	for _, key := range w.caps {
		w.secret(key)
	}
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name string, data []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	w.ok(os.WriteFile(path, data, 0o600))
	return path
}

// secret names what nobody may find where it does not belong.
func (w *world) secret(texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range texts {
		if s != "" {
			w.secrets[s] = true
		}
	}
}

// secretToken keeps a credential's parts secret, each by itself.
func (w *world) secretToken(token string) {
	for _, part := range strings.FieldsFunc(token, func(r rune) bool { return r == '.' || r == '~' }) {
		if len(part) >= 24 {
			w.secret(part)
		}
	}
}

func (w *world) secretBusiness(b sandbox.Business) {
	w.secret(b.USCC, b.EntName, b.LeRep, b.Dom)
}

// leaks returns which secrets stand in a text.
func (w *world) leaks(text string) (found []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.secrets {
		if strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	return found
}

// mint makes a credential about a business that no other has.
func (w *world) mint(province string, spec sandbox.LicenceSpec) (string, sandbox.Business) {
	w.t.Helper()
	if spec.Business == nil && spec.Number == 0 {
		spec.Number = w.next()
	}
	token, b, err := w.box.Province(province).Mint(spec)
	w.ok(err)
	w.secretToken(token)
	w.secretBusiness(b)
	return token, b
}

func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number++
	return w.number
}

func (w *world) good(province string) string {
	w.t.Helper()
	token, _ := w.mint(province, sandbox.LicenceSpec{})
	return token
}

// forge makes a good credential's signature a bad one.
func forge(token string) string {
	i := strings.LastIndexByte(token, '.') + 5
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

func (w *world) set(e *sandbox.Endpoint, f sandbox.Fault) {
	w.t.Helper()
	w.ok(e.Set(f))
}

func (w *world) publish(edit func(*sandbox.List)) int64 {
	w.t.Helper()
	version, err := w.box.Trust.Publish(edit)
	w.ok(err)
	return version
}

// calls returns how often the provinces' servers of a kind were called:
// registry, jwks, status; "" is all of them, the trust list's left out.
func (w *world) calls(kind string) (n int64) {
	for _, p := range w.box.Provinces() {
		for name, e := range map[string]*sandbox.Endpoint{"registry": p.Registry.Endpoint, "jwks": p.Keys.Endpoint, "status": p.Status.Endpoint} {
			if kind == "" || kind == name {
				n += e.Calls()
			}
		}
	}
	return n
}

// A setup is what a gateway's configuration says beside the ordinary.
type setup struct {
	redis     string // address; "": none
	trust     string // further members of trust; default "refresh: 200ms"
	source    string // of the trust list; default the sandbox's address
	keys      string // members of keys
	timeout   string // of registries; default 5s: a busy machine is no fault
	freshness string // members
	policy    string // members
	ca        string // file; default the sandbox's CA
	more      string // further sections
}

const zhejiangDialect = `{ method: POST, path: /query, body: '{"uniscId":"{uniscid}"}', headers: { X-App-Key: "${ZJ_APP_KEY}" },
      ok: { pointer: /code, equals: "00" }, empty: { pointer: /dataCount, equals: 0 }, record: /datas/0,
      fields: { uniscid: /uniscId, entname: /companyName, regstate: /operatingStatus, apprdate: /appDate },
      states: { K: "1", D: "2", DX: "3", XX: "4", C: "5", QX: "6" } }`

// yaml writes a configuration with its state in dir.
func (w *world) yaml(dir string, s setup) string {
	or := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	or(&s.trust, "refresh: 200ms")
	or(&s.source, w.box.Trust.URI())
	or(&s.keys, "refresh: 15m")
	or(&s.timeout, "5s")
	or(&s.freshness, "max_age: 5m, stale_if_error: 1h")
	or(&s.policy, "clock_skew: 60s")
	or(&s.ca, filepath.Join(w.dir, "ca.pem"))
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\nadmin: localhost:0\nstate_dir: %s\ntls: { mode: internal }\n", dir)
	fmt.Fprintf(&b, "trust: { source: %q, roots: [ %q ], ca_file: %q, %s }\n", s.source, filepath.Join(w.dir, "root.jwk"), s.ca, s.trust)
	fmt.Fprintf(&b, "keys: { %s }\nfreshness: { %s }\npolicy: { %s }\n", s.keys, s.freshness, s.policy)
	if s.redis != "" {
		fmt.Fprintf(&b, "redis: { url: \"redis://%s\", seal_key_file: %q }\n", s.redis, filepath.Join(w.dir, "seal.key"))
	}
	b.WriteString("registries:\n")
	for _, p := range w.box.Provinces() {
		fmt.Fprintf(&b, "  %q: { url: %q, ca_file: %q, timeout: %s, rate: 10000, max_in_flight: 512", p.Code, p.Registry.URL(), filepath.Join(w.dir, "ca.pem"), s.timeout)
		if p.Code == zhejiang {
			fmt.Fprintf(&b, ", dialect: %s", zhejiangDialect)
		}
		b.WriteString(" }\n")
	}
	b.WriteString("relying_parties:\n")
	for id, rights := range map[string]string{
		"all": "scopes: [verify, batch, licence, provinces], rate: 1000000, lane: hall", "verdict-only": "scopes: [verify], rate: 1000000", "slow": "scopes: [verify], rate: 0.01, burst: 1",
	} {
		digest := sha256.Sum256([]byte(w.caps[id]))
		fmt.Fprintf(&b, "  - { id: %s, key_sha256: %q, %s }\n", id, hex.EncodeToString(digest[:]), rights)
	}
	return b.String() + s.more
}

// eventually polls until done says so. It is for what happens in other
// processes, whose clocks no test can move.
func eventually(t testing.TB, within time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
