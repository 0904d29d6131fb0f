package sandbox_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tongyan/sandbox"
)

// reachable is every code that a credential without more can lead to (contract
// §5), written down here a second time.
var reachable = strings.Fields(`OK
	FORMAT_MALFORMED FORMAT_DUPLICATE_MEMBER HEADER_INVALID HEADER_NOT_ALLOWED CLAIM_MISSING CLAIM_INVALID
	ISSUER_NOT_RECOGNISED ISSUER_SUSPENDED ISSUER_NOT_AUTHORISED
	KEY_NOT_FOUND KEY_REVOKED KEY_OUTSIDE_WINDOW ALGORITHM_NOT_ALLOWED KEYS_UNAVAILABLE
	SIGNATURE_INVALID NOT_YET_VALID EXPIRED ISSUED_IN_FUTURE USCC_INVALID SUBJECT_MISMATCH
	REGISTRATION_REVOKED REGISTRATION_CANCELLED REGISTRATION_ANNULLED REGISTRATION_MOVED REGISTRATION_NOT_FOUND
	LICENCE_SUPERSEDED REGISTRY_UNAVAILABLE REGISTRATION_STATE_UNKNOWN
	HOLDER_PROOF_INVALID
	STATUS_REVOKED STATUS_SUSPENDED STATUS_NOT_VALID STATUS_REFERENCE_INVALID STATUS_UNAVAILABLE`)

func TestSamplesCoverTheTable(t *testing.T) {
	s := start(t, sandbox.Options{})
	samples, err := s.Samples()
	if err != nil {
		t.Fatal(err)
	}
	envelopes := make(map[string]int)
	for _, sample := range samples {
		first, _, _ := strings.Cut(sample.File, "-")
		envelopes[first]++
	}
	if envelopes["sd"] < 30 || envelopes["vc"] < 15 || len(samples)-envelopes["sd"]-envelopes["vc"] < 40 {
		t.Errorf("%d samples, by envelope %v", len(samples), envelopes)
	}
	codes, files, tokens := make(map[string]int), make(map[string]bool), make(map[string]string)
	for _, sample := range samples {
		codes[sample.Code]++
		if files[sample.File] || !strings.HasSuffix(sample.File, ".jwt") || filepath.Base(sample.File) != sample.File {
			t.Errorf("file name %q", sample.File)
		}
		files[sample.File] = true
		if twin := tokens[sample.Token]; twin != "" || sample.Token == "" || sample.Comment == "" {
			t.Errorf("%s: empty, without comment, or the same as %s", sample.File, twin)
		}
		tokens[sample.Token] = sample.File
		open := map[string]bool{"KEYS_UNAVAILABLE": true, "REGISTRY_UNAVAILABLE": true, "REGISTRATION_STATE_UNKNOWN": true, "STATUS_UNAVAILABLE": true}
		want := "INVALID"
		switch {
		case sample.Code == "OK":
			want = "VALID"
		case open[sample.Code]:
			want = "INDETERMINATE"
		}
		if sample.Verdict != want {
			t.Errorf("%s: %s %s", sample.File, sample.Verdict, sample.Code)
		}
	}
	for _, code := range reachable {
		if codes[code] == 0 {
			t.Errorf("no sample leads to %s", code)
		}
	}
	again, err := s.Samples()
	if err != nil || len(again) != len(samples) || again[0] != samples[0] {
		t.Error("asked again, other samples")
	}
	t.Logf("%d samples, %d codes", len(samples), len(codes))
}

// A sample that should fail behind the signature must have a good one, and
// one that should fail at it, a bad one: else it shows something else.
func TestSampleSignatures(t *testing.T) {
	s := start(t, sandbox.Options{})
	samples, err := s.Samples()
	if err != nil {
		t.Fatal(err)
	}
	behind := strings.Fields(`OK NOT_YET_VALID EXPIRED ISSUED_IN_FUTURE USCC_INVALID SUBJECT_MISMATCH
		REGISTRATION_REVOKED REGISTRATION_CANCELLED REGISTRATION_ANNULLED REGISTRATION_MOVED REGISTRATION_NOT_FOUND
		LICENCE_SUPERSEDED REGISTRY_UNAVAILABLE REGISTRATION_STATE_UNKNOWN KEY_OUTSIDE_WINDOW KEY_REVOKED
		HOLDER_PROOF_INVALID STATUS_REVOKED STATUS_SUSPENDED STATUS_NOT_VALID STATUS_REFERENCE_INVALID STATUS_UNAVAILABLE`)
	good, bad := 0, 0
	for _, sample := range samples {
		isGood := slices.Contains(behind, sample.Code)
		if !isGood && sample.Code != "SIGNATURE_INVALID" || strings.Contains(sample.File, "ed25519-by-name") {
			continue // that name is unknown to the library
		}
		signed, _, _ := strings.Cut(sample.Token, "~")
		header, claims := open(t, signed)
		raw := findKey(t, s, issuerOf(claims), header["kid"].(string))
		if raw == nil {
			t.Errorf("%s: its key stands nowhere", sample.File)
			continue
		}
		if got := verifies(t, signed, raw); got != isGood {
			t.Errorf("%s: signature verifies: %v", sample.File, got)
		}
		if isGood {
			good++
		} else {
			bad++
		}
	}
	if good < 60 || bad < 10 {
		t.Errorf("%d good and %d bad signatures looked at", good, bad)
	}
}

