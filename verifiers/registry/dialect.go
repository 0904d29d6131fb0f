package registry

import (
	"context"
	"io"
	"net/http"
	"strings"

	"tongyan/strict"
	"tongyan/verifiers/licence"
)

// A Dialect describes a service that speaks another than the plain protocol
// (contract §4). What it leaves out is as there. Two kinds of value that the
// plain protocol refuses are read in any dialect: null and "" for "not stated",
// and a registration state that is a JSON number, by its digits.
type Dialect struct {
	Method string // GET or POST; "" is GET
	// Path stands behind the URL and may hold {uniscid}, and a query. "" is
	// /licences/{uniscid}.
	Path string
	// Body is the JSON text to send with POST; it may hold {uniscid}. Path or
	// body must hold it. A code is [0-9A-Z] only, so it stands in both as it is.
	Body    string
	Headers map[string]string // sent with each call, secrets among them; never shown

	OK     *Match  // what must hold of an answer, else it is a fault; nil asks nothing
	Empty  *Match  // what says that there is no such licence; nil leaves that to status 404
	Record string  // JSON pointer to the licence's record; "" is the whole answer
	Fields *Fields // where things stand in the record; nil is as in the plain protocol
	// States maps the service's words for the registration state to national
	// codes ("1" … "6", "9"); what it does not list is unknown. nil: the
	// service says the national codes themselves.
	States map[string]licence.RegState
}

// A Match compares the value at a JSON pointer as JSON: "0" is not 0.
type Match struct {
	Pointer string
	Equals  strict.Value
}

// Fields are JSON pointers (RFC 6901) within the record; "" where the service
// has no such thing. USCC and Regstate are required: without the first, no
// answer could be held against the question.
type Fields struct {
	USCC, Entname, Regstate, Apprdate, AsOf string
}

const uniscid = "{uniscid}" // where the code goes, in path and body

// speech is a dialect made ready for use. It never changes.
type speech struct {
	Dialect
	plain  bool   // strings only
	url    string // with {uniscid}
	fields Fields
}

func newSpeech(url string, d *Dialect) *speech {
	s := &speech{plain: d == nil}
	if d != nil {
		s.Dialect = *d
	}
	if s.Method == "" {
		s.Method = http.MethodGet
	}
	if s.Path == "" {
		s.Path = "/licences/" + uniscid
	}
	s.url = strings.TrimSuffix(url, "/") + s.Path
	s.fields = Fields{"/uniscid", "/entname", "/regstate", "/apprdate", "/asof"}
	if s.Fields != nil {
		s.fields = *s.Fields
	}
	return s
}

// request writes the question down.
func (s *speech) request(ctx context.Context, code licence.USCC) (*http.Request, error) {
	var body io.Reader = nothing{}
	if s.Body != "" {
		body = strings.NewReader(strings.ReplaceAll(s.Body, uniscid, string(code)))
	}
	req, err := http.NewRequestWithContext(ctx, s.Method, strings.ReplaceAll(s.url, uniscid, string(code)), body)
	if err != nil {
		return nil, err
	}
	// A body that cannot be had again keeps the transport from retries of its
	// own, of which it may make one for each kept connection.
	req.GetBody = nil
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Accept", "application/json")
	if s.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "tongyan")
	}
	return req, nil
}

// nothing is an empty body of a type that net/http does not know, so that it
// counts as one that cannot be sent twice. Nothing is sent for it.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
