package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tongyan/gateway/internal/audit"
)

// written returns the lines of a good file: the beginning and 20 verdicts.
func written(t *testing.T) [][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	add(t, l, 0, 20)
	closeLog(t, l)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.SplitAfter(data, []byte{'\n'})[:21]
}

func check(anchor *audit.Head, lines [][]byte) error {
	c := audit.Check{Anchor: anchor}
	if err := c.File("f", bytes.NewReader(slices.Concat(lines...))); err != nil {
		return err
	}
	return c.End()
}

func TestFaults(t *testing.T) {
	base := written(t)
	other := base // the same verdicts, begun at another moment
	for bytes.Equal(base[0], other[0]) {
		other = written(t)
	}
	edit := func(i int, from, to string) func([][]byte) [][]byte {
		return func(l [][]byte) [][]byte {
			if !bytes.Contains(l[i], []byte(from)) {
				t.Fatalf("no %q in %s", from, l[i])
			}
			l[i] = bytes.Replace(l[i], []byte(from), []byte(to), 1)
			return l
		}
	}
	remove := func(from, to int) func([][]byte) [][]byte {
		return func(l [][]byte) [][]byte { return slices.Delete(l, from, to) }
	}
	for name, tc := range map[string]struct {
		change func([][]byte) [][]byte
		kind   audit.Kind
		line   int64
	}{
		"a verdict edited":         {edit(7, "VALID", "INVALID"), audit.Altered, 8},
		"the last edited":          {edit(20, "VALID", "INVALID"), audit.Altered, 21},
		"the first edited":         {edit(0, "begin", "bEgin"), audit.Altered, 1},
		"a hash edited":            {edit(7, `"hash":"`, `"hash":"A`), audit.Altered, 8},
		"a blank put in":           {edit(7, `,"party"`, `, "party"`), audit.Altered, 8},
		"a member behind the hash": {edit(7, "\"}\n", "\",\"x\":1}\n"), audit.Altered, 8},
		"a blank line":             {edit(7, "\n", "\n\n"), audit.Altered, 9},
		"CR LF":                    {edit(7, "\n", "\r\n"), audit.Altered, 8},
		"two lines in one":         {edit(7, "\n", ""), audit.Altered, 8},
		"one removed":              {remove(7, 8), audit.Missing, 8},
		"three removed":            {remove(7, 10), audit.Missing, 8},
		"the beginning removed":    {remove(0, 1), audit.Missing, 1},
		"the first two removed":    {remove(0, 2), audit.Missing, 1},
		"neighbours swapped":       {func(l [][]byte) [][]byte { l[7], l[8] = l[8], l[7]; return l }, audit.Reordered, 8},
		"far ones swapped":         {func(l [][]byte) [][]byte { l[3], l[19] = l[19], l[3]; return l }, audit.Reordered, 4},
		"one twice":                {func(l [][]byte) [][]byte { return slices.Insert(l, 8, l[7]) }, audit.Reordered, 9},
		"one moved down":           {func(l [][]byte) [][]byte { x := l[5]; return slices.Insert(slices.Delete(l, 5, 6), 15, x) }, audit.Reordered, 6},
		"the whole again":          {func(l [][]byte) [][]byte { return append(l, l...) }, audit.Missing, 22},
		"the end torn":             {func(l [][]byte) [][]byte { l[20] = l[20][:100]; return l }, audit.Torn, 21},
		"only its line feed":       {func(l [][]byte) [][]byte { l[20] = l[20][:len(l[20])-1]; return l }, audit.Torn, 21},
		"a very long line":         {func(l [][]byte) [][]byte { return append(l, []byte(strings.Repeat("x", 20<<10)+"\n")) }, audit.Altered, 22},
		"nothing left":             {func([][]byte) [][]byte { return nil }, audit.Missing, 1},
		"removed, then torn":       {func(l [][]byte) [][]byte { l[20] = l[20][:9]; return slices.Delete(l, 4, 5) }, audit.Missing, 5},
		"a line of another chain":  {func(l [][]byte) [][]byte { l[7] = other[7]; return l }, audit.Altered, 8},
		"its end too":              {func(l [][]byte) [][]byte { return append(l[:7], other[7:]...) }, audit.Altered, 7},
		"only the last":            {func(l [][]byte) [][]byte { l[20] = other[20]; return l }, audit.Altered, 20},
	} {
		t.Run(name, func(t *testing.T) {
			lines := make([][]byte, len(base))
			for i, l := range base {
				lines[i] = bytes.Clone(l)
			}
			err := check(nil, tc.change(lines))
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.Kind != tc.kind || fault.Line != tc.line {
				t.Errorf("got %v, want line %d %s", err, tc.line, tc.kind)
			}
		})
	}
	if err := check(nil, base); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// No change of a byte passes.
func TestAnyByte(t *testing.T) {
	lines := written(t)
	data := slices.Concat(lines...)
	for range 3000 {
		i, bit := rand.IntN(len(data)), byte(1)<<rand.IntN(8)
		data[i] ^= bit
		err := check(nil, [][]byte{data})
		var fault *audit.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if at := int64(1 + bytes.Count(data[:i], []byte{'\n'})); fault.Line != at && fault.Line != at-1 && fault.Line != at+1 {
			t.Fatalf("byte %d is in line %d, found %v", i, at, fault)
		}
		data[i] ^= bit
	}
}

// Whole lines missing at the end leave a good chain: the head noted elsewhere
// tells, and it tells of a chain made anew.
func TestAnchor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l, _ := open(t, audit.Options{Path: path, Refuse: true})
	add(t, l, 0, 20)
	head := l.Head()
	closeLog(t, l)
	data, _ := os.ReadFile(path)
	lines := bytes.SplitAfter(data, []byte{'\n'})[:21]
	if err := check(&head, lines); err != nil {
		t.Error(err)
	}
	var fault *audit.Fault
	if err := check(nil, lines[:18]); err != nil {
		t.Errorf("%v", err)
	}
	if err := check(&head, lines[:18]); !errors.As(err, &fault) || fault.Kind != audit.Missing || fault.Line != 19 {
		t.Errorf("%v", err)
	}
	if err := check(&head, written(t)); !errors.As(err, &fault) || fault.Kind != audit.Altered || fault.Line != 21 {
		t.Errorf("%v", err)
	}
	if err := check(&audit.Head{Number: 3}, lines); !errors.As(err, &fault) || fault.Line != 4 {
		t.Errorf("%v", err)
	}
}

