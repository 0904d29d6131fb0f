package jwks_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tongyan/fetch"
	"tongyan/keys"
	"tongyan/keys/jwks"
	"tongyan/keys/signer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	shanghai = keys.Issuer("https://ebl.sh.example")
	jiangsu  = keys.Issuer("https://ebl.js.example")
)

func urlOf(iss keys.Issuer) string { return string(iss) + "/jwks.json" }

func sourcesOf(issuers ...keys.Issuer) (all []jwks.Source) {
	for _, iss := range issuers {
		all = append(all, jwks.Source{Issuer: iss, URL: urlOf(iss)})
	}
	return all
}

var someKeys = sync.OnceValue(func() (all [4]*signer.Key) {
	for i := range all {
		k, err := signer.Generate(keys.ES256, keys.KeyID("k"+string(rune('0'+i))), "")
		if err != nil {
			panic(err)
		}
		all[i] = k
	}
	return all
})

// setOf is a key set of the test keys with these numbers.
func setOf(numbers ...int) []byte {
	var all []json.RawMessage
	for _, i := range numbers {
		text, err := someKeys()[i].PublicJWK()
		if err != nil {
			panic(err)
		}
		all = append(all, text)
	}
	text, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		panic(err)
	}
	return text
}

// A web is a Fetcher that knows some addresses and fails every other.
type web struct {
	mu    sync.Mutex
	pages map[string]*page
}

type page struct {
	body    []byte
	err     error
	etag    string
	slow    time.Duration // before the answer; a negative one never ends
	fetches []time.Time
}

func newWeb() *web { return &web{pages: map[string]*page{}} }

func (w *web) set(iss keys.Issuer, change func(*page)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pages[urlOf(iss)]
	if p == nil {
		p = &page{}
		w.pages[urlOf(iss)] = p
	}
	change(p)
}

func (w *web) fetches(iss keys.Issuer) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pages[urlOf(iss)].fetches)
}

func (w *web) Get(ctx context.Context, address string, want fetch.Request) (fetch.Answer, error) {
	w.mu.Lock()
	p := w.pages[address]
	if p == nil {
		w.mu.Unlock()
		return fetch.Answer{}, &fetch.Error{Reason: fetch.Dial}
	}
	p.fetches = append(p.fetches, time.Now())
	now := *p
	w.mu.Unlock()
	if want.MaxBytes != jwks.MaxSet || !slices.Equal(want.MediaTypes, []string{"application/json", "application/jwk-set+json"}) {
		panic("fetched without the bounds of the contract")
	}
	if now.slow != 0 {
		var later <-chan time.Time
		if now.slow > 0 {
			later = time.After(now.slow)
		}
		select {
		case <-later:
		case <-ctx.Done():
			return fetch.Answer{}, &fetch.Error{Reason: fetch.Timeout}
		}
	}
	if now.err != nil {
		return fetch.Answer{}, now.err
	}
	if now.etag != "" && now.etag == want.ETag {
		return fetch.Answer{NotModified: true, ETag: now.etag}, nil
	}
	return fetch.Answer{Body: now.body, ETag: now.etag, MediaType: "application/json"}, nil
}

// A told is what a keeper told last of each issuer.
type told struct {
	mu   sync.Mutex
	sets map[keys.Issuer]*keys.Set
	gone []keys.Issuer
	ends []jwks.Reason
}

func (o *told) config(w *web) jwks.Config {
	o.sets = map[keys.Issuer]*keys.Set{}
	return jwks.Config{
		Fetch: w, Refresh: 15 * time.Minute, RefetchInterval: time.Minute, MaxStale: 24 * time.Hour,
		OnSet: func(iss keys.Issuer, s *keys.Set) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.sets[iss] = s
		},
		OnGone: func(iss keys.Issuer) {
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.sets, iss)
			o.gone = append(o.gone, iss)
		},
		OnFetch: func(_ keys.Issuer, r jwks.Reason) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.ends = append(o.ends, r)
		},
	}
}

func (o *told) has(iss keys.Issuer, kid keys.KeyID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sets[iss].Key(kid) != nil
}

