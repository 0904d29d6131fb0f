package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tongyan/sandbox"
)

// outcome is all that a client sees of one answer.
type outcome struct {
	status      int
	contentType string
	header      http.Header
	body        []byte
	connErr     error // no answer
	bodyErr     error // an answer that ended too early
}

func ask(c *http.Client, url string) (o outcome) {
	resp, err := c.Get(url)
	if err != nil {
		return outcome{connErr: err}
	}
	defer resp.Body.Close()
	o = outcome{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), header: resp.Header}
	o.body, o.bodyErr = io.ReadAll(resp.Body)
	return o
}

func TestFaults(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	p := s.Province("320000")
	_, b, err := p.Mint(sandbox.LicenceSpec{})
	if err != nil {
		t.Fatal(err)
	}
	url := p.Registry.URL() + "/licences/" + b.USCC
	good := ask(c, url)

	for _, tc := range []struct {
		fault sandbox.Fault
		right func(o outcome) bool
	}{
		{sandbox.Fault{}, func(o outcome) bool {
			return o.status == 200 && o.contentType == "application/json" && strings.Contains(string(o.body), b.USCC)
		}},
		{sandbox.Fault{Mode: sandbox.Error}, func(o outcome) bool { return o.status == 500 }},
		{sandbox.Fault{Mode: sandbox.Reset}, func(o outcome) bool { return errors.Is(o.connErr, syscall.ECONNRESET) }},
		{sandbox.Fault{Mode: sandbox.Gone}, func(o outcome) bool { return errors.Is(o.connErr, syscall.ECONNREFUSED) }},
		{sandbox.Fault{Mode: sandbox.ContentType}, func(o outcome) bool {
			return o.status == 200 && strings.HasPrefix(o.contentType, "text/html")
		}},
		{sandbox.Fault{Mode: sandbox.NotFoundPage}, func(o outcome) bool {
			return o.status == 404 && strings.HasPrefix(o.contentType, "text/html")
		}},
		{sandbox.Fault{Mode: sandbox.WrongLicence}, func(o outcome) bool {
			var m map[string]string
			return o.status == 200 && json.Unmarshal(o.body, &m) == nil && wellFormed(m["uniscid"]) && m["uniscid"] != b.USCC
		}},
		{sandbox.Fault{Mode: sandbox.Garbage}, func(o outcome) bool {
			return o.status == 200 && o.contentType == "application/json" && !json.Valid(o.body)
		}},
		{sandbox.Fault{Mode: sandbox.Duplicate}, func(o outcome) bool {
			return o.status == 200 && json.Valid(o.body) && strings.Count(string(o.body), `"uniscid":`) == 2
		}},
		{sandbox.Fault{Mode: sandbox.Truncated}, func(o outcome) bool {
			return o.status == 200 && errors.Is(o.bodyErr, io.ErrUnexpectedEOF) && len(o.body) == len(good.body)/2
		}},
		{sandbox.Fault{Mode: sandbox.Oversized}, func(o outcome) bool {
			return o.status == 200 && json.Valid(o.body) && len(o.body) > 16<<20
		}},
		{sandbox.Fault{Mode: sandbox.TooMany, RetryAfter: "7"}, func(o outcome) bool {
			return o.status == 429 && o.header.Get("Retry-After") == "7"
		}},
		{sandbox.Fault{Mode: sandbox.Unavailable}, func(o outcome) bool {
			return o.status == 503 && o.header.Get("Retry-After") == "1"
		}},
		{sandbox.Fault{Mode: sandbox.Redirect}, func(o outcome) bool {
			follow := client(t, s)
			follow.CheckRedirect = nil
			if err := p.Registry.Clear(); err != nil {
				t.Fatal(err)
			}
			there := ask(follow, p.Registry.URL()+o.header.Get("Location"))
			return o.status == 302 && strings.Contains(string(there.body), b.USCC)
		}},
		{sandbox.Fault{Mode: sandbox.WrongName}, func(o outcome) bool {
			return o.connErr != nil && strings.Contains(o.connErr.Error(), "certificate")
		}},
	} {
		t.Run(string(tc.fault.Mode), func(t *testing.T) {
			if err := p.Registry.Set(tc.fault); err != nil {
				t.Fatal(err)
			}
			if o := ask(c, url); !tc.right(o) {
				t.Errorf("saw %d %s %v %v %.80s", o.status, o.contentType, o.connErr, o.bodyErr, o.body)
			}
			// Nobody else is touched, and the way back is open.
			if o := ask(c, s.Province("330000").Keys.URI()); o.status != 200 {
				t.Errorf("another endpoint: %d %v", o.status, o.connErr)
			}
			if err := p.Registry.Clear(); err != nil {
				t.Fatal(err)
			}
			if o := ask(c, url); o.status != 200 {
				t.Errorf("after Clear: %d %v", o.status, o.connErr)
			}
		})
	}
}

