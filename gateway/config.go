package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tongyan/gateway/internal/config"
)

func newConfigCommand() *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "Look after configuration files"}
	group.AddCommand(&cobra.Command{
		Use:     "check FILE",
		Short:   "Name every mistake in a configuration file; exit 2 if there is one",
		Example: "  gateway config check /etc/tongyan/gateway.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd, args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: good\n", cfg.File)
			}
			return err
		},
	})
	return group
}

// load reads a configuration. Mistakes and warnings are shown, one a line.
func load(cmd *cobra.Command, path string) (*config.Config, error) {
	cfg, err := config.Load(path)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return nil, &exit{exitUsage, fmt.Errorf("%s has mistakes; nothing was started", path)}
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return cfg, nil
}
