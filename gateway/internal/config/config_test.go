package config_test

import (
	"bytes"
	"crypto/ecdsa"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gmsm "github.com/emmansun/gmsm/sm2"

	"tongyan/gateway/internal/config"
	"tongyan/keys"
	"tongyan/strict"
)

// contractSample is the example of contract §9, with digests in the place of
// its ellipses and a trust list in a file.
//
//go:embed testdata/seeds/contract.yaml
var contractSample string

func TestContractSampleLoads(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(path, []byte(contractSample), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	for what, got := range map[string]bool{
		"listen":         c.Listen == ":8443" && c.Admin == "127.0.0.1:9443" && c.StateDir == "/var/lib/tongyan",
		"tls":            c.TLS.Mode == config.TLSFiles && len(c.TLS.Certificate.Reveal().Certificate) == 1 && c.TLS.ClientCAs == nil,
		"tls paths":      c.TLS.CertFile == filepath.Join(dir, "gateway.pem") && c.TLS.KeyFile == filepath.Join(dir, "gateway.key"),
		"trust":          c.Trust.SourceURL.String() == "https://trust.example/list.jwt" && c.Trust.SourceFile == "" && c.Trust.Threshold == 1,
		"roots":          len(c.Trust.Roots) == 2 && c.Trust.Refresh == 5*time.Minute && c.Trust.CAs == nil,
		"keys":           c.Keys == config.Keys{Refresh: 15 * time.Minute, RefetchInterval: time.Minute, MaxStale: 24 * time.Hour},
		"redis":          c.Redis.Addrs[0] == "127.0.0.1:6379" && !c.Redis.TLS && !c.Redis.Cluster,
		"seal key":       c.Redis.SealKey.Reveal()[31] == 31,
		"registry":       c.Registries[0].Province == "310000" && c.Registries[0].Timeout == 800*time.Millisecond && c.Registries[0].Rate == 200,
		"registry plain": c.Registries[0].MaxInFlight == 64 && c.Registries[0].Dialect == nil && c.Registry.NegativeTTL == time.Minute,
		"freshness":      c.Freshness == config.Freshness{MaxAge: 5 * time.Minute, StaleIfError: time.Hour},
		"policy":         c.Policy.Status == config.StatusIfPresent && c.Policy.ClockSkew == time.Minute && len(c.Policy.Anonymous) == 0,
		"limits":         c.Limits == config.Limits{MaxBody: 8 << 20, MaxInFlight: 512},
		"hall":           c.RelyingParties[0].Lane == config.LaneHall && len(c.RelyingParties[0].Scopes) == 3 && c.RelyingParties[0].Burst == 200,
		"bank":           c.RelyingParties[1].Certificates[0][0] == 0xbb && c.RelyingParties[1].Rate == 500,
		"receipts":       c.Receipts.Issuer == "https://gateway.example" && c.Receipts.Keys[0].Signs && c.Receipts.Keys[0].Algorithm == keys.ES256,
	} {
		if !got {
			t.Errorf("%s: not as written", what)
		}
	}
	if _, ok := c.Receipts.Keys[0].Private.Reveal().(*ecdsa.PrivateKey); !ok {
		t.Error("the receipt key does not sign")
	}
}

//go:embed testdata/seeds/smallest.yaml
var smallest string

func TestDefaults(t *testing.T) {
	dir := folder(t)
	c, err := config.Parse([]byte(smallest), dir, "gateway.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]bool{
		"listen":    c.Listen == ":8443" && c.Admin == "127.0.0.1:9443" && !c.AdminPublic,
		"state_dir": c.StateDir == filepath.Join(dir, "state"),
		"tls":       strings.Join(c.TLS.Names, " ") == "localhost 127.0.0.1 ::1" && c.TLS.ACME == nil,
		"trust":     c.Trust.SourceFile == filepath.Join(dir, "list.jwt") && c.Trust.SourceURL == nil && c.Trust.Threshold == 1 && c.Trust.Refresh == 5*time.Minute,
		"keys":      c.Keys == config.Keys{Refresh: 15 * time.Minute, RefetchInterval: time.Minute, MaxStale: 24 * time.Hour},
		"none":      c.Redis == nil && c.Receipts == nil && c.Audit == nil && c.Edge == nil && c.Canary == nil && len(c.Registries) == 0,
		"registry":  c.Registry.NegativeTTL == time.Minute,
		"freshness": c.Freshness == config.Freshness{MaxAge: 5 * time.Minute, StaleIfError: time.Hour},
		"policy":    c.Policy.Status == config.StatusIfPresent && c.Policy.ClockSkew == time.Minute,
		"limits":    c.Limits == config.Limits{MaxBody: 8 << 20, MaxInFlight: 512},
		"party":     c.RelyingParties[0].Rate == 1000 && c.RelyingParties[0].Burst == 1000 && c.RelyingParties[0].Lane == config.LaneBank && c.RelyingParties[0].MonthlyQuota == 0,
	} {
		if !got {
			t.Errorf("%s: not the default of the manual", what)
		}
	}
}

// everything uses what the contract's example does not.
//
//go:embed testdata/seeds/everything.yaml
var everything string

func TestEverything(t *testing.T) {
	dir := folder(t)
	c, err := config.Parse([]byte("\ufeff"+strings.ReplaceAll(everything, "\n", "\r\n")), dir, "gateway.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	zj, ah := c.Registries[0], c.Registries[1]
	for what, got := range map[string]bool{
		"tls":        strings.Join(c.TLS.Names, " ") == "gateway.example 192.0.2.1 2001:db8::1" && c.TLS.ClientCAs != nil,
		"acme":       c.TLS.ACME.Directory.Host == "ca.example" && c.TLS.ACME.HTTPPort == 5002 && c.TLS.ACME.TLSALPNPort == 5001 && c.TLS.ACME.Storage == config.StorageRedis && c.TLS.ACME.CAs != nil,
		"trust":      c.Trust.Threshold == 2 && c.Trust.CAs != nil && c.Trust.Refresh == time.Second,
		"sentinel":   c.Redis.Sentinel == "master-1" && strings.Join(c.Redis.Addrs, " ") == "s1.example:26379 s2.example:26380" && c.Redis.DB == 3 && c.Redis.TLS && !c.Redis.Cluster,
		"user":       c.Redis.Username == "tong" && c.Redis.Password.Reveal() == "p@ss" && c.Redis.SentinelPassword.Reveal() == "redis-9c1e-secret",
		"redis ca":   c.Redis.CAs != nil,
		"registry":   zj.Province == "330000" && zj.URL.String() == "https://registry.zj.example/v2" && zj.Rate == 0.5 && zj.CAs != nil,
		"dialect":    zj.Dialect.Method == "POST" && zj.Dialect.Path == "/query" && zj.Dialect.Body == `{"uniscId":"{uniscid}"}` && zj.Dialect.Record == "/datas/0",
		"headers":    zj.Dialect.Headers["X-App-Key"].Reveal() == "zj-7f3a-secret" && zj.Dialect.Headers["X-From"].Reveal() == "tongyan",
		"fields":     zj.Dialect.Fields == config.Fields{UniSCID: "/uniscId", EntName: "/companyName", RegState: "/operatingStatus", ApprDate: "/appDate"},
		"states":     len(zj.Dialect.States) == 5 && zj.Dialect.States["QX"] == "6",
		"plain":      ah.Province == "340000" && ah.Dialect.Method == "GET" && ah.Dialect.States == nil && ah.Dialect.Fields.UniSCID == "/uniscid",
		"policy":     c.Policy.Anonymous[0] == config.ScopeVerify && c.Policy.StatusByIssuer["https://ebl.zj.example"] == config.StatusRequired,
		"limits":     c.Limits.MaxBody == 65536,
		"hall":       len(c.RelyingParties[0].Keys) == 2 && c.RelyingParties[0].Burst == 3 && c.RelyingParties[0].MonthlyQuota == 100000,
		"names":      c.RelyingParties[1].CertificateNames[0] == config.CertificateName{DNS: "api.bank.example"} && c.RelyingParties[2].CertificateNames[0] == config.CertificateName{URI: "spiffe://bank.example/b"},
		"audit":      *c.Audit == config.Audit{File: filepath.Join(dir, "audit.jsonl"), MaxSize: 1 << 30, OnFull: config.FullContinue},
		"canary":     c.Canary.Expect == config.OutcomeInvalid && string(c.Canary.Credential.Reveal()) == "canary-e77a-secret",
		"edge":       c.Edge.Header == "X-Client-Cert" && c.Edge.Certificates[0][0] == 0xdd,
		"signs":      c.Receipts.Keys[0].Signs && c.Receipts.Keys[1].Signs && !c.Receipts.Keys[2].Signs && !c.Receipts.Keys[3].Signs,
		"sm2":        c.Receipts.Keys[1].Algorithm == keys.SM2 && c.Receipts.Keys[1].DistID == "gateway",
		"thumbprint": string(c.Receipts.Keys[0].ID) == string(c.Receipts.Keys[0].Public.Thumbprint()),
	} {
		if !got {
			t.Errorf("%s: not as written", what)
		}
	}
	if _, ok := c.Receipts.Keys[1].Private.Reveal().(*gmsm.PrivateKey); !ok {
		t.Error("the SM2 receipt key does not sign")
	}
	for want, got := range map[string]strict.Value{
		`"00"`: zj.Dialect.OK.Equals, "0": zj.Dialect.Empty.Equals,
		"null": ah.Dialect.OK.Equals, "false": ah.Dialect.Empty.Equals,
	} {
		if tree, err := strict.Parse([]byte(want)); err != nil || !tree.Equal(got) {
			t.Errorf("equals: %s was read as another value", want)
		}
	}
	notShown(t, c)
}

// notShown prints a configuration in every way and looks for its secrets.
func notShown(t *testing.T, c *config.Config) {
	t.Helper()
	d := c.Receipts.Keys[0].Private.Reveal().(*ecdsa.PrivateKey)
	raw, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, v := range []any{*c, c.TLS, *c.Redis, c.Registries, *c.Registries[0].Dialect, *c.Receipts, *c.Canary} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		_ = json.NewEncoder(&b).Encode(v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("config", "value", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("config", "value", v)
	}
	for _, secret := range []string{"p@ss", "zj-7f3a-secret", "redis-9c1e-secret", "canary-e77a-secret", fmt.Sprintf("%x", "p@ss"),
		fmt.Sprintf("%x", raw), fmt.Sprint(raw), "0, 1, 2, 3, 4", "0 1 2 3 4", "000102030405"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("printed: %q", secret)
		}
	}
	if strings.Count(b.String(), "[redacted]") == 0 {
		t.Error("nothing was printed as redacted, so nothing was looked at")
	}
}

func TestWarnings(t *testing.T) {
	dir := folder(t)
	text := `state_dir: state
tls: { mode: files, cert_file: ended.pem, key_file: ended.key, names: [gateway.example] }
trust: { source: list.jwt, roots: [root-a.jwk, root-a.jwk] }
keys: { max_stale: 5m }
redis: { url: "redis://127.0.0.1", seal_key_file: seal-url.key, ca_file: ca.pem }
`
	c, err := config.Parse([]byte(text), dir, "gateway.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Trust.Roots) != 1 {
		t.Errorf("one root named twice is %d roots", len(c.Trust.Roots))
	}
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.String())
	}
	for i, want := range []string{
		"relying_parties: nobody may ask", "tls.cert_file: ", "tls.names: has no effect in mode files", "trust.roots[1]: is the same key as trust.roots[0]",
		"keys.max_stale: is below refresh", "redis.seal_key_file: ", "redis.ca_file: has no effect",
	} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Errorf("warning %d: want %q, got %q", i, want, got)
			break
		}
	}
}

// A key that anybody can guess is 32 bytes all the same: it is said, and taken.
func TestWarnsOfAGuessableSealKey(t *testing.T) {
	dir := folder(t)
	text := `state_dir: state
tls: { mode: internal }
trust: { source: list.jwt, roots: [root-a.jwk] }
redis: { url: "redis://127.0.0.1", seal_key_file: zero.key }
policy: { anonymous: [verify] }
`
	c, err := config.Parse([]byte(text), dir, "gateway.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].String(), "redis.seal_key_file: ") || !strings.Contains(c.Warnings[0].String(), "anybody can guess it") {
		t.Errorf("warnings: %v", c.Warnings)
	}
}
