package deploy_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The image's last stage has the binary and no shell, is not root's, and calls
// commands that there are.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := bytes.Cut(text, []byte("\nFROM scratch\n"))
	if !found || bytes.Contains(last, []byte("\nFROM ")) {
		t.Fatal("the last stage is not scratch")
	}
	if !regexp.MustCompile(`(?m)^USER [1-9][0-9]*:[1-9][0-9]*$`).Match(last) {
		t.Error("the user is not a number above 0: Kubernetes could not tell that it is not root")
	}
	if regexp.MustCompile(`(?m)^(RUN|SHELL|ADD) `).Match(last) {
		t.Error("the last stage runs or downloads something")
	}
	if testing.Short() {
		return
	}
	commands := regexp.MustCompile(`(?m)(?:CMD|ENTRYPOINT) (.*)$`).FindAllSubmatch(last, -1)
	if len(commands) != 3 {
		t.Fatalf("%d commands, want health check, entry point and serve", len(commands))
	}
	for _, c := range commands {
		var words []string
		if err := json.Unmarshal(c[1], &words); err != nil {
			t.Errorf("%s: without a shell a command must be a list: %v", c[1], err)
			continue
		}
		if words[0] == "/gateway" {
			words = words[1:]
		}
		if said, err := exec.Command(binary, append(words, "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c[1], err, said)
		}
	}
}

// The binary asks for no loader and no library.
func TestStaticBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the built gateway: run without -short")
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Skip("not an ELF system:", err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("libraries: %v, %v", libraries, err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it asks for a loader")
		}
	}
}

// In a root with nothing but the binary and its configuration, as nobody, the
// gateway serves, says that it is healthy, and ends in order.
func TestBareRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may change the root")
	}
	f := newGateways(t, 1)
	g := f.gateways[0]
	if code := g.end(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit %d", code)
	}
	root, err := os.MkdirTemp("", "root-") // the test's own folder is closed to others
	f.ok(err)
	t.Cleanup(func() { os.RemoveAll(root) })
	f.ok(os.Chmod(root, 0o755))
	f.ok(exec.Command("cp", binary, filepath.Join(root, "gateway")).Run())
	for _, dir := range []string{"etc/tongyan", "var/lib/tongyan"} {
		f.ok(os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	const nobody = 65532
	f.ok(os.Chown(filepath.Join(root, "var/lib/tongyan"), nobody, nobody))
	config, err := os.ReadFile(g.config)
	f.ok(err)
	text := strings.ReplaceAll(string(config), g.config+".state", "/var/lib/tongyan")
	text = strings.ReplaceAll(text, f.dir, "/etc/tongyan")
	f.ok(os.WriteFile(filepath.Join(root, "etc/tongyan/gateway.yaml"), []byte(text), 0o644))
	for _, name := range []string{"gateway.pem", "gateway.key", "clients-ca.pem", "root.jwk", "sandbox-ca.pem"} {
		data, err := os.ReadFile(filepath.Join(f.dir, name))
		f.ok(err)
		f.ok(os.WriteFile(filepath.Join(root, "etc/tongyan", name), data, 0o644))
	}
	bare := func(args ...string) *exec.Cmd {
		return &exec.Cmd{Path: "/gateway", Args: append([]string{"gateway"}, args...), Dir: "/", Env: []string{},
			SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}}
	}
	p := f.launch(bare("serve", "--config", "/etc/tongyan/gateway.yaml"))
	f.until(p, func() bool { return bare("health", "--admin", g.admin).Run() == nil })
	if said, err := bare("reload", "--admin", g.admin).CombinedOutput(); err != nil {
		t.Errorf("reload: %v\n%s", err, said)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.said)
	}
	if said, err := bare("health", "--admin", g.admin).CombinedOutput(); err == nil {
		t.Errorf("an ended gateway is healthy: %s", said)
	}
}
