//go:build !linux

package main

const stateReady, stateStopping = "", ""

func stateReloading() string { return "" }

// notify has nobody to tell where there is no systemd.
func notify(string) error { return nil }
