package workload

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tongyan/loadtest/internal/profile"
	"tongyan/loadtest/internal/verdict"
)

// Bounds of a corpus.
const (
	maxSamples   = 200_000
	maxSampleLen = 256 << 10
)

// FromCorpus reads a samples folder, as gateway demo writes it: expected.csv
// with the columns file, verdict and code, and the files beside it.
func FromCorpus(dir string, w profile.Workload, seed uint64) (*Mix, error) {
	root, err := os.OpenRoot(dir) // names in the table stay inside the folder
	if err != nil {
		return nil, fmt.Errorf("workload: samples: %w", err)
	}
	defer root.Close()
	table, err := root.Open("expected.csv")
	if err != nil {
		return nil, fmt.Errorf("workload: samples: %w", err)
	}
	defer table.Close()
	rows := csv.NewReader(table)
	head, err := rows.Read()
	if err != nil || len(head) < 3 || !slices.Equal(head[:3], []string{"file", "verdict", "code"}) {
		return nil, fmt.Errorf("workload: %s: its first line is not file,verdict,code", filepath.Join(dir, "expected.csv"))
	}
	var p parts
	for len(p.hot)+len(p.samples) < maxSamples {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("workload: expected.csv: %w", err)
		}
		body, err := readSample(root, row[0])
		if err != nil {
			return nil, fmt.Errorf("workload: samples: %w", err)
		}
		item := &Item{
			Body: body, Media: "application/jwt", Name: row[0], Class: "sample " + row[1],
			Want: verdict.Want{Verdict: row[1], Code: row[2]},
		}
		switch row[1] {
		case "VALID":
			p.hot = append(p.hot, item)
		case "INVALID", "INDETERMINATE":
			p.samples = append(p.samples, item)
		default:
			return nil, fmt.Errorf("workload: expected.csv: %s: %q is no verdict", row[0], row[1])
		}
	}
	return newMix(p, w, seed)
}

func readSample(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxSampleLen+1))
	if err == nil && len(body) > maxSampleLen {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("longer than 256 KiB")}
	}
	return body, err
}
