package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
	"tongyan/keys/trusttool"
	"tongyan/strict"
)

// maxList bounds the files that are read as lists. A signed one must be shorter:
// trustlist says by how much.
const maxList = 2 * trustlist.MaxToken

func newTrustCommand() *cobra.Command {
	group := &cobra.Command{Use: "trust", Short: "Look into trust lists, sign and verify them"}
	group.AddCommand(newTrustInspectCommand(), newTrustDiffCommand(), newTrustSignCommand(), newTrustVerifyCommand())
	return group
}

func newTrustInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a trust list says, signed or not yet",
		Long: `Say what a trust list says: who may issue what, with which keys, until when.
FILE is a signed list, or the JSON that is to be signed; - is stdin. Signatures
are listed, but not verified: see "gateway trust verify".

Exit 0, 1 if gateways would refuse its content, 2 if it cannot be read.`,
		Example: "  gateway trust inspect list.jwt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readList(cmd, args[0])
			if err != nil {
				return err
			}
			return trusttool.Inspect(cmd.OutOrStdout(), f, time.Now())
		},
	}
}

func newTrustDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what a new trust list would change, and for whom",
		Long: `Say what changes for whom when NEW takes the place of OLD: provinces, issuers
and keys added, removed, suspended, revoked. Both may be signed lists or JSON.
Read it before signing: a root signs what it says, not what was meant.

Exit 0, 1 if gateways would refuse the content of one, 2 if it cannot be read.`,
		Example: "  gateway trust diff list.jwt next.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var lists [2]*keys.List
			for i, name := range args {
				f, err := readList(cmd, name)
				if err != nil {
					return err
				}
				lists[i] = f.List
			}
			return trusttool.WriteDiff(cmd.OutOrStdout(), lists[0], lists[1])
		},
	}
}

func readList(cmd *cobra.Command, name string) (trusttool.File, error) {
	data, err := readInput(cmd, name, maxList)
	if err != nil {
		return trusttool.File{}, err
	}
	f, err := trusttool.Read(data)
	if err != nil {
		return trusttool.File{}, &exit{exitInvalid, fmt.Errorf("%s: %w", name, err)}
	}
	return f, nil
}

