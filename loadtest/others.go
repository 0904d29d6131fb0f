package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/report"
)

func newCompareCommand() *cobra.Command {
	var lang string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "Say what is better, worse or noise in the second run; refuses unlike settings",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var runs [2]*report.Run
			for i, path := range args {
				v, err := report.Read(path)
				if err != nil {
					return usage(err)
				}
				r, ok := v.(*report.Run)
				if !ok {
					return usage(fmt.Errorf("%s is no run", path))
				}
				runs[i] = r
			}
			all, err := report.Compare(runs[0], runs[1])
			if err != nil {
				return usage(err)
			}
			return show(cmd.OutOrStdout(), all, lang, asJSON)
		},
	}
	cmd.Flags().StringVar(&lang, "lang", language(), "language, en or zh")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// show writes the differences. One that is worse is exit 1.
func show(out io.Writer, all []report.Difference, lang string, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", " ")
		if err := enc.Encode(all); err != nil {
			return err
		}
	} else {
		report.Differences(out, all, lang)
	}
	for _, d := range all {
		if d.Judgment == "worse" {
			return ended(report.ExitSLO)
		}
	}
	return nil
}

func newReportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report RUN.json",
		Short: "One self-contained HTML file of a run, a plan or a table of faults",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := report.Read(args[0])
			if err != nil {
				return usage(err)
			}
			path := out
			if path == "" {
				path = strings.TrimSuffix(args[0], ".json") + ".html"
			}
			if path == args[0] {
				return usage(errors.New("the report would replace what it is made from"))
			}
			if err := writeHTML(path, v); err != nil {
				return usage(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write (default: beside the JSON, .html)")
	return cmd
}

func newProfilesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "profiles [NAME]",
		Short: "List the shipped profiles, or print one to start your own from",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				raw, err := profile.Source(args[0])
				if err != nil {
					return usage(fmt.Errorf("%q is not shipped; there are %s", args[0], strings.Join(profile.Names(), ", ")))
				}
				_, err = cmd.OutOrStdout().Write(raw)
				return err
			}
			for _, name := range profile.Names() {
				p, err := profile.Load(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-14s %9s, up to %5.0f/s   %s\n", name, p.Length(), p.Peak(), p.Description)
			}
			return nil
		},
	}
}
