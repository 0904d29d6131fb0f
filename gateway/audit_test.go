package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tongyan/gateway/internal/audit"
)

func auditCommand(args ...string) (out string, code int) {
	cmd := newAuditCommand()
	var b bytes.Buffer
	cmd.SetOut(&b)
	cmd.SetErr(&b)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"verify"}, args...))
	err := cmd.Execute()
	var coded *exit
	switch {
	case errors.As(err, &coded):
		return b.String() + coded.Error(), coded.code
	case err != nil:
		return err.Error(), exitUsage // as run has it
	}
	return b.String(), exitOK
}

func TestAuditVerify(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	for range 2 {
		l, _, err := audit.Open(audit.Options{Path: path, Refuse: true, MaxSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := l.Append(t.Context(), &audit.Entry{ID: "vrf_1", Party: "hall"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	out, code := auditCommand(path)
	if code != exitOK || !strings.HasPrefix(out, "good: 20 verdicts") || !strings.Contains(out, "1 later starts") {
		t.Fatalf("%d %s", code, out)
	}
	_, head, _ := strings.Cut(strings.TrimSpace(out), "head: ")
	if out, code := auditCommand("--noted", head, path); code != exitOK {
		t.Errorf("%d %s", code, out)
	}
	if out, code := auditCommand(path+".000002", path+".000003"); code != exitOK || !strings.Contains(out, "elsewhere") {
		t.Errorf("%d %s", code, out)
	}
	for name, args := range map[string][]string{
		"nothing": {}, "no such file": {filepath.Join(dir, "none")}, "no such folder": {filepath.Join(dir, "no", "ne")}, "a folder": {dir},
		"a bad head": {"--noted", "x", path}, "a bad number": {"--noted", "-1:" + audit.Hash{}.String(), path}, "a bad hash": {"--noted", "1:AAAA", path},
	} {
		if out, code := auditCommand(args...); code != exitUsage {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	// A line edited by hand, in a file that was rotated away long ago.
	data, _ := os.ReadFile(path + ".000002")
	os.WriteFile(path+".000002", bytes.Replace(data, []byte(`"hall"`), []byte(`"bank"`), 1), 0o600)
	if out, code := auditCommand(path); code != exitInvalid || !strings.Contains(out, path+".000002: line 2") || !strings.Contains(out, "altered") {
		t.Errorf("%d %s", code, out)
	}
	os.Remove(path + ".000002")
	if out, code := auditCommand(path); code != exitInvalid || !strings.Contains(out, path+".000003: line 1") || !strings.Contains(out, "missing") {
		t.Errorf("%d %s", code, out)
	}
	if out, code := auditCommand("--noted", "999999:"+audit.Hash{}.String(), path+".000003"); code != exitInvalid {
		t.Errorf("%d %s", code, out)
	}
}