func TestHangEnds(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	keys := s.Province("310000").Keys
	if err := keys.Set(sandbox.Fault{Mode: sandbox.Hang}); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, "GET", keys.URI(), nil)
		if err == nil {
			_, err = c.Do(req)
		}
		done <- err
	}()
	until(t, "the request hangs", func() bool { return keys.InFlight() == 1 })
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("answered %v", err)
	}
	until(t, "the server has noticed", func() bool { return keys.InFlight() == 0 })

	go func() {
		_, err := c.Get(keys.URI())
		done <- err
	}()
	until(t, "another request hangs", func() bool { return keys.InFlight() == 1 })
	s.Close()
	if err := <-done; err == nil {
		t.Error("answered at close")
	}
	if keys.Calls() != 2 || keys.HighWater() != 1 {
		t.Errorf("counted %d calls, %d at most at once", keys.Calls(), keys.HighWater())
	}
}

func TestLatency(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	const wait = 150 * time.Millisecond
	if err := s.Trust.Set(sandbox.Fault{Latency: wait}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := get(t, c, s.Trust.URI()); string(got) != string(s.Trust.Token()) {
		t.Error("late, and not the list")
	}
	if took := time.Since(began); took < wait {
		t.Errorf("answered after %v", took)
	}
}

func TestRate(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	c.Transport.(*http.Transport).DisableKeepAlives = false
	if err := s.Trust.Set(sandbox.Fault{Mode: sandbox.Error, Rate: 0.5}); err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]int)
	for range 200 {
		seen[ask(c, s.Trust.URI()).status]++
	}
	// 200 fair coins: fewer than 50 of either side once in 10^12 runs.
	if seen[200] < 50 || seen[500] < 50 || seen[200]+seen[500] != 200 {
		t.Errorf("half of the answers should be errors: %v", seen)
	}
}

func TestFlapping(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	if err := s.Trust.Set(sandbox.Fault{Mode: sandbox.Error, Period: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	last, turns := 0, 0
	until(t, "it has turned four times", func() bool {
		if now := ask(c, s.Trust.URI()).status; now != last {
			last, turns = now, turns+1
		}
		return turns > 4
	})
}

func TestFaultRefused(t *testing.T) {
	s := start(t, sandbox.Options{})
	for name, f := range map[string]sandbox.Fault{
		"unknown":        {Mode: "explode"},
		"rate":           {Mode: sandbox.Error, Rate: 1.5},
		"latency":        {Latency: -1},
		"flapping gone":  {Mode: sandbox.Gone, Period: time.Second},
		"wrong endpoint": {Mode: sandbox.WrongLicence},
	} {
		if err := s.Trust.Set(f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestBreak(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	p := s.Province("340000")
	if err := p.Break(sandbox.Fault{Mode: sandbox.Gone}); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{p.Keys.URI(), p.Registry.URL(), p.Status.Prefix()} {
		var op *net.OpError
		if o := ask(c, url); !errors.As(o.connErr, &op) {
			t.Errorf("%s answers", url)
		}
	}
	if err := p.Break(sandbox.Fault{}); err != nil {
		t.Fatal(err)
	}
	get(t, c, p.Keys.URI())
}

// until polls for a condition, ten seconds at most.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
