package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tongyan/gateway/internal/facts/redistest"
	"tongyan/keys/signer"
)

// The pages of docs/trust.md, each played with its own commands against two
// running gateways that share a real Redis. What is simulated is the rest of
// the world: the servers of list, keys and registers (web), and what a province
// issues (mint).
func TestRunbook(t *testing.T) {
	pages, err := filepath.Glob("testdata/runbook/*.txtar")
	if err != nil || len(pages) != 5 {
		t.Fatalf("%d pages, want 5: %v", len(pages), err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			shared := redistest.Start(t)
			w := &world{}
			testscript.Run(t, testscript.Params{
				Files: []string{page},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"free-port": freePort, "web": w.web, "fill": fill, "mint": mint, "verdict": verdict, "ready": ready, "start": start,
				},
				Setup: func(env *testscript.Env) error {
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("REDIS", shared.Addr)
					return os.WriteFile(filepath.Join(env.WorkDir, "gateway.yaml.in"), []byte(runbookConfig), 0o600)
				},
			})
		})
	}
}

const (
	runbookKey  = "runbook-key"
	runbookUSCC = "91310115MA1TEQ029W" // synthetic
	// patience bounds each wait for a verdict. What the runbook promises is
	// shorter; this only keeps a busy machine from failing the test.
	patience = 40 * time.Second
)

// The first gateway looks at the list every second, the second one only when
// its peer tells it to, by Redis.
const runbookConfig = `listen: "${LISTEN}"
admin: "${ADMIN}"
state_dir: "${STATE}"
tls: { mode: internal }
trust: { source: "${SOURCE}", roots: [ ${ROOTS} ], refresh: ${REFRESH}, ca_file: web-ca.pem }
keys: { refresh: 2s, refetch_interval: 1s }
redis: { url: "redis://${REDIS}/0", seal_key_file: seal.key }
registries:
  "310000": { url: "${WEB}", ca_file: web-ca.pem }
  ${MORE}
relying_parties:
  - { id: hall, key_sha256: a1c435e7538f76d11c98943dd9f81523fc281328904dd7f65cc5aa374b97a0f1, scopes: [verify], rate: 1000, lane: hall }
`

// A world serves the files of a folder over https, and a register that knows
// one business.
type world struct{ down atomic.Bool }

// web DIR | web down | web up
func (w *world) web(ts *testscript.TestScript, neg bool, args []string) {
	switch args[0] {
	case "down", "up":
		w.down.Store(args[0] == "down")
		return
	}
	dir := ts.MkAbs(args[0])
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if code, ok := strings.CutPrefix(r.URL.Path, "/licences/"); ok {
			out.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(out, `{"uniscid":%q,"entname":"同验测试有限公司","regstate":"1","apprdate":"2020-01-02"}`, code)
			return
		}
		if w.down.Load() {
			panic(http.ErrAbortHandler)
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.Clean(r.URL.Path)))
		if err != nil {
			http.NotFound(out, r)
			return
		}
		out.Header().Set("Content-Type", "application/json")
		out.Write(text)
	}))
	server.Config.ErrorLog = nil
	ts.Defer(server.Close)
	ts.Setenv("WEB", server.URL)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("web-ca.pem"), ca, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("seal.key"), []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), 0o600))
}

// fill IN OUT NAME=VALUE…: IN with ${NAME} replaced, from the arguments, then
// from the environment; a VALUE of @FILE is what FILE holds. NOW is this second, LATER an hour from now.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	now := time.Now()
	values := map[string]string{"NOW": strconv.FormatInt(now.Unix(), 10), "LATER": strconv.FormatInt(now.Add(time.Hour).Unix(), 10)}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		if life, err := time.ParseDuration(value); name == "LATER" && err == nil {
			value = strconv.FormatInt(now.Add(life).Unix(), 10)
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			value = ts.ReadFile(file)
		}
		values[name] = os.Expand(value, ts.Getenv)
	}
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return ts.Getenv(name)
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// start N ROOTS [NAME=VALUE…]: write the configuration of gateway N, to be run
// by the script.
func start(ts *testscript.TestScript, neg bool, args []string) {
	n := args[0]
	refresh := map[string]string{"1": "1s", "2": "1h"}[n]
	values := []string{"gateway.yaml.in", "g" + n + ".yaml", "LISTEN=" + ts.Getenv("G"+n), "ADMIN=" + ts.Getenv("A"+n),
		"STATE=state" + n, "ROOTS=" + args[1], "REFRESH=" + refresh, "SOURCE=" + ts.Getenv("WEB") + "/list.jwt", "MORE="}
	fill(ts, false, append(values, args[2:]...))
}

// mint KEY ISS REGORG OUT [OFFSET]: a licence as the province issues it, a minute
// ago or OFFSET from now.
func mint(ts *testscript.TestScript, neg bool, args []string) {
	key, err := signer.Parse([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	offset := -time.Minute
	if len(args) > 4 {
		offset, err = time.ParseDuration(args[4])
		ts.Check(err)
	}
	issued := time.Now().Add(offset).Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": args[1], "sub": runbookUSCC, "jti": "urn:" + filepath.Base(args[3]), "iat": issued, "exp": issued + 10*365*24*3600,
		"licence": map[string]any{
			"uniscid": runbookUSCC, "entname": "同验测试有限公司", "enttype": "1130", "lerep": "测试人", "estdate": "2020-01-02",
			"regorg": args[2], "apprdate": "2020-01-02",
		},
	})
	ts.Check(err)
	token, err := key.Compact("ebl+jwt", key.Public().ID(), payload)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), token, 0o644))
}

var runbookClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
	// The certificate is not what these tests are about: each gateway has a CA of its own.
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
}}

// verdict FILE WANT: both gateways give the licence in FILE the verdict and code
// WANT, soon. verdict N FILE WANT: gateway N does.
func verdict(ts *testscript.TestScript, neg bool, args []string) {
	gateways := []string{"1", "2"}
	if len(args) == 3 {
		gateways, args = args[:1], args[1:]
	}
	token, want := ts.ReadFile(args[0]), strings.ReplaceAll(args[1], " ", ",")
	for _, n := range gateways {
		got, ok := soon(func() (string, bool) {
			got, err := ask(runbookClient, "https://"+ts.Getenv("G"+n)+"/v1/verify", runbookKey, token)
			if err != nil {
				got = err.Error()
			}
			return got, got == want
		})
		if !ok {
			ts.Fatalf("gateway %s says %s of %s, the runbook promises %s", n, got, args[0], want)
		}
	}
}

// ready N CODE TEXT…: /readyz?verbose of gateway N answers CODE and holds every
// TEXT, soon.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	got, ok := soon(func() (string, bool) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+ts.Getenv("A"+args[0])+"/readyz?verbose", nil)
		if err != nil {
			return err.Error(), false
		}
		res, err := runbookClient.Do(req)
		if err != nil {
			return err.Error(), false
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err != nil {
			return err.Error(), false
		}
		var flat bytes.Buffer
		if json.Compact(&flat, body) != nil {
			flat.Write(body)
		}
		ok := strconv.Itoa(res.StatusCode) == args[1]
		for _, text := range args[2:] {
			ok = ok && strings.Contains(flat.String(), text)
		}
		return fmt.Sprint(res.StatusCode, " ", flat.String()), ok
	})
	if !ok {
		ts.Fatalf("gateway %s: want %q in %s", args[0], args[1:], got)
	}
}

// soon asks again until the answer is right or patience is at its end.
func soon(try func() (string, bool)) (got string, ok bool) {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if got, ok = try(); ok || time.Now().After(end) {
			return got, ok
		}
	}
}
