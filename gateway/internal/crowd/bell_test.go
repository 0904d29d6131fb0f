package crowd_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tongyan/gateway/internal/crowd"
)

// A batch has the network heard now and then, while others are there. Who comes
// meanwhile finds the core free, but for lines.
func TestBreath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := still(0)
		heard := 0
		g.Hear(func() {
			heard++
			if s := g.State(); s.Working != 0 || s.Inside != 1 {
				t.Errorf("%+v", s)
			}
		})
		work := func() int {
			heard = 0
			for range 10 {
				ticket, err := g.Await(t.Context(), crowd.Batch, 1)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Microsecond)
				ticket.Leave()
			}
			return heard
		}
		if n := work(); n != 0 {
			t.Errorf("alone it listened %d times", n)
		}
		for range 500 { // a crowd is company no longer than one
			hall, err := g.Enter(crowd.Hall, 1)
			if err != nil {
				t.Fatal(err)
			}
			hall.Leave()
		}
		g.Tick()
		if n := work(); n != 2 {
			t.Errorf("in company it listened %d times in a millisecond", n)
		}
		for range 9 {
			g.Tick()
		}
		if n := work(); n != 2 {
			t.Errorf("a second later it listened %d times", n)
		}
		g.Tick()
		if n := work(); n != 0 {
			t.Errorf("alone again it listened %d times", n)
		}
	})
}

// What came over the network before somebody listened is heard by then, though
// the only core was never idle.
func TestBell(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	done, over := make(chan struct{}), make(chan struct{})
	listen, ring := crowd.Bell(done)
	go func() { defer close(over); ring() }()
	defer func() { close(done); <-over }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var heard atomic.Int64
	go func() {
		defer r.Close()
		for {
			if _, err := r.Read(make([]byte, 1)); err != nil {
				return
			}
			heard.Add(1)
		}
	}()
	missed := 0
	const times = 100
	for i := range int64(times) {
		for heard.Load() != i {
			runtime.Gosched()
		}
		runtime.Gosched() // the reader waits
		if _, err := w.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
		listen()
		runtime.Gosched()
		if heard.Load() != i+1 {
			missed++
		}
	}
	if missed > times/10 {
		t.Errorf("%d of %d were not heard", missed, times)
	}
}

// Whoever gets a core has the network heard first, when the cores are busy and
// it was not for a while. Nobody else begins to work meanwhile, and what it took
// is worked before the next time.
func TestHearsWhenBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := crowd.New(crowd.Options{Cores: 1, Places: 100})
		heard, began := 0, make(chan *crowd.Ticket, 1)
		takes := time.Duration(0)
		g.Hear(func() { heard++; time.Sleep(takes) })
		work := func(d time.Duration) {
			t.Helper()
			ticket, err := g.Enter(crowd.Hall, 1)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			ticket.Leave()
		}
		expect := func(n int, when string) {
			t.Helper()
			if heard != n {
				t.Fatalf("heard %d times, want %d: %s", heard, n, when)
			}
		}
		work(50 * time.Millisecond)
		time.Sleep(50 * time.Millisecond)
		g.Tick()
		work(51 * time.Millisecond)
		expect(0, "half of the core is idle")
		g.Tick()
		work(time.Millisecond)
		expect(1, "it is busy")
		work(time.Millisecond)
		expect(1, "just heard")
		takes = 30 * time.Millisecond
		go func() {
			time.Sleep(10 * time.Millisecond)
			ticket, err := g.Enter(crowd.Hall, 1)
			if err != nil {
				t.Error(err)
			}
			began <- ticket
		}()
		time.Sleep(5 * time.Millisecond)
		ticket, err := g.Enter(crowd.Hall, 1)
		if err != nil {
			t.Fatal(err)
		}
		expect(2, "after a while")
		synctest.Wait()
		if len(began) != 0 {
			t.Error("somebody began to work while the network was heard")
		}
		ticket.Leave()
		(<-began).Leave()
		work(20 * time.Millisecond)
		expect(2, "what hearing took is not yet worked")
		work(20 * time.Millisecond)
		work(time.Millisecond)
		expect(3, "now it is")
		for range 11 {
			g.Tick()
		}
		time.Sleep(time.Second)
		work(time.Millisecond)
		expect(3, "it is calm again")
	})
}
