package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/verifiers"
)

// Every way in which the JSON form is 400 or 422 (contract §6.1, §6.3, §10).
func TestJSONRequests(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier = seen })
	const secret = "机密示例"
	for body, code := range map[string]api.FaultCode{
		`{"credential":"x"}`: "",
		`{"credential":"x","purpose":"p","reference":"流水号","freshness":{"max_age":"5m","stale_if_error":"1h"},"expect":{"uniscid":"u","entname":"e","lerep":"l"},"holder":{"aud":"a","nonce":"n","required":true},"receipt":false}`: "",
		`{"credential":"x","freshness":{},"expect":{},"holder":{}}`:      "",
		`{"credential":"x","holder":{"required":false}}`:                 "",
		`{"credential":"x","freshness":{"max_age":"0"}}`:                 "",
		`{"credential":"x","freshness":{"max_age":"-0s"}}`:               "",
		` {"credential":"x"} `:                                           "",
		`{"\u0063redential":"x"}`:                                        "",
		`{"credential":"x","purpose":""}`:                                "",
		`{}`:                                                             api.BadRequest,
		`{"credential":""}`:                                              api.BadRequest,
		`{"credential":null}`:                                            api.BadRequest,
		`{"credential":7}`:                                               api.BadRequest,
		`{"credential":["x"]}`:                                           api.BadRequest,
		`{"Credential":"x"}`:                                             api.BadRequest,
		`{"credential":"x","` + secret + `":1}`:                          api.BadRequest,
		`{"credential":"x","credential":"x"}`:                            api.BadRequest,
		`{"credential":"x","\u0063redential":"y"}`:                       api.BadRequest,
		`{"credential":"x","purpose":1}`:                                 api.BadRequest,
		`{"credential":"x","purpose":null}`:                              api.BadRequest,
		`{"credential":"x","reference":{}}`:                              api.BadRequest,
		`{"credential":"x","receipt":"true"}`:                            api.BadRequest,
		`{"credential":"x","receipt":null}`:                              api.BadRequest,
		`{"credential":"x","receipt":1}`:                                 api.BadRequest,
		`{"credential":"x","freshness":null}`:                            api.BadRequest,
		`{"credential":"x","freshness":"5m"}`:                            api.BadRequest,
		`{"credential":"x","freshness":{"max_age":300}}`:                 api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"` + secret + `"}}`:    api.BadRequest,
		`{"credential":"x","freshness":{"max_age":""}}`:                  api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"5"}}`:                 api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"5 m"}}`:               api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"9999999999h"}}`:       api.BadRequest,
		`{"credential":"x","freshness":{"max-age":"5m"}}`:                api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"5m","max_age":"6m"}}`: api.BadRequest,
		`{"credential":"x","freshness":{"only_if_cached":true}}`:         api.BadRequest,
		`{"credential":"x","expect":[]}`:                                 api.BadRequest,
		`{"credential":"x","expect":{"uniscid":1}}`:                      api.BadRequest,
		`{"credential":"x","expect":{"uniscid":null}}`:                   api.BadRequest,
		`{"credential":"x","expect":{"dom":"x"}}`:                        api.BadRequest,
		`{"credential":"x","holder":true}`:                               api.BadRequest,
		`{"credential":"x","holder":{"required":"yes"}}`:                 api.BadRequest,
		`{"credential":"x","holder":{"aud":["a"]}}`:                      api.BadRequest,
		`{"credential":"x","holder":{"nonsense":1}}`:                     api.BadRequest,
		`[]`:                              api.BadRequest,
		`null`:                            api.BadRequest,
		`"x"`:                             api.BadRequest,
		`{"credential":"x"}{}`:            api.BadRequest,
		`{"credential":"x",}`:             api.BadRequest,
		`{"credential":"` + "\xff" + `"}`: api.BadRequest,
		`{"credential":"\ud800"}`:         api.BadRequest,
		"\ufeff" + `{"credential":"x"}`:   api.BadRequest,
		strings.Repeat(`{"credential":`, 20) + `""` + strings.Repeat(`}`, 20): api.BadRequest,
		`not json`: api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"-1ns"}}`:                                  api.Unprocessable,
		`{"credential":"x","freshness":{"stale_if_error":"-1h"}}`:                            api.Unprocessable,
		`{"credential":"x","freshness":{"max_age":"5m","stale_if_error":"-1h"}}`:             api.Unprocessable,
		`{"credential":"x","holder":{"required":true}}`:                                      api.Unprocessable,
		`{"credential":"x","holder":{"required":true,"aud":"a"}}`:                            api.Unprocessable,
		`{"credential":"x","holder":{"required":true,"nonce":"n"}}`:                          api.Unprocessable,
		`{"credential":"x","holder":{"required":true,"aud":"","nonce":""}}`:                  api.Unprocessable,
		`{"credential":"x","holder":{"required":true},"freshness":{"max_age":"-1s"}}`:        api.Unprocessable,
		`{"credential":"x","holder":{"required":true},"x":1}`:                                api.BadRequest,
		`{"credential":"","holder":{"required":true}}`:                                       api.BadRequest,
		`{"credential":"x","freshness":{"max_age":"-1s","stale_if_error":"` + secret + `"}}`: api.BadRequest,
	} {
		w := r.post(body, "Content-Type: application/json")
		if code == "" {
			if w.Code != 200 || string(seen.Credential) != "x" {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
			continue
		}
		if w.Code != api.FaultStatus()[code] {
			t.Errorf("%s: %d %s, want %s", body, w.Code, w.Body, code)
			continue
		}
		if p := refused(t, w, api.FaultStatus()[code], code); strings.Contains(*p.Detail, secret) {
			t.Errorf("%s: quoted in %s", body, *p.Detail)
		}
	}
}

