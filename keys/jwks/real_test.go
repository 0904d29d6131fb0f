package jwks_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/keys/jwks"
)

// Contract §3 against real servers, with the client that the gateway uses: what
// is not a key set in every respect leaves the last good one.
func TestRealServers(t *testing.T) {
	good := setOf(0)
	set := func(mediaType string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Write(body)
		}
	}
	padded, err := json.Marshal(map[string]any{"keys": json.RawMessage(bytes.TrimSuffix(bytes.TrimPrefix(good, []byte(`{"keys":`)), []byte("}"))), "pad": strings.Repeat("x", jwks.MaxSet)})
	if err != nil {
		t.Fatal(err)
	}
	fits := append(append([]byte{}, good...), bytes.Repeat([]byte(" "), jwks.MaxSet-len(good))...)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  jwks.Reason
	}{
		"application/json":         {set("application/json", good), ""},
		"application/jwk-set+json": {set("application/jwk-set+json; charset=utf-8", good), ""},
		"256 KiB":                  {set("application/json", fits), ""},
		"a byte more":              {set("application/json", append(fits, ' ')), jwks.Reason(fetch.TooLarge)},
		"padded beyond 256 KiB":    {set("application/json", padded), jwks.Reason(fetch.TooLarge)},
		"text/html":                {set("text/html", []byte("<html>")), jwks.Reason(fetch.MediaType)},
		"a set as text/plain":      {set("text/plain", good), jwks.Reason(fetch.MediaType)},
		"HTML under a good name":   {set("application/json", []byte("<html>")), jwks.NotJSON},
		"no type":                  {func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; w.Write(good) }, jwks.Reason(fetch.MediaType)},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("[["), 4096)); err != nil {
					return
				}
			}
		}, jwks.Reason(fetch.TooLarge)},
		"hanging": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, jwks.Reason(fetch.Timeout)},
		"hanging half-way": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(good[:20])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // an orderly end could still slip in
		}, jwks.Reason(fetch.Timeout)},
		"a redirect to a good set": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/good" {
				set("application/json", good)(w, r)
				return
			}
			http.Redirect(w, r, "/good", http.StatusFound)
		}, jwks.Reason(fetch.Redirect)},
		"500 with a good set": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			w.Write(good)
		}, jwks.Reason(fetch.Status)},
		"2,000 keys": {set("application/json", []byte(`{"keys":[`+strings.Repeat(`{"kty":"EC"},`, 1999)+`{}]}`)), jwks.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(c.serve)
			defer server.Close()
			// Hanging handlers wait for the client to leave.
			defer server.CloseClientConnections()
			timeout := 10 * time.Second
			if c.want == jwks.Reason(fetch.Timeout) {
				timeout = 200 * time.Millisecond
			}
			if got := fetchOnce(t, server.URL, server.Certificate(), timeout); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}

	server := httptest.NewUnstartedServer(set("application/json", good))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	// The certificate is for 127.0.0.1 and example.com.
	wrongName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if got := fetchOnce(t, wrongName, server.Certificate(), 5*time.Second); got != jwks.Reason(fetch.TLS) {
		t.Errorf("a wrong TLS name: %q", got)
	}
	if got := fetchOnce(t, server.URL, nil, 5*time.Second); got != jwks.Reason(fetch.TLS) {
		t.Errorf("an unknown CA: %q", got)
	}
	if got := fetchOnce(t, strings.Replace(server.URL, "https://", "http://", 1), server.Certificate(), 5*time.Second); got != jwks.Reason(fetch.BadRequest) {
		t.Errorf("plain http: %q", got)
	}
}

// fetchOnce follows one issuer until its first fetch ended, and says how.
func fetchOnce(t *testing.T, address string, ca *x509.Certificate, timeout time.Duration) jwks.Reason {
	t.Helper()
	pool := x509.NewCertPool()
	if ca != nil {
		pool.AddCert(ca)
	}
	client := fetch.New(fetch.Options{CAs: pool, Timeout: timeout})
	defer client.Close()
	ends := make(chan jwks.Reason, 10)
	k, err := jwks.New(jwks.Config{Fetch: client, OnFetch: func(_ keys.Issuer, r jwks.Reason) { ends <- r }})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	k.Follow([]jwks.Source{{Issuer: shanghai, URL: address}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	k.WaitFirst(ctx)
	s, _ := k.Status(shanghai)
	reason := <-ends
	if (reason == "") != (s.Keys == 1) || s.Failed != reason {
		t.Errorf("ended %q, status %+v", reason, s)
	}
	return reason
}
