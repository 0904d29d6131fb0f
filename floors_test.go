// Package tongyan has no code of its own: this test holds the plan of the house
// against the imports.
package tongyan

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors is the drawing: every package stands on one floor, and imports only
// from floors below. Siblings never meet but in a main, on the top floor.
var floors = [][]string{
	{"strict", "fetch", "keys/sm2", "keys/durable", "internal/freeport"},
	{"keys"},
	{"keys/jws", "keys/signer", "verifiers/licence"},
	{"keys/trustlist", "keys/jwks", "verifiers"},
	{"verifiers/claims", "verifiers/testworld", "keys/trusttool"},
	{"verifiers/envelope", "verifiers/sdjwt", "verifiers/vcjwt", "verifiers/registry", "verifiers/statuslist", "verifiers/receipt"},
	{"sandbox", "gateway/client"},
	{
		"gateway/internal/config", "gateway/internal/facts", "gateway/internal/front", "gateway/internal/parties", "gateway/internal/verify",
		"gateway/internal/audit", "gateway/internal/batch", "gateway/internal/crowd", "gateway/internal/facts/redistest",
		"loadtest/internal/words", "loadtest/internal/profile", "loadtest/internal/schedule", "loadtest/internal/verdict",
	},
	{
		"gateway/internal/api", "gateway/internal/admin",
		"loadtest/internal/honest", "loadtest/internal/metricscrape", "loadtest/internal/rig", "loadtest/internal/stats", "loadtest/internal/workload",
	},
	{"gateway/internal/api/apitest", "loadtest/internal/engine", "loadtest/internal/report", "loadtest/internal/tty"},
	{"loadtest/internal/drive", "loadtest/internal/search"},
	{"gateway", "loadtest", "bench"},
}

// only names the libraries that one room keeps to itself.
var only = map[string][]string{
	"github.com/caddyserver/certmagic": {"gateway/internal/front"},
	"github.com/redis/go-redis":        {"gateway/internal/facts", "gateway/internal/facts/redistest"},
	"github.com/sony/gobreaker":        {"gateway/internal/facts", "verifiers/registry"},
}

func TestFloors(t *testing.T) {
	floor := map[string]int{}
	for i, rooms := range floors {
		for _, room := range rooms {
			floor[room] = i
		}
	}
	seen := map[string]bool{}
	for room, imports := range imports(t) {
		seen[room] = true
		here, drawn := floor[room]
		if !drawn {
			t.Errorf("%s is not in the drawing: give it a floor", room)
			continue
		}
		for _, path := range imports {
			if inside, ok := strings.CutPrefix(path, "tongyan/"); ok {
				if there, drawn := floor[inside]; drawn && there >= here {
					t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", room, here, inside, there)
				}
			}
			for library, rooms := range only {
				if strings.HasPrefix(path, library) && !slices.Contains(rooms, room) {
					t.Errorf("%s imports %s, which belongs to %v", room, library, rooms)
				}
			}
		}
	}
	for room := range floor {
		if !seen[room] {
			t.Errorf("%s is in the drawing and not in the house", room)
		}
	}
}

// imports reads every package's imports from the sources, tests left out.
// Folders with a go.mod of their own are other modules.
func imports(t *testing.T) map[string][]string {
	rooms := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".":
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || d.Name() == "testdata" || d.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		rooms[room] = slices.Grow(rooms[room], len(file.Imports))
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			rooms[room] = append(rooms[room], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rooms) == 0 {
		t.Fatal("no package found")
	}
	return rooms
}
