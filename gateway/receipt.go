package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// The longest files that receipt check reads, in bytes (contract §2.2, §3).
const (
	maxReceipt = 64 << 10
	maxKeySet  = 256 << 10
)

func newReceiptCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "receipt", Short: "Check receipts, offline"}
	cmd.AddCommand(newReceiptCheckCommand())
	return cmd
}

func newReceiptCheckCommand() *cobra.Command {
	var keyFile, issuer, at string
	var skew time.Duration
	cmd := &cobra.Command{
		Use:   "check --jwks FILE RECEIPT",
		Short: "Check one receipt (a file, -, or its text) and print what it says",
		Long: `Check one receipt by the keys of the gateway that signed it, and print its claims
as JSON on stdout. Nothing is fetched: FILE is the gateway's
/.well-known/jwks.json, got over a connection that you trust.

A good receipt proves what the gateway found, which need not be VALID: read
"verdict". A licence key that was revoked since is not noticed offline; for
that, ask a gateway at /v1/receipts/verify.

Exit 0 good, 1 not (the reason on stderr), 2 usage.`,
		Example: "  gateway receipt check --jwks jwks.json receipt.jwt\n" +
			"  jq -r .receipt answer.json | gateway receipt check --jwks jwks.json --issuer https://gateway.example -",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			if at != "" {
				var err error
				if now, err = time.Parse(time.RFC3339, at); err != nil {
					return &exit{exitUsage, errors.New("--at is not a time such as 2026-10-01T12:00:00+08:00")}
				}
			}
			trust, err := readTrust(cmd.InOrStdin(), keyFile, issuer)
			if err != nil {
				return &exit{exitUsage, err}
			}
			token, err := readReceipt(cmd.InOrStdin(), args[0])
			if err != nil {
				return &exit{exitUsage, err}
			}
			claims, code := receipt.Check(token, trust, now, skew)
			if code != verifiers.OK {
				return &exit{exitInvalid, fmt.Errorf("the receipt is not good: %s", code)}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", claims.AppendJSON(nil))
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "jwks", "", "the gateway's key set (required)")
	cmd.Flags().StringVar(&issuer, "issuer", "", "take receipts of this gateway only (iss); default: of whoever has a key in FILE")
	cmd.Flags().StringVar(&at, "at", "", "check as of this moment (RFC 3339) instead of now: was it good when it was filed?")
	cmd.Flags().DurationVar(&skew, "skew", time.Minute, "by how much the gateway's clock may differ")
	cmd.MarkFlagRequired("jwks")
	return cmd
}

func readTrust(stdin io.Reader, path, issuer string) (receipt.Trust, error) {
	if path == "-" {
		return receipt.Trust{}, errors.New("--jwks is a file; standard input is for the receipt")
	}
	file, err := readUpTo(stdin, path, maxKeySet)
	if err != nil {
		return receipt.Trust{}, fmt.Errorf("--jwks: %w", err)
	}
	set, err := receipt.LoadJWKS(file)
	if err != nil {
		return receipt.Trust{}, fmt.Errorf("%s: %w", path, err)
	}
	if issuer != "" {
		return receipt.Only(issuer, set), nil
	}
	return receipt.Whoever(set), nil
}

// readReceipt takes a receipt from the command line itself, which shows in the
// three parts of its text, or from a file. One trailing line feed is dropped.
func readReceipt(stdin io.Reader, arg string) ([]byte, error) {
	if strings.HasPrefix(arg, "eyJ") && strings.Count(arg, ".") == 2 && !strings.ContainsAny(arg, `/\`) {
		return []byte(arg), nil
	}
	b, err := readUpTo(stdin, arg, maxReceipt)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return nil, errors.New("the receipt is empty")
	}
	return []byte(text), nil
}

func readUpTo(stdin io.Reader, path string, most int) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > most:
		return nil, fmt.Errorf("longer than %d KiB", most>>10)
	}
	return b, nil
}
