// Command gateway verifies electronic business licences for the alliance of
// provinces that recognise each other's: see README.md and `gateway --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version = "dev"

// The exit codes of contract §9.
const (
	exitOK            = 0
	exitInvalid       = 1 // of verify: the verdict; of others: it failed
	exitUsage         = 2
	exitIndeterminate = 3
)

// An exit is an error that carries an exit code. Its text was not shown yet.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

func main() {
	// SIGTERM and SIGINT end ctx; a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "gateway",
		Short:         "Verify electronic business licences, once for all provinces (一次验证、全网通用)",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newServeCommand(), newDemoCommand(), newConfigCommand(), newVerifyCommand(),
		newTrustCommand(), newKeysCommand(), newReceiptCommand(), newAuditCommand(),
		newReloadCommand(), newHealthCommand(), newVersionCommand())
	root.SetArgs(args)
	root.InitDefaultCompletionCmd(args...)
	for _, group := range root.Commands() {
		if group.HasSubCommands() {
			// Without this cobra takes a command that is not there for a cry for help, with exit 0.
			group.Args = cobra.NoArgs
			group.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var coded *exit
	if !errors.As(err, &coded) {
		// What cobra refuses is a mistake in the words of the command.
		coded = &exit{exitUsage, err}
	}
	if coded.err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", coded.err)
	}
	return coded.code
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "gateway", version)
			return err
		},
	}
}
