package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A setup is what a gateway's configuration says beyond that of every run.
type setup struct {
	trust   string // members of the section trust, each behind a comma
	parties string // further relying parties, a line each
	more    string // further sections
}

// party is a line for relying_parties: somebody with any rate, in a lane.
func party(id, key, lane string) string {
	digest := sha256.Sum256([]byte(key))
	return fmt.Sprintf("  - { id: %s, key_sha256: %q, scopes: [verify, batch, licence], rate: 1000000, burst: 1000000, lane: %s }\n",
		id, hex.EncodeToString(digest[:]), lane)
}

// gauge returns a metric without labels.
func (g *gateway) gauge(ctx context.Context, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for scan := bufio.NewScanner(io.LimitReader(resp.Body, 4<<20)); scan.Scan(); {
		if value, ok := strings.CutPrefix(scan.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// ratio adds a row for something that may be at most so many times another.
func (t *table) ratio(what string, got, of, most float64) {
	r := got / of
	t.bound(what, fmt.Sprintf("%.2f ×", r), fmt.Sprintf("%.2f ×", most), r <= most)
}
