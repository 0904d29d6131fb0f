// Package acmetest tests mode ACME of package front against Pebble, a real ACME
// server. It is a module of its own so that the product does not depend on it.
package acmetest
