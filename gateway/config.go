package main

import (
	"errors"
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
	if err == nil {
		err = dialectMistakes(cfg)
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return nil, &exit{exitUsage, fmt.Errorf("%s has mistakes; nothing was started", path)}
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return cfg, nil
}

// dialectMistakes says what no registry client could be made of, though every
// key of it is right by itself.
func dialectMistakes(cfg *config.Config) error {
	var all []error
	for i := range cfg.Registries {
		r := &cfg.Registries[i]
		for _, m := range registryOf(r, nil).Mistakes() {
			all = append(all, fmt.Errorf("%s: registries.%s.%w", cfg.File, r.Province, m))
		}
	}
	return errors.Join(all...)
}
