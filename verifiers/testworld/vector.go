package testworld

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// A Vector is one credential and what must be said of it in this world.
//
// Its file has header lines "name: value", a blank line, and the credential; one
// line feed at the end belongs to the file. Names: expect (verdict and code),
// comment, now (RFC 3339, default [Now]), registry (a state, "none" for no such
// licence, "down", or a state and an approval date; default 1), media (default
// application/jwt), encoding (base64 where the credential is no text).
type Vector struct {
	Name       string
	Verdict    string
	Code       verifiers.Code
	Comment    string
	Now        time.Time
	Registry   string
	Media      string
	Credential []byte
}

// Vectors reads them all. None at all is a failure.
func Vectors(t testing.TB) []Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Testdata(t), "vectors", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var all []Vector
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseVector(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		v.Name = strings.TrimSuffix(filepath.Base(file), ".txt")
		all = append(all, v)
	}
	return all
}

func parseVector(text []byte) (v Vector, err error) {
	head, body, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok || !bytes.HasSuffix(body, []byte("\n")) {
		return v, fmt.Errorf("no blank line, or no line feed at the end")
	}
	v = Vector{Now: Now, Registry: "1", Media: "application/jwt", Credential: body[:len(body)-1]}
	for line := range strings.SplitSeq(string(head), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return v, fmt.Errorf("header line %q", line)
		}
		switch name {
		case "expect":
			verdict, code, _ := strings.Cut(value, " ")
			v.Verdict, v.Code = verdict, verifiers.Code(code)
		case "comment":
			v.Comment = value
		case "now":
			v.Now, err = time.Parse(time.RFC3339, value)
		case "registry":
			v.Registry = value
		case "media":
			v.Media = value
		case "encoding":
			v.Credential, err = base64.StdEncoding.DecodeString(string(v.Credential))
		default:
			err = fmt.Errorf("header %q", name)
		}
		if err != nil {
			return v, err
		}
	}
	if v.Verdict == "" || v.Code == "" || !strings.Contains(v.Comment, "§") {
		return v, fmt.Errorf("expect, or a comment with the section, is missing")
	}
	return v, nil
}

// Format writes the vector as its file.
func (v Vector) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "expect: %s %s\ncomment: %s\n", v.Verdict, v.Code, v.Comment)
	if !v.Now.IsZero() && !v.Now.Equal(Now) {
		fmt.Fprintf(&b, "now: %s\n", v.Now.UTC().Format(time.RFC3339))
	}
	if v.Registry != "" {
		fmt.Fprintf(&b, "registry: %s\n", v.Registry)
	}
	if v.Media != "" {
		fmt.Fprintf(&b, "media: %s\n", v.Media)
	}
	body := string(v.Credential)
	if strings.ContainsFunc(body, func(r rune) bool { return r < ' ' || r > '~' }) {
		body = base64.StdEncoding.EncodeToString(v.Credential)
		b.WriteString("encoding: base64\n")
	}
	b.WriteString("\n" + body + "\n")
	return b.Bytes()
}

// Says returns what a registry told to do as word says answers about a licence.
func Says(word string, province keys.ProvinceCode, code licence.USCC, now time.Time) (verifiers.Standing, error) {
	s := verifiers.Standing{Key: verifiers.StandingKey{Province: province, USCC: code}, Answer: verifiers.Registered, AsOf: now, AskedAt: now}
	state, apprdate, _ := strings.Cut(word, " ")
	switch state {
	case "down":
		return verifiers.Standing{}, &verifiers.UnavailableError{Reason: "down", RetryAfter: 7 * time.Second}
	case "none":
		s.Answer = verifiers.NotRegistered
	case "unmapped":
	default:
		s.State = licence.RegState(state)
	}
	s.Apprdate = licence.Date(apprdate)
	return s, nil
}
