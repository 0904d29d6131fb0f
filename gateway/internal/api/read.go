package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"tongyan/strict"
	"tongyan/verifiers"
)

// An ask is a request for a verdict, as far as it was understood.
type ask struct {
	verifiers.Request
	Expect  *expectation
	Receipt bool
	// Purpose and Reference are the caller's own, for the caller's records.
	Purpose, Reference string
}

// An expectation is what the caller believes the licence to say; nil members
// were not asked about.
type expectation struct{ uniscid, entname, lerep *string }

const tooLong = "the body is longer than limits.max_body"

// body reads the whole request body into a buffer that give returns. Bodies take
// no place in flight while they arrive, or few slow senders would keep all others
// out; together they get no more memory than bodies in flight may have.
func (a *API) body(c *call) (buf *[]byte, err error) {
	if c.r.ContentLength > a.MaxBody {
		a.hear(c)
		return nil, problem(TooLarge, tooLong)
	}
	if enc := c.r.Header["Content-Encoding"]; len(enc) > 0 {
		return nil, problem(UnsupportedMediaType, "send the body without Content-Encoding")
	}
	buf = buffers.Get().(*[]byte)
	*buf = (*buf)[:0]
	var held int64
	defer func() { a.arriving.Add(-held) }()
	for {
		if len(*buf) == cap(*buf) {
			*buf = append(*buf, 0)[:len(*buf)]
		}
		if more := int64(cap(*buf)) - held; more > 0 {
			held += more
			if a.arriving.Add(more) > a.MaxInFlight*a.MaxBody {
				give(buf)
				return nil, problem(Overloaded, "too many bodies at once").after(time.Second)
			}
		}
		n, err := c.r.Body.Read((*buf)[len(*buf):cap(*buf)])
		*buf = (*buf)[:len(*buf)+n]
		switch {
		case int64(len(*buf)) > a.MaxBody:
			give(buf)
			a.hear(c)
			return nil, problem(TooLarge, tooLong)
		case err == io.EOF && len(*buf) == 0:
			give(buf)
			return nil, problem(BadRequest, "the body is empty; it should be a credential, or JSON with the member credential")
		case err == io.EOF:
			return buf, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			give(buf)
			return nil, problem(RequestTimeout, "the body did not arrive in time")
		case err != nil:
			give(buf)
			return nil, problem(BadRequest, "the body ended early")
		}
	}
}

// hear reads on, twice the bound at most, and keeps nothing: many clients read
// no answer before they have sent all, and would only see their connection
// break. Who sends more sees it break; who asks before he sends is spared the
// sending.
func (a *API) hear(c *call) {
	if c.r.ContentLength <= 2*a.MaxBody && c.r.ProtoMajor == 1 && c.r.Header["Expect"] == nil {
		io.CopyN(io.Discard, c.r.Body, 2*a.MaxBody)
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// give returns a buffer. One that grew beyond any credential is left to the
// collector.
func give(buf *[]byte) {
	if cap(*buf) <= 128<<10 {
		buffers.Put(buf)
	}
}

// read decodes a request. What it returns may point into body.
func (a *API) read(h http.Header, body []byte) (*ask, error) {
	media, err := mediaType(h)
	if err != nil {
		return nil, err
	}
	if media == "application/json" {
		return a.readJSON(h, body)
	}
	format, ok := a.Formats[media]
	if !ok {
		return nil, problem(UnsupportedMediaType, "send the credential under its media type, or JSON; /openapi.json lists them")
	}
	q := &ask{Request: verifiers.Request{Credential: body, Format: format}}
	wish, err := cacheControl(h["Cache-Control"])
	if err != nil {
		return nil, err
	}
	q.Bounds = wish.bounds(a.Ceiling)
	return q, nil
}

// mediaType returns the request's media type, in lower case, without parameters.
func mediaType(h http.Header) (string, error) {
	values := h["Content-Type"]
	if len(values) != 1 {
		return "", problem(UnsupportedMediaType, "say once in Content-Type what the body is")
	}
	s := values[0]
	if !strings.ContainsAny(s, "; ,ABCDEFGHIJKLMNOPQRSTUVWXYZ\t") {
		return s, nil
	}
	media, params, err := mime.ParseMediaType(s)
	if err != nil {
		return "", problem(UnsupportedMediaType, "Content-Type cannot be read")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", problem(UnsupportedMediaType, "the charset can only be utf-8")
	}
	return media, nil
}

// readJSON decodes the JSON form of a request (contract §6.1).
func (a *API) readJSON(h http.Header, body []byte) (*ask, error) {
	v, err := strict.Parse(body)
	if err != nil {
		return nil, problem(BadRequest, "the body is not acceptable JSON: "+err.Error())
	}
	return a.readRequest(h, v, "the body")
}

// readRequest reads the members of a request; path says where it stands.
func (a *API) readRequest(h http.Header, v strict.Value, path string) (q *ask, err error) {
	q = new(ask)
	var wish wish
	var credential string
	o := object{value: v, path: path}
	o.text("credential", &credential)
	o.text("purpose", &q.Purpose)
	o.text("reference", &q.Reference)
	if f, ok := o.object("freshness"); ok {
		wish.named = true
		f.duration("max_age", &wish.maxAge)
		f.duration("stale_if_error", &wish.staleIfError)
		o.take(f)
	}
	if e, ok := o.object("expect"); ok {
		q.Expect = new(expectation)
		e.optional("uniscid", &q.Expect.uniscid)
		e.optional("entname", &q.Expect.entname)
		e.optional("lerep", &q.Expect.lerep)
		o.take(e)
	}
	if p, ok := o.object("holder"); ok {
		q.Holder = new(verifiers.HolderExpectation)
		p.text("aud", &q.Holder.Audience)
		p.text("nonce", &q.Holder.Nonce)
		p.boolean("required", &q.Holder.Required)
		o.take(p)
	}
	o.boolean("receipt", &q.Receipt)
	if err := o.finish(); err != nil {
		return nil, err
	}
	if credential == "" {
		return nil, problem(BadRequest, "credential is missing or empty")
	}
	if q.Holder != nil && q.Holder.Required && (q.Holder.Audience == "" || q.Holder.Nonce == "") {
		return nil, problem(Unprocessable, "holder.required needs aud and nonce")
	}
	// The header counts where the body names no freshness.
	if !wish.named {
		if wish, err = cacheControl(h["Cache-Control"]); err != nil {
			return nil, err
		}
	}
	if wish.maxAge.negative() || wish.staleIfError.negative() {
		return nil, problem(Unprocessable, "a freshness bound is negative")
	}
	q.Credential, q.Bounds = []byte(credential), wish.bounds(a.Ceiling)
	return q, nil
}
