package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tongyan/sandbox"
)

// receipts measures what a receipt costs: asked for again and again, and for a
// verdict that was never given before.
func receipts(ctx context.Context, b *bench) (*table, error) {
	t := bounds()
	s, err := b.newStage(ctx, "ES256", sandbox.EBLJWT)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.receiptKey(); err != nil {
		return nil, err
	}
	more := setup{more: "receipts: { issuer: https://gateway.bench.example, key_file: receipt.jwk }\n"}
	// side measures requests with or without a receipt.
	side := func(name string, credentials, prime []string, layer string, receipt bool) (*contestant, error) {
		lines := make([]string, len(credentials))
		for i, credential := range credentials {
			line, _ := json.Marshal(map[string]any{"credential": credential, "receipt": receipt})
			lines[i] = string(line)
		}
		l, err := b.newLoad(fmt.Sprint("receipt-", name, receipt), s.key, lines)
		if err != nil {
			return nil, err
		}
		l.media = "application/json"
		var g *gateway
		var before figures
		return &contestant{name: name, load: l,
			start: func(ctx context.Context) (_ *process, _ string, err error) {
				if g, err = s.startWith(ctx, serverCore, more); err != nil {
					return nil, "", err
				}
				if err = s.client.all(ctx, g.addr, prime); err == nil {
					// The first receipts, where they are to be repeated.
					if layer == "memory" {
						_, err = drive(ctx, g.addr, l, time.Second)
					}
					if err == nil {
						before, err = g.figures(ctx)
					}
				}
				if err != nil {
					g.kill()
					return nil, "", err
				}
				return g.process, g.addr, nil
			},
			check: func(ctx context.Context, t *tally) error {
				after, err := g.figures(ctx)
				if err != nil {
					return err
				}
				grown := after.since(before)
				return found(layer, 1)(grown, grown.sum("tongyan_verdicts_total"))
			},
		}, nil
	}
	for _, c := range []struct {
		name        string
		credentials []string
		prime       []string
		layer       string
	}{
		{"repeated", s.corpus[:hotSet], s.corpus[:hotSet], "memory"},
		{"new", s.corpus[businesses:], s.corpus[:businesses], "nowhere"},
	} {
		plain, err := side(c.name, c.credentials, c.prime, c.layer, false)
		if err != nil {
			return nil, err
		}
		with, err := side(c.name, c.credentials, c.prime, c.layer, true)
		if err != nil {
			return nil, err
		}
		var plains, withs, more []float64
		for i := range b.rounds {
			var costs [2]float64
			for _, k := range []int{i % 2, 1 - i%2} {
				r, err := b.turn(ctx, []*contestant{plain, with}[k])
				if err != nil {
					return nil, fmt.Errorf("%s: %w", c.name, err)
				}
				costs[k] = float64(r.cost)
			}
			plains, withs = append(plains, costs[0]), append(withs, costs[1])
			if c.name == "repeated" {
				more = append(more, costs[1]/costs[0])
			} else {
				more = append(more, (costs[1]-costs[0])/1e3)
			}
		}
		t.row(c.name+": CPU a request without, with", cell(time.Duration(median(plains)))+", "+cell(time.Duration(median(withs))), "", "")
		m := median(paired(more))
		if c.name == "repeated" {
			t.bound("repeated: more", fmt.Sprintf("%+.0f %%", 100*(m-1)), "+10 %", m <= 1.10)
			t.note("repeated, rounds: %.2f", more)
		} else {
			t.bound("new: more", fmt.Sprintf("%+.1f µs", m), "+40 µs", m <= 40)
			raw, err := rawSigning()
			if err != nil {
				return nil, err
			}
			t.note("new, rounds: %+.1f µs; a raw ecdsa.SignASN1 took %.1f µs beside them", more, raw)
		}
	}
	return t, nil
}

// paired returns the means of two rounds each, in which the other one began: who
// begins is slower here, by more than what is measured.
func paired(rounds []float64) []float64 {
	if len(rounds) < 2 {
		return rounds
	}
	var means []float64
	for i := 1; i < len(rounds); i += 2 {
		means = append(means, (rounds[i-1]+rounds[i])/2)
	}
	return means
}

// rawSigning is what one signature takes, in microseconds.
func rawSigning() (float64, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("signed again and again"))
	return rawTime(func() bool {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err == nil
	}) / 1e3, nil
}

// receiptKey writes an ES256 key for receipts.
func (s *site) receiptKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	d, err := key.Bytes()
	if err != nil {
		return err
	}
	text := base64.RawURLEncoding.EncodeToString
	jwk, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": text(point[1:33]), "y": text(point[33:]), "d": text(d)})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "receipt.jwk"), jwk, 0o600)
}
