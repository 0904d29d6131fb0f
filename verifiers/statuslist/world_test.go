package statuslist_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/statuslist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a keeper with a fake host and a book, in a bubble of its own time.
type world struct {
	*testing.T
	*statuslist.Keeper
	host *host
	book *keys.Book

	mu      sync.Mutex
	fetches []statuslist.Reason // what came of each
}

// inBubble runs a test of one keeper. options may set more than the defaults.
func inBubble(t *testing.T, options func(*statuslist.Options), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, host: &host{t: t}, book: newBook(t)}
		w.host.give(func() *draft { return newList(time.Now(), 2, 0b10_01_00_00, 0b11) })
		o := statuslist.Options{Fetch: w.host, Trust: w.book, OnFetch: func(iss keys.Issuer, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fetches = append(w.fetches, reasonOf(err))
		}}
		if options != nil {
			options(&o)
		}
		w.Keeper = statuslist.New(o)
		defer w.Close()
		test(w)
	})
}

func (w *world) ask(index int64) verifiers.StatusEvidence {
	w.Helper()
	return w.askAt(listURI, index)
}

func (w *world) askAt(uri string, index int64) verifiers.StatusEvidence {
	w.Helper()
	got := w.Lookup(w.Context(), shanghai, verifiers.StatusRef{URI: uri, Index: index}, w.book.Current(), time.Now())
	if !got.Sought {
		w.Error("not marked as sought")
	}
	if !got.Had && got != (verifiers.StatusEvidence{Sought: true}) {
		w.Errorf("no list, yet it says %+v", got)
	}
	return got
}

func (w *world) lastFetch() statuslist.Reason {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.fetches) == 0 {
		return "none"
	}
	return w.fetches[len(w.fetches)-1]
}

// expired returns a context that allows no waiting.
func expired(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