// Standings are what the samples' codes say.
func TestSampleStandings(t *testing.T) {
	s := start(t, sandbox.Options{})
	samples, err := s.Samples()
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{
		"OK": "1", "REGISTRATION_REVOKED": "23", "REGISTRATION_CANCELLED": "4", "REGISTRATION_ANNULLED": "5",
		"REGISTRATION_MOVED": "6", "REGISTRATION_STATE_UNKNOWN": "9", "LICENCE_SUPERSEDED": "1", "REGISTRY_UNAVAILABLE": "1",
		"REGISTRATION_NOT_FOUND": "",
	}
	byIssuer := make(map[string]*sandbox.Province)
	for _, p := range s.Provinces() {
		byIssuer[p.Issuer] = p
	}
	for _, sample := range samples {
		want, looked := states[sample.Code]
		if !looked {
			continue
		}
		signed, _, _ := strings.Cut(sample.Token, "~")
		_, claims := open(t, signed)
		p := byIssuer[issuerOf(claims)]
		if p == nil {
			p = s.Province("340000") // the city of Hefei
		}
		licence := licenceOf(claims)
		rec, ok := p.Registry.Record(licence["uniscid"].(string))
		if ok != (want != "") || !strings.Contains(want, rec.RegState) {
			t.Errorf("%s: registered %v, state %q", sample.File, ok, rec.RegState)
		}
		if ok && (rec.ApprDate > licence["apprdate"].(string)) != (sample.Code == "LICENCE_SUPERSEDED") {
			t.Errorf("%s: approved %s, the register says %s", sample.File, licence["apprdate"], rec.ApprDate)
		}
	}
}

func TestWriteSamples(t *testing.T) {
	s := start(t, sandbox.Options{})
	dir := filepath.Join(t.TempDir(), "samples")
	if err := s.WriteSamples(dir); err != nil {
		t.Fatal(err)
	}
	expected, err := os.Open(filepath.Join(dir, "expected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer expected.Close()
	rows, err := csv.NewReader(expected).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	samples, err := s.Samples()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "file,verdict,code" || len(rows) != len(samples)+1 {
		t.Fatalf("header %s, %d rows for %d samples", got, len(rows), len(samples))
	}
	for i, row := range rows[1:] {
		token, err := os.ReadFile(filepath.Join(dir, row[0]))
		if want := samples[i]; err != nil || string(token) != want.Token || row[1] != want.Verdict || row[2] != want.Code {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// findKey looks a key up where a gateway would: inline in the trust list, or
// in the set of the province.
func findKey(t testing.TB, s *sandbox.Sandbox, iss, kid string) []byte {
	t.Helper()
	list, err := s.Trust.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list.Provinces {
		for _, issuer := range entry.Issuers {
			if issuer.Iss != iss {
				continue
			}
			set := []byte(issuer.JWKS)
			if p := s.Province(entry.Code); set == nil && p != nil {
				set = p.Keys.Bytes()
			}
			var keys struct{ Keys []json.RawMessage }
			if err := json.Unmarshal(set, &keys); err != nil {
				t.Fatal(err)
			}
			for _, raw := range keys.Keys {
				var name struct{ Kid string }
				if err := json.Unmarshal(raw, &name); err != nil {
					t.Fatal(err)
				}
				if name.Kid == kid {
					return raw
				}
			}
		}
	}
	return nil
}

// issuerOf and licenceOf find what the envelopes keep in different places.
func issuerOf(claims map[string]any) string {
	if iss, ok := claims["iss"].(string); ok {
		return iss
	}
	if object, ok := claims["issuer"].(map[string]any); ok {
		return object["id"].(string)
	}
	return claims["issuer"].(string)
}

func licenceOf(claims map[string]any) map[string]any {
	if subject, ok := claims["credentialSubject"].(map[string]any); ok {
		claims = subject
	}
	return claims["licence"].(map[string]any)
}
