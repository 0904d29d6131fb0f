package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/strict"
)

func newKeysCommand() *cobra.Command {
	group := &cobra.Command{Use: "keys", Short: "Make keys, and name them"}
	group.AddCommand(newKeysNewCommand(), newKeysThumbprintCommand())
	return group
}

func newKeysNewCommand() *cobra.Command {
	var alg, kid, distid, out string
	cmd := &cobra.Command{
		Use:   "new --alg ALGORITHM",
		Short: "Make a key: the private JWK to a file of mode 0600, the public one to stdout",
		Long: `Make a key. The private JWK goes to a new file that only its owner may read, the
public JWK to stdout. A file that is there already is never overwritten.

ALGORITHM is ES256, ES384, EdDSA, PS256, RS256 or SM2. Without --kid the key is
called by its thumbprint, which is what a trust root must be called.

Exit 0, 1 if the key could not be written, 2 if the command makes no sense.`,
		Example: "  gateway keys new --alg SM2 --kid sh-2026-1 --out sh-2026-1.private.jwk > sh-2026-1.jwk",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			algorithm, ok := keys.ParseAlgorithm(alg)
			if !ok {
				return fmt.Errorf("--alg: no algorithm is called %q; there are %v", alg, keys.Algorithms)
			}
			if distid != "" && algorithm != keys.SM2 {
				return errors.New("--distid is for SM2 keys")
			}
			key, err := signer.Generate(algorithm, keys.KeyID(kid), distid)
			if err != nil {
				return err
			}
			if out == "" {
				out = string(key.Public().Thumbprint()) + ".private.jwk"
			}
			return writeKey(cmd, key, out)
		},
	}
	cmd.Flags().StringVar(&alg, "alg", "", "algorithm (required)")
	cmd.Flags().StringVar(&kid, "kid", "", "the key's kid (default: its thumbprint)")
	cmd.Flags().StringVar(&distid, "distid", "", "SM2: distinguishing identifier (default: 1234567812345678)")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the private JWK (default: THUMBPRINT.private.jwk)")
	cmd.MarkFlagRequired("alg")
	return cmd
}

func writeKey(cmd *cobra.Command, key *signer.Key, out string) error {
	private, err := key.PrivateJWK()
	if err != nil {
		return &exit{exitInvalid, err}
	}
	public, err := key.PublicJWK()
	if err != nil {
		return &exit{exitInvalid, err}
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &exit{exitInvalid, fmt.Errorf("%s is there already, and a private key is not overwritten", out)}
	}
	if err != nil {
		return &exit{exitInvalid, err}
	}
	// What was made may be the only copy: it must be on disk before it is used.
	_, err = f.Write(append(private, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return &exit{exitInvalid, errors.Join(err, os.Remove(out))}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "private key in %s: keep it secret, and keep a copy\n", out)
	if _, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", public); err != nil {
		return &exit{exitInvalid, err}
	}
	return nil
}

func newKeysThumbprintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "thumbprint FILE",
		Short: "Print the RFC 7638 thumbprint of a JWK, or of every key of a set",
		Long: `Print the RFC 7638 thumbprint (SHA-256, base64url) of a JWK, public or private,
one line. Of a key set: kid and thumbprint of every usable key, and why the
others are not usable. FILE may be - for stdin.

Exit 0, 1 if the file holds no usable key, 2 if it cannot be read.`,
		Example: "  gateway keys thumbprint root-a.jwk\n  curl -s https://ebl.sh.example/jwks.json | gateway keys thumbprint -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readInput(cmd, args[0], maxSetFile)
			if err != nil {
				return err
			}
			if err := printThumbprints(cmd.OutOrStdout(), text); err != nil {
				return &exit{exitInvalid, fmt.Errorf("%s: %w", args[0], err)}
			}
			return nil
		},
	}
}

// maxSetFile bounds a file with a key or a key set, in bytes (contract §3).
const maxSetFile = 256 << 10

func printThumbprints(w io.Writer, text []byte) error {
	v, err := strict.Parse(text)
	if err != nil {
		return err
	}
	list := v.Get("keys")
	if list.Kind() == strict.Absent {
		key, err := publicHalf(v, text)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, key.Thumbprint())
		return err
	}
	usable := 0
	for i := range list.Len() {
		key, err := keys.ParseJWK(list.Item(i))
		switch {
		case err != nil:
			fmt.Fprintf(w, "key %d: %v\n", i, err)
		default:
			usable++
			fmt.Fprintf(w, "%q %s\n", key.ID(), key.Thumbprint())
		}
	}
	if usable == 0 {
		return errors.New("no usable key")
	}
	return nil
}

// publicHalf reads a JWK of either kind.
func publicHalf(v strict.Value, text []byte) (*keys.Key, error) {
	key, err := keys.ParseJWK(v)
	if errors.Is(err, keys.ErrPrivate) {
		private, err := signer.Parse(text)
		if err != nil {
			return nil, err
		}
		return private.Public(), nil
	}
	return key, err
}

// readInput reads a file, or stdin for "-", of at most max bytes.
func readInput(cmd *cobra.Command, name string, max int64) ([]byte, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, max+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "read "))
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, max)
	}
	return data, nil
}
