package registry_test

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tongyan/strict"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/registry"
)

func TestMistakes(t *testing.T) {
	good := registry.Config{Province: "330000", URL: "https://registry.zj.example/api", Dialect: second()}
	if m := good.Mistakes(); m != nil {
		t.Fatal(m)
	}
	if m := (registry.Config{Province: "310000", URL: "https://registry.sh.example"}).Mistakes(); m != nil {
		t.Fatal(m)
	}
	d := func(change func(*registry.Dialect)) func(*registry.Config) {
		return func(c *registry.Config) {
			c.Dialect = second()
			change(c.Dialect)
		}
	}
	for name, tc := range map[string]struct {
		change func(*registry.Config)
		where  []string
	}{
		"no province":            {func(c *registry.Config) { c.Province = "" }, []string{"province"}},
		"no URL":                 {func(c *registry.Config) { c.URL = "" }, []string{"url"}},
		"http":                   {func(c *registry.Config) { c.URL = "http://registry.example" }, []string{"url"}},
		"user in the URL":        {func(c *registry.Config) { c.URL = "https://me:s3cret@registry.example" }, []string{"url"}},
		"query in the URL":       {func(c *registry.Config) { c.URL = "https://registry.example?x=1" }, []string{"url"}},
		"fragment in the URL":    {func(c *registry.Config) { c.URL = "https://registry.example#" }, []string{"url"}},
		"no host":                {func(c *registry.Config) { c.URL = "https:///x" }, []string{"url"}},
		"opaque URL":             {func(c *registry.Config) { c.URL = "https:registry.example" }, []string{"url"}},
		"no URL at all":          {func(c *registry.Config) { c.URL = "https://s3cret\x7f" }, []string{"url"}},
		"template in the host":   {func(c *registry.Config) { c.URL = "https://x/{uniscid}" }, []string{"url"}},
		"negative time-out":      {func(c *registry.Config) { c.Timeout = -1 }, []string{"timeout"}},
		"endless time-out":       {func(c *registry.Config) { c.Timeout = time.Hour }, []string{"timeout"}},
		"negative places":        {func(c *registry.Config) { c.MaxInFlight = -1 }, []string{"max_in_flight"}},
		"too many places":        {func(c *registry.Config) { c.MaxInFlight = 1 << 20 }, []string{"max_in_flight"}},
		"negative rate":          {func(c *registry.Config) { c.Rate = -1 }, []string{"rate"}},
		"rate that is no number": {func(c *registry.Config) { c.Rate = math.NaN() }, []string{"rate"}},
		"all at once":            {func(c *registry.Config) { c.URL, c.Rate, c.Timeout = "", -1, -1 }, []string{"url", "timeout", "rate"}},

		"method":               {d(func(d *registry.Dialect) { d.Method = "DELETE" }), []string{"dialect.method", "dialect.body"}},
		"body with GET":        {d(func(d *registry.Dialect) { d.Method = "" }), []string{"dialect.body"}},
		"path without slash":   {d(func(d *registry.Dialect) { d.Path = "query" }), []string{"dialect.path"}},
		"path is a host":       {d(func(d *registry.Dialect) { d.Path = "//evil.example/query" }), []string{"dialect.path"}},
		"path is no path":      {d(func(d *registry.Dialect) { d.Path = "/%zz" }), []string{"dialect.path"}},
		"fragment":             {d(func(d *registry.Dialect) { d.Path = "/a#b" }), []string{"dialect.path"}},
		"code nowhere":         {d(func(d *registry.Dialect) { d.Body = `{"uniscId":"{uscc}"}` }), []string{"dialect"}},
		"body is no JSON":      {d(func(d *registry.Dialect) { d.Body = `uniscId={uniscid}` }), []string{"dialect.body"}},
		"code without quotes":  {d(func(d *registry.Dialect) { d.Body = `{"uniscId":{uniscid}}` }), []string{"dialect.body"}},
		"header name":          {d(func(d *registry.Dialect) { d.Headers = map[string]string{"X Key": "1"} }), []string{"dialect.headers.X Key"}},
		"header value":         {d(func(d *registry.Dialect) { d.Headers = map[string]string{"X-Key": "s3cret\r\nHost: x"} }), []string{"dialect.headers.X-Key"}},
		"code in a header":     {d(func(d *registry.Dialect) { d.Headers = map[string]string{"X-Code": "{uniscid}"} }), []string{"dialect.headers.X-Code"}},
		"Host":                 {d(func(d *registry.Dialect) { d.Headers = map[string]string{"host": "x"} }), []string{"dialect.headers.host"}},
		"Accept-Encoding":      {d(func(d *registry.Dialect) { d.Headers = map[string]string{"Accept-Encoding": "gzip"} }), []string{"dialect.headers.Accept-Encoding"}},
		"ok pointer":           {d(func(d *registry.Dialect) { d.OK.Pointer = "code" }), []string{"dialect.ok.pointer"}},
		"ok without equals":    {d(func(d *registry.Dialect) { d.OK.Equals = strict.Value{} }), []string{"dialect.ok.equals"}},
		"empty without equals": {d(func(d *registry.Dialect) { d.Empty.Equals = strict.Value{} }), []string{"dialect.empty.equals"}},
		"ok forbids empty":     {d(func(d *registry.Dialect) { d.Empty = &registry.Match{Pointer: "/code", Equals: value(`"01"`)} }), []string{"dialect.empty"}},
		"ok is empty":          {d(func(d *registry.Dialect) { d.Empty = d.OK }), []string{"dialect.empty"}},
		"record":               {d(func(d *registry.Dialect) { d.Record = "datas" }), []string{"dialect.record"}},
		"tilde":                {d(func(d *registry.Dialect) { d.Record = "/a~2" }), []string{"dialect.record"}},
		"no fields": {d(func(d *registry.Dialect) { d.Fields = &registry.Fields{} }),
			[]string{"dialect.fields.uniscid", "dialect.fields.regstate"}},
		"bad fields": {d(func(d *registry.Dialect) { d.Fields = &registry.Fields{"a", "b", "c", "d", "e"} }),
			[]string{"dialect.fields.uniscid", "dialect.fields.entname", "dialect.fields.regstate", "dialect.fields.apprdate", "dialect.fields.asof"}},
		"no states":       {d(func(d *registry.Dialect) { d.States = map[string]licence.RegState{} }), []string{"dialect.states"}},
		"unknown state":   {d(func(d *registry.Dialect) { d.States = map[string]licence.RegState{"K": "1", "Y": "7"} }), []string{"dialect.states.Y"}},
		"empty word":      {d(func(d *registry.Dialect) { d.States = map[string]licence.RegState{"": "1"} }), []string{"dialect.states"}},
		"state to itself": {d(func(d *registry.Dialect) { d.States = map[string]licence.RegState{"K": "K"} }), []string{"dialect.states.K"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tc.change(&c)
			var where []string
			for _, m := range c.Mistakes() {
				where = append(where, m.Where)
				if m.What == "" || strings.Contains(m.Error(), "s3cret") {
					t.Errorf("says %q", m)
				}
			}
			if !slices.Equal(where, tc.where) {
				t.Errorf("mistakes in %q, want %q", where, tc.where)
			}
			client, err := registry.New(c)
			var m registry.Mistake
			if err == nil || client != nil || !errors.As(err, &m) {
				t.Errorf("New: %v, %v", client, err)
			}
		})
	}
}

