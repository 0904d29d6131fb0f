package trustlist

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"tongyan/fetch"
)

// A Fetcher makes one bounded https GET. [fetch.Client] is one. Errors that are
// a *fetch.Error are told apart by its Reason.
type Fetcher interface {
	Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error)
}

// A source is where lists come from. Its methods are called by one goroutine at
// a time.
type source interface {
	// read returns the list there, or unchanged if it is known to be the one
	// that was accepted last. It does not verify anything.
	read(ctx context.Context) (token []byte, unchanged bool, err error)
	// accepted says that the token read last is good, so that the source may
	// answer unchanged from now on; forget takes that back.
	accepted()
	forget()
	// changed reports cheaply whether reading again may give another list.
	changed() bool
	// poll is how often changed is worth a call, 0 for never.
	poll() time.Duration
}

func newSource(address string, f Fetcher) (source, error) {
	if strings.HasPrefix(address, "https://") {
		if f == nil {
			return nil, errors.New("a trust list over https needs a fetcher")
		}
		return &remote{address: address, fetcher: f}, nil
	}
	if address == "" || strings.Contains(address, "://") {
		return nil, errors.New("the trust list's source is neither a file nor an https address")
	}
	return &file{name: address}, nil
}

type remote struct {
	address string
	fetcher Fetcher
	etag    string // of the list accepted last
	next    string // of the list read last
}

// fetchTime bounds a fetch whatever the fetcher's own time-out is.
const fetchTime = 10 * time.Second

func (r *remote) read(ctx context.Context) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	answer, err := r.fetcher.Get(ctx, r.address, fetch.Request{Accept: "application/jwt, application/jose+json, */*;q=0.5", MaxBytes: MaxToken, ETag: r.etag})
	var failed *fetch.Error
	switch {
	case errors.As(err, &failed) && failed.Reason == fetch.TooLarge:
		return nil, false, &Refusal{Reason: TooLarge, Why: "source", cause: err}
	case err != nil:
		return nil, false, &Refusal{Reason: Fetch, Why: "source", cause: err}
	case answer.NotModified:
		return nil, true, nil
	}
	r.next = answer.ETag
	return answer.Body, false, nil
}

func (r *remote) accepted()           { r.etag = r.next }
func (r *remote) forget()             { r.etag, r.next = "", "" }
func (r *remote) changed() bool       { return false }
func (r *remote) poll() time.Duration { return 0 }

// pollEvery is how soon a replaced file is noticed. A look costs one stat.
const pollEvery = time.Second

type file struct {
	name string
	seen os.FileInfo // as it was when it was read last; nil if it could not be
}

func (f *file) read(context.Context) ([]byte, bool, error) {
	f.seen = nil
	fail := func(err error) ([]byte, bool, error) {
		return nil, false, &Refusal{Reason: Fetch, Why: "source", cause: err}
	}
	info, err := os.Stat(f.name)
	if err != nil {
		return fail(err)
	}
	// Opening a pipe would wait for its other end.
	if !info.Mode().IsRegular() {
		return fail(errors.New(f.name + " is not a file"))
	}
	in, err := os.Open(f.name)
	if err != nil {
		return fail(err)
	}
	defer in.Close()
	token, err := io.ReadAll(io.LimitReader(in, MaxToken+2))
	if err != nil {
		return fail(err)
	}
	f.seen = info
	// Editors and shells end files with a line feed; it is the file's, not the list's.
	if n := len(token); n > 0 && token[n-1] == '\n' {
		token = token[:n-1]
	}
	return token, false, nil
}

func (f *file) changed() bool {
	info, err := os.Stat(f.name)
	if err != nil || f.seen == nil {
		// A file that comes back is news; one that stays away is not, and is left
		// to the retries.
		return err == nil
	}
	return !os.SameFile(info, f.seen) || !info.ModTime().Equal(f.seen.ModTime()) || info.Size() != f.seen.Size()
}

func (f *file) accepted()           {}
func (f *file) forget()             {}
func (f *file) poll() time.Duration { return pollEvery }
