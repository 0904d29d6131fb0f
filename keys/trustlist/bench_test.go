package trustlist_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/keys/signer"
	"tongyan/keys/trustlist"
)

// bigList is a signed list of 200 issuers with five inline keys each.
func bigList(t testing.TB, root *signer.Key, version int64, kinds ...keys.Algorithm) []byte {
	t.Helper()
	var pool []object
	for i := range 40 {
		text, err := newKey(kinds[i%len(kinds)]).PublicJWK()
		if err != nil {
			t.Fatal(err)
		}
		var jwk object
		if err := json.Unmarshal(text, &jwk); err != nil {
			t.Fatal(err)
		}
		pool = append(pool, jwk)
	}
	var provinces []any
	for p := range 20 {
		var issuers []any
		for i := range 10 {
			var set []any
			for k := range 5 {
				set = append(set, with(pool[(p+5*i+k)%len(pool)], object{"kid": fmt.Sprint("key-", k)}))
			}
			issuers = append(issuers, issuerOf(fmt.Sprintf("https://ebl-%d-%d.example", p, i), object{"jwks": object{"keys": set}}))
		}
		provinces = append(provinces, provinceOf(fmt.Sprintf("%02d0000", 11+p), issuers...))
	}
	return signed(t, encode(t, listOf(version, object{"provinces": provinces})), root)
}

// The whole way of a list of 200 issuers and 1,000 keys: signature, content,
// every key admitted, the snapshot that requests see.
func BenchmarkLoad(b *testing.B) {
	root := rootKeys()[0]
	token := bigList(b, root, 7, keys.ES256, keys.EdDSA, keys.SM2)
	roots := pin(b, 1, root)
	book := keys.NewBook(nil, keys.Terms{})
	b.ReportAllocs()
	b.SetBytes(int64(len(token)))
	for b.Loop() {
		list, err := trustlist.Read(token, roots)
		if err != nil {
			b.Fatal(err)
		}
		book.SetList(list)
	}
}

func TestLoadsABigListInTime(t *testing.T) {
	root := rootKeys()[0]
	token := bigList(t, root, 7, keys.ES256)
	s := &server{token: token}
	k := open(t, trustlist.Config{Source: address, Fetch: s, Roots: pin(t, 1, root), Dir: t.TempDir()})
	start := time.Now()
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("%d bytes in %v, disk included", len(token), took)
	// Ten times the promise: this machine may be busy, or watch for races.
	if took > 1500*time.Millisecond {
		t.Errorf("loading took %v", took)
	}
}

// Readers never wait for a list that comes into force.
func TestReloadDoesNotHoldUpReaders(t *testing.T) {
	root := rootKeys()[0]
	book := keys.NewBook(nil, keys.Terms{})
	lists := make([]*keys.List, 2)
	for i := range lists {
		l, err := trustlist.Read(bigList(t, root, int64(7+i), keys.ES256), pin(t, 1, root))
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = l
	}
	book.SetList(lists[0])
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				book.SetList(lists[i%2])
			}
		}
	}()
	for range 10_000 {
		s := book.Current()
		if _, a, ok := s.Issuer("https://ebl-3-3.example"); !ok || a.Inline.Key("key-1") == nil {
			t.Error("a reader saw half a list")
		}
	}
	close(stop)
	<-done
}