// The path may hold the code, a query too.
func TestPathTemplates(t *testing.T) {
	for path, want := range map[string]string{
		"":                          "/licences/" + string(code),
		"/v2/{uniscid}/state":       "/v2/" + string(code) + "/state",
		"/query?code={uniscid}&x=1": "/query?code=" + string(code) + "&x=1",
	} {
		asked := make(chan string, 1)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked <- r.URL.String()
			say(200, "application/json", plainBody)(w, r)
		})
		c := s.client(t, func(c *registry.Config) { c.Dialect = &registry.Dialect{Path: path} })
		if _, err := c.Ask(t.Context(), code); err != nil {
			t.Error(err)
		}
		if got := <-asked; got != want {
			t.Errorf("%q asked for %q", path, got)
		}
	}
}

// Reasons is the whole set, each once, and what is no fault stays none.
func TestReasons(t *testing.T) {
	faults := map[registry.Reason]bool{}
	for _, r := range registry.Reasons() {
		if _, twice := faults[r]; twice || r == "" {
			t.Errorf("%q twice or empty", r)
		}
		faults[r] = r.Fault()
	}
	if len(faults) != 12 || registry.Reason("").Fault() || registry.Reason("new").Fault() {
		t.Errorf("%v", faults)
	}
	for _, r := range []registry.Reason{registry.ReasonBreakerOpen, registry.ReasonBackedOff, registry.ReasonNoPlace,
		registry.ReasonNoBudget, registry.ReasonCallerGone, registry.ReasonClosed, registry.ReasonNotACode} {
		if fault, there := faults[r]; !there || fault {
			t.Errorf("%s: there %v, fault %v", r, there, fault)
		}
	}
}
