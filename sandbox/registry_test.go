package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/sandbox"
)

func TestPlainRegistry(t *testing.T) {
	now := time.Date(2026, 6, 30, 23, 30, 0, 0, time.UTC)
	s := start(t, sandbox.Options{Now: func() time.Time { return now }})
	c := client(t, s)
	r := s.Province("310000").Registry
	r.Put(sandbox.Record{USCC: "A", EntName: "甲（集团）", RegState: "1", ApprDate: "2024-05-06"})

	answer := func(uscc string) (int, map[string]string) {
		o := ask(c, r.URL()+"/licences/"+uscc)
		var m map[string]string
		if err := json.Unmarshal(o.body, &m); err != nil || o.contentType != "application/json" {
			t.Fatalf("%s %s: %v", o.contentType, o.body, err)
		}
		return o.status, m
	}
	want := map[string]string{
		"uniscid": "A", "entname": "甲（集团）", "regstate": "1", "apprdate": "2024-05-06", "asof": "2026-07-01T07:30:00+08:00",
	}
	if status, got := answer("A"); status != 200 || !cmp.Equal(got, want) {
		t.Errorf("%d %s", status, cmp.Diff(want, got))
	}
	for _, state := range []string{"2", "3", "4", "5", "6", "9"} {
		if !r.SetState("A", state) {
			t.Fatal("not registered")
		}
		if _, got := answer("A"); got["regstate"] != state {
			t.Errorf("state %s, want %s", got["regstate"], state)
		}
	}
	r.Edit("A", func(rec *sandbox.Record) { rec.ApprDate, rec.AsOf = "2025-01-01", now.Add(-time.Hour) })
	if _, got := answer("A"); got["apprdate"] != "2025-01-01" || got["asof"] != "2026-07-01T06:30:00+08:00" {
		t.Errorf("after Edit: %v", got)
	}
	r.Remove("A")
	if status, got := answer("A"); status != 404 || !cmp.Equal(got, map[string]string{"code": "not_found"}) {
		t.Errorf("after Remove: %d %v", status, got)
	}
	if r.SetState("A", "1") || r.Len() != 0 {
		t.Error("a removed business is still there")
	}
	if r.Calls() != 9 {
		t.Errorf("%d calls, want 9", r.Calls())
	}
}

func TestSecondDialect(t *testing.T) {
	s := start(t, sandbox.Options{Dialect: map[string]sandbox.Dialect{"330000": {Enabled: true, AppKey: "open sesame"}}})
	c := client(t, s)
	r := s.Province("330000").Registry
	r.Put(sandbox.Record{USCC: "A", EntName: "甲", RegState: "1", ApprDate: "2024-05-06"})
	post := func(appKey, body string) (int, string) {
		req, err := http.NewRequest("POST", r.URL()+"/query", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-App-Key", appKey)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(got)
	}
	for _, tc := range []struct {
		key, body string
		status    int
		want      string
	}{
		{"open sesame", `{"uniscId":"A"}`, 200, `{"code":"00","dataCount":1,"datas":[{"uniscId":"A","companyName":"甲","operatingStatus":"K","appDate":"2024-05-06 00:00:00"}]}`},
		{"open sesame", `{"uniscId":"B"}`, 200, `{"code":"00","dataCount":0,"datas":[]}`},
		{"open sesame", `{}`, 200, `{"code":"40"}`},
		{"guess", `{"uniscId":"A"}`, 401, `{"code":"41"}`},
	} {
		if status, got := post(tc.key, tc.body); status != tc.status || got != tc.want {
			t.Errorf("%s: %d %s", tc.body, status, got)
		}
	}
	for state, word := range map[string]string{"1": "K", "2": "D", "3": "DX", "4": "XX", "5": "C", "6": "QX", "9": "QT"} {
		r.SetState("A", state)
		if _, got := post("open sesame", `{"uniscId":"A"}`); !strings.Contains(got, `"operatingStatus":"`+word+`"`) {
			t.Errorf("state %s: %s", state, got)
		}
	}
	if err := r.Set(sandbox.Fault{Mode: sandbox.WrongLicence}); err != nil {
		t.Fatal(err)
	}
	if status, got := post("open sesame", `{"uniscId":"A"}`); status != 200 || strings.Contains(got, `"A"`) {
		t.Errorf("lying: %d %s", status, got)
	}
	if o := ask(c, r.URL()+"/licences/A"); o.status != 404 {
		t.Errorf("the plain protocol is answered, too: %d", o.status)
	}
}

func TestFaultOfOneLicence(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	r := s.Province("310000").Registry
	r.Put(sandbox.Record{USCC: "A"}, sandbox.Record{USCC: "B"})
	if err := r.SetLicence("A", sandbox.Fault{Mode: sandbox.Error}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a, b := ask(c, r.URL()+"/licences/A"), ask(c, r.URL()+"/licences/B"); a.status != 500 || b.status != 200 {
			t.Fatalf("A %d, B %d", a.status, b.status)
		}
	}
	if err := r.SetLicence("A", sandbox.Fault{}); err != nil {
		t.Fatal(err)
	}
	if a := ask(c, r.URL()+"/licences/A"); a.status != 200 {
		t.Errorf("after the end: %d", a.status)
	}
}

func TestHighWater(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := client(t, s)
	r := s.Province("310000").Registry
	if err := r.Set(sandbox.Fault{Mode: sandbox.Hang}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { ask(c, r.URL()+"/licences/A") })
	}
	until(t, "five in flight", func() bool { return r.InFlight() == 5 })
	r.ResetCounters()
	if r.Calls() != 0 || r.HighWater() != 5 {
		t.Errorf("after reset: %d calls, %d at most", r.Calls(), r.HighWater())
	}
	s.Close()
	wg.Wait()
	if r.InFlight() != 0 {
		t.Errorf("%d in flight after Close", r.InFlight())
	}
}

func BenchmarkRegistry(b *testing.B) {
	s := start(b, sandbox.Options{})
	c := client(b, s)
	c.Transport.(*http.Transport).DisableKeepAlives = false
	p := s.Province("310000")
	_, biz, err := p.Mint(sandbox.LicenceSpec{})
	if err != nil {
		b.Fatal(err)
	}
	url := p.Registry.URL() + "/licences/" + biz.USCC
	for b.Loop() {
		if o := ask(c, url); o.status != 200 {
			b.Fatal(o.status, o.connErr)
		}
	}
}
