package registry

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"tongyan/strict"
)

// A Mistake is what is wrong in one place of a Config.
type Mistake struct {
	Where string // as the configuration file calls it: "url", "dialect.fields.regstate"
	What  string // what is wrong and what would be right; never repeats a header's value
}

func (m Mistake) Error() string { return m.Where + ": " + m.What }

// Mistakes returns all that is wrong with c, nil if nothing is. Zero values
// that have a default are no mistakes.
func (c Config) Mistakes() []Mistake {
	c = c.withDefaults()
	var m mistakes
	m.unless(c.Province != "", "province", "must be named")
	m.address(c.URL)
	m.unless(c.Timeout > 0 && c.Timeout <= MaxTimeout, "timeout", "must be above 0 and at most "+MaxTimeout.String())
	m.unless(c.MaxInFlight > 0 && c.MaxInFlight <= MaxMaxInFlight, "max_in_flight", "must be 1 to "+strconv.Itoa(MaxMaxInFlight))
	m.unless(c.Rate > 0 && c.Rate <= MaxRate, "rate", "must be above 0 and at most "+strconv.Itoa(MaxRate)+" calls a second")
	if c.Dialect != nil {
		m.dialect(newSpeech(c.URL, c.Dialect))
	}
	return m
}

type mistakes []Mistake

func (m *mistakes) unless(right bool, where, what string) {
	if !right {
		*m = append(*m, Mistake{where, what})
	}
}

func (m *mistakes) address(address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // url.Error repeats the address
		m.unless(false, "url", "is not a URL")
	case u.Scheme != "https":
		m.unless(false, "url", "must begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		m.unless(false, "url", "names no host")
	case u.User != nil:
		m.unless(false, "url", "must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#"):
		m.unless(false, "url", "must not hold a query or fragment; dialect.path may hold a query")
	case strings.Contains(address, uniscid):
		m.unless(false, "url", uniscid+" belongs in dialect.path")
	}
}

// sample stands for any code where a template is tried out.
const sample = "91310000MA1FL0000X"

func (m *mistakes) dialect(s *speech) {
	post := s.Method == http.MethodPost
	m.unless(post || s.Method == http.MethodGet, "dialect.method", "must be GET or POST")
	u, err := url.Parse(strings.ReplaceAll(s.Path, uniscid, sample))
	m.unless(strings.HasPrefix(s.Path, "/") && !strings.HasPrefix(s.Path, "//") && err == nil && u.Fragment == "",
		"dialect.path", "must begin with one / and be a path, with or without a query")
	if s.Body != "" {
		m.unless(post, "dialect.body", "needs the method POST")
		_, err := strict.Parse([]byte(strings.ReplaceAll(s.Body, uniscid, sample)))
		m.unless(err == nil, "dialect.body", "must be JSON without duplicate members")
	}
	m.unless(strings.Contains(s.Path+s.Body, uniscid), "dialect", "path or body must hold "+uniscid)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value := s.Headers[name]
		where := "dialect.headers." + name
		m.unless(httpguts.ValidHeaderFieldName(name), where, "is no header name")
		m.unless(!reserved[http.CanonicalHeaderKey(name)], where, "is set by the gateway itself")
		m.unless(httpguts.ValidHeaderFieldValue(value), where, "has a value that no header can have")
		m.unless(!strings.Contains(value, uniscid), where, "must not hold "+uniscid)
	}
	m.match("dialect.ok", s.OK)
	m.match("dialect.empty", s.Empty)
	if s.OK != nil && s.Empty != nil && s.OK.Pointer == s.Empty.Pointer {
		m.unless(s.OK.Equals.Equal(s.Empty.Equals), "dialect.empty",
			"can never be, since dialect.ok asks for another value in the same place: leave out ok")
		m.unless(!s.OK.Equals.Equal(s.Empty.Equals), "dialect.empty",
			"is the same as dialect.ok: no licence would ever be found")
	}
	m.pointer("dialect.record", s.Record)
	m.pointer("dialect.fields.uniscid", s.fields.USCC)
	m.pointer("dialect.fields.entname", s.fields.Entname)
	m.pointer("dialect.fields.regstate", s.fields.Regstate)
	m.pointer("dialect.fields.apprdate", s.fields.Apprdate)
	m.pointer("dialect.fields.asof", s.fields.AsOf)
	m.unless(s.fields.USCC != "", "dialect.fields.uniscid", "is required: an answer must name the licence it is about")
	m.unless(s.fields.Regstate != "", "dialect.fields.regstate", "is required: an answer must say the registration state")
	m.unless(s.States == nil || len(s.States) > 0, "dialect.states", "is empty: every state would be unknown")
	for _, word := range slices.Sorted(maps.Keys(s.States)) {
		_, _, known := s.States[word].Names()
		m.unless(word != "", "dialect.states", "has an empty word for a state")
		m.unless(known, "dialect.states."+word, "must be a national code: 1, 2, 3, 4, 5, 6 or 9")
	}
}

func (m *mistakes) pointer(where, pointer string) {
	m.unless(strict.ValidPointer(pointer), where, "is no JSON pointer: it must begin with /, and ~ be written ~0")
}

func (m *mistakes) match(where string, match *Match) {
	if match == nil {
		return
	}
	m.pointer(where+".pointer", match.Pointer)
	m.unless(match.Equals.Kind() != strict.Absent, where+".equals", "must say what the value is to be")
}

// reserved are headers that steer the connection or that the protocol fixes.
var reserved = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Type": true, "Expect": true, "Host": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}
