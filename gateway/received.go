package main

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"tongyan/strict"
)

// maxListened is how much of a request's body the demo keeps, in bytes: enough
// for any credential.
const maxListened = 128 << 10

// A listened body keeps what the gateway reads of it.
type listened struct {
	io.ReadCloser
	kept []byte
	n    int64 // bytes read
}

func (l *listened) Read(b []byte) (int, error) {
	n, err := l.ReadCloser.Read(b)
	l.n += int64(n)
	l.kept = append(l.kept, b[:min(n, maxListened-len(l.kept))]...)
	return n, err
}

// received is what the demo tells of a request that it refused. It holds names
// that the gateway knows, never what the caller wrote.
type received struct {
	Method        string   `json:"method"`
	Path          string   `json:"path"`
	ContentType   *string  `json:"content_type"`
	Authorization string   `json:"authorization"`
	Bytes         int64    `json:"bytes"`
	Members       []string `json:"members,omitzero"`
	NotUnderstood int      `json:"not_understood,omitzero"`
}

// members are the JSON members that each page understands; a dot goes into one.
var members = map[string][]string{
	"/v1/verify": {"credential", "purpose", "reference", "freshness", "freshness.max_age", "freshness.stale_if_error",
		"expect", "expect.uniscid", "expect.entname", "expect.lerep", "holder", "holder.aud", "holder.nonce", "holder.required", "receipt"},
	"/v1/receipts/verify": {"receipt"},
}

// What does not look like this is not repeated: it might be a credential that
// was put into the wrong place.
var (
	plainMethod = regexp.MustCompile(`^[A-Z]{1,16}$`)
	plainPath   = regexp.MustCompile(`^[a-z0-9/._-]{1,48}$`)
	plainMedia  = regexp.MustCompile(`^[a-z]{1,16}/[a-z0-9.+-]{1,48}$`)
)

func plain(form *regexp.Regexp, text string) string {
	if form.MatchString(text) {
		return text
	}
	return "…"
}

func receivedJSON(r *http.Request, asked *listened) []byte {
	out := received{Method: plain(plainMethod, r.Method), Path: plain(plainPath, r.URL.Path), Authorization: "none", Bytes: max(asked.n, r.ContentLength, 0)}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && plainMedia.MatchString(media) {
		out.ContentType = &media
	}
	if shown := r.Header.Get("Authorization"); shown != "" {
		out.Authorization = "other"
		if scheme, _, _ := strings.Cut(shown, " "); strings.EqualFold(scheme, "Bearer") {
			out.Authorization = "bearer"
		}
	}
	if v, err := strict.Parse(asked.kept); err == nil && v.Kind() == strict.Object {
		out.Members = []string{}
		out.understand(v, "", members[r.URL.Path])
	}
	b, err := json.Marshal(out)
	if err != nil {
		return []byte("{}") // texts and numbers: it cannot fail
	}
	return b
}

// understand sorts the members of an object into known and unknown ones.
func (out *received) understand(v strict.Value, prefix string, known []string) {
	found := 0
	for _, name := range known {
		member, ok := strings.CutPrefix(name, prefix)
		if !ok || strings.Contains(member, ".") || v.Get(member).Kind() == strict.Absent {
			continue
		}
		found++
		out.Members = append(out.Members, name)
		if inner := v.Get(member); inner.Kind() == strict.Object {
			out.understand(inner, name+".", known)
		}
	}
	out.NotUnderstood += v.Len() - found
}
