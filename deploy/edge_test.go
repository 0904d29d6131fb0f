package deploy_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// get asks for a page and returns its status and body.
func get(t testing.TB, client *http.Client, url string, header map[string]string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// The edge says who asks, and only it can: whoever shows no certificate is
// nobody, whatever his headers claim.
func TestEdgeIdentity(t *testing.T) {
	f := newFleet(t, 1)
	spoof := base64.StdEncoding.EncodeToString(f.bank.tls.Certificate[0])
	key := "Bearer " + f.key
	stranger := f.clients.issue("stranger")
	direct := "https://" + f.gateways[0].listen
	for name, c := range map[string]struct {
		client *http.Client
		url    string
		header map[string]string
		status int
		party  string
	}{
		"a certificate":                       {f.client(&f.bank), f.url, nil, 200, "bank"},
		"a key":                               {f.client(nil), f.url, map[string]string{"Authorization": key}, 200, "hall"},
		"nothing":                             {f.client(nil), f.url, nil, 401, ""},
		"a header only":                       {f.client(nil), f.url, map[string]string{"X-Client-Certificate": spoof}, 401, ""},
		"a header in small letters":           {f.client(nil), f.url, map[string]string{"x-client-certificate": spoof}, 401, ""},
		"a key and the bank's header":         {f.client(nil), f.url, map[string]string{"Authorization": key, "X-Client-Certificate": spoof}, 200, "hall"},
		"another's certificate and a header":  {f.client(&stranger), f.url, map[string]string{"X-Client-Certificate": spoof}, 401, ""},
		"a key and another's certificate":     {f.client(&f.bank), f.url, map[string]string{"Authorization": key}, 401, ""},
		"past the edge, a header":             {f.client(nil), direct, map[string]string{"X-Client-Certificate": spoof}, 401, ""},
		"past the edge, certificate & header": {f.client(&stranger), direct, map[string]string{"X-Client-Certificate": spoof}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, c.client, c.url+"/v1/whoami", c.header)
			var who struct{ ID string }
			if err := json.Unmarshal([]byte(body), &who); err != nil || status != c.status || who.ID != c.party {
				t.Errorf("%d %s; want %d %q", status, body, c.status, c.party)
			}
		})
	}
	t.Run("a certificate that nobody vouches for", func(t *testing.T) {
		other, client := newAuthority(t, t.TempDir(), "other-ca").issue("bank"), f.client(nil)
		client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &other.tls, nil // also where the edge asked for other authorities' only
		}
		if answer, err := client.Get(f.url + "/v1/codes"); err == nil {
			answer.Body.Close()
			t.Errorf("it was taken: %s", answer.Status)
		}
	})
}

// The gateways tell the edge whether they are ready; nobody hears it through
// the edge, and nobody else at a gateway's own port.
func TestReadinessIsForTheEdge(t *testing.T) {
	f := newFleet(t, 1)
	direct := "https://" + f.gateways[0].listen
	if status, body := get(t, f.client(&f.identity), direct+"/readyz?verbose", nil); status != 200 || strings.Contains(body, "parts") {
		t.Errorf("to the edge: %d %s", status, body)
	}
	for name, ask := range map[string]struct {
		client *http.Client
		url    string
	}{
		"through the edge": {f.client(nil), f.url}, "to a stranger": {f.client(nil), direct}, "to a relying party": {f.client(&f.bank), direct},
	} {
		if status, _ := get(t, ask.client, ask.url+"/readyz", nil); status != 404 {
			t.Errorf("%s: %d, want 404", name, status)
		}
	}
}

