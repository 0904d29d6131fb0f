package deploy_test

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What strangers' tools say of a gateway's own port: three programs, minutes
// each, so only when asked for (docs/fleet.md, "What strangers' tools say").
var scan = flag.Bool("scan", false, "run testssl, h2spec and slowhttptest against a gateway: minutes each")

func scanner(t *testing.T, program string) (path string, f *fleet) {
	t.Helper()
	if !*scan {
		t.Skip("takes minutes: ask for it with -scan")
	}
	path = needs(t, program)
	f = newGateways(t, 1)
	f.url = "https://" + f.gateways[0].listen
	return path, f
}

// testssl finds nothing worse than LOW.
func TestScanTLS(t *testing.T) {
	program, f := scanner(t, "testssl")
	report := filepath.Join(f.dir, "testssl.json")
	out, err := exec.CommandContext(t.Context(), program, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none",
		"--add-ca", f.servers.file, "--jsonfile", report, f.gateways[0].listen).CombinedOutput()
	data, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("no report: %v\n%s", err, out)
	}
	var findings []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(data, &findings); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, finding := range findings {
		count[finding.Severity]++
		switch {
		case finding.Severity == "OK" || finding.Severity == "INFO":
		// About the certificate of a day that this test made, and about testssl's
		// own OpenSSL.
		case slices.Contains([]string{"cert_expirationStatus", "cert_notAfter", "cert_revocation", "engine_problem"}, finding.ID):
			count["of the test's own"]++
		case finding.Severity == "LOW":
			t.Logf("LOW %s: %s", finding.ID, finding.Finding)
		default:
			t.Errorf("%s %s: %s", finding.Severity, finding.ID, finding.Finding)
		}
	}
	if count["OK"] < 20 {
		t.Errorf("it did not look: %v\n%s", count, out)
	}
	t.Log(count)
}

// h2spec finds what it finds of Go's own server, case by case.
func TestScanHTTP2(t *testing.T) {
	program, f := scanner(t, "h2spec")
	const page = "/v1/codes"
	_, body := get(t, f.client(nil), f.url+page, nil)
	bare := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	bare.EnableHTTP2 = true
	bare.Config.ErrorLog = log.New(io.Discard, "", 0)
	bare.StartTLS()
	defer bare.Close()
	// Some cases are races between the answer and the next frame: what does not
	// fail every time did not fail.
	always := func(address string) (failed []string, all int) {
		for n := range 3 {
			these, cases := h2spec(t, program, address, page)
			if n == 0 {
				failed = these
			}
			failed, all = slices.DeleteFunc(failed, func(c string) bool { return !slices.Contains(these, c) }), cases
		}
		return failed, all
	}
	want, all := always(bare.Listener.Addr().String())
	got, again := always(f.gateways[0].listen)
	if all != again || !slices.Equal(got, want) {
		t.Fatalf("of %d cases the gateway fails\n%s\nand of %d a bare server\n%s", again, strings.Join(got, "\n"), all, strings.Join(want, "\n"))
	}
	t.Logf("%d cases; both fail %d:\n%s", all, len(want), strings.Join(want, "\n"))
}

// h2spec returns the cases that failed, of how many.
func h2spec(t *testing.T, program, address, path string) (failed []string, all int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	out, _ := exec.CommandContext(t.Context(), program, "-t", "-k", "-S", "-h", host, "-p", port, "-P", path, "-j", report).CombinedOutput()
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("no report: %v\n%s", err, out)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites.Suites {
		for _, c := range suite.Cases {
			all++
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, c.Package+" "+c.Name)
			}
		}
	}
	if all < 100 {
		t.Fatalf("only %d cases\n%s", all, out)
	}
	slices.Sort(failed)
	return failed, all
}

// A stranger who sends headers or bodies a byte at a time, or does not read the
// answer, keeps nobody from being served: who has a key gets a verdict each
// second, on a new connection.
func TestScanSlow(t *testing.T) {
	const connections, seconds = "2000", "90"
	attacks := []struct {
		name string
		path string
		args []string
	}{
		{"headers", "/v1/codes", []string{"-H", "-i", "5", "-x", "24"}},
		{"bodies", "/v1/verify", []string{"-B", "-i", "5", "-x", "24", "-s", "8192", "-t", "POST", "-f", "application/jwt"}},
		{"reads", "/openapi.json", []string{"-X", "-w", "1", "-y", "16", "-n", "5", "-z", "8", "-k", "3"}},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			program, f := scanner(t, "slowhttptest")
			token := f.licence(1)
			if err := f.verify(f.client(nil), token); err != nil {
				t.Fatal("before the attack:", err)
			}
			cmd := exec.CommandContext(t.Context(), program, append(attack.args,
				"-c", connections, "-r", "200", "-l", seconds, "-p", "3", "-u", f.url+attack.path)...)
			said := &record{}
			cmd.Stdout, cmd.Stderr = said, said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			probes, slowest := 0, time.Duration(0)
			for over := false; !over; {
				select {
				case <-ended:
					over = true
				case <-tick.C:
					client := f.client(nil)
					client.Timeout = 5 * time.Second
					start := time.Now()
					if err := f.verify(client, token); err != nil {
						t.Errorf("after %d s: %v", probes, err)
					}
					slowest = max(slowest, time.Since(start))
					probes++
					client.CloseIdleConnections()
				}
			}
			if probes < 10 {
				t.Errorf("%d probes: the attack did not take place\n%s", probes, said)
			}
			t.Logf("%d probes, the slowest answered after %v; slowhttptest at its end:\n%s", probes, slowest.Round(time.Millisecond), lastWords(said.String()))
		})
	}
}

// lastWords are the last counts that slowhttptest shows.
func lastWords(said string) string {
	at := strings.LastIndex(said, "slow HTTP test status")
	return said[max(at, 0):]
}
