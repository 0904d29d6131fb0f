package sandbox_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/sandbox"
)

// statuses fetches a list, verifies it and unpacks its entries.
func statuses(t testing.TB, s *sandbox.Sandbox, p *sandbox.Province, list *sandbox.StatusList) (claims map[string]any, entries []byte) {
	t.Helper()
	o := ask(client(t, s), list.URI())
	if o.status != 200 || o.contentType != "application/statuslist+jwt" {
		t.Fatalf("%d %s", o.status, o.contentType)
	}
	if !verifies(t, string(o.body), jwkOf(t, p.SigningKey(""))) {
		t.Error("does not verify")
	}
	header, claims := open(t, string(o.body))
	if header["typ"] != "statuslist+jwt" || claims["sub"] != list.URI() {
		t.Errorf("%v %v", header, claims)
	}
	body := claims["status_list"].(map[string]any)
	packed, err := base64.RawURLEncoding.DecodeString(body["lst"].(string))
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(packed)
	z, err := zlib.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || r.Len() != 0 {
		t.Fatalf("%d bytes behind the stream, %v", r.Len(), err)
	}
	width := int(body["bits"].(float64))
	for _, b := range raw { // draft §4.1: from the least significant bit up
		for range 8 / width {
			entries = append(entries, b&byte(1<<width-1))
			b >>= width
		}
	}
	return claims, entries
}

func TestStatusList(t *testing.T) {
	s := start(t, sandbox.Options{})
	for i, p := range s.Provinces() {
		width := 1 << i
		list, err := p.Status.Publish(7, sandbox.StatusSpec{Bits: width, Size: 64})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(list.URI(), p.Status.Prefix()) {
			t.Errorf("%s lies outside of %s", list.URI(), p.Status.Prefix())
		}
		want := make([]byte, 64)
		set := func(index int, value byte) {
			t.Helper()
			want[index] = value
			if err := list.Set(index, value); err != nil {
				t.Fatal(err)
			}
			if _, got := statuses(t, s, p, list); !cmp.Equal(got, want) {
				t.Errorf("%d bits: %s", width, cmp.Diff(want, got))
			}
		}
		top := byte(1<<width - 1)
		set(0, top)
		set(63, 1)
		set(10, top)
		set(11, 1)
		set(10, 0)
		for _, bad := range []struct {
			index int
			value byte
		}{{-1, 0}, {64, 0}, {0, top}} {
			if bad.value == top {
				if width == 8 {
					continue // every byte fits
				}
				bad.value++
			}
			if err := list.Set(bad.index, bad.value); err == nil {
				t.Errorf("%d bits: took %d at %d", width, bad.value, bad.index)
			}
		}
	}
	for _, bad := range []sandbox.StatusSpec{{Bits: 3}, {Bits: 16}, {Bits: -1}, {Size: -1}, {Size: 1<<24 + 1}} {
		if _, err := s.Province("310000").Status.Publish(1, bad); err == nil {
			t.Errorf("published %+v", bad)
		}
	}
	if o := ask(client(t, s), s.Province("310000").Status.Prefix()+"8"); o.status != 404 {
		t.Errorf("a list that there is not: %d", o.status)
	}
}

func TestStatusListStaysFresh(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	p := s.Province("330000")
	list, err := p.Status.Publish(1, sandbox.StatusSpec{TTL: time.Minute, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	token := func() string {
		raw, err := list.Token()
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	first := token()
	if token() != first {
		t.Error("signed again without need")
	}
	now = now.Add(31 * time.Second)
	second := token()
	if second == first {
		t.Error("half of its ttl has passed, and it is the same")
	}
	claims, _ := statuses(t, s, p, list)
	if claims["iat"] != float64(now.Unix()) || claims["exp"] != float64(now.Unix()+3600) || claims["ttl"] != 60.0 {
		t.Errorf("claims %v", claims)
	}
	list.SetRaw([]byte("x"))
	if token() != "x" {
		t.Error("SetRaw does nothing")
	}
	list.SetRaw(nil)
	if token() != second {
		t.Error("SetRaw(nil) does not end it")
	}
}

func TestLongStatusList(t *testing.T) {
	s := start(t, sandbox.Options{})
	p := s.Province("310000")
	list, err := p.Status.Publish(1, sandbox.StatusSpec{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Set(1<<20-1, 1); err != nil {
		t.Fatal(err)
	}
	if _, entries := statuses(t, s, p, list); len(entries) != 1<<20 || entries[1<<20-1] != 1 {
		t.Errorf("%d entries", len(entries))
	}
}
