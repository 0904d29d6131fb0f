package profile_test

import (
	"testing"

	"tongyan/loadtest/internal/profile"
)

func TestPermits(t *testing.T) {
	p := &profile.Profile{Targets: []string{"gateway.test", "10.0.0.5"}}
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true, "localhost": true, "gateway.test": true, "10.0.0.5": true,
		"10.0.0.6": false, "example.com": false, "127.0.0.1.example.com": false, "gateway.test.example.com": false, "": false, "0.0.0.0": false,
	} {
		if p.Permits(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
