package apitest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tongyan/gateway/internal/api"
)

func checker(t *testing.T) *Checker {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func verdict(t *testing.T) string {
	t.Helper()
	r, ok := api.Example("OK", time.Unix(1790827200, 0))
	if !ok {
		t.Fatal("OK has no example")
	}
	return string(api.AppendVerdict(nil, "vrf_0123456789abcdef", true, r))
}

// good is an exchange that the document describes.
func good(t *testing.T) *Exchange {
	return &Exchange{
		Method: "POST", Path: "/v1/verify", Asked: http.Header{"Content-Type": {"application/json"}}, AskedBody: []byte(`{"credential":"x"}`),
		Status: 200, Body: []byte(verdict(t)), Answered: http.Header{"Content-Type": {"application/json"}, "Request-Id": {"0123456789abcdef"},
			"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Date": {"today"}},
	}
}

const problem = `{"type":"about:blank","title":"Too many","status":429,"code":"RATE_LIMITED","request_id":"0123456789abcdef"}`

// refusal is an answer by a problem.
func refusal(e *Exchange) {
	e.Status, e.Body = 429, []byte(problem)
	e.Answered.Set("Content-Type", "application/problem+json")
	e.Answered.Set("Retry-After", "2")
}

func TestWhatIsNotDescribedIsAnError(t *testing.T) {
	edit := func(from, to string) func(*Exchange) {
		return func(e *Exchange) {
			if !strings.Contains(string(e.Body), from) {
				t.Fatalf("%s is not in the answer", from)
			}
			e.Body = []byte(strings.Replace(string(e.Body), from, to, 1))
		}
	}
	for name, c := range map[string]struct {
		change func(*Exchange)
		want   string // part of the error, "" for none
	}{
		"nothing changed":         {func(*Exchange) {}, ""},
		"a problem":               {refusal, ""},
		"another status":          {func(e *Exchange) { e.Status = 418 }, "418"},
		"another page":            {func(e *Exchange) { e.Path = "/v2" }, "200"},
		"another method":          {func(e *Exchange) { e.Method = "PUT" }, "PUT"},
		"an unknown header":       {func(e *Exchange) { e.Answered.Set("X-Debug", "1") }, "X-Debug"},
		"a header twice":          {func(e *Exchange) { e.Answered.Add("Request-Id", "0123456789abcdef") }, "2 times"},
		"no request id":           {func(e *Exchange) { e.Answered.Del("Request-Id") }, "missing"},
		"a header's value":        {func(e *Exchange) { e.Answered.Set("Cache-Control", "public") }, "header Cache-Control"},
		"a number that is none":   {func(e *Exchange) { e.Answered.Set("Age", "young") }, "no number"},
		"429 without Retry-After": {func(e *Exchange) { refusal(e); e.Answered.Del("Retry-After") }, "Retry-After"},
		"another fault's code":    {func(e *Exchange) { refusal(e); edit("RATE_LIMITED", "OVERLOADED")(e) }, "code"},
		"a media type":            {func(e *Exchange) { e.Answered.Set("Content-Type", "text/plain") }, "text/plain"},
		"no JSON":                 {func(e *Exchange) { e.Body = []byte("{") }, "no JSON"},
		"a new member":            {edit(`{"id"`, `{"new":1,"id"`), "new"},
		"a new member of a check": {edit(`{"check"`, `{"new":1,"check"`), "new"},
		"a member missing":        {edit(`"warnings":[],`, ``), "warnings"},
		"a check's name":          {edit(`"check":"key"`, `"check":"issuer"`), "key"},
		"a code beside passed":    {edit(`"passed"`, `"passed","code":"OK"`), "checks"},
		"an unknown code":         {edit(`"code":"OK"`, `"code":"FINE"`), "code"},
		"VALID by another code":   {edit(`"code":"OK"`, `"code":"EXPIRED"`), "code"},
		"an unknown warning":      {edit(`"warnings":[]`, `"warnings":["RAIN"]`), "warnings"},
		"a body to HEAD":          {func(e *Exchange) { e.Method, e.Path = "HEAD", "/v1/codes" }, "HEAD"},
		"a request it forbids":    {func(e *Exchange) { e.AskedBody = []byte(`{"credential":"x","hint":1}`) }, "the request was taken"},
		"a raw request":           {func(e *Exchange) { e.Asked.Set("Content-Type", "application/vc+jwt") }, ""},
		"a type it does not list": {func(e *Exchange) { e.Asked.Set("Content-Type", "image/png") }, "image/png"},
		"a key too long":          {func(e *Exchange) { e.Asked.Set("Idempotency-Key", strings.Repeat("k", 256)) }, "request header"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good(t)
			c.change(e)
			switch err := checker(t).Check(e); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want something about %q", err, c.want)
			}
		})
	}
}

