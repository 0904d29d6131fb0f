package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tongyan/gateway/internal/audit"
)

func newAuditCommand() *cobra.Command {
	group := &cobra.Command{Use: "audit", Short: "Look into the record of verdicts"}
	var noted string
	verify := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Find the first altered, missing or reordered line of an audit file",
		Long: `Find the first altered, missing or reordered line of an audit file.

With one FILE, those that were rotated out of it (FILE.000001 and on) are
verified before it, as far as they are there. Several files are verified in the
order given, as one chain.

A chain whose end was cut off at a line's end, or that was made anew by somebody
who computed every hash, is good in itself. Against that, note a head now and
then where nobody can change it (this command prints it, the gateway logs it)
and give it as --noted NUMBER:HASH.

Exit 0 if the chain is good, 1 if it is broken, 2 if it cannot be read.`,
		Example: "  gateway audit verify /var/lib/tongyan/audit.jsonl\n  gateway audit verify --noted 4711:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU audit.jsonl",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			anchor, err := parseHead(noted)
			if err != nil {
				return &exit{exitUsage, err}
			}
			return verifyAudit(cmd, anchor, files)
		},
	}
	verify.Flags().StringVar(&noted, "noted", "", "a head that was noted before, NUMBER:HASH: that line must be there, unchanged")
	group.AddCommand(verify)
	return group
}

func parseHead(s string) (*audit.Head, error) {
	if s == "" {
		return nil, nil
	}
	bad := errors.New("--noted is NUMBER:HASH, as this command prints it")
	number, hash, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 0 {
		return nil, bad
	}
	h, err := audit.ParseHash(hash)
	if err != nil {
		return nil, bad
	}
	return &audit.Head{Number: n, Hash: h}, nil
}

func verifyAudit(cmd *cobra.Command, anchor *audit.Head, files []string) error {
	if len(files) == 1 {
		var err error
		if files, err = audit.Series(files[0]); err != nil {
			return &exit{exitUsage, err}
		}
	}
	r, err := audit.VerifyFiles(anchor, files...)
	var fault *audit.Fault
	switch {
	case errors.As(err, &fault):
		return &exit{exitInvalid, err}
	case err != nil:
		return &exit{exitUsage, err}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "good: %d verdicts in %d lines, numbers %d to %d\n", r.Verdicts, r.Lines, r.First, r.Head.Number)
	if r.First > 0 {
		fmt.Fprintf(out, "the chain begins before: lines 0 to %d are elsewhere\n", r.First-1)
	}
	if r.Starts+r.Cut+r.Lost > 0 {
		fmt.Fprintf(out, "%d later starts, %d bytes of torn lines cut off at them, %d verdicts given without a line\n", r.Starts, r.Cut, r.Lost)
	}
	fmt.Fprintf(out, "head: %d:%s\n", r.Head.Number, r.Head.Hash)
	return nil
}
