package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
)

// The one table of faults, as contract §6.3 states it.
func TestFaultTable(t *testing.T) {
	want := map[api.FaultCode]int{
		api.BadRequest: 400, api.Unauthenticated: 401, api.Forbidden: 403, api.NotFound: 404, api.MethodNotAllowed: 405,
		api.NotAcceptable: 406, api.RequestTimeout: 408, api.IdempotencyConflict: 409, api.TooLarge: 413,
		api.UnsupportedMediaType: 415, api.Unprocessable: 422, api.RateLimited: 429, api.Internal: 500, api.Overloaded: 503,
	}
	r := newRig(t)
	for code, status := range api.FaultStatus() {
		if want[code] != status {
			t.Errorf("%s is %d, want %d", code, status, want[code])
		}
		delete(want, code)
		detail := "说明 \"quoted\""
		if code == api.Internal {
			detail = ""
		}
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Request-Id", strings.Repeat("\x00", 16))
		r.api.Refuse(w, request("POST", "/v1/verify", ""), code, detail, 1500*time.Millisecond)
		p := refused(t, w, status, code)
		if code != api.Internal && *p.Detail != detail {
			t.Errorf("%s: detail %q", code, *p.Detail)
		}
		if got := w.Header().Get("Retry-After"); got != "2" {
			t.Errorf("%s: Retry-After %q of 1.5 s", code, got)
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", code, w.Header().Get("WWW-Authenticate"))
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the table: %v", want)
	}
}

// Each fault as a caller meets it.
func TestFaults(t *testing.T) {
	r := newRig(t)
	good := r.world.Good()
	for _, tt := range []struct {
		name   string
		q      *http.Request
		status int
		code   api.FaultCode
	}{
		{"empty body", request("POST", "/v1/verify", "", "Content-Type: application/jwt"), 400, api.BadRequest},
		{"empty JSON body", request("POST", "/v1/verify", "", "Content-Type: application/json"), 400, api.BadRequest},
		{"no key", request("POST", "/v1/verify", good, "Authorization:"), 401, api.Unauthenticated},
		{"unknown key", request("POST", "/v1/verify", good, "Authorization: Bearer nobody"), 401, api.Unauthenticated},
		{"empty key", request("POST", "/v1/verify", good, "Authorization: Bearer "), 401, api.Unauthenticated},
		{"other scheme", request("POST", "/v1/verify", good, "Authorization: Basic "+hall), 401, api.Unauthenticated},
		{"two keys", request("POST", "/v1/verify", good, "Authorization: Bearer "+hall, "Authorization: Bearer "+bank), 401, api.Unauthenticated},
		{"other scopes", request("POST", "/v1/verify", good, "Authorization: Bearer "+counter), 403, api.Forbidden},
		{"provinces without the scope", request("GET", "/v1/provinces", "", "Authorization: Bearer "+bank), 403, api.Forbidden},
		{"whoami of nobody", request("GET", "/v1/whoami", "", "Authorization:"), 401, api.Unauthenticated},
		{"no such page", request("GET", "/v1/nothing", ""), 404, api.NotFound},
		{"the root", request("GET", "/", ""), 404, api.NotFound},
		{"a slash too many", request("POST", "/v1/verify/", good), 404, api.NotFound},
		{"dots", request("POST", "/v1/../v1/verify", good), 404, api.NotFound},
		{"GET of verify", request("GET", "/v1/verify", ""), 405, api.MethodNotAllowed},
		{"HEAD of verify", request("HEAD", "/v1/verify", ""), 405, api.MethodNotAllowed},
		{"POST of codes", request("POST", "/v1/codes", "{}"), 405, api.MethodNotAllowed},
		{"OPTIONS", request("OPTIONS", "/v1/verify", ""), 405, api.MethodNotAllowed},
		{"a method in small letters", request("post", "/v1/verify", good), 405, api.MethodNotAllowed},
		{"Accept", request("POST", "/v1/verify", good, "Accept: text/html"), 406, api.NotAcceptable},
		{"too large by its word", request("POST", "/v1/verify", strings.Repeat("x", 256<<10+1)), 413, api.TooLarge},
		{"compressed", request("POST", "/v1/verify", good, "Content-Encoding: gzip"), 415, api.UnsupportedMediaType},
		{"identity", request("POST", "/v1/verify", good, "Content-Encoding: identity"), 415, api.UnsupportedMediaType},
		{"no media type", request("POST", "/v1/verify", good, "Content-Type:"), 415, api.UnsupportedMediaType},
		{"negative bound", request("POST", "/v1/verify", `{"credential":"x","freshness":{"max_age":"-1s"}}`), 422, api.Unprocessable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := refused(t, r.do(tt.q), tt.status, tt.code)
			if p.Detail != nil && (strings.Contains(*p.Detail, good) || strings.Contains(*p.Detail, hall)) {
				t.Errorf("what the caller sent is quoted: %s", *p.Detail)
			}
		})
	}
	if flying, codes := r.meter.read(); flying != 0 || len(codes) != 25 {
		t.Errorf("%d in flight after all was answered, %d refused", flying, len(codes))
	}
}

