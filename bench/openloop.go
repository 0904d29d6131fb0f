package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// A stream of requests comes at random at a mean rate, whatever becomes of the
// ones before: an open loop. It has connections enough that one is nearly
// always free.
type stream struct {
	addr, key string
	requests  [][]byte
	rate      float64 // a second; 0: a closed loop, each connection asks again at once
	conns     int
	obeys     bool   // who is refused waits as long as told, and asks again; else comes when it wants to
	want      string // stands in the body of every good answer

	window time.Duration // of outcome.windows; 0: one for all
}

// An outcome is what became of a stream.
type outcome struct {
	took              time.Duration
	accepted, refused latencies
	unlike            int // neither the verdict wanted nor a 503 that says when to come again
	first             error
	late              int // sent more than 5 ms behind their time
	windows           []*outcome
}

func (o *outcome) sent() int { return len(o.accepted) + len(o.refused) + o.unlike }

func (o *outcome) add(p *outcome) {
	o.accepted, o.refused = append(o.accepted, p.accepted...), append(o.refused, p.refused...)
	o.unlike += p.unlike
	o.late += p.late
	if o.first == nil {
		o.first = p.first
	}
	for i, w := range p.windows {
		if i == len(o.windows) {
			o.windows = append(o.windows, new(outcome))
		}
		o.windows[i].add(w)
	}
}

// rawRequest is a request as it goes over the wire.
func rawRequest(key, media string, body string) []byte {
	return fmt.Appendf(nil, "POST /v1/verify HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", key, media, len(body), body)
}

// run plays the stream for a time.
func (s *stream) run(ctx context.Context, d time.Duration) (*outcome, error) {
	outcomes := make([]outcome, s.conns)
	var ready, all sync.WaitGroup
	begin := make(chan time.Time)
	errs := make(chan error, s.conns)
	ready.Add(s.conns)
	for i := range s.conns {
		all.Go(func() {
			conn, err := tls.DialWithDialer(dialer, "tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
			ready.Done()
			if err != nil {
				errs <- err
				return
			}
			defer conn.Close()
			began, ok := <-begin
			if ok {
				errs <- s.one(ctx, conn, i, began, d, &outcomes[i])
			}
		})
	}
	ready.Wait()
	began := time.Now()
	for len(errs) == 0 {
		select {
		case begin <- began:
			continue
		default:
		}
		if time.Since(began) > 10*time.Millisecond {
			break
		}
		runtime.Gosched()
	}
	close(begin)
	all.Wait()
	whole := &outcome{took: d}
	var failed error
	for range len(errs) {
		failed = errors.Join(failed, <-errs)
	}
	for i := range outcomes {
		whole.add(&outcomes[i])
	}
	return whole, failed
}

func (s *stream) one(ctx context.Context, conn io.ReadWriter, i int, began time.Time, d time.Duration, o *outcome) error {
	in := bufio.NewReaderSize(conn, 8<<10)
	next, waited := began, false
	for n := i; ctx.Err() == nil; n += s.conns {
		if s.rate > 0 && !waited {
			next = next.Add(time.Duration(rand.ExpFloat64() * float64(s.conns) / s.rate * 1e9))
			time.Sleep(time.Until(next))
		}
		waited = false
		sent := time.Now()
		if sent.Sub(began) >= d {
			return nil
		}
		if s.rate > 0 && sent.Sub(next) > 5*time.Millisecond {
			o.late++
		}
		if _, err := conn.Write(s.requests[n%len(s.requests)]); err != nil {
			return err
		}
		status, again, good, err := s.read(in)
		if err != nil {
			return err
		}
		took, to := time.Since(sent), []*outcome{o}
		if s.window > 0 {
			w := int(sent.Sub(began) / s.window)
			for len(o.windows) <= w {
				o.windows = append(o.windows, new(outcome))
			}
			to = append(to, o.windows[w])
		}
		for _, o := range to {
			switch {
			case status == 200 && good:
				o.accepted = append(o.accepted, took)
			case status == 503 && again > 0:
				o.refused = append(o.refused, took)
			default:
				if o.unlike++; o.first == nil {
					o.first = fmt.Errorf("status %d, Retry-After %v", status, again)
				}
			}
		}
		if s.obeys && status == 503 && again > 0 {
			next = time.Now().Add(again)
			if next.Sub(began) >= d {
				return nil
			}
			time.Sleep(again)
			waited = true
		}
	}
	return ctx.Err()
}

// read reads an answer as our gateway writes it: with a Content-Length.
func (s *stream) read(in *bufio.Reader) (status int, again time.Duration, good bool, err error) {
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if status == 0 {
			if len(line) < 12 {
				return 0, 0, false, errors.New("no HTTP")
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, 0, false, err
			}
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(rest))
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Retry-After: ")); ok {
			seconds, _ := strconv.Atoi(string(rest))
			again = time.Duration(seconds) * time.Second
		}
	}
	if length < 0 || length > in.Size() {
		return status, again, false, fmt.Errorf("status %d with %d bytes", status, length)
	}
	body, err := in.Peek(length)
	if err != nil {
		return status, again, false, err
	}
	good = bytes.Contains(body, []byte(s.want))
	_, err = in.Discard(length)
	return status, again, good, err
}

// pin keeps this program to one core until back is called.
func pin(core string) (back func(), err error) {
	me := strconv.Itoa(os.Getpid())
	if out, err := exec.Command("taskset", "-a", "-cp", core, me).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("taskset: %w: %s", err, out)
	}
	return func() { exec.Command("taskset", "-a", "-cp", fmt.Sprintf("0-%d", runtime.NumCPU()-1), me).Run() }, nil
}
