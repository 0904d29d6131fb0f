// Command loadtest says before the peak how many gateways are needed and what
// breaks first. See docs/peak.md and `loadtest --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tongyan/loadtest/internal/drive"
	"tongyan/loadtest/internal/report"
)

func main() {
	// The first signal ends the run and leaves its report; a second one ends
	// the process.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:]))
}

// An exit is an exit code, with an error that was not shown yet or none.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprint("exit ", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage marks a mistake of the caller.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exit{report.ExitUsage, err}
}

// ended is how a command ends that has said everything.
func ended(code int) error {
	if code == report.ExitPass {
		return nil
	}
	return &exit{code: code}
}

func execute(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:   "loadtest",
		Short: "Say before the peak how many gateways are needed, and what breaks first",
		Long: `Say before the peak how many gateways are needed, and what breaks first.

Only loopback addresses are loaded, and hosts that the profile lists.

Exit codes: 0 pass, 1 the SLO was not held, 2 usage, 3 inconclusive (the
generator was the limit), 4 the target cannot be reached, 5 wrong verdicts,
130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newRunCommand(), newPlanCommand(), newFaultsCommand(), newCompareCommand(), newReportCommand(), newProfilesCommand())
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return report.ExitPass
	}
	var coded *exit
	switch {
	case errors.As(err, &coded):
	case ctx.Err() != nil:
		coded = &exit{report.ExitInterrupted, errors.New("interrupted before there was anything to report")}
	case errors.Is(err, drive.ErrUnreachable):
		coded = &exit{report.ExitUnreachable, err}
	default:
		// What cobra refuses, and files that are not there: the caller's.
		coded = &exit{report.ExitUsage, err}
	}
	if coded.err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", coded.err)
	}
	return coded.code
}

// language is that of the terminal, as the environment says it.
func language() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}
