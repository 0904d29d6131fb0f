package faults

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A fleet is some gateways that share one Redis, and Caddy before them, on the
// Caddyfile as it is shipped.
type fleet struct {
	*world
	gateways []*gateway
	edge     *process
	command  func() *exec.Cmd // runs the edge
	target   *target          // the edge, over HTTP/2
}

func newFleet(t testing.TB, redis string) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t)}
	caddy := needs(t, "caddy")
	site, identity := f.servers.issue("site"), f.servers.issue("edge")
	s := setup{
		redis: redis,
		tls:   "mode: files, cert_file: gateway.pem, key_file: gateway.key, client_ca_file: servers-ca.pem",
		more:  `edge: { certificate_sha256: "` + identity.digest + "\" }\n",
	}
	var addresses []string
	for range 3 {
		g := f.gateway(s)
		f.gateways = append(f.gateways, g)
		addresses = append(addresses, "https://"+g.listen)
	}
	address := "localhost:" + port(freeAddress(t))
	f.target = newTarget(t, "https://"+address, f.key, f.servers.pool(), true)
	f.command = func() *exec.Cmd {
		cmd := exec.Command(caddy, "run", "--config", "../Caddyfile")
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir,
			"TONGYAN_SITE="+address, "TONGYAN_SITE_TLS="+site.certFile+" "+site.keyFile,
			"TONGYAN_GATEWAYS="+strings.Join(addresses, " "), "TONGYAN_CA="+f.servers.file,
			"TONGYAN_EDGE_IDENTITY="+identity.certFile+" "+identity.keyFile, "TONGYAN_CLIENT_CA="+f.servers.file)
		return cmd
	}
	f.startEdge()
	return f
}

// startEdge runs Caddy and waits until it has gateways to ask.
func (f *fleet) startEdge() {
	f.t.Helper()
	f.edge = launch(f.t, f.command())
	f.edge.until("the edge's start", func() bool {
		answer, err := f.target.client.Get(f.target.url + "/v1/codes")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// targets are the gateways, asked directly.
func (f *fleet) targets() (all []*target) {
	for _, g := range f.gateways {
		all = append(all, g.target)
	}
	return all
}