func TestEveryLineOfABatchIsChecked(t *testing.T) {
	e := good(t)
	e.Path, e.AskedBody = "/v1/verify/batch", nil
	e.Asked.Set("Content-Type", "application/x-ndjson")
	e.Answered.Set("Content-Type", "application/x-ndjson")
	line := `{"seq":0,` + verdict(t)[1:] + "\n"
	e.Body = []byte(line + `{"seq":1,"error":` + problem + "}\n")
	c := checker(t)
	if err := c.Check(e); err != nil {
		t.Error(err)
	}
	for _, second := range []string{`{"seq":1}`, `{"seq":-1,"error":` + problem + `}`, verdict(t), `{"seq":1,"x":1,"error":` + problem + `}`} {
		e.Body = []byte(line + second + "\n")
		if err := c.Check(e); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%v for %s", err, second)
		}
	}
	for _, unseen := range c.Unseen() {
		if unseen == "POST /v1/verify/batch 200" || unseen == "code OK" || unseen == "code RATE_LIMITED" {
			t.Errorf("%s was seen", unseen)
		}
	}
}

func TestLintSees(t *testing.T) {
	document := string(api.Document())
	for name, c := range map[string]struct{ from, to, want string }{
		"twice the id":      {`"operationId":"whoami"`, `"operationId":"codes"`, "operationId"},
		"a dangling ref":    {`#/components/headers/Age"`, `#/components/headers/Old"`, "leads nowhere"},
		"an unused schema":  {`"schemas":{`, `"schemas":{"Spare":{"type":"string","description":"甲\n\nA"},`, "nothing uses it"},
		"no description":    {`"description":"登记状态已有多少秒。`, `"x-description":"登记状态已有多少秒。`, "description"},
		"one language":      {`"description":"一项检查。\n\nOne check."`, `"description":"一项检查。"`, "two languages"},
		"an open schema":    {`{"type":"object","additionalProperties":false,"required":["credential"]`, `{"type":"object","required":["credential"]`, "does not name"},
		"a false example":   {`"value":{"credential":"demo:`, `"value":{"credenza":"demo:`, "credenza"},
		"a bad pattern":     {`"pattern":"^[0-9]{6}$"`, `"pattern":"^[0-9{6}$"`, "pattern"},
		"nobody may ask":    {`"security":[],`, ``, "who may ask"},
		"an unknown scheme": {`{"bearerKey":["verify"]}`, `{"password":["verify"]}`, "security scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(document, c.from) {
				t.Fatalf("%s is not in the document", c.from)
			}
			l, err := read([]byte(strings.Replace(document, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if faults := strings.Join(l.Lint(), "\n"); !strings.Contains(faults, c.want) {
				t.Errorf("got %q, want something about %q", faults, c.want)
			}
		})
	}
}

func TestTransport(t *testing.T) {
	answer := verdict(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range good(t).Answered {
			if name != "Date" {
				w.Header()[name] = values
			}
		}
		io.WriteString(w, answer)
	}))
	defer server.Close()
	var reported []error
	client := &http.Client{Transport: checker(t).Transport(server.Client().Transport, func(err error) { reported = append(reported, err) })}
	defer client.CloseIdleConnections()
	post := func(read func(io.Reader) error) {
		t.Helper()
		res, err := client.Post(server.URL+"/v1/verify", "application/json", strings.NewReader(`{"credential":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(read(res.Body), res.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	all := func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	none := func(io.Reader) error { return nil }
	post(all)
	if len(reported) != 0 {
		t.Fatal(reported)
	}
	answer = strings.Replace(answer, `"id"`, `"ID"`, 1)
	for i, read := range []func(io.Reader) error{all, none} {
		if post(read); len(reported) != i+1 {
			t.Fatalf("after %d bad answers: %v", i+1, reported)
		}
	}
}