// A body that is somewhat too large is heard to its end, so that clients which
// send all before they read get their answer.
func TestTooLargeIsHeard(t *testing.T) {
	r := newRig(t)
	const most = 256 << 10
	for _, tt := range []struct {
		name   string
		length int64 // as announced; -1: not at all
		sent   int
		header string
		proto  int
		heard  int
	}{
		{"one more", most + 1, most + 1, "", 1, most + 1},
		{"twice as much", 2 * most, 2 * most, "", 1, 2 * most},
		{"more than twice", 2*most + 1, 2*most + 1, "", 1, 0},
		{"in chunks", -1, most + 100, "", 1, most + 100},
		{"endless chunks", -1, 8 * most, "", 1, 3*most + 1},
		{"asked before sending", most + 1, most + 1, "100-continue", 1, 0},
		{"HTTP/2", most + 1, most + 1, "", 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := request("POST", "/v1/verify", "x")
			body := strings.NewReader(strings.Repeat("x", tt.sent))
			q.Body, q.ContentLength, q.ProtoMajor = io.NopCloser(body), tt.length, tt.proto
			if tt.header != "" {
				q.Header.Set("Expect", tt.header)
			}
			refused(t, r.do(q), 413, api.TooLarge)
			if heard := tt.sent - body.Len(); heard < tt.heard || heard > tt.heard+most {
				t.Errorf("%d bytes heard, want %d", heard, tt.heard)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]string{"/v1/verify": "POST", "/v1/codes": "GET, HEAD", "/v1/provinces": "GET, HEAD", "/v1/whoami": "GET, HEAD"} {
		if got := r.do(request("DELETE", path, "")).Header().Get("Allow"); got != want {
			t.Errorf("%s: Allow %q, want %q", path, got, want)
		}
	}
}

// SPEC: contract §6.3 "406 (an Accept that excludes JSON)".
func TestAccept(t *testing.T) {
	r := newRig(t)
	for accept, ok := range map[string]bool{
		"application/json": true, "APPLICATION/JSON": true, "*/*": true, "application/*": true, "": true,
		"text/html, application/json;q=0.1": true, "text/html, */*;q=0.01": true, "application/json; charset=utf-8": true,
		"text/html": false, "application/xml": false, "text/html,": false, "application/json;q=0": false, "*/*;q=0": false,
		"application/json;q=0.000, */*": false, "application/json;q=0, application/*": false, "application/*;q=0, */*": false, "application/jsonx": false,
		"application/x-ndjson": false, "json": false,
	} {
		for _, q := range []*http.Request{request("POST", "/v1/verify", r.world.Good()), request("GET", "/v1/codes", "")} {
			q.Header["Accept"] = []string{accept}
			if w := r.do(q); ok != (w.Code == 200) {
				t.Errorf("%s with Accept %q: %d", q.URL.Path, accept, w.Code)
			} else if !ok {
				refused(t, w, 406, api.NotAcceptable)
			}
		}
	}
	q := request("POST", "/v1/verify", r.world.Good())
	q.Header["Accept"] = []string{"text/html", "application/json"}
	if w := r.do(q); w.Code != 200 {
		t.Errorf("two lines of Accept: %d", w.Code)
	}
}

// SPEC: contract §6.4 "open to all are /.well-known/jwks.json, /v1/codes, …",
// §10 "a key on an open page is not looked at".
func TestWhoMayAsk(t *testing.T) {
	for _, tt := range []struct {
		name      string
		anonymous parties.Scope
		header    string
		want      map[string]int
	}{
		{"nobody", 0, "Authorization:", map[string]int{"/v1/codes": 200, "/.well-known/jwks.json": 200, "/v1/whoami": 401, "/v1/provinces": 401, "/v1/verify": 401}},
		{"a stranger's key", 0, "Authorization: Bearer nobody", map[string]int{"/v1/codes": 200, "/.well-known/jwks.json": 200, "/v1/whoami": 401, "/v1/provinces": 401, "/v1/verify": 401}},
		{"anonymous who may verify", parties.Verify, "Authorization:", map[string]int{"/v1/codes": 200, "/v1/whoami": 200, "/v1/provinces": 401, "/v1/verify": 200}},
		{"a stranger's key where anonymous may", parties.Verify, "Authorization: Bearer nobody", map[string]int{"/v1/whoami": 401, "/v1/verify": 401}},
		{"bank", 0, "Authorization: Bearer " + bank, map[string]int{"/v1/codes": 200, "/v1/whoami": 200, "/v1/provinces": 403, "/v1/verify": 200}},
		{"bank, scheme in small letters", 0, "Authorization: bearer " + bank, map[string]int{"/v1/verify": 200}},
		{"counter", parties.Verify, "Authorization: Bearer " + counter, map[string]int{"/v1/provinces": 200, "/v1/verify": 403}},
		{"hall", 0, "Authorization: Bearer " + hall, map[string]int{"/v1/provinces": 200, "/v1/verify": 200}},
	} {
		r := newRig(t, func(o *api.Options) { o.Parties = register(tt.anonymous) })
		for path, want := range tt.want {
			q := request("GET", path, "", tt.header)
			if path == "/v1/verify" {
				q = request("POST", path, r.world.Good(), tt.header)
			}
			w := r.do(q)
			if w.Code != want {
				t.Errorf("%s, %s: %d, want %d", tt.name, path, w.Code, want)
			}
			if w.Code == 200 && path == "/v1/verify" && (given(t, w).Licence != nil) != (tt.name == "hall") {
				t.Errorf("%s: licence shown: %v", tt.name, tt.name != "hall")
			}
		}
	}
}

func TestRate(t *testing.T) {
	r := newRig(t)
	if w := r.post(r.world.Good(), "Authorization: Bearer "+slowpoke); w.Code != 200 {
		t.Fatal(w.Code)
	}
	w := r.post(r.world.Good(), "Authorization: Bearer "+slowpoke)
	refused(t, w, 429, api.RateLimited)
	if got := w.Header().Get("Retry-After"); got != "100" && got != "99" {
		t.Errorf("Retry-After %q", got)
	}
	if w := r.post(r.world.Good()); w.Code != 200 {
		t.Errorf("another party is refused too: %d", w.Code)
	}
	// What costs nothing is not counted, what is counted is not told to strangers.
	if w := r.do(request("GET", "/v1/codes", "", "Authorization: Bearer "+slowpoke)); w.Code != 200 {
		t.Errorf("open page: %d", w.Code)
	}
}

func TestInFlight(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(o *api.Options) {
		next := o.Verifier
		o.MaxInFlight = 2
		o.Verifier = verifierFunc(func(ctx context.Context, q *verifiers.Request) *verifiers.Response {
			entered <- struct{}{}
			<-goOn
			return next.Verify(ctx, q)
		})
	})
	answers := make(chan int, 2)
	for range 2 {
		go func() { answers <- r.post(r.world.Good()).Code }()
		<-entered
	}
	w := r.post(r.world.Good())
	refused(t, w, 503, api.Overloaded)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if flying, _ := r.meter.read(); flying != 2 {
		t.Errorf("%d in flight", flying)
	}
	if w := r.do(request("GET", "/v1/codes", "")); w.Code != 200 {
		t.Errorf("a page that verifies nothing: %d", w.Code)
	}
	close(goOn)
	for range 2 {
		if code := <-answers; code != 200 {
			t.Error(code)
		}
	}
	go func() { <-entered }()
	if w := r.post(r.world.Good()); w.Code != 200 {
		t.Errorf("places were not given back: %d", w.Code)
	}
}

// A sender writes its body piece by piece, until it is closed.
type sender struct {
	*io.PipeWriter
	answer chan *httptest.ResponseRecorder
}

// send begins to POST a body to a page.
func (r *rig) send(page, media string) *sender {
	body, in := io.Pipe()
	s := &sender{in, make(chan *httptest.ResponseRecorder, 1)}
	q := request("POST", page, "", "Content-Type: "+media)
	q.Body, q.ContentLength = body, -1
	go func() {
		w := httptest.NewRecorder()
		r.api.ServeHTTP(timed{w}, q)
		body.Close() // as a server does
		s.answer <- w
	}()
	return s
}

// Who sends slowly holds no place in flight; all who do together hold no more
// memory than those in flight may.
func TestSlowBodies(t *testing.T) {
	r := newRig(t, func(o *api.Options) { o.MaxInFlight = 1 })
	slow := func(begins string) *sender {
		s := r.send("/v1/verify", "application/jwt")
		s.Write([]byte(begins))
		return s
	}
	good := r.world.Good()
	var senders []*sender
	for range 3 {
		senders = append(senders, slow(good[:100]))
	}
	if w := r.post(good); w.Code != 200 {
		t.Errorf("beside slow ones: %d %s", w.Code, w.Body)
	}
	for _, s := range senders {
		s.Write([]byte(good[100:]))
		s.Close()
		if w := <-s.answer; w.Code != 200 || !strings.Contains(w.Body.String(), `"VALID"`) {
			t.Errorf("a slow one: %d %s", w.Code, w.Body)
		}
	}
	big := strings.Repeat("x", 130<<10) // more than half of what there is, with room to grow
	first := slow(big)
	refused(t, <-slow(big).answer, 503, api.Overloaded)
	first.Close()
	if w := <-first.answer; w.Code != 200 || !strings.Contains(w.Body.String(), "FORMAT_MALFORMED") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := r.post(big); w.Code != 200 {
		t.Errorf("memory was not given back: %d", w.Code)
	}
}

// Batches, which last, leave half of the places to others.
func TestBatchesInFlight(t *testing.T) {
	r := newRig(t, func(o *api.Options) { o.MaxInFlight = 2 })
	begin := func() *sender { return r.send("/v1/verify/batch", "application/x-ndjson") }
	first := begin()
	io.WriteString(first, `{"credential":"`+r.world.Good()+`"}`+"\n")
	refused(t, <-begin().answer, 503, api.Overloaded)
	if w := r.post(r.world.Good()); w.Code != 200 {
		t.Errorf("beside a batch: %d", w.Code)
	}
	first.Close()
	if w := <-first.answer; !strings.Contains(w.Body.String(), `"VALID"`) {
		t.Errorf("the batch: %d %s", w.Code, w.Body)
	}
	third := begin()
	third.Close()
	if w := <-third.answer; w.Code != 200 {
		t.Errorf("its place was not given back: %d", w.Code)
	}
}

type verifierFunc func(context.Context, *verifiers.Request) *verifiers.Response

func (f verifierFunc) Verify(ctx context.Context, q *verifiers.Request) *verifiers.Response {
	return f(ctx, q)
}

// A panic is a 500 without detail, gives its place back, and is logged without
// what the request held.
func TestPanic(t *testing.T) {
	r := newRig(t, func(o *api.Options) {
		o.MaxInFlight = 1
		o.Verifier = verifierFunc(func(_ context.Context, q *verifiers.Request) *verifiers.Response { panic(string(q.Credential)) })
	})
	for range 3 {
		w := r.post(r.world.Good())
		p := refused(t, w, 500, api.Internal)
		if !strings.Contains(r.log.String(), p.RequestID) {
			t.Error("the log does not name the request")
		}
	}
	if log := r.log.String(); strings.Contains(log, r.world.Good()[:40]) || !strings.Contains(log, "faults_test.go") {
		t.Errorf("log: %s", log)
	}
	if _, codes := r.meter.read(); !slices.Equal(codes, []string{"INTERNAL", "INTERNAL", "INTERNAL"}) {
		t.Errorf("counted %v", codes)
	}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("an abort became %v", p)
			}
		}()
		aborting := newRig(t, func(o *api.Options) {
			o.Verifier = verifierFunc(func(context.Context, *verifiers.Request) *verifiers.Response { panic(http.ErrAbortHandler) })
		})
		aborting.post(aborting.world.Good())
	}()
}