// What somebody wrote into a query, a header or a key is in no line of the
// edge's log, neither of requests that went well nor of those that failed.
func TestEdgeLogIsDiscreet(t *testing.T) {
	f := newFleet(t, 1)
	client := f.client(&f.bank)
	ask := func() {
		get(t, client, f.url+"/v1/codes?uniscid=91310115MA1TEQ029W", map[string]string{"X-Note": "remember-me", "Authorization": "Bearer " + f.key})
	}
	ask()
	f.gateways[0].end(os.Kill)
	ask()
	f.edge.end(os.Interrupt)
	log := f.edge.said.String()
	for _, want := range []string{`"uri":"/v1/codes"`, `"status":200`, `"status":50`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	for _, secret := range []string{"91310115MA1TEQ029W", "remember-me", f.key, "bank"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

// Where no gateway is left, the edge says so in the form of their faults.
func TestNoGatewayLeft(t *testing.T) {
	f := newFleet(t, 1)
	f.gateways[0].end(os.Kill)
	answer, err := f.client(nil).Get(f.url + "/v1/codes")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var problem struct{ Status int }
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil || problem.Status != answer.StatusCode || answer.StatusCode < 502 || answer.StatusCode > 503 {
		t.Errorf("%s, %+v, %v", answer.Status, problem, err)
	}
	if answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("Retry-After") == "" {
		t.Errorf("headers: %v", answer.Header)
	}
}

// A stranger who breaks off uploads, or sends what is no body, is no reason to
// think ill of a gateway.
func TestBrokenUploadsCostNoGateway(t *testing.T) {
	f := newFleet(t, 2)
	host := strings.TrimPrefix(f.url, "https://")
	for n := range 40 {
		conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: f.client(nil).Transport.(*http.Transport).TLSClientConfig.RootCAs})
		f.ok(err)
		fmt.Fprintf(conn, "POST /v1/verify HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/jwt\r\n", host, f.key)
		if n%2 == 0 {
			fmt.Fprint(conn, "Content-Length: 60000\r\n\r\neyJ")
		} else {
			fmt.Fprint(conn, "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n")
			conn.SetReadDeadline(time.Now().Add(startTime))
			io.ReadAll(conn) // until the edge has done with it
		}
		conn.Close()
	}
	client, token := f.client(nil), f.licence(1)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		if err := f.verify(client, token); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that is too large hears so from the gateway, through the edge.
func TestTooLargeThroughTheEdge(t *testing.T) {
	f := newFleet(t, 1)
	client := f.client(nil)
	for range 5 {
		request, err := http.NewRequest("POST", f.url+"/v1/verify", bytes.NewReader(bytes.Repeat([]byte("a"), 20<<20)))
		f.ok(err)
		request.Header.Set("Content-Type", "application/jwt")
		request.Header.Set("Authorization", "Bearer "+f.key)
		answer, err := client.Do(request)
		f.ok(err)
		body, err := io.ReadAll(answer.Body)
		f.ok(err)
		answer.Body.Close()
		if answer.StatusCode != 413 || !strings.Contains(string(body), "TOO_LARGE") {
			t.Fatalf("%s %s", answer.Status, body)
		}
	}
}

// A batch longer than any single request passes the edge while it is being
// answered, line by line.
func TestBatchThroughTheEdge(t *testing.T) {
	f := newFleet(t, 2)
	line, err := json.Marshal(map[string]string{"credential": f.licence(1)})
	f.ok(err)
	const lines = 20000
	in, out := io.Pipe()
	first := make(chan struct{}) // closed when the first answer is here
	go func() {
		for n := range lines {
			if n == lines/2 {
				select {
				case <-first: // answers come before the batch has ended
				case <-time.After(startTime):
					out.CloseWithError(fmt.Errorf("no answer to the first half"))
					return
				}
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return
			}
		}
		out.Close()
	}()
	request, err := http.NewRequest("POST", f.url+"/v1/verify/batch", in)
	f.ok(err)
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", "Bearer "+f.key)
	client := f.client(nil)
	client.Timeout = 2 * time.Minute
	answer, err := client.Do(request)
	f.ok(err)
	defer answer.Body.Close()
	dec := json.NewDecoder(answer.Body)
	for n := range lines {
		var v struct {
			Seq     int
			Verdict string
		}
		if err := dec.Decode(&v); err != nil || v.Seq != n || v.Verdict != "VALID" {
			t.Fatalf("line %d: %+v, %v (%s)", n, v, err, answer.Status)
		}
		if n == 0 {
			close(first)
		}
	}
}

// Over HTTP/1.1 Caddy would lose a part of the batch: it is refused, whole.
func TestBatchOverHTTP1(t *testing.T) {
	f := newFleet(t, 1)
	request, err := http.NewRequest("POST", f.url+"/v1/verify/batch", strings.NewReader("{}\n"))
	f.ok(err)
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", "Bearer "+f.key)
	client := f.client(nil)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	answer, err := client.Do(request)
	f.ok(err)
	answer.Body.Close()
	if answer.StatusCode != 505 || answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
}
