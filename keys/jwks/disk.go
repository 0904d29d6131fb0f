package jwks

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tongyan/keys/durable"
)

const fileTitle = "tongyan key set 1"

// maxFile bounds a file: the set in base64, and an address.
const maxFile = 2 * MaxSet

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.Clean(dir)
}

// file names the file of an issuer and address by a digest: an iss may hold anything.
func (f *follower) file() string {
	sum := sha256.Sum256([]byte(string(f.source.Issuer) + "\n" + f.source.URL))
	return filepath.Join(f.config.Dir, hex.EncodeToString(sum[:])+".keys")
}

// toDisk keeps the set in force. A failure costs nothing before the next
// restart, and is logged.
func (f *follower) toDisk(renewed time.Time) {
	if f.config.Dir == "" {
		return
	}
	b64 := base64.RawURLEncoding.EncodeToString
	content := strings.Join([]string{fileTitle, b64([]byte(f.source.Issuer)), b64([]byte(f.source.URL)),
		strconv.FormatInt(renewed.Unix(), 10), b64([]byte(f.etag)), b64(f.body), ""}, "\n")
	if err := durable.Write(f.file(), []byte(content)); err != nil {
		f.config.Log.Error("key set could not be kept on disk", "iss", f.source.Issuer, "error", err)
	}
}

// removeFile forgets the set of an issuer that the trust list dropped.
func (f *follower) removeFile() {
	if f.config.Dir == "" {
		return
	}
	if err := os.Remove(f.file()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.config.Log.Warn("key set of a dropped issuer stays on disk", "iss", f.source.Issuer, "error", err)
	}
}

// fromDisk puts the last good set in force, if it is this issuer's from this
// address, was renewed within MaxStale, and passes today's rules. Anything else
// is as good as no file: the set is fetched in a moment anyway.
func (f *follower) fromDisk() bool {
	if f.config.Dir == "" {
		return false
	}
	err := f.useFile()
	if err != nil {
		f.etag, f.body = "", nil
		if !errors.Is(err, fs.ErrNotExist) {
			f.config.Log.Warn("last good key set on disk is not used", "iss", f.source.Issuer, "error", err)
		}
	}
	return err == nil
}

func (f *follower) useFile() error {
	renewed, err := f.readFile()
	if err != nil {
		return err
	}
	// A time ahead of ours would keep the set alive for longer than promised.
	if age := time.Since(renewed); age < -time.Minute || age > f.config.MaxStale {
		return errors.New("too old, or renewed in the future")
	}
	set, out, err := parse(f.body, renewed)
	if err != nil {
		return err
	}
	f.leftOut(out)
	f.put(set)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.FromDisk = true
	return nil
}

var errOther = errors.New("another issuer's or address's, or not in the form this version writes")

// readFile reads etag and body, and when they were renewed.
func (f *follower) readFile() (renewed time.Time, err error) {
	data, err := durable.Read(f.file(), maxFile)
	if err != nil {
		return time.Time{}, err
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) != 7 || lines[0] != fileTitle {
		return time.Time{}, errOther
	}
	var parts [4][]byte
	for i, line := range [...]string{lines[1], lines[2], lines[4], lines[5]} {
		if parts[i], err = base64.RawURLEncoding.DecodeString(line); err != nil {
			return time.Time{}, errOther
		}
	}
	seconds, err := strconv.ParseInt(lines[3], 10, 64)
	if err != nil || string(parts[0]) != string(f.source.Issuer) || string(parts[1]) != f.source.URL {
		return time.Time{}, errOther
	}
	f.etag, f.body = string(parts[2]), parts[3]
	return time.Unix(seconds, 0), nil
}
