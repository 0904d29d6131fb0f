// Samples: credentials of every kind, each with the verdict it must get.

package sandbox

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Sample is a credential and what a gateway that trusts this sandbox must
// say of it, submitted plainly (no holder, no freshness, default policy).
type Sample struct {
	File    string // name in the samples folder, ends in .jwt
	Token   string
	Verdict string // VALID, INVALID or INDETERMINATE
	Code    string // contract §5
	Comment string // what it shows, in English
}

// Samples returns the samples, always the same ones. The first call prepares
// what they need: it registers businesses, adds keys to the provinces' sets,
// and publishes one more version of the trust list, with a fifth, suspended
// province and some issuers that are not as they should be. Call it before
// the gateway starts, or let the gateway refresh. The samples hold for a day.
func (s *Sandbox) Samples() ([]Sample, error) {
	samples, err := s.samples()
	return slices.Clone(samples), err
}

// WriteSamples writes each sample to dir, and dir/expected.csv with the
// columns file, verdict and code. Files from an earlier call stay where their
// names are no longer used.
func (s *Sandbox) WriteSamples(dir string) error {
	samples, err := s.Samples()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("sandbox: samples: %w", err)
	}
	expected, err := os.Create(filepath.Join(dir, "expected.csv"))
	if err != nil {
		return fmt.Errorf("sandbox: samples: %w", err)
	}
	defer expected.Close()
	rows := [][]string{{"file", "verdict", "code"}}
	for _, sample := range samples {
		if err := os.WriteFile(filepath.Join(dir, sample.File), []byte(sample.Token), 0o644); err != nil {
			return fmt.Errorf("sandbox: samples: %w", err)
		}
		rows = append(rows, []string{sample.File, sample.Verdict, sample.Code})
	}
	if err := csv.NewWriter(expected).WriteAll(rows); err != nil {
		return fmt.Errorf("sandbox: samples: %w", err)
	}
	return expected.Close()
}

// firstSample is the number of the first business made for samples: far from
// those that tests and load runs count up from zero.
const firstSample = 90_000_000

// sampler collects samples. The first error sticks; everything after it does
// nothing.
type sampler struct {
	s      *Sandbox
	now    time.Time
	number int // of the next business
	out    []Sample
	err    error

	sh, js, zj, ah *Province
	keys           sampleKeys
}

func (s *Sandbox) makeSamples() ([]Sample, error) {
	m := &sampler{
		s: s, now: s.now(), number: firstSample,
		sh: s.Province("310000"), js: s.Province("320000"), zj: s.Province("330000"), ah: s.Province("340000"),
	}
	m.prepare()
	for _, chapter := range []func(){
		m.validOnes, m.warned, m.badFormat, m.badHeader, m.badClaims, m.badIssuer, m.badKey,
		m.badAlgorithm, m.badSignature, m.badTimes, m.badSubject, m.registered,
		m.disclosuresValid, m.disclosuresBad, m.proofs, m.credentials, m.listed,
	} {
		if m.err == nil {
			chapter()
		}
	}
	if m.err != nil {
		return nil, fmt.Errorf("sandbox: samples: %w", m.err)
	}
	return m.out, nil
}

func (m *sampler) keep(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *sampler) add(name, verdict, code, comment, token string) {
	m.out = append(m.out, Sample{name + ".jwt", token, verdict, code, comment})
}

func (m *sampler) valid(name, comment, token string) { m.add(name, "VALID", "OK", comment, token) }

func (m *sampler) invalid(name, code, comment, token string) {
	m.add(name, "INVALID", code, comment, token)
}

func (m *sampler) unclear(name, code, comment, token string) {
	m.add(name, "INDETERMINATE", code, comment, token)
}

// next invents a business that no other sample uses.
func (m *sampler) next(p *Province, class Class) *Business {
	m.number++
	b := p.Business(class, m.number)
	return &b
}

// mint mints with a business of its own, unless spec names one.
func (m *sampler) mint(p *Province, spec LicenceSpec) string {
	if spec.Business == nil {
		spec.Business = m.next(p, spec.Class)
	}
	token, _, err := p.Mint(spec)
	m.keep(err)
	return token
}

// edit mints one whose header and claims were changed before signing.
func (m *sampler) edit(p *Province, change func(header, claims map[string]any)) string {
	return m.mint(p, LicenceSpec{Edit: change})
}

// header, claim and member mint one with a single change; a nil value in
// place of one is JSON null, and absent takes the thing out.
func (m *sampler) header(p *Province, name string, value any) string {
	return m.edit(p, func(header, _ map[string]any) { assign(header, name, value) })
}

func (m *sampler) claim(p *Province, name string, value any) string {
	return m.edit(p, func(_, claims map[string]any) { assign(claims, name, value) })
}

func (m *sampler) member(p *Province, name string, value any) string {
	return m.edit(p, func(_, claims map[string]any) {
		assign(claims["licence"].(map[string]any), name, value)
	})
}

type absence struct{}

var absent absence

func assign(object map[string]any, name string, value any) {
	if value == absent {
		delete(object, name)
		return
	}
	object[name] = value
}

// text signs what change makes of the header's and the claims' bytes: the
// signature is good, whatever became of the JSON.
func (m *sampler) text(p *Province, change func(header, claims string) (string, string)) string {
	key := p.SigningKey("")
	b := m.next(p, Company)
	claims := p.claims(LicenceSpec{}, *b)
	claims["licence"] = b.Members()
	payload, err := json.Marshal(claims)
	m.keep(err)
	header, err := json.Marshal(map[string]any{"typ": "ebl+jwt", "alg": key.Alg, "kid": key.KID})
	m.keep(err)
	h, c := change(string(header), string(payload))
	token, err := SignCompact([]byte(h), []byte(c), key)
	m.keep(err)
	return token
}