func open(t *testing.T, c jwks.Config) *jwks.Keeper {
	t.Helper()
	k, err := jwks.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.body, p.etag = setOf(0), `"1"` })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		if !log.has(shanghai, "k0") {
			t.Fatal("the first set did not come")
		}
		time.Sleep(15 * time.Minute) // unchanged: 304
		synctest.Wait()
		if s, _ := k.Status(shanghai); time.Since(s.Renewed) > 2*time.Minute || s.Keys != 1 || s.Failed != "" {
			t.Errorf("after an unchanged set: %+v", s)
		}
		w.set(shanghai, func(p *page) { p.body, p.etag = setOf(0, 1), `"2"` })
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if !log.has(shanghai, "k0") || !log.has(shanghai, "k1") {
			t.Error("old and new do not overlap")
		}
		w.set(shanghai, func(p *page) { p.body, p.etag = setOf(1), `"3"` })
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if log.has(shanghai, "k0") || !log.has(shanghai, "k1") {
			t.Error("a key removed from the set lives on after one refresh")
		}
	})
}

// A set that lists keys, none of which is usable, is a set: the keys of before
// are not in it any more.
func TestNoneUsable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.body = setOf(0) })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		w.set(shanghai, func(p *page) { p.body = []byte(`{"keys":[{"kty":"EC","crv":"P-521","kid":"x"}]}`) })
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if s, _ := k.Status(shanghai); log.has(shanghai, "k0") || s.Failed != "" || s.Keys != 0 || s.LeftOut != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestBadSetsLeaveTheLastGoodOne(t *testing.T) {
	private, err := someKeys()[2].PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSuffix(strings.TrimPrefix(string(setOf(1)), `{"keys":[`), `]}`)
	cases := map[string]struct {
		body string
		err  error
		want jwks.Reason
	}{
		"empty":             {`{"keys":[]}`, nil, jwks.Refused},
		"nothing":           {``, nil, jwks.NotJSON},
		"an error page":     {`<!DOCTYPE html><title>502</title>`, nil, jwks.NotJSON},
		"another object":    {`{"error":"maintenance"}`, nil, jwks.Refused},
		"a private key":     {`{"keys":[` + public + `,` + string(private) + `]}`, nil, jwks.Private},
		"a symmetric key":   {`{"keys":[` + public + `,{"kty":"oct","kid":"s","k":"c2VjcmV0"}]}`, nil, jwks.Private},
		"a kid twice":       {`{"keys":[` + public + `,` + public + `]}`, nil, jwks.Refused},
		"a member twice":    {`{"keys":[],"keys":[` + public + `]}`, nil, jwks.NotJSON},
		"trailing bytes":    {string(setOf(1)) + "}", nil, jwks.NotJSON},
		"2,000 keys":        {`{"keys":[` + strings.Repeat(`{},`, 1999) + `{}]}`, nil, jwks.Refused},
		"a redirect":        {``, &fetch.Error{Reason: fetch.Redirect, Status: 302}, jwks.Reason(fetch.Redirect)},
		"an endless body":   {``, &fetch.Error{Reason: fetch.TooLarge, Status: 200}, jwks.Reason(fetch.TooLarge)},
		"a wrong TLS name":  {``, &fetch.Error{Reason: fetch.TLS}, jwks.Reason(fetch.TLS)},
		"text/html":         {``, &fetch.Error{Reason: fetch.MediaType, Status: 200}, jwks.Reason(fetch.MediaType)},
		"a server that 500": {``, &fetch.Error{Reason: fetch.Status, Status: 500}, jwks.Reason(fetch.Status)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, log := newWeb(), &told{}
				w.set(shanghai, func(p *page) { p.body = setOf(0) })
				k := open(t, log.config(w))
				k.Follow(sourcesOf(shanghai))
				k.WaitFirst(t.Context())
				before, _ := k.Status(shanghai)
				w.set(shanghai, func(p *page) { p.body, p.err = []byte(c.body), c.err })
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				if !log.has(shanghai, "k0") || log.has(shanghai, "k1") {
					t.Error("the last good set is gone")
				}
				s, _ := k.Status(shanghai)
				if s.Failed != c.want || !s.Renewed.Equal(before.Renewed) || s.Keys != 1 {
					t.Errorf("status %+v, want failed %q", s, c.want)
				}
				if !slices.Contains(jwks.Reasons(), s.Failed) {
					t.Errorf("%q is not of the closed set", s.Failed)
				}
				w.set(shanghai, func(p *page) { p.body, p.err = setOf(1), nil })
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				if s, _ := k.Status(shanghai); !log.has(shanghai, "k1") || s.Failed != "" {
					t.Errorf("a good set does not mend it: %+v", s)
				}
			})
		})
	}
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.err = &fetch.Error{Reason: fetch.Dial} })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.mu.Lock()
		at := w.pages[urlOf(shanghai)].fetches
		w.mu.Unlock()
		if len(at) < 6 || len(at) > 8 {
			t.Fatalf("%d fetches in five minutes", len(at))
		}
		want := 5 * time.Second
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > want || gap < want*9/10 {
				t.Errorf("wait %d was %v, want a little below %v", i, gap, want)
			}
			want *= 2
		}
	})
}

