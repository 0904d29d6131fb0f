package statuslist_test

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"strings"
	"testing"
	"time"

	"tongyan/keys"
	"tongyan/verifiers/statuslist"
)

var now = time.Unix(1790000000, 0)

func read(t testing.TB, token []byte, edit ...func(*keys.List)) (*statuslist.List, error) {
	t.Helper()
	return statuslist.Read(token, shanghai, listURI, newBook(t, edit...).Current(), now)
}

func TestRead(t *testing.T) {
	for bits, want := range map[int][]uint8{
		1: {1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}, 2: {1, 2, 3, 2, 3, 0, 2, 2}, 4: {9, 11, 3, 10}, 8: {0xb9, 0xa3},
	} {
		l, err := read(t, newList(now, bits, 0xb9, 0xa3).bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, value := range want {
			if got, ok := l.Value(int64(i)); !ok || got != value {
				t.Errorf("%d bits, entry %d: %d, %v, want %d", bits, i, got, ok, value)
			}
		}
		for _, i := range []int64{-1, int64(len(want)), 1 << 40} {
			if got, ok := l.Value(i); ok || got != 0 {
				t.Errorf("%d bits, entry %d is outside: %d, %v", bits, i, got, ok)
			}
		}
	}
}

func TestReadEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(object)
		want time.Duration // after iat
	}{
		"ttl":            {func(c object) {}, 300 * time.Second},
		"ttl too short":  {func(c object) { c["ttl"] = 1 }, 30 * time.Second},
		"ttl zero":       {func(c object) { c["ttl"] = 0 }, 30 * time.Second},
		"ttl too long":   {func(c object) { c["ttl"] = 43200 }, time.Hour},
		"no ttl":         {func(c object) { delete(c, "ttl") }, time.Hour},
		"exp first":      {func(c object) { c["exp"] = now.Unix() + 20 }, 20 * time.Second},
		"no exp":         {func(c object) { delete(c, "exp") }, 300 * time.Second},
		"neither":        {func(c object) { delete(c, "exp"); delete(c, "ttl") }, time.Hour},
		"issued earlier": {func(c object) { c["iat"] = now.Unix() - 299 }, 300 * time.Second},
		"no iss":         {func(c object) { delete(c, "iss") }, 300 * time.Second},
		"clock ahead":    {func(c object) { c["iat"] = now.Unix() + 60 }, 300 * time.Second},
	} {
		d := newList(now, 1, 0)
		tc.edit(d.claims)
		l, err := read(t, d.bytes())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := l.Ends().Sub(time.Unix(l.IssuedAt(), 0)); got != tc.want {
			t.Errorf("%s: ends after %v, want %v", name, got, tc.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(*draft)
		reason statuslist.Reason
	}{
		"typ JWT":            {func(d *draft) { d.header["typ"] = "JWT" }, statuslist.Malformed},
		"no kid":             {func(d *draft) { delete(d.header, "kid") }, statuslist.Malformed},
		"zip":                {func(d *draft) { d.header["zip"] = "DEF" }, statuslist.Malformed},
		"brings its key":     {func(d *draft) { d.header["jwk"] = jwk("k1", jsKey); d.key = jsKey }, statuslist.Malformed},
		"alg none":           {func(d *draft) { d.header["alg"] = "none" }, statuslist.WrongKey},
		"alg of other keys":  {func(d *draft) { d.header["alg"] = "ES256" }, statuslist.WrongKey},
		"another province's": {func(d *draft) { d.key = jsKey }, statuslist.BadSignature},
		"unknown kid":        {func(d *draft) { d.header["kid"] = "k9" }, statuslist.UnknownKey},
		"iss of another":     {func(d *draft) { d.claims["iss"] = jiangsu }, statuslist.WrongIssuer},
		"iss a number":       {func(d *draft) { d.claims["iss"] = 1 }, statuslist.WrongIssuer},
		"sub of another":     {func(d *draft) { d.claims["sub"] = listURI + "0" }, statuslist.WrongSubject},
		"no sub":             {func(d *draft) { delete(d.claims, "sub") }, statuslist.WrongSubject},
		"no iat":             {func(d *draft) { delete(d.claims, "iat") }, statuslist.Malformed},
		"iat a fraction":     {func(d *draft) { d.claims["iat"] = 1790000000.5 }, statuslist.Malformed},
		"iat in the future":  {func(d *draft) { d.claims["iat"] = now.Unix() + 61 }, statuslist.NotCurrent},
		"ttl over":           {func(d *draft) { d.claims["iat"] = now.Unix() - 300 }, statuslist.NotCurrent},
		"ttl a text":         {func(d *draft) { d.claims["ttl"] = "300" }, statuslist.Malformed},
		"ttl negative":       {func(d *draft) { d.claims["ttl"] = -1 }, statuslist.Malformed},
		"expired":            {func(d *draft) { d.claims["exp"] = now.Unix() }, statuslist.NotCurrent},
		"exp a text":         {func(d *draft) { d.claims["exp"] = "x" }, statuslist.Malformed},
		"exp null":           {func(d *draft) { d.claims["exp"] = nil }, statuslist.Malformed},
		"no list":            {func(d *draft) { delete(d.claims, "status_list") }, statuslist.Malformed},
		"bits 3":             {func(d *draft) { d.list()["bits"] = 3 }, statuslist.Malformed},
		"bits 0":             {func(d *draft) { d.list()["bits"] = 0 }, statuslist.Malformed},
		"bits 16":            {func(d *draft) { d.list()["bits"] = 16 }, statuslist.Malformed},
		"bits a text":        {func(d *draft) { d.list()["bits"] = "1" }, statuslist.Malformed},
		"lst padded":         {func(d *draft) { d.list()["lst"] = d.list()["lst"].(string) + "=" }, statuslist.Malformed},
		"lst a number":       {func(d *draft) { d.list()["lst"] = 1 }, statuslist.Malformed},
		"lst empty":          {func(d *draft) { d.list()["lst"] = "" }, statuslist.BadStream},
		"lst not zlib":       {func(d *draft) { d.list()["lst"] = b64([]byte("not a stream")) }, statuslist.BadStream},
		"lst raw deflate":    {func(d *draft) { s := deflate([]byte{1}); d.list()["lst"] = b64(s[2 : len(s)-4]) }, statuslist.BadStream},
		"lst of no entry":    {func(d *draft) { d.list()["lst"] = b64(deflate(nil)) }, statuslist.BadStream},
		"byte behind":        {func(d *draft) { d.list()["lst"] = b64(append(deflate([]byte{1}), 0)) }, statuslist.BadStream},
		"second stream":      {func(d *draft) { d.list()["lst"] = b64(append(deflate([]byte{1}), deflate([]byte{0})...)) }, statuslist.BadStream},
		"cut short":          {func(d *draft) { s := deflate([]byte{1}); d.list()["lst"] = b64(s[:len(s)-1]) }, statuslist.BadStream},
		"wrong checksum":     {func(d *draft) { s := deflate([]byte{1}); s[len(s)-1] ^= 1; d.list()["lst"] = b64(s) }, statuslist.BadStream},
		"one byte too many":  {func(d *draft) { d.list()["lst"] = b64(deflate(make([]byte, statuslist.MaxInflated+1))) }, statuslist.BadStream},
	} {
		t.Run(name, func(t *testing.T) {
			d := newList(now, 1, 0)
			tc.spoil(d)
			l, err := read(t, d.bytes())
			if l != nil || reasonOf(err) != tc.reason {
				t.Errorf("%v, %v, want %s", l, err, tc.reason)
			}
		})
	}
	good := string(newList(now, 1, 0).bytes())
	for name, token := range map[string]string{
		"nothing": "", "line feed": good + "\n", "no object": string(sign(object{"alg": "EdDSA", "kid": "k1", "typ": "statuslist+jwt"}, nil, shKey)),
		"too long": strings.Repeat("A", statuslist.MaxToken+1),
	} {
		if l, err := read(t, []byte(token)); l != nil || reasonOf(err) != statuslist.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := newList(now, 1, make([]byte, statuslist.MaxInflated)...)
	if _, err := read(t, largest.bytes()); err != nil {
		t.Errorf("the largest list: %v", err)
	}
}

// What the trust list says of the issuer and its key decides, when a list is
// read and whenever it is asked.
func TestTrust(t *testing.T) {
	token := newList(now, 1, 0).bytes()
	good, err := read(t, token)
	if err != nil {
		t.Fatal(err)
	}
	sh := func(l *keys.List) *keys.Authority { return &l.Provinces[0].Issuers[0] }
	revoke := func(r keys.Revocation) func(*keys.List) {
		return func(l *keys.List) { l.Revoked[sh(l).Inline.Key("k1").Thumbprint()] = r }
	}
	for name, tc := range map[string]struct {
		edit   func(*keys.List)
		reason statuslist.Reason // "" is good
	}{
		"as it is":           {func(*keys.List) {}, ""},
		"compromised":        {revoke(keys.Revocation{At: now.Unix() + 1000, Reason: "compromised"}), statuslist.WrongKey},
		"superseded before":  {revoke(keys.Revocation{At: now.Unix(), Reason: keys.ReasonSuperseded}), statuslist.WrongKey},
		"superseded since":   {revoke(keys.Revocation{At: now.Unix() + 1, Reason: keys.ReasonSuperseded}), ""},
		"window over":        {func(l *keys.List) { sh(l).Inline = set(t, jwk("k1", shKey, "exp", now.Unix())) }, statuslist.WrongKey},
		"window not begun":   {func(l *keys.List) { sh(l).Inline = set(t, jwk("k1", shKey, "nbf", now.Unix()+1)) }, statuslist.WrongKey},
		"key gone":           {func(l *keys.List) { sh(l).Inline = set(t, jwk("k2", shNewKey)) }, statuslist.UnknownKey},
		"kid of another key": {func(l *keys.List) { sh(l).Inline = set(t, jwk("k1", shNewKey)) }, statuslist.BadSignature},
		"algorithm":          {func(l *keys.List) { sh(l).Algorithms = []keys.Algorithm{keys.SM2} }, statuslist.WrongKey},
		"issuer gone":        {func(l *keys.List) { l.Provinces = l.Provinces[1:] }, statuslist.WrongIssuer},
		"suspended":          {func(l *keys.List) { l.Provinces[0].Active = false }, statuslist.WrongIssuer},
		"trust list expired": {func(l *keys.List) { l.Expires = now }, statuslist.WrongIssuer},
		"nobody is trusted":  {func(l *keys.List) { *l = keys.List{} }, statuslist.WrongIssuer},
	} {
		if _, err := read(t, token, tc.edit); reasonOf(err) != tc.reason {
			t.Errorf("%s: %v, want %s", name, err, tc.reason)
		}
		if counts := good.Counts(shanghai, newBook(t, tc.edit).Current(), now); counts != (tc.reason == "") {
			t.Errorf("%s: the list read before counts: %v", name, counts)
		}
	}
	trust := newBook(t).Current()
	if !good.Counts(shanghai, trust, now.Add(299*time.Second)) || good.Counts(shanghai, trust, now.Add(300*time.Second)) {
		t.Error("the list does not end when it should")
	}
	if good.Counts(jiangsu, trust, now) {
		t.Error("the list counts for another issuer")
	}
}

// A stream of 64 MiB is refused at the cap, with less than 24 MiB of memory
// more. How long that takes: BenchmarkBomb.
func TestBomb(t *testing.T) {
	token := newList(now, 1, make([]byte, 64<<20)...).bytes()
	trust := newBook(t).Current()
	least := uint64(1 << 62)
	for range 3 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := statuslist.Read(token, shanghai, listURI, trust, now)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
		if reasonOf(err) != statuslist.BadStream {
			t.Fatal(err)
		}
	}
	t.Logf("64 MiB in %d KiB: refused with %d KiB allocated", len(token)>>10, least>>10)
	if least > 24<<20 {
		t.Errorf("it took %d bytes", least)
	}
}

// A list of 2^20 entries holds no more than twice its inflated size, also where
// it does not pack well. How long reading takes: BenchmarkRead.
func TestMillion(t *testing.T) {
	for _, bits := range []int{1, 2, 8} {
		for name, entries := range map[string][]byte{"empty": make([]byte, bits<<17), "random": make([]byte, bits<<17)} {
			if name == "random" {
				rand.Read(entries)
			}
			token := newList(now, bits, entries...).bytes()
			trust := newBook(t).Current()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			l, err := statuslist.Read(token, shanghai, listURI, trust, now)
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(token)
			held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			t.Logf("%d bits, %s: holds %d bytes for %d", bits, name, held, len(entries))
			if held > int64(2*len(entries)) {
				t.Errorf("%d bits, %s: holds %d bytes for %d", bits, name, held, len(entries))
			}
			if last, ok := l.Value(1<<20 - 1); !ok || last != entries[len(entries)-1]>>(8-bits) {
				t.Error("last entry is wrong")
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	entries := make([]byte, 1<<17)
	rand.Read(entries[:1<<12])
	token := newList(now, 1, entries...).bytes()
	trust := newBook(b).Current()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := statuslist.Read(token, shanghai, listURI, trust, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBomb(b *testing.B) {
	token := newList(now, 1, bytes.Repeat([]byte{0}, 64<<20)...).bytes()
	trust := newBook(b).Current()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := statuslist.Read(token, shanghai, listURI, trust, now); err == nil {
			b.Fatal("taken")
		}
	}
}
