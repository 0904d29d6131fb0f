package rig

import "syscall"

// childOf makes a child end with its parent, however that ends, and keeps the
// terminal's Ctrl-C from it: the parent ends it in order.
func childOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
