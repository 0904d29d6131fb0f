package receipt_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A bank links this package to check what it has filed: no server, no client,
// no store comes with it.
func TestLinksNoServer(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skip("no go command to ask")
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "tongyan/keys") {
		t.Fatalf("not the list of what this package imports: %d lines", len(deps))
	}
	for _, dep := range deps {
		for _, word := range []string{"net/http", "redis", "certmagic", "prometheus", "otter", "gobreaker", "lestrrat", "zap", "os/exec", "tongyan/gateway", "tongyan/fetch"} {
			if strings.Contains(dep, word) {
				t.Errorf("%s is linked", dep)
			}
		}
	}
}
