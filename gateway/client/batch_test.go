package client_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/gateway/client"
)

// requests yields one request for each credential.
func requests(credentials ...string) iter.Seq[*client.Request] {
	return func(yield func(*client.Request) bool) {
		for _, c := range credentials {
			if !yield(&client.Request{Credential: c}) {
				return
			}
		}
	}
}

// collect says of each line its outcome or fault, and the error at the end.
func collect(lines iter.Seq2[client.Line, error]) (said []string, err error) {
	for line, e := range lines {
		switch {
		case e != nil:
			err = errors.Join(err, e)
		case line.Problem != nil:
			said = append(said, string(line.Problem.Code))
		default:
			said = append(said, string(line.Verdict.Code))
		}
	}
	return said, err
}

func TestBatch(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			c := gateway(t, http2)
			said, err := collect(c.Batch(t.Context(), requests("valid", "revoked", "nobody knows", "silent", "valid")))
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"OK", "REGISTRATION_REVOKED", "BAD_REQUEST", "REGISTRY_UNAVAILABLE", "OK"}; !slices.Equal(said, want) {
				t.Errorf("%v", said)
			}
			if said, err := collect(c.Batch(t.Context(), requests())); len(said) > 0 || err != nil {
				t.Errorf("%v, %v", said, err)
			}
		})
	}
}

// Each answer comes while the next request has not been made yet.
func TestBatchIsAConversation(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			c := gateway(t, http2)
			answers := make(chan client.Line, 1)
			ask := func(yield func(*client.Request) bool) {
				for range 50 {
					if !yield(&client.Request{Credential: "valid"}) {
						return
					}
					select {
					case <-answers:
					case <-t.Context().Done():
						return
					}
				}
			}
			n := int64(0)
			for line, err := range c.Batch(t.Context(), ask) {
				if err != nil {
					t.Fatal(err)
				}
				if line.Seq != n {
					t.Errorf("answer %d is number %d", n, line.Seq)
				}
				n++
				answers <- line
			}
			if n != 50 {
				t.Errorf("%d answers", n)
			}
		})
	}
}

func TestBatchMemoryIsConstant(t *testing.T) {
	c := gateway(t, true)
	const many = 5_000
	long := strings.Repeat("x", 5000) // 25 MB in all, each refused
	ask := func(yield func(*client.Request) bool) {
		for range many {
			if !yield(&client.Request{Credential: long}) {
				return
			}
		}
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for _, err := range c.Batch(t.Context(), ask) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%1000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if n != many || most > before.HeapAlloc+8<<20 {
		t.Errorf("%d answers, %d KiB more on the heap", n, (most-before.HeapAlloc)>>10)
	}
}

func TestBatchStopsEarly(t *testing.T) {
	c := gateway(t, true)
	made := 0
	ask := func(yield func(*client.Request) bool) {
		for yield(&client.Request{Credential: "valid"}) {
			made++
		}
	}
	for line, err := range c.Batch(t.Context(), ask) {
		if err != nil {
			t.Fatal(err)
		}
		if line.Seq == 10 {
			break
		}
	}
	if made < 10 { // and the loop above has ended at all
		t.Errorf("%d requests", made)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	endless := func(yield func(*client.Request) bool) {
		for ctx.Err() == nil && yield(&client.Request{Credential: "valid"}) {
		}
	}
	var last error
	for line, err := range c.Batch(ctx, endless) {
		if last = err; line.Seq == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended by %v", last)
	}
}

func TestBatchThatDoesNotEndWell(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			c := gateway(t, http2)
			for ending, c2 := range map[string]struct {
				credentials []string
				answered    int
				cutShort    bool
			}{
				"the gateway hangs up":       {[]string{"valid", "valid", "hang up", "valid"}, 2, true},
				"the gateway ends too early": {[]string{"valid", "enough", "valid"}, 1, true},
				"an answer to another":       {[]string{"valid", "another's", "valid"}, 1, false},
				"no verdict known":           {[]string{"valid", "a fourth"}, 1, false},
				"a request that cannot be":   {[]string{"valid", ""}, 1, false},
			} {
				said, err := collect(c.Batch(t.Context(), requests(c2.credentials...)))
				if err == nil || len(said) > c2.answered || errors.Is(err, client.ErrCutShort) != c2.cutShort {
					t.Errorf("%s: %v, %v", ending, said, err)
				}
			}
		})
	}
}

func TestBatchNotTaken(t *testing.T) {
	s := start(true)
	defer s.Close()
	o := s.options()
	o.Key = "another"
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	endless := func(yield func(*client.Request) bool) {
		for yield(&client.Request{Credential: "valid"}) {
		}
	}
	said, err := collect(c.Batch(t.Context(), endless))
	var p *client.Problem
	if !errors.As(err, &p) || p.Code != "UNAUTHENTICATED" || len(said) > 0 {
		t.Errorf("%v, %v", said, err)
	}
}

// A mute gateway takes the batch and says nothing until it is given up.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	answers, _ := io.Pipe()
	context.AfterFunc(r.Context(), func() { answers.CloseWithError(r.Context().Err()) })
	return &http.Response{StatusCode: 200, Body: answers, Request: r}, nil
}

func TestBatchThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := client.New(client.Options{URL: "https://gateway.example"})
		if err != nil {
			t.Fatal(err)
		}
		k.Through(mute{})
		begin := time.Now()
		_, err = collect(k.Batch(t.Context(), requests("valid")))
		if took := time.Since(begin); !errors.Is(err, client.ErrIdle) || took < time.Minute || took > 2*time.Minute {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// Who takes hours over an answer, or makes a request once an hour, is not idle.
func TestSlowCallersAreNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := client.New(client.Options{URL: "https://gateway.example"})
		if err != nil {
			t.Fatal(err)
		}
		k.Through(echo{})
		seen := 0
		slow := func(yield func(*client.Request) bool) {
			for range 3 {
				if !yield(&client.Request{Credential: "valid"}) {
					return
				}
				time.Sleep(time.Hour)
			}
		}
		for _, err := range k.Batch(t.Context(), slow) {
			if err != nil {
				t.Fatal(err)
			}
			seen++
			time.Sleep(90 * time.Minute)
		}
		if seen != 3 {
			t.Errorf("%d answers", seen)
		}
	})
}

// An echo answers each line by a verdict, without a network.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	answers, out := io.Pipe()
	go func() {
		buffer := make([]byte, 64<<10)
		for seq := 0; ; {
			n, err := r.Body.Read(buffer)
			for range strings.Count(string(buffer[:n]), "\n") {
				text := `{"seq":` + string(rune('0'+seq)) + `,"id":"vrf_1","verdict":"VALID","code":"OK"}` + "\n"
				if _, err := io.WriteString(out, text); err != nil {
					return
				}
				seq++
			}
			if err != nil {
				out.Close()
				return
			}
		}
	}()
	return &http.Response{StatusCode: 200, Body: answers, Request: r}, nil
}
