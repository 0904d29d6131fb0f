//go:build !linux

package engine

import "time"

func ownThread() (release func()) { return func() {} }

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
