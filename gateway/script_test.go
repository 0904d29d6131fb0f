package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tongyan/gateway/internal/api/apitest"
	"tongyan/internal/freeport"
)

// The scripts in testdata/script drive the built command as its users do.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gateway": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"free-port": freePort, "await": await, "samples": samples, "pasted": pasted, "closed": closed,
			"admin": adminAddress, "whoami": whoami,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
	})
}

// free-port NAME: put the address of a free port into the variable.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	port, err := freeport.Get(freeport.Highest)
	ts.Check(err)
	ts.Setenv(args[0], freeport.Address(port))
}

// await FILE: wait until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(ts.MkAbs(args[0])); err == nil && info.Size() > 0 {
			return
		}
	}
	ts.Fatalf("%s did not appear", args[0])
}

// admin PRINTED NAME: put the address of the admin listener into the variable.
func adminAddress(ts *testscript.TestScript, neg bool, args []string) {
	_, rest, ok := strings.Cut(ts.ReadFile(args[0]), "metrics: http://")
	address, _, found := strings.Cut(rest, "/metrics")
	if !ok || !found {
		ts.Fatalf("%s names no admin listener", args[0])
	}
	ts.Setenv(args[1], address)
}

// whoami DIR PRINTED ID: the gateway takes the demo's key for ID's.
func whoami(ts *testscript.TestScript, neg bool, args []string) {
	client, key := demoClient(ts, ts.MkAbs(args[0]))
	req, err := http.NewRequest(http.MethodGet, served.FindString(ts.ReadFile(args[1]))+"/v1/whoami", nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	var who struct{ ID string }
	ts.Check(json.NewDecoder(res.Body).Decode(&who))
	if who.ID != args[2] {
		ts.Fatalf("the gateway takes the key for %q's, want %q", who.ID, args[2])
	}
}

// closed ADDRESS: nothing listens there.
func closed(ts *testscript.TestScript, neg bool, args []string) {
	if c, err := net.DialTimeout("tcp", args[0], time.Second); err == nil {
		c.Close()
		ts.Fatalf("%s is open", args[0])
	}
}

// pasted FILE: run the curl line that the demo printed, as a person would.
func pasted(ts *testscript.TestScript, neg bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			ts.Check(ts.Exec("sh", "-c", line))
			if out := ts.ReadFile("stdout"); !strings.Contains(out, `"verdict":"VALID","code":"OK"`) {
				ts.Fatalf("the printed line answers %s", out)
			}
			return
		}
	}
	ts.Fatalf("no curl line was printed")
}

var served = regexp.MustCompile(`https://[0-9.:]+`)

// samples DIR PRINTED: hold every line of expected.csv against the gateway,
// whose address stands in what it printed.
func samples(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(filepath.Join(args[0], "samples", "expected.csv")))).ReadAll()
	ts.Check(err)
	if strings.Join(rows[0], ",") != "file,verdict,code" || len(rows) < 41 {
		ts.Fatalf("expected.csv has the head %q and %d lines", rows[0], len(rows)-1)
	}
	client, key := demoClient(ts, dir)
	url := served.FindString(ts.ReadFile(args[1]))
	wrong := 0
	for _, row := range rows[1:] {
		token, err := os.ReadFile(filepath.Join(dir, "samples", row[0]))
		ts.Check(err)
		got, err := ask(client, url+"/v1/verify", key, string(token))
		ts.Check(err)
		if got != row[1]+","+row[2] {
			wrong++
			ts.Logf("%s: got %s, expected %s,%s", row[0], got, row[1], row[2])
		}
	}
	if wrong > 0 {
		ts.Fatalf("%d of %d samples got another verdict", wrong, len(rows)-1)
	}
	ts.Logf("%d samples got their verdict and code", len(rows)-1)
}

func demoClient(ts *testscript.TestScript, dir string) (*http.Client, string) {
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	ts.Check(err)
	key, err := os.ReadFile(filepath.Join(dir, "api-key"))
	ts.Check(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		ts.Fatalf("ca.pem holds no certificate")
	}
	document, err := apitest.New()
	ts.Check(err)
	// Whatever the gateway answers must be what /openapi.json says.
	transport := document.Transport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, func(err error) { ts.Fatalf("%v", err) })
	client := &http.Client{Timeout: 15 * time.Second, Transport: transport}
	ts.Defer(client.CloseIdleConnections)
	return client, string(key)
}

// ask returns "VERDICT,CODE".
func ask(client *http.Client, url, key, token string) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(token))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/jwt")
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var answer struct{ Verdict, Code string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", errors.New(res.Status + " " + answer.Code)
	}
	return answer.Verdict + "," + answer.Code, nil
}
