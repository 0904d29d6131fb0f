package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/config"
	"tongyan/gateway/internal/facts"
	"tongyan/gateway/internal/verify"
	"tongyan/keys"
	"tongyan/verifiers"
)

// verifyTime bounds one verification by command, the start included.
const verifyTime = 30 * time.Second

func newVerifyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "verify --config FILE CREDENTIAL",
		Short: "Verify one credential (a file, or -) and print the verdict",
		Long: `Verify one credential and print the verdict as JSON on stdout.

Exit 0 VALID, 1 INVALID, 3 INDETERMINATE, 2 usage or a mistake in the configuration.`,
		Example: "  gateway verify --config gateway.yaml licence.jwt\n  pbpaste | gateway verify --config gateway.yaml -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			credential, err := readCredential(cmd.InOrStdin(), args[0])
			if err != nil {
				return &exit{exitUsage, err}
			}
			cfg, err := load(cmd, file)
			if err != nil {
				return err
			}
			return verifyOne(cmd, cfg, credential)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (required)")
	cmd.MarkFlagRequired("config")
	return cmd
}

// readCredential reads a credential and drops one trailing line feed.
func readCredential(stdin io.Reader, path string) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	const most = 8 << 20
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > most:
		return nil, errors.New("the credential is longer than 8 MiB")
	}
	if n := len(b); n > 0 && b[n-1] == '\n' {
		if b = b[:n-1]; n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	if len(b) == 0 {
		return nil, errors.New("the credential is empty")
	}
	return b, nil
}

// verifyOne gives one verdict with parts that serve nobody else. Its exit code
// is the verdict's.
func verifyOne(cmd *cobra.Command, cfg *config.Config, credential []byte) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), verifyTime)
	defer cancel()
	req := &verifiers.Request{Credential: credential, Bounds: ceilingOf(cfg)}
	p, err := build(ctx, cfg, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return withoutTrust(cmd, cfg, req, err)
	}
	defer p.close()
	return printVerdict(cmd, p.current.Load().service.Verify(ctx, req), nil)
}

// withoutTrust gives a verdict where there is no trust list, for the reason
// why: a credential that cannot be read is INVALID all the same, and any other
// could not be checked, which is neither good nor bad.
func withoutTrust(cmd *cobra.Command, cfg *config.Config, req *verifiers.Request, why error) error {
	memory, err := facts.New(facts.Options{})
	if err != nil {
		return &exit{exitIndeterminate, errors.Join(why, err)}
	}
	defer memory.Close()
	service := verify.New(verify.Options{Trust: keys.NewBook(nil, keys.Terms{}), Facts: memory, Envelopes: envelopes, Policy: policyOf(cfg)})
	return printVerdict(cmd, service.Verify(cmd.Context(), req), why)
}

// printVerdict prints the answer; why is what kept the gateway from knowing, nil
// for nothing.
func printVerdict(cmd *cobra.Command, r *verifiers.Response, why error) error {
	out := api.AppendVerdict(nil, "vrf_"+rand.Text()[:16], true, r)
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", out); err != nil {
		return &exit{exitUsage, err}
	}
	switch r.Verdict.Outcome {
	case verifiers.Valid:
		return nil
	case verifiers.Invalid:
		return &exit{code: exitInvalid}
	}
	return &exit{exitIndeterminate, why}
}
