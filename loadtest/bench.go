package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/engine"
	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/rig"
	"tongyan/loadtest/internal/workload"
)

// targetFlags say what is loaded: something that runs, or a rig.
type targetFlags struct {
	targets, metrics      []string
	demo, samples         string
	ca, keyFile           string
	clientCert, clientKey string
	startGateway          string
	lang, out             string
}

func (f *targetFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.targets, "target", nil, "address of a running gateway, https://host:port (may be repeated)")
	flags.StringVar(&f.demo, "demo", "", "folder of a running gateway demo: gives target, key, CA, samples and metrics")
	flags.StringVar(&f.samples, "samples", "", "folder with expected.csv (file,verdict,code) and the credentials that it names")
	flags.StringVar(&f.ca, "ca", "", "PEM file of the CA to trust")
	flags.StringVar(&f.keyFile, "key-file", "", "file with the bearer key")
	flags.StringVar(&f.clientCert, "client-cert", "", "PEM file of a client certificate, for the profile's share of connections")
	flags.StringVar(&f.clientKey, "client-key", "", "PEM file of its key")
	flags.StringArrayVar(&f.metrics, "metrics", nil, "address of a gateway's metrics, http://host:port/metrics (may be repeated)")
	flags.StringVar(&f.startGateway, "start-gateway", "", "without --target: the gateway binary to start (default: built from this source)")
	flags.StringVar(&f.lang, "lang", language(), "language of what is shown, en or zh")
	flags.StringVar(&f.out, "out", "loadtest-out", "folder for reports")
}

// A bench is what a run needs of the outside.
type bench struct {
	rig     *rig.Rig // nil: a running target
	mint    *workload.Mint
	mix     *workload.Mix
	engine  engine.Config
	metrics []string
	source  string
	temp    string
}

// open brings up or finds the target; need is how much work is to come.
func (f *targetFlags) open(ctx context.Context, p *profile.Profile, need float64) (b *bench, err error) {
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return nil, usage(err)
	}
	b = &bench{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
			b = nil
		}
	}()
	if f.demo == "" && len(f.targets) == 0 {
		return b, f.startRig(ctx, b, p, need)
	}
	return b, usage(f.find(b, p))
}

func (f *targetFlags) startRig(ctx context.Context, b *bench, p *profile.Profile, need float64) (err error) {
	if f.samples != "" {
		return usage(errors.New("--samples needs the --target that they were made for"))
	}
	if b.temp, err = os.MkdirTemp("", "loadtest-"); err != nil {
		return err
	}
	binary := f.startGateway
	if binary == "" {
		if binary, err = rig.Build(ctx, b.temp); err != nil {
			return err
		}
	} else if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	b.rig, err = rig.Start(ctx, rig.Options{
		Gateway: binary, Dir: b.temp, Gateways: p.Rig.Gateways, Redis: p.Rig.Redis, RegistryRate: p.Rig.RegistryRate,
	})
	if err != nil {
		return err
	}
	if b.mint, err = workload.FromSandbox(ctx, b.rig.Sandbox, p.Workload, p.Seed, need); err != nil {
		return err
	}
	b.mix, b.source = b.mint.Mix, "minted"
	b.useRig()
	return nil
}

// useRig takes over the rig's gateways as they are now.
func (b *bench) useRig() {
	b.engine = engine.Config{Targets: b.rig.Targets(), Key: b.rig.Key(), TLS: b.rig.TLS(), Certificate: b.rig.Certificate()}
	b.metrics = b.rig.Metrics()
}

func (b *bench) close() error {
	if b.mint != nil {
		b.mint.Close()
	}
	var err error
	if b.rig != nil {
		err = b.rig.Close()
	}
	if b.temp != "" {
		err = errors.Join(err, os.RemoveAll(b.temp))
	}
	return err
}

// breaker is nil where nothing can be broken.
func (b *bench) breaker() drive.Breaker {
	if b.rig == nil {
		return nil
	}
	return b.rig
}

// find fills in what a running target needs.
func (f *targetFlags) find(b *bench, p *profile.Profile) (err error) {
	if f.demo != "" {
		if err := f.fromDemo(); err != nil {
			return err
		}
	}
	if f.samples == "" {
		return errors.New("a running target needs --samples DIR (or --demo DIR): loadtest cannot sign what it trusts")
	}
	for _, target := range f.targets {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("--target %q: want https://host:port", target)
		}
		if err := permit(p, u.Hostname()); err != nil {
			return err
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		b.engine.Targets = append(b.engine.Targets, net.JoinHostPort(u.Hostname(), port))
	}
	for _, address := range f.metrics {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil {
			return fmt.Errorf("--metrics %q: want http://host:port/metrics", address)
		}
		if err := permit(p, u.Hostname()); err != nil {
			return err
		}
	}
	b.metrics = f.metrics
	b.engine.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		raw, err := readSmall(f.ca)
		if err != nil {
			return err
		}
		b.engine.TLS.RootCAs = x509.NewCertPool()
		if !b.engine.TLS.RootCAs.AppendCertsFromPEM(raw) {
			return fmt.Errorf("--ca %s: holds no certificate", f.ca)
		}
	}
	if f.keyFile != "" {
		raw, err := readSmall(f.keyFile)
		if err != nil {
			return err
		}
		b.engine.Key = strings.TrimSpace(string(raw))
		if strings.ContainsAny(b.engine.Key, " \r\n\t") {
			return fmt.Errorf("--key-file %s: holds more than one key", f.keyFile)
		}
	}
	if f.clientCert != "" {
		pair, err := tls.LoadX509KeyPair(f.clientCert, f.clientKey)
		if err != nil {
			return fmt.Errorf("--client-cert: %w", err)
		}
		b.engine.Certificate = &pair
	}
	b.source = "samples"
	b.mix, err = workload.FromCorpus(f.samples, p.Workload, p.Seed)
	return err
}

func permit(p *profile.Profile, host string) error {
	if p.Permits(host) {
		return nil
	}
	return fmt.Errorf("%q is no loopback address and is not under targets in the profile: only what is yours may be loaded", host)
}

// fromDemo fills in what stands in a demo's folder and was not given.
func (f *targetFlags) fromDemo() error {
	in := func(name string) string { return filepath.Join(f.demo, name) }
	raw, err := readSmall(in("gateway.yaml"))
	if err != nil {
		return fmt.Errorf("--demo %s: %w: is gateway demo --dir %s running?", f.demo, err, f.demo)
	}
	var demo struct {
		Listen string `yaml:"listen"`
		Admin  string `yaml:"admin"`
	}
	if err := yaml.Unmarshal(raw, &demo); err != nil {
		return fmt.Errorf("--demo: %w", err)
	}
	if len(f.targets) == 0 {
		f.targets = []string{"https://" + demo.Listen}
	}
	if len(f.metrics) == 0 && demo.Admin != "" {
		f.metrics = []string{"http://" + demo.Admin + "/metrics"}
	}
	for _, d := range []struct {
		at   *string
		name string
	}{{&f.ca, "ca.pem"}, {&f.keyFile, "api-key"}, {&f.samples, "samples"}} {
		if *d.at == "" {
			*d.at = in(d.name)
		}
	}
	return nil
}

// readSmall reads a file of at most 1 MiB.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, 1<<20+1))
	if err == nil && len(raw) > 1<<20 {
		err = fmt.Errorf("%s: longer than 1 MiB", path)
	}
	return raw, err
}