func newTrustSignCommand() *cobra.Command {
	var keyFile, out string
	var add bool
	cmd := &cobra.Command{
		Use:   "sign --key ROOT.jwk LIST",
		Short: "Sign a trust list, or add a second signature to one",
		Long: `Sign the JSON in LIST with a root's private key (JWS Compact). With --add, LIST is
signed already and gets one more signature (JWS General JSON); one that the same
root gave before is replaced. A list that gateways would refuse is not signed.

The signed list goes to stdout, without a line feed behind it, or to --out.

Exit 0, 1 if the list is refused, 2 if something cannot be read.`,
		Example: `  gateway trust sign --key root-a.private.jwk --out list.jwt list.json
  gateway trust sign --key root-b.private.jwk --add --out list2.jwt list.jwt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := readRootKey(cmd, keyFile)
			if err != nil {
				return err
			}
			f, err := readList(cmd, args[0])
			if err != nil {
				return err
			}
			token, err := signList(cmd, root, f, args[0], add)
			if err != nil {
				return err
			}
			return writeList(cmd, token, out)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the root's private JWK (required)")
	cmd.Flags().BoolVar(&add, "add", false, "LIST is signed already: add a signature")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the signed list (default: stdout)")
	cmd.MarkFlagRequired("key")
	return cmd
}

func readRootKey(cmd *cobra.Command, name string) (*signer.Key, error) {
	text, err := readInput(cmd, name, signer.MaxJWK)
	if err != nil {
		return nil, err
	}
	root, err := signer.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return root, nil
}

func signList(cmd *cobra.Command, root *signer.Key, f trusttool.File, name string, add bool) (token []byte, err error) {
	switch {
	case add && f.Signatures == nil:
		return nil, fmt.Errorf("%s is not signed yet: leave --add out", name)
	case !add && f.Signatures != nil:
		return nil, fmt.Errorf("%s is signed already: give --add to add a signature", name)
	}
	if err := trustlist.InTime(f.List, time.Now(), 0); err != nil {
		// It may be meant for later; gateways will tell.
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: at this moment gateways would not take it:", err)
	}
	if add {
		token, err = trustlist.AddSignature(f.Token, root)
	} else {
		token, err = trustlist.Sign(f.Content, root)
	}
	if err != nil {
		return nil, &exit{exitInvalid, fmt.Errorf("%s: %w", name, err)}
	}
	return token, nil
}

// writeList replaces the file at once: a gateway may be reading it.
func writeList(cmd *cobra.Command, token []byte, out string) error {
	if out == "" {
		_, err := cmd.OutOrStdout().Write(token)
		return err
	}
	beside := out + ".new"
	if err := os.WriteFile(beside, token, 0o644); err != nil {
		return &exit{exitInvalid, err}
	}
	if err := os.Rename(beside, out); err != nil {
		return &exit{exitInvalid, errors.Join(err, os.Remove(beside))}
	}
	return nil
}

func newTrustVerifyCommand() *cobra.Command {
	var roots []string
	var threshold int
	var skew time.Duration
	cmd := &cobra.Command{
		Use:   "verify --roots ROOT.jwk,… LIST",
		Short: "Say whether gateways that pin these roots would take a trust list",
		Long: `Say whether gateways that pin these roots (public or private JWKs) and have seen
no later version would take LIST now. LIST may be - for stdin.

Exit 0 if they would, 1 if they refuse it, 2 if something cannot be read.`,
		Example: "  gateway trust verify --roots root-a.jwk,root-b.jwk --threshold 2 list.jwt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pinned, err := readRoots(cmd, roots, threshold)
			if err != nil {
				return err
			}
			data, err := readInput(cmd, args[0], maxList)
			if err != nil {
				return err
			}
			return verifyList(cmd, pinned, args[0], bytes.TrimSuffix(data, []byte("\n")), threshold, skew)
		},
	}
	cmd.Flags().StringSliceVar(&roots, "roots", nil, "the pinned roots' JWKs (required; several by commas, or the flag again)")
	cmd.Flags().IntVar(&threshold, "threshold", 1, "how many different roots must have signed")
	cmd.Flags().DurationVar(&skew, "skew", time.Minute, "how far the signer's clock may be ahead")
	cmd.MarkFlagRequired("roots")
	return cmd
}

func readRoots(cmd *cobra.Command, names []string, threshold int) (*trustlist.Roots, error) {
	var pinned []*keys.Key
	for _, name := range names {
		text, err := readInput(cmd, name, signer.MaxJWK)
		if err != nil {
			return nil, err
		}
		v, err := strict.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		key, err := publicHalf(v, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		pinned = append(pinned, key)
	}
	return trustlist.NewRoots(threshold, pinned...)
}

func verifyList(cmd *cobra.Command, roots *trustlist.Roots, name string, token []byte, threshold int, skew time.Duration) error {
	u, err := trustlist.ParseToken(token)
	var signers []keys.Thumbprint
	if err == nil {
		signers, err = u.Verify(roots)
	}
	var list *keys.List
	if err == nil {
		list, err = trustlist.ParseContent(u.Payload)
	}
	if err == nil {
		err = trustlist.InTime(list, time.Now(), skew)
	}
	if err != nil {
		return &exit{exitInvalid, fmt.Errorf("%s: %w", name, err)}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "good: version %d, expires %s, signed by %d roots, %d needed\n",
		list.Version, list.Expires.UTC().Format(time.RFC3339), len(signers), threshold)
	for _, t := range signers {
		fmt.Fprintln(cmd.OutOrStdout(), "signed by", t)
	}
	return nil
}
