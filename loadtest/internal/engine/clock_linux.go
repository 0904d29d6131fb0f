package engine

import (
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownThread gives the timekeeper a thread of its own with the kernel's finest
// timers, and the function that gives it back.
func ownThread() (release func()) {
	runtime.LockOSThread()
	// Slack, in nanoseconds, by which the kernel may be late to save power: 1
	// instead of 50 µs. Where it is refused waits are that much longer.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return runtime.UnlockOSThread
}

// sleepUntil waits in the kernel: the runtime's own timers are rounded up to a
// whole millisecond while everything is idle.
func sleepUntil(t time.Time) {
	d := time.Until(t)
	if d <= 0 {
		return
	}
	ts := syscall.NsecToTimespec(int64(d))
	// EINTR ends it early, which the caller's loop expects.
	_ = syscall.Nanosleep(&ts, nil)
}
