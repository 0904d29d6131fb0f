//go:build unix && !linux

package rig

import "syscall"

func childOf() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
