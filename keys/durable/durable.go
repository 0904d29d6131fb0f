// Package durable replaces small files so that a crash or a full disk leaves
// the old content, and tells damaged content from good.
package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrDamaged is wrapped by errors of [Read] about a file that is there, but is
// not what [Write] wrote.
var ErrDamaged = errors.New("damaged")

// The last line of a file is the digest of all before it. It guards against
// accidents only: who can write the file can also write the digest.
const (
	sumLabel = "sha256 "
	sumLine  = len(sumLabel) + 2*sha256.Size + 1
)

// Write replaces the file: written beside, synced, renamed, and the folder
// synced. Content is whole lines.
func Write(file string, content []byte) (err error) {
	dir := filepath.Dir(file)
	sum := sha256.Sum256(content)
	content = append(bytes.Clone(content), sumLabel+hex.EncodeToString(sum[:])+"\n"...)
	// os.CreateTemp makes it readable to its owner only.
	f, err := os.CreateTemp(dir, filepath.Base(file)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncFolder(dir)
}

// Read returns the content of a file that Write wrote, of at most max bytes.
// The error wraps fs.ErrNotExist if there is none, ErrDamaged if it is not whole.
func Read(file string, max int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+int64(sumLine)+1))
	if err != nil {
		return nil, err
	}
	split := len(data) - sumLine
	if split < 0 || int64(split) > max {
		return nil, fmt.Errorf("%s: %w: cut short, or too long", file, ErrDamaged)
	}
	sum := sha256.Sum256(data[:split])
	if string(data[split:]) != sumLabel+hex.EncodeToString(sum[:])+"\n" {
		return nil, fmt.Errorf("%s: %w: its last line does not fit the rest", file, ErrDamaged)
	}
	return data[:split], nil
}

// Clean removes what a crash in the middle of Write left behind in a folder.
// Nobody may be writing there meanwhile.
func Clean(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*.new"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}
