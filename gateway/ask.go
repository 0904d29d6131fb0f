package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// askTime bounds a question to the running gateway. A reload may have to wait
// for the trust list's server.
const askTime = 30 * time.Second

func newReloadCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:     "reload",
		Short:   "Ask the running gateway to take its configuration file up anew",
		Long:    "Ask the running gateway to take its configuration file up anew: all of it or, on any mistake, nothing.\n\nExit 0 if it did; what needs a restart besides is named. Exit 1 if everything stays as it was.",
		Example: "  gateway reload",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct {
				Reloaded     bool
				Problem      string
				NeedsRestart []string `json:"needs_restart"`
			}
			if _, err := askAdmin(cmd.Context(), http.MethodPost, "http://"+address+"/reload", &answer); err != nil {
				return &exit{exitInvalid, err}
			}
			if !answer.Reloaded {
				return &exit{exitInvalid, errors.New("everything stays as it was: " + answer.Problem)}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "reloaded")
			for _, name := range answer.NeedsRestart {
				fmt.Fprintln(cmd.OutOrStdout(), "needs a restart:", name)
			}
			return nil
		},
	}
	adminFlag(cmd, &address)
	return cmd
}

func newHealthCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Ask the running gateway whether it is ready; exit 0 if it is",
		Example: "  gateway health --admin 127.0.0.1:9443",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct{ Ready, Draining bool }
			status, err := askAdmin(cmd.Context(), http.MethodGet, "http://"+address+"/readyz", &answer)
			switch {
			case err != nil:
				return &exit{exitInvalid, err}
			case status != http.StatusOK || !answer.Ready:
				return &exit{exitInvalid, fmt.Errorf("not ready (draining: %v); /readyz?verbose says why", answer.Draining)}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			return nil
		},
	}
	adminFlag(cmd, &address)
	return cmd
}

func adminFlag(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVar(address, "admin", "127.0.0.1:9443", "address of the gateway's admin listener")
}

// askAdmin asks the admin listener and decodes its answer.
func askAdmin(ctx context.Context, method, url string, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(answer); err != nil {
		return 0, fmt.Errorf("%s does not answer as a gateway: HTTP %d", url, res.StatusCode)
	}
	return res.StatusCode, nil
}
