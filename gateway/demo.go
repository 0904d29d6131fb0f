package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/sandbox"
)

func newDemoCommand() *cobra.Command {
	var listen, admin, dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a gateway on four simulated provinces, with nothing else set up",
		Long: `Run a gateway and four simulated provinces in one process, in memory only.

DIR gets ca.pem (the gateway's development CA), api-key, samples/*.jwt and
samples/expected.csv (file,verdict,code), and the configuration in use.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd, listen, admin, dir)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", "address of the gateway")
	cmd.Flags().StringVar(&admin, "admin", "127.0.0.1:9443", "address of the admin listener; another free port where somebody has it")
	cmd.Flags().StringVar(&dir, "dir", "demo", "folder for certificate, key and samples")
	return cmd
}

func demo(ctx context.Context, cmd *cobra.Command, listen, admin, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, sandbox.Options{Dialect: map[string]sandbox.Dialect{"330000": {Enabled: true, AppKey: demoAppKey}}})
	if err != nil {
		return err
	}
	defer box.Close()
	// The samples are made first: they bring keys and issuers of their own.
	if err := box.WriteSamples(filepath.Join(dir, "samples")); err != nil {
		return err
	}
	state, err := os.MkdirTemp(dir, "state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	file, err := writeDemo(box, dir, state, listen, freeAddress(admin))
	if err != nil {
		return err
	}
	cfg, err := load(cmd, file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
	var failed error
	err = serve(ctx, cfg, log, sandboxMode, func(s *server) {
		if failed = os.WriteFile(filepath.Join(dir, "ca.pem"), s.front.RootPEM(), 0o644); failed == nil {
			fmt.Fprintf(cmd.OutOrStdout(), demoText, fromHere(s.public.Addr()), s.private.Addr(), quoted(dir))
		}
	})
	return errors.Join(err, failed)
}

const demoText = `Four simulated provinces and a gateway are running: https://%[1]s (metrics: http://%[2]s/metrics).
Every line of %[3]s/samples/expected.csv says what its file must give. Try one in another terminal:

  curl -s --cacert %[3]s/ca.pem -H "Authorization: Bearer $(cat %[3]s/api-key)" -H 'Content-Type: application/jwt' --data-binary @%[3]s/samples/valid-310000-company.jwt https://%[1]s/v1/verify

The credential demo:CODE gets the answer with that code (demo:EXPIRED, demo:RATE_LIMITED, demo:SLOW, …); https://%[1]s/docs lists them.
End with Ctrl-C.
`

// fromHere is an address by which this machine reaches a listener: the
// certificate does not name the address that stands for all of them.
func fromHere(listener net.Addr) string {
	at, err := netip.ParseAddrPort(listener.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return listener.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
}

// quoted is a path as a shell reads it.
func quoted(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+", r)
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// demoAppKey is what Zhejiang's simulated registry asks its callers for.
const demoAppKey = "demo-app-key"

// writeDemo writes the configuration and what it names, and returns its path.
func writeDemo(box *sandbox.Sandbox, dir, state, listen, admin string) (string, error) {
	apiKey := rand.Text()
	digest := sha256.Sum256([]byte(apiKey))
	root, err := box.Trust.Roots()[0].JWK()
	if err != nil {
		return "", err
	}
	receipts, err := signer.Generate(keys.ES256, "", "")
	if err != nil {
		return "", err
	}
	receiptKey, err := receipts.PrivateJWK()
	if err != nil {
		return "", err
	}
	// Of a business that no sample is about: whoever shows a sample is the first
	// to ask for it.
	canary, _, err := box.Provinces()[0].Mint(sandbox.LicenceSpec{Number: 1})
	if err != nil {
		return "", err
	}
	var registries strings.Builder
	for _, p := range box.Provinces() {
		fmt.Fprintf(&registries, "  %q: { url: %q, ca_file: sandbox-ca.pem", p.Code, p.Registry.URL())
		if p.Code == "330000" {
			fmt.Fprintf(&registries, ", dialect: %s", demoDialect)
		}
		registries.WriteString(" }\n")
	}
	text := fmt.Sprintf(demoConfig, listen, admin, filepath.Base(state), box.Trust.URI(), registries.String(), hex.EncodeToString(digest[:]))
	file := filepath.Join(dir, "gateway.yaml")
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{"api-key", []byte(apiKey), 0o600},
		{"sandbox-ca.pem", box.CAPEM(), 0o644},
		{"root.jwk", root, 0o644},
		{"receipt.jwk", receiptKey, 0o600},
		{"canary.jwt", []byte(canary), 0o600},
		{"gateway.yaml", []byte(text), 0o600},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return "", err
		}
	}
	return file, nil
}

const demoConfig = `# Written by "gateway demo" at every start.
listen: %q
admin: %q
state_dir: %s
tls: { mode: internal }
trust: { source: %q, roots: [ root.jwk ], refresh: 5s, ca_file: sandbox-ca.pem }
keys: { refresh: 1m, refetch_interval: 5s }
registries:
%srelying_parties:
  - { id: demo, key_sha256: %q, scopes: [verify, batch, licence, provinces], rate: 100000, lane: hall }
receipts: { issuer: "https://gateway.demo.example", key_file: receipt.jwk }
canary: { credential_file: canary.jwt }
`

// demoDialect describes how Zhejiang's simulated registry speaks.
const demoDialect = `{ method: POST, path: /query, body: '{"uniscId":"{uniscid}"}', headers: { X-App-Key: ` + demoAppKey + ` },
      ok: { pointer: /code, equals: "00" }, empty: { pointer: /dataCount, equals: 0 }, record: /datas/0,
      fields: { uniscid: /uniscId, entname: /companyName, regstate: /operatingStatus, apprdate: /appDate },
      states: { K: "1", D: "2", DX: "3", XX: "4", C: "5", QX: "6" } }`

// freeAddress returns address, or one with any port where somebody has it.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return address
}