// Ten thousand unknown kids: one fetch an interval, and everybody is answered.
func TestRefetchIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.body, p.slow = setOf(0), 100*time.Millisecond })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		before := w.fetches(shanghai)
		w.set(shanghai, func(p *page) { p.body = setOf(0, 1) })

		var wait sync.WaitGroup
		var mu sync.Mutex
		renewed := 0
		for i := range 10_000 {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				if k.Refetch(t.Context(), shanghai) {
					mu.Lock()
					defer mu.Unlock()
					renewed++
					if !log.has(shanghai, "k1") {
						t.Error("renewed, but the new key is not there")
					}
				}
			})
		}
		wait.Wait()
		if n := w.fetches(shanghai) - before; n != 1 {
			t.Errorf("%d fetches for 10,000 unknown kids in 10 s", n)
		}
		// Those who came while it was under way shared it; the others were sent on.
		if renewed < 100 || renewed > 110 {
			t.Errorf("%d callers shared the fetch of 100 ms", renewed)
		}
		time.Sleep(time.Minute)
		if !k.Refetch(t.Context(), shanghai) {
			t.Error("no fetch in the next interval")
		}
		if k.Refetch(t.Context(), "https://stranger.example") {
			t.Error("a stranger's set was fetched")
		}
		if s, _ := k.Status(shanghai); s.Refetches != 2 {
			t.Errorf("%d refetches counted", s.Refetches)
		}
	})
}

func TestRefetchOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.body = setOf(0) })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai))
		k.WaitFirst(t.Context())
		w.set(shanghai, func(p *page) { p.body, p.slow = setOf(0, 1), 3*time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		if k.Refetch(ctx, shanghai) || time.Since(start) != 50*time.Millisecond {
			t.Errorf("the caller waited %v", time.Since(start))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !log.has(shanghai, "k1") {
			t.Error("the fetch ended with its first caller")
		}
	})
}

func TestOneSlowIssuerDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWeb(), &told{}
		w.set(shanghai, func(p *page) { p.slow = -1 })
		w.set(jiangsu, func(p *page) { p.body = setOf(0) })
		k := open(t, log.config(w))
		k.Follow(sourcesOf(shanghai, jiangsu))
		synctest.Wait()
		if !log.has(jiangsu, "k0") {
			t.Error("the quick one waits for the hanging one")
		}
		w.set(jiangsu, func(p *page) { p.body = setOf(0, 1) })
		if !k.Refetch(t.Context(), jiangsu) || !log.has(jiangsu, "k1") {
			t.Error("the quick one's refetch waits for the hanging one")
		}
	})
}

func TestCloseEndsHangingFetches(t *testing.T) {
	w, log := newWeb(), &told{}
	w.set(shanghai, func(p *page) { p.slow = -1 })
	k := open(t, log.config(w))
	k.Follow(sourcesOf(shanghai))
	done := make(chan bool)
	go func() { done <- k.Refetch(context.Background(), shanghai) }()
	k.Close()
	if <-done {
		t.Error("renewed by nothing")
	}
	if k.Refetch(context.Background(), shanghai) {
		t.Error("renewed after the end")
	}
	k.Follow(sourcesOf(jiangsu)) // after the end: nobody is followed
	if _, ok := k.Status(jiangsu); ok {
		t.Error("followed after the end")
	}
}
