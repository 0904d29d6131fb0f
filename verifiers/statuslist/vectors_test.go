package statuslist_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tongyan/strict"
	"tongyan/verifiers/statuslist"
)

const vectors = "../../../shared/data/vectors/token_status_list"

type vector struct {
	Bits       int
	Entries    int64
	Lst        string
	NonDefault map[string]uint8 `json:"non_default"`
	AllOthers  uint8            `json:"all_others"`
	Values     []uint8
	Source     string
}

// want returns the status at i.
func (v *vector) want(i int64) uint8 {
	if v.Values != nil {
		return v.Values[i]
	}
	if value, ok := v.NonDefault[strconv.FormatInt(i, 10)]; ok {
		return value
	}
	return v.AllOthers
}

func published(t *testing.T) []vector {
	t.Helper()
	if _, err := os.Stat(vectors); err != nil {
		t.Skip("published vectors are not here:", err)
	}
	data, err := os.ReadFile(filepath.Join(vectors, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every entry of every published list.
func TestPublishedLists(t *testing.T) {
	all := published(t)
	entries := int64(0)
	for _, v := range all {
		d := newList(now, v.Bits)
		d.list()["lst"] = v.Lst
		l, err := read(t, d.bytes())
		if err != nil {
			t.Errorf("%s: %v", v.Source, err)
			continue
		}
		for i := range v.Entries {
			if got, ok := l.Value(i); !ok || got != v.want(i) {
				t.Fatalf("%s: entry %d is %d, %v, want %d", v.Source, i, got, ok, v.want(i))
			}
		}
		if _, ok := l.Value(v.Entries); ok {
			t.Errorf("%s: more than %d entries", v.Source, v.Entries)
		}
		entries += v.Entries
	}
	if len(all) < 6 {
		t.Errorf("only %d lists found", len(all))
	}
	t.Logf("%d lists, %d entries", len(all), entries)
}

var lstMember = regexp.MustCompile(`"lst":\s*"([^"]*)"`)

// The draft's own files: those in JSON are the lists above; the signed token is
// read as far as it can be without its key; CBOR and CWT are not taken.
func TestPublishedFiles(t *testing.T) {
	lists := map[string]string{}
	for _, v := range published(t) {
		lists[v.Source] = v.Lst
	}
	files, _ := filepath.Glob(filepath.Join(vectors, "examples", "*.md"))
	count := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		switch {
		case strings.HasSuffix(name, "_json.md"):
			found := lstMember.FindStringSubmatch(string(data))
			if found == nil || strings.Join(strings.Fields(found[1]), "") != lists[name] {
				t.Errorf("%s is not the list in vectors.json", name)
			}
			count["lists in JSON, each entry checked above"]++
		case name == "status_list_jwt_raw.md":
			readPublishedToken(t, []byte(strings.Join(strings.Fields(string(data)), "")))
			count["signed token: read up to its key, which is not published with it"]++
		case name == "status_list_jwt.md":
			count["the same token decoded"]++
		case strings.Contains(name, "cbor") || strings.Contains(name, "cwt"):
			if _, err := read(t, data); reasonOf(err) != statuslist.Malformed {
				t.Errorf("%s: %v", name, err)
			}
			count["CBOR and CWT, refused by the profile: JWT only"]++
		default:
			t.Errorf("%s is of no kind that this test knows", name)
		}
	}
	if len(files) < 20 {
		t.Errorf("only %d files found", len(files))
	}
	for what, n := range count {
		t.Logf("%3d %s", n, what)
	}
}

// readPublishedToken reads the draft's signed token at the moment it was
// issued; then signs its claims with a key that is known, and reads on.
func readPublishedToken(t *testing.T, token []byte) {
	t.Helper()
	const iss, sub = "https://example.com", "https://example.com/statuslists/1"
	at := time.Unix(1686920170, 0)
	trust := newBook(t).Current()
	if _, err := statuslist.Read(token, iss, sub, trust, at); reasonOf(err) != statuslist.WrongIssuer {
		t.Errorf("published token: %v", err)
	}
	_, payload, _ := strings.Cut(string(token), ".")
	payload, _, _ = strings.Cut(payload, ".")
	raw, err := strict.Base64URL(payload)
	if err != nil {
		t.Fatal(err)
	}
	var claims object
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	claims["iss"], claims["sub"] = shanghai, listURI
	l, err := statuslist.Read(sign(object{"alg": "EdDSA", "kid": "k1", "typ": "statuslist+jwt"}, claims, shKey), shanghai, listURI, trust, at)
	if err != nil {
		t.Fatalf("published claims: %v", err)
	}
	for i, want := range []uint8{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1} {
		if got, ok := l.Value(int64(i)); !ok || got != want {
			t.Errorf("published token: entry %d is %d", i, got)
		}
	}
	if l.Ends() != at.Add(time.Hour) { // its ttl of 12 h is clamped
		t.Errorf("published token ends at %v", l.Ends())
	}
}
