package crowd

import "os"

// A bell has the network heard. Go asks the system for news from the network
// when a core has nothing else to do, and otherwise only every 10 ms: beside a
// batch or in a crowd that keeps all cores busy, who arrives lies unseen that
// long, and nobody can be refused before he is seen. Who listens has nothing to
// do until news comes that he sends to himself, and what came before is heard
// with it. That takes some microseconds. To sleep a moment instead takes a
// millisecond, the least for which Go waits for news.
type bell struct {
	read, write *os.File
	pull        chan struct{}
}

// newBell returns nil where the system has none left: then halls wait longer.
func newBell() *bell {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	return &bell{r, w, make(chan struct{})}
}

// ring rings whenever somebody listens, until done.
func (b *bell) ring(done <-chan struct{}) {
	defer b.read.Close()
	defer b.write.Close()
	for {
		select {
		case <-b.pull:
			b.write.Write([]byte{0})
		case <-done:
			return
		}
	}
}

// listen returns when the network was heard. One listens at a time; whoever
// comes besides returns at once.
func (b *bell) listen() {
	select {
	case b.pull <- struct{}{}:
		// On one core ring goes on only when this read has found nothing.
		b.read.Read(make([]byte, 1))
	default:
	}
}
