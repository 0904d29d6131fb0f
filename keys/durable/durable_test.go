package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"tongyan/keys/durable"
)

func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	if _, err := durable.Read(file, 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, content := range []string{"first\n", "", "second line\nthird\n"} {
		if err := durable.Write(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := durable.Read(file, int64(len(content)))
		if err != nil || string(got) != content {
			t.Errorf("%q reads as %q, %v", content, got, err)
		}
	}
	if _, err := durable.Read(file, 5); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("longer than wanted: %v", err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("readable to others: %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files where one was written", len(left))
	}
}

// Every cut and every flipped bit is noticed.
func TestDamage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := durable.Write(file, []byte("version 7\n")); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	try := func(bad []byte) error {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := durable.Read(file, 1000)
		return err
	}
	for n := range good {
		if err := try(good[:n]); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	for i := range len(good) * 8 {
		bad := append([]byte{}, good...)
		bad[i/8] ^= 1 << (i % 8)
		if err := try(bad); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("bit %d flipped: %v", i, err)
		}
	}
	if err := try(append(good, '\n')); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("a byte behind: %v", err)
	}
}

// What cannot be written leaves the old content, and nothing beside it.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	if err := durable.Write(filepath.Join(dir, "gone", "state"), []byte("x\n")); err == nil {
		t.Error("written into a folder that is not there")
	}
	// A folder in the file's place: the last step fails.
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(file, []byte("x\n")); err == nil {
		t.Error("written over a folder")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("a failed write leaves %v", left)
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"state", "state.123.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.Clean(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "state" {
		t.Errorf("%v left", left)
	}
}
