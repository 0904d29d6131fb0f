package trustlist

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tongyan/keys"
	"tongyan/keys/durable"
)

// state is what must outlive a restart. If it is forgotten, an old list and a
// revoked key can come back; so a file that is there but cannot be read stops
// the start, and never counts as empty.
type state struct {
	version int64  // the highest accepted, 0 for none
	digest  string // of that version's content
	token   []byte // the last good list itself, as it came
	revoked map[keys.Thumbprint]keys.Revocation
}

const (
	stateFile  = "trust-list.state"
	stateTitle = "tongyan trust list state 1"
	maxState   = 64 << 20 // bytes: about half a million revoked keys
)

func (s *state) clone() *state {
	c := *s
	c.revoked = maps.Clone(s.revoked)
	return &c
}

// remember adds revocations. None is ever taken away.
func (s *state) remember(more map[keys.Thumbprint]keys.Revocation) {
	for t, r := range more {
		if r.Reason != keys.ReasonSuperseded {
			r.Reason = "compromised"
		}
		if old, ok := s.revoked[t]; ok {
			r = r.Stricter(old)
		}
		s.revoked[t] = r
	}
}

// merge takes over whatever other knows better: another process, such as a
// single verify on the command line, may use the same folder.
func (s *state) merge(other *state) {
	if other.version > s.version {
		s.version, s.digest, s.token = other.version, other.digest, other.token
	}
	s.remember(other.revoked)
}

func (s *state) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nversion %d\ndigest %s\nlist %s\n", stateTitle, s.version, s.digest,
		base64.RawURLEncoding.EncodeToString(s.token))
	for _, t := range slices.Sorted(maps.Keys(s.revoked)) {
		r := s.revoked[t]
		fmt.Fprintf(&b, "revoked %s %d %s\n", t, r.At, r.Reason)
	}
	return b.Bytes()
}

func decodeState(data []byte) (*state, error) {
	bad := fmt.Errorf("trust state: %w: not in the form this version writes", durable.ErrDamaged)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) < 4 || lines[0] != stateTitle {
		return nil, bad
	}
	s := &state{revoked: map[keys.Thumbprint]keys.Revocation{}}
	var err error
	field := func(line, name string) string {
		value, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			err = bad
		}
		return value
	}
	number := func(text string) int64 {
		n, convErr := strconv.ParseInt(text, 10, 64)
		if convErr != nil || n < 0 {
			err = bad
		}
		return n
	}
	s.version, s.digest = number(field(lines[1], "version")), field(lines[2], "digest")
	token, decodeErr := base64.RawURLEncoding.DecodeString(field(lines[3], "list"))
	if decodeErr != nil {
		return nil, bad
	}
	s.token = token
	for _, line := range lines[4:] {
		parts := strings.Split(field(line, "revoked"), " ")
		if len(parts) != 3 || len(parts[0]) != 43 {
			return nil, bad
		}
		s.revoked[keys.Thumbprint(parts[0])] = keys.Revocation{At: number(parts[1]), Reason: parts[2]}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// readState reads a folder's state; a folder without one has an empty one.
func readState(dir string) (*state, error) {
	data, err := durable.Read(filepath.Join(dir, stateFile), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{revoked: map[keys.Thumbprint]keys.Revocation{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeState(data)
}

// openState makes the folder where it is missing and reads its state.
func openState(dir string) (s *state, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	err = locked(dir, func() error {
		if err := durable.Clean(dir); err != nil {
			return err
		}
		s, err = readState(dir)
		return err
	})
	return s, err
}

// save writes s to the folder, together with what others wrote there. The old
// file stays good until the new one is whole.
func (s *state) save(dir string) error {
	return locked(dir, func() error {
		there, err := readState(dir)
		if err != nil {
			return err
		}
		s.merge(there)
		return durable.Write(filepath.Join(dir, stateFile), s.encode())
	})
}

// lockTime bounds the wait for another process, which needs milliseconds; one
// that was stopped with the lock in its hand must not stop us too.
const lockTime = 2 * time.Second

// locked runs f while no other process does the same in this folder. The kernel
// takes the lock away from a process that dies.
func locked(dir string, f func() error) error {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for end := time.Now().Add(lockTime); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if time.Now().After(end) {
			return errors.New("another process holds the lock on the folder")
		}
	}
}
