package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/gateway/client"
)

func TestVerify(t *testing.T) {
	c := gateway(t, true)
	age := 90 * time.Second
	v, err := c.Verify(t.Context(), &client.Request{
		Credential: "valid", Purpose: "account-opening", Reference: "1", MaxAge: &age, Receipt: true,
		Expect: client.Expectation{Entname: "上海示例有限公司"}, Holder: &client.Holder{Audience: "me"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Valid() || v.ID != "vrf_1" || v.Code != client.OK || v.TrustListVersion != 7 || v.Receipt != "good" || v.Format != "ebl+jwt" {
		t.Errorf("%+v", v)
	}
	if l := v.Licence; l == nil || l.Uniscid != "91310000MA1K35Y38P" || !l.Perpetual || l.Opto != "" {
		t.Errorf("licence %+v", l)
	}
	if diff := cmp.Diff(map[string]string{"entname": "match"}, v.Match); diff != "" {
		t.Error(diff)
	}
	if last := v.Checks[1]; last.Name != "registry" || last.Source != "live" || last.AsOf == nil {
		t.Errorf("%+v", last)
	}
	if v.Freshness == nil || v.Issuer == nil || v.Issuer.Province != "310000" || !v.ValidUntil.Equal(time.Date(2026, 10, 1, 4, 5, 0, 0, time.UTC)) {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(string(v.Raw), `"later":{"a":1}`) {
		t.Error("what is not known is lost")
	}
}

func TestVerdictsThatAreNotValid(t *testing.T) {
	c := gateway(t, true)
	for credential, want := range map[string]client.Outcome{"revoked": client.Invalid, "silent": client.Indeterminate} {
		v, err := c.Verify(t.Context(), &client.Request{Credential: credential})
		if err != nil || v.Valid() || v.Outcome != want || v.Licence != nil || v.Freshness != nil {
			t.Errorf("%s: %+v, %v", credential, v, err)
		}
		if retry := v.RetryAfterSeconds; (retry != nil) != (want == client.Indeterminate) || retry != nil && *retry != 7 {
			t.Errorf("%s: retry after %v", credential, retry)
		}
	}
	if (*client.Verdict)(nil).Valid() || new(client.Verdict).Valid() {
		t.Error("nothing is valid")
	}
}

func TestAnswersThatCannotBeActedOn(t *testing.T) {
	c := gateway(t, true)
	for _, credential := range []string{"contradiction", "a fourth", "nothing"} {
		if v, err := c.Verify(t.Context(), &client.Request{Credential: credential}); err == nil || v != nil {
			t.Errorf("%s: %+v", credential, v)
		}
	}
	if a, err := c.VerifyReceipt(t.Context(), "liar"); err == nil || a != nil {
		t.Errorf("%+v", a)
	}
	if _, err := c.Verify(t.Context(), &client.Request{}); err == nil {
		t.Error("an empty credential was sent")
	}
}

func TestOtherPages(t *testing.T) {
	c := gateway(t, false)
	good, err := c.VerifyReceipt(t.Context(), "good")
	if err != nil || !good.Valid || !strings.Contains(string(good.Claims), "gateway.example") {
		t.Errorf("%+v, %v", good, err)
	}
	bad, err := c.VerifyReceipt(t.Context(), "x")
	if err != nil || bad.Valid || bad.Code != "RECEIPT_MALFORMED" {
		t.Errorf("%+v, %v", bad, err)
	}
	who, err := c.Whoami(t.Context())
	if err != nil || who.ID != "hall-pudong" || len(who.Scopes) != 2 || *who.Rate != 200 || who.Lane != "hall" {
		t.Errorf("%+v, %v", who, err)
	}
	codes, err := c.Codes(t.Context())
	if err != nil || len(codes) != 1 || codes[0].Code != client.OK || codes[0].Verdict != client.Valid || codes[0].Chinese != "执照有效" {
		t.Errorf("%+v, %v", codes, err)
	}
}

func TestProblems(t *testing.T) {
	s := start(true)
	defer s.Close()
	o := s.options()
	o.Key = "another"
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Verify(t.Context(), &client.Request{Credential: "valid"})
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 401 || p.Code != "UNAUTHENTICATED" || p.Detail != "show a key" || p.RequestID != "req-1" {
		t.Errorf("%#v", err)
	}
	if strings.Contains(err.Error(), "another") {
		t.Error("the key stands in the error")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]client.Options{
		"nowhere":          {},
		"in the clear":     {URL: "http://gateway.example"},
		"no host":          {URL: "https://"},
		"user":             {URL: "https://u:p@gateway.example"},
		"query":            {URL: "https://gateway.example?x"},
		"key with a feed":  {URL: "https://gateway.example", Key: "k\n"},
		"key with a blank": {URL: "https://gateway.example", Key: "k k"},
	} {
		if c, err := client.New(o); err == nil || c != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestUnknownCertificateIsRefused(t *testing.T) {
	s := start(true)
	defer s.Close()
	c, err := client.New(client.Options{URL: s.URL, Key: apiKey, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Config.ErrorLog = nil
	var unknown *tls.CertificateVerificationError
	if _, err := c.Whoami(t.Context()); !errors.As(err, &unknown) {
		t.Error(err)
	}
}

// A script plays one reply after another; the last is played for ever.
type script struct {
	replies []reply
	calls   int
	at      []time.Time
	seen    []*http.Request
}

type reply struct {
	status int
	header string // Retry-After
	body   string
	err    error
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	next := s.replies[min(s.calls, len(s.replies)-1)]
	s.calls++
	s.at, s.seen = append(s.at, time.Now()), append(s.seen, r)
	if next.err != nil {
		return nil, next.err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if next.status != 200 {
		h.Set("Content-Type", "application/problem+json")
	}
	if next.header != "" {
		h.Set("Retry-After", next.header)
	}
	return &http.Response{StatusCode: next.status, Header: h, Body: io.NopCloser(strings.NewReader(next.body)), Request: r}, nil
}

const okBody = `{"id":"vrf_1","verdict":"VALID","code":"OK"}`

func TestRetries(t *testing.T) {
	broken := errors.New("connection reset")
	for name, c := range map[string]struct {
		replies  []reply
		request  client.Request
		calls    int
		atLeast  time.Duration // between the first try and the last
		atMost   time.Duration
		deadline time.Duration
		fails    bool
	}{
		"at once":                {replies: []reply{{status: 200, body: okBody}}, calls: 1},
		"Retry-After in seconds": {replies: []reply{{status: 503, header: "3"}, {status: 200, body: okBody}}, calls: 2, atLeast: 3 * time.Second, atMost: 3200 * time.Millisecond},
		"Retry-After as a date":  {replies: []reply{{status: 429, header: "Sat, 01 Jan 2000 00:00:05 GMT"}, {status: 200, body: okBody}}, calls: 2, atLeast: 5 * time.Second, atMost: 5200 * time.Millisecond},
		"more patience than had": {replies: []reply{{status: 429, header: "60"}}, calls: 1, fails: true},
		"beyond the deadline":    {replies: []reply{{status: 429, header: "3"}}, deadline: time.Second, calls: 1, fails: true},
		"no Retry-After":         {replies: []reply{{status: 503}, {status: 502}, {status: 200, body: okBody}}, calls: 3, atLeast: 150 * time.Millisecond, atMost: 450 * time.Millisecond},
		"connection lost":        {replies: []reply{{err: broken}, {status: 200, body: okBody}}, calls: 2, atMost: time.Second},
		"four times at most":     {replies: []reply{{status: 500}}, calls: 4, atMost: 2 * time.Second, fails: true},
		"a bad request":          {replies: []reply{{status: 400}}, calls: 1, fails: true},
		"a redirect":             {replies: []reply{{status: 307}}, calls: 1, fails: true},
		"nonsense":               {replies: []reply{{status: 200, body: "<html>"}}, calls: 1, fails: true},
		"a nonce, maybe spent":   {request: client.Request{Holder: &client.Holder{Nonce: "n"}}, replies: []reply{{err: broken}}, calls: 1, fails: true},
		"a nonce, 500":           {request: client.Request{Holder: &client.Holder{Nonce: "n"}}, replies: []reply{{status: 500}}, calls: 1, fails: true},
		"a nonce, unspent":       {request: client.Request{Holder: &client.Holder{Nonce: "n"}}, replies: []reply{{status: 503, header: "1"}, {status: 200, body: okBody}}, calls: 2, atLeast: time.Second, atMost: 2 * time.Second},
		"a nonce and a key":      {request: client.Request{Holder: &client.Holder{Nonce: "n"}, IdempotencyKey: "k"}, replies: []reply{{err: broken}, {status: 200, body: okBody}}, calls: 2, atMost: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: c.replies}
				k, err := client.New(client.Options{URL: "https://gateway.example", Key: apiKey})
				if err != nil {
					t.Fatal(err)
				}
				k.Through(s)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				c.request.Credential = "x"
				v, err := k.Verify(ctx, &c.request)
				if (err != nil) != c.fails || (v == nil) != c.fails {
					t.Fatalf("%+v, %v", v, err)
				}
				if s.calls != c.calls {
					t.Errorf("%d calls, want %d", s.calls, c.calls)
				}
				if took := s.at[len(s.at)-1].Sub(s.at[0]); took < c.atLeast || took > c.atMost {
					t.Errorf("the last try came after %s, want %s to %s", took, c.atLeast, c.atMost)
				}
				for _, r := range s.seen {
					if r.Header.Get("Authorization") != "Bearer "+apiKey || r.Header.Get("Idempotency-Key") != c.request.IdempotencyKey {
						t.Errorf("headers %v", r.Header)
					}
				}
			})
		})
	}
}

func TestRetryAfterIsHandedOn(t *testing.T) {
	k, _ := client.New(client.Options{URL: "https://gateway.example"})
	k.Through(&script{replies: []reply{{status: 503, header: "61", body: problemText(503, "OVERLOADED", "")}}})
	_, err := k.Whoami(t.Context())
	var p *client.Problem
	if !errors.As(err, &p) || p.RetryAfter != 61*time.Second || p.Code != "OVERLOADED" {
		t.Errorf("%#v", err)
	}
}

// A gateway in trouble gets little more than the questions themselves.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{status: 503}}}
		k, _ := client.New(client.Options{URL: "https://gateway.example"})
		k.Through(s)
		for range 100 {
			if _, err := k.Whoami(t.Context()); err == nil {
				t.Fatal("answered")
			}
		}
		if s.calls != 110 {
			t.Errorf("%d calls for 100 questions, want the 10 saved up besides", s.calls)
		}
		s.replies = []reply{{status: 200, body: `{"id":"a"}`}}
		for range 100 {
			k.Whoami(t.Context())
		}
		s.calls, s.replies = 0, []reply{{status: 503}}
		for range 100 {
			k.Whoami(t.Context())
		}
		if s.calls < 109 || s.calls > 110 {
			t.Errorf("%d calls after 100 answers", s.calls)
		}
	})
}

func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := client.New(client.Options{URL: "https://gateway.example"})
		k.Through(&script{replies: []reply{{status: 503, header: "5"}}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		_, err := k.Whoami(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(begin) != time.Second {
			t.Error(time.Since(begin), err)
		}
	})
}