func TestWhatIsPassedOn(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier = seen })
	given(t, r.post(`{"credential":"a.b.c","holder":{"aud":"hall","nonce":"n","required":true}}`))
	if h := seen.Holder; h == nil || *h != (verifiers.HolderExpectation{Audience: "hall", Nonce: "n", Required: true}) || seen.Format != "" || seen.Bounds != ceiling {
		t.Errorf("%+v", seen.Request)
	}
	given(t, r.post("a.b.c"))
	if seen.Holder != nil || string(seen.Credential) != "a.b.c" {
		t.Errorf("%+v", seen.Request)
	}
	for _, exact := range []string{" a.b.c", "a.b.c\n", "\x00", "\ufeffa"} {
		given(t, r.post(exact))
		if string(seen.Credential) != exact {
			t.Errorf("%q was passed on as %q", exact, seen.Credential)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier = seen })
	for media, want := range map[string]struct {
		format verifiers.Format
		ok     bool
	}{
		"application/jwt": {"", true}, "text/plain": {"", true}, "application/ebl+jwt": {"ebl+jwt", true}, "APPLICATION/EBL+JWT": {"ebl+jwt", true},
		"text/plain; charset=utf-8": {"", true}, "text/plain;charset=UTF-8": {"", true}, "application/jwt ": {"", true}, "application/jwt; x=y": {"", true},
		"text/plain; charset=gbk": {}, "text/plain; charset": {}, "application/octet-stream": {}, "application/x-www-form-urlencoded": {},
		"multipart/form-data; boundary=x": {}, "application/dc+sd-jwt": {}, "application/": {}, "jwt": {}, "text/html": {}, "application/jwt, text/plain": {}, "*/*": {},
		"application/x-ndjson": {},
	} {
		w := r.post("a.b.c", "Content-Type: "+media)
		if !want.ok {
			refused(t, w, 415, api.UnsupportedMediaType)
		} else if w.Code != 200 || seen.Format != want.format {
			t.Errorf("%s: %d, format %q", media, w.Code, seen.Format)
		}
	}
	refused(t, r.post("a.b.c", "Content-Type: application/jwt", "Content-Type: text/plain"), 415, api.UnsupportedMediaType)
	for _, media := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		if w := r.post(`{"credential":"x"}`, "Content-Type: "+media); w.Code != 200 {
			t.Errorf("%s: %d", media, w.Code)
		}
	}
	refused(t, r.post(`{"credential":"x"}`, "Content-Type: application/json; charset=gbk"), 415, api.UnsupportedMediaType)
	refused(t, r.post(`{"credential":"x"}`, "Content-Type: application/json;;;="), 415, api.UnsupportedMediaType)
}

