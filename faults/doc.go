// Package faults breaks everything that a gateway depends on, one thing at a
// time and under load, and writes docs/faults.md about it: real gateways, a real
// Redis, a real Caddy, a real ACME server; only the provinces are simulated.
//
// go test runs the short half: one fault of each dependency, for right verdicts
// and a way back, without a bound on time. go test -record runs all of it, each
// test writing its own part of the document.
//
// It is a module of its own, so that Toxiproxy and Pebble are no dependencies of
// the product.
package faults
