package facts_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tongyan/gateway/internal/facts"
)

// replaced is a server in Redis's place that answers whatever it hears with
// reply, and then with again for as long as somebody listens.
func replaced(t *testing.T, reply, again string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
	})
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					return
				}
				_, err := io.WriteString(conn, reply)
				for more := strings.Repeat(again, 1024); again != "" && err == nil; {
					_, err = io.WriteString(conn, more)
				}
				io.Copy(io.Discard, conn)
			})
		}
	})
	return listener.Addr().String()
}

// Whoever has taken Redis's place can give no answers. He must not be able to
// end the gateway, by what it makes room for or by how deep it reads.
func TestRedisReplaced(t *testing.T) {
	for _, c := range []struct{ name, reply, again string }{
		{"a string of 2⁶³-1 bytes", "$9223372036854775807\r\n", ""},
		{"a string of a tebibyte", "$1099511627776\r\n", ""},
		{"a string of a gibibyte", "$1073741824\r\n", ""},
		{"2⁶³-1 elements", "*9223372036854775807\r\n", ""},
		{"many strings", "*100000\r\n", "$1000000\r\n" + strings.Repeat("x", 1000) + "\r\n"},
		{"arrays in arrays", "", "*1\r\n"},
		{"a map", "%9223372036854775807\r\n", ""},
		{"attributes", "", "|0\r\n"},
		{"a push", ">2000000000\r\n", ""},
		{"a line without end", "+", "x"},
		{"a number without end", "$", "0"},
		{"no number", "$x\r\n", ""},
		{"nothing known", "<html>\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := newCounts()
			cache := open(t, facts.Options{
				Redis:    &facts.RedisOptions{Addrs: []string{replaced(t, c.reply, c.again)}, SealKey: sealKey, Patience: testPatience},
				Observer: heard.observer(),
			})
			defer cache.Close()
			if cache.Finding(context.Background(), someDigest(), nil) != nil {
				t.Error("a finding was served")
			}
			key := keyOf(someUSCC)
			r := newRegistry(key)
			close(r.release)
			if _, live, err := cache.Standing(context.Background(), key, never, r.ask, time.Second); err != nil || !live {
				t.Errorf("live %t, error %v", live, err)
			}
			// At once, not by a time-out, which is far off.
			began := time.Now()
			eventually(t, "the failure is counted", func() bool {
				return get(heard, func() bool { return len(heard.failed) > 0 })
			})
			if took := time.Since(began); took > testPatience/2 {
				t.Errorf("noticed after %v", took)
			}
		})
	}
}

// One that knows of nothing and grants nothing holds nobody up either: there is
// no answer to wait for where nobody holds the lease.
func TestRedisThatGrantsNothing(t *testing.T) {
	cache := open(t, facts.Options{
		Redis: &facts.RedisOptions{Addrs: []string{replaced(t, "", "$-1\r\n")}, SealKey: sealKey, Patience: testPatience},
	})
	defer cache.Close()
	key := keyOf(someUSCC)
	r := newRegistry(key)
	close(r.release)
	for range 5 {
		if _, live, err := cache.Standing(context.Background(), key, never, r.ask, time.Second); err != nil || !live {
			t.Fatalf("live %t, error %v", live, err)
		}
	}
}

// Replies pass however they are cut, and one behind another.
func TestRepliesPass(t *testing.T) {
	honest := "+OK\r\n-ERR no\r\n:-5\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n$3\r\na\n\r\r\n" +
		"_\r\n#t\r\n,1.5\r\n(12345678901234567890\r\n=5\r\ntxt:a\r\n!3\r\nERR\r\n%2\r\n+a\r\n~1\r\n:1\r\n+b\r\n%0\r\n>1\r\n+c\r\n" +
		"*3\r\n$1\r\nx\r\n*2\r\n:1\r\n*0\r\n+end\r\n" + strings.Repeat("*1\r\n", 16) + ":1\r\n" +
		"$4194304\r\n" + strings.Repeat("*", 4<<20) + "\r\n" + "-" + strings.Repeat("e", 16<<10-1) + "\r\n"
	for _, size := range []int{1, 2, 7, len(honest)} {
		pass := facts.Replies()
		for rest := honest; rest != ""; {
			n := min(size, len(rest))
			if err := pass([]byte(rest[:n])); err != nil {
				t.Fatalf("in pieces of %d, %d before the end: %v", size, len(rest), err)
			}
			rest = rest[n:]
		}
	}
	for _, bad := range []string{"$8388609\r\n", "$-2\r\n", "$1\n", "$\r\n", "*131073\r\n", "*2\r\n*131071\r\n",
		"%65537\r\n", "%-2\r\n",
		strings.Repeat("*1\r\n", 17), "*?\r\n", "|1\r\n", "x"} {
		pass := facts.Replies()
		if pass([]byte("+OK\r\n")) != nil || pass([]byte(bad)) == nil || pass([]byte("+OK\r\n")) == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}