// An end torn by a kill is cut off, and the cut stands in the file.
func TestTornEnd(t *testing.T) {
	line := written(t)[3]
	for _, n := range []int{1, 50, len(line) - 1} {
		path := filepath.Join(t.TempDir(), "a")
		l, _ := open(t, audit.Options{Path: path, Refuse: true})
		add(t, l, 0, 5)
		closeLog(t, l)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(line[:n])
		f.Close()
		l, r := open(t, audit.Options{Path: path, Refuse: true})
		add(t, l, 5, 8)
		closeLog(t, l)
		if r.Cut != int64(n) || r.Altered {
			t.Errorf("%+v", r)
		}
		if got := good(t, path); got.Cut != int64(n) || got.Verdicts != 8 || got.Starts != 1 {
			t.Errorf("%+v", got)
		}
	}
	// Nothing whole in the file at all.
	path := filepath.Join(t.TempDir(), "a")
	os.WriteFile(path, line[:40], 0o600)
	l, r := open(t, audit.Options{Path: path})
	closeLog(t, l)
	if got := good(t, path); r.Cut != 40 || got.Cut != 40 || got.First != 0 {
		t.Errorf("%+v %+v", r, got)
	}
}

// A last line that was altered is evidence: it is set aside, not cut off, and
// verification of the series points at it.
func TestAlteredEnd(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"edited": func(b []byte) []byte {
			return bytes.Replace(b, []byte("vrf_000000000004"), []byte("vrf_000000000009"), 1)
		},
		"garbage":   func(b []byte) []byte { return append(b, "hello\n"...) },
		"too long":  func(b []byte) []byte { return append(b, strings.Repeat("x", 64<<10)...) },
		"and torn":  func(b []byte) []byte { return append(b, "hello\nwor"...) },
		"long, end": func(b []byte) []byte { return append(b, strings.Repeat("x", 64<<10)+"\n"...) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			l, _ := open(t, audit.Options{Path: path, Refuse: true})
			add(t, l, 0, 5)
			closeLog(t, l)
			data, _ := os.ReadFile(path)
			spoiled := spoil(data)
			os.WriteFile(path, spoiled, 0o600)
			l, r := open(t, audit.Options{Path: path, Refuse: true})
			add(t, l, 5, 8)
			closeLog(t, l)
			if !r.Altered || r.Cut != 0 {
				t.Errorf("%+v", r)
			}
			if kept, _ := os.ReadFile(path + ".000001"); !bytes.Equal(kept, spoiled) {
				t.Error("what was found did not stay as it was")
			}
			files, _ := audit.Series(path)
			_, err := audit.VerifyFiles(nil, files...)
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.File != path+".000001" {
				t.Errorf("%v", err)
			}
			if _, err := audit.VerifyFiles(nil, path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSeries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	for _, name := range []string{".000002", ".1000000", ".000010", ".1", ".old", ".0000003", ".000000", ".-00001"} {
		os.WriteFile(path+name, nil, 0o600)
	}
	got, err := audit.Series(path)
	want := []string{path + ".000002", path + ".000010", path + ".1000000", path}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte("{\"n\":0,\"prev\":\"" + audit.Hash{}.String() + "\",\"event\":\"begin\",\"hash\":\"" + audit.Hash{}.String() + "\"}\n"))
	f.Add([]byte(`,"hash":"` + "\n"))
	f.Add([]byte(`,"hash":"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := check(nil, [][]byte{data})
		var fault *audit.Fault
		if err != nil && !errors.As(err, &fault) {
			t.Fatal(err)
		}
		if fault != nil && fmt.Sprint(fault) == "" {
			t.Fatal("no words")
		}
	})
}