// What a caller says about freshness, in the header or in the body (contract
// §6.1, §10; RFC 9111, RFC 5861).
func TestFreshness(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier = seen })
	second, minute, hour := time.Second, time.Minute, time.Hour
	b := func(maxAge, stale time.Duration) verifiers.Bounds {
		return verifiers.Bounds{MaxAge: maxAge, StaleIfError: stale}
	}
	cached := func(b verifiers.Bounds) verifiers.Bounds { b.OnlyIfCached = true; return b }
	for _, tt := range []struct {
		header []string
		json   string // the member freshness
		want   verifiers.Bounds
		code   api.FaultCode
	}{
		{want: ceiling},
		{header: []string{""}, want: ceiling},
		{header: []string{"max-age=60"}, want: b(minute, 0)},
		{header: []string{"MAX-AGE=60"}, want: b(minute, 0)},
		{header: []string{`max-age="60"`}, want: b(minute, 0)},
		{header: []string{"max-age=0"}, want: b(0, 0)},
		{header: []string{"no-cache"}, want: b(0, 0)},
		{header: []string{"max-age=60, stale-if-error=120"}, want: b(minute, 2*minute)},
		{header: []string{"stale-if-error=120"}, want: b(5*minute, 2*minute)},
		{header: []string{"stale-if-error=0"}, want: b(5*minute, 0)},
		{header: []string{"no-cache, stale-if-error=120"}, want: b(0, 2*minute)},
		{header: []string{"max-age=60, no-cache"}, want: b(0, 0)},
		{header: []string{"no-cache, max-age=60"}, want: b(0, 0)},
		{header: []string{"max-age=60, max-age=30"}, want: b(30*second, 0)},
		{header: []string{"max-age=60", "max-age=30"}, want: b(30*second, 0)},
		{header: []string{"only-if-cached"}, want: cached(ceiling)},
		{header: []string{"only-if-cached, max-age=1"}, want: cached(b(second, 0))},
		{header: []string{"max-age=99999999999999999999"}, want: b(5*minute, 0)},
		{header: []string{"max-age=600, stale-if-error=7200"}, want: ceiling},
		{header: []string{"no-store, no-transform, x=y"}, want: ceiling},
		{header: []string{"max-age =60"}, want: b(minute, 0)},
		{header: []string{" ,, max-age=60 , "}, want: b(minute, 0)},
		{header: []string{"max-age"}, code: api.BadRequest},
		{header: []string{"max-age="}, code: api.BadRequest},
		{header: []string{"max-age=1.5"}, code: api.BadRequest},
		{header: []string{"max-age=1m"}, code: api.BadRequest},
		{header: []string{"max-age=+1"}, code: api.BadRequest},
		{header: []string{"max-age=--1"}, code: api.BadRequest},
		{header: []string{"max-age=x, max-age=-1"}, code: api.BadRequest},
		{header: []string{"max-age=-1"}, code: api.Unprocessable},
		{header: []string{"stale-if-error=-1"}, code: api.Unprocessable},
		{header: []string{"max-age=-0"}, want: b(0, 0)},

		{json: `{}`, want: ceiling},
		{json: `{"max_age":"1m"}`, want: b(minute, 0)},
		{json: `{"max_age":"0s"}`, want: b(0, 0)},
		{json: `{"max_age":"1m","stale_if_error":"2m"}`, want: b(minute, 2*minute)},
		{json: `{"stale_if_error":"2m"}`, want: b(5*minute, 2*minute)},
		{json: `{"max_age":"10m","stale_if_error":"2h"}`, want: ceiling},
		{json: `{"max_age":"1500ms"}`, want: b(1500*time.Millisecond, 0)},
		{json: `{"max_age":"1m"}`, header: []string{"no-cache, only-if-cached"}, want: b(minute, 0)},
		{json: `{}`, header: []string{"no-cache"}, want: ceiling},
		{json: `{}`, header: []string{"max-age=x"}, want: ceiling},
		{json: `-`, header: []string{"no-cache"}, want: b(0, 0)},
		{json: `-`, header: []string{"max-age=60, stale-if-error=7200"}, want: b(minute, hour)},
		{json: `-`, header: []string{"max-age=-1"}, code: api.Unprocessable},
		{json: `-`, header: []string{"max-age=x"}, code: api.BadRequest},
	} {
		body := "a.b.c"
		switch tt.json {
		case "":
		case "-":
			body = `{"credential":"x"}`
		default:
			body = `{"credential":"x","freshness":` + tt.json + `}`
		}
		q := request("POST", "/v1/verify", body)
		q.Header["Cache-Control"] = tt.header
		w := r.do(q)
		if tt.code != "" {
			if w.Code != api.FaultStatus()[tt.code] {
				t.Errorf("%q %s: %d, want %s", tt.header, tt.json, w.Code, tt.code)
			} else {
				refused(t, w, w.Code, tt.code)
			}
		} else if w.Code != http.StatusOK || seen.Bounds != tt.want {
			t.Errorf("%q %s: %d %+v, want %+v", tt.header, tt.json, w.Code, seen.Bounds, tt.want)
		}
	}
}

// A gateway that allows nothing from its caches: no caller gets more.
func TestCeilingOfNothing(t *testing.T) {
	seen := &askedFor{}
	r := newRig(t, func(o *api.Options) { o.Verifier, o.Ceiling = seen, verifiers.Bounds{} })
	for _, header := range []string{"", "max-age=60", "stale-if-error=60", "max-age=60, stale-if-error=60"} {
		r.post("a.b.c", "Cache-Control: "+header)
		if seen.Bounds != (verifiers.Bounds{}) {
			t.Errorf("%q: %+v", header, seen.Bounds)
		}
	}
}
