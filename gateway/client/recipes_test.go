package client_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The recipes in docs/integrating.md are run as they stand, wherever there is
// what they need.
const recipes = "../../docs/integrating.md"

// block returns the first code block of a language below a heading.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile(recipes)
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(text), "\n## "+heading+"\n")
	_, code, begun := strings.Cut(below, "\n```"+language+"\n")
	code, _, ended := strings.Cut(code, "\n```\n")
	if !found || !begun || !ended {
		t.Fatalf("%s has no %s below %q", recipes, language, heading)
	}
	return code + "\n"
}

// need skips the test where a program is not to be had.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
}

func TestRecipes(t *testing.T) {
	s := start(true)
	defer s.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	env := append(os.Environ(), "GATEWAY="+s.URL, "GATEWAY_KEY="+apiKey, "GATEWAY_CA="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	run := func(t *testing.T, where string, args ...string) (out string, code int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = where, env
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		if stderr.Len() > 0 {
			t.Logf("stderr: %s", stderr.String())
		}
		return strings.TrimSpace(stdout.String()), cmd.ProcessState.ExitCode()
	}

	for heading, prepare := range map[string]func(t *testing.T) []string{
		"Go": func(t *testing.T) []string {
			need(t, "go")
			binary := filepath.Join(dir, "recipe")
			if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, write("main.go", block(t, "Go", "go"))).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return []string{binary}
		},
		"Java": func(t *testing.T) []string {
			need(t, "java")
			if !strings.Contains(os.Getenv("CLASSPATH"), "jackson") {
				t.Skip("CLASSPATH does not name Jackson's jars")
			}
			return []string{"java", write("Verify.java", block(t, "Java", "java"))}
		},
		"Python": func(t *testing.T) []string {
			need(t, "python3")
			return []string{"python3", write("verify.py", block(t, "Python", "python"))}
		},
		"Node": func(t *testing.T) []string {
			need(t, "node")
			return []string{"node", write("verify.mjs", block(t, "Node", "js"))}
		},
	} {
		t.Run(heading, func(t *testing.T) {
			command := prepare(t)
			for credential, want := range map[string]struct {
				out  string
				code int
			}{
				"valid": {"VALID OK", 0}, "revoked": {"INVALID REGISTRATION_REVOKED", 1},
				"silent": {"INDETERMINATE REGISTRY_UNAVAILABLE", 1}, "busy": {"VALID OK", 0},
			} {
				out, code := run(t, dir, append(command, write(credential, credential+"\n"))...)
				if out != want.out || code != want.code {
					t.Errorf("%s: %q, exit %d", credential, out, code)
				}
			}
			if out, code := run(t, dir, append(command, write("unreadable", "what is this"))...); code == 0 || out != "" {
				t.Errorf("a refused request: %q, exit %d", out, code)
			}
		})
	}
	t.Run("curl", func(t *testing.T) {
		need(t, "sh", "curl")
		write("licence.jwt", "valid\n")
		if out, code := run(t, dir, "sh", "-c", block(t, "curl", "sh")); code != 0 || !strings.Contains(out, `"verdict":"VALID"`) {
			t.Errorf("%s, exit %d", out, code)
		}
	})
	t.Run("curl, many at once", func(t *testing.T) {
		need(t, "sh", "curl", "jq")
		write("licences.txt", "valid\nrevoked\nwhat is this\n")
		out, code := run(t, dir, "sh", "-c", block(t, "Many at once", "sh"))
		if want := "0\tVALID\tOK\n1\tINVALID\tREGISTRATION_REVOKED\n2\t-\tBAD_REQUEST"; code != 0 || out != want {
			t.Errorf("%q, exit %d", out, code)
		}
	})
}
