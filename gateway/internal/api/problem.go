package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// A FaultCode names why a request got no verdict (contract §6.3).
type FaultCode string

// The fault codes.
const (
	BadRequest           FaultCode = "BAD_REQUEST"
	Unauthenticated      FaultCode = "UNAUTHENTICATED"
	Forbidden            FaultCode = "FORBIDDEN"
	NotFound             FaultCode = "NOT_FOUND"
	MethodNotAllowed     FaultCode = "METHOD_NOT_ALLOWED"
	NotAcceptable        FaultCode = "NOT_ACCEPTABLE"
	RequestTimeout       FaultCode = "REQUEST_TIMEOUT"
	IdempotencyConflict  FaultCode = "IDEMPOTENCY_CONFLICT"
	TooLarge             FaultCode = "TOO_LARGE"
	UnsupportedMediaType FaultCode = "UNSUPPORTED_MEDIA_TYPE"
	Unprocessable        FaultCode = "UNPROCESSABLE"
	RateLimited          FaultCode = "RATE_LIMITED"
	Overloaded           FaultCode = "OVERLOADED"
	Internal             FaultCode = "INTERNAL"
)

// faults is the one table from fault codes to HTTP.
var faults = map[FaultCode]struct {
	status int
	title  string
}{
	BadRequest:           {http.StatusBadRequest, "The request cannot be read"},
	Unauthenticated:      {http.StatusUnauthorized, "Nobody known asks"},
	Forbidden:            {http.StatusForbidden, "Not within your scopes"},
	NotFound:             {http.StatusNotFound, "No such page"},
	MethodNotAllowed:     {http.StatusMethodNotAllowed, "Not with this method"},
	NotAcceptable:        {http.StatusNotAcceptable, "No acceptable answer"},
	RequestTimeout:       {http.StatusRequestTimeout, "The request came too slowly"},
	IdempotencyConflict:  {http.StatusConflict, "Another request had this key"},
	TooLarge:             {http.StatusRequestEntityTooLarge, "The request is too large"},
	UnsupportedMediaType: {http.StatusUnsupportedMediaType, "This media type is not taken"},
	Unprocessable:        {http.StatusUnprocessableEntity, "The request makes no sense"},
	RateLimited:          {http.StatusTooManyRequests, "Too many requests"},
	Overloaded:           {http.StatusServiceUnavailable, "Too busy"},
	Internal:             {http.StatusInternalServerError, "The gateway failed"},
}

// A Problem is a fault on its way out. Detail is for the caller: it says where
// and what to do, and quotes nothing that he sent.
type Problem struct {
	Code       FaultCode
	Detail     string
	RetryAfter time.Duration // 0: not said
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

func problem(code FaultCode, detail string) *Problem { return &Problem{Code: code, Detail: detail} }

func (p *Problem) after(wait time.Duration) *Problem {
	p.RetryAfter = wait
	return p
}

// refuse answers by a problem (RFC 9457). An error that is none is the
// gateway's own failure, which the caller learns nothing about.
func (a *API) refuse(c *call, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		a.Log.Error("a request failed", "request_id", string(c.id[16:]), "cause", err)
		p = problem(Internal, "")
	}
	a.Meter.Refused(string(p.Code))
	h := c.w.Header()
	h["Cache-Control"] = noStore // the page that failed may have said otherwise
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(p.RetryAfter), 10))
	}
	if p.Code == Unauthenticated {
		// SPEC: RFC 9110 §15.5.2 "The server generating a 401 response MUST send a WWW-Authenticate header field".
		h.Set("WWW-Authenticate", "Bearer")
	}
	fault := faults[p.Code]
	body := p.appendJSON(nil, string(c.id[16:]))
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(fault.status)
	c.w.Write(body)
}

// appendJSON writes the problem as in contract §6.3.
func (p *Problem) appendJSON(b []byte, requestID string) []byte {
	fault := faults[p.Code]
	b = append(b, `{"type":"about:blank","title":`...)
	b = appendText(b, fault.title)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(fault.status), 10)
	if p.Detail != "" {
		b = append(b, `,"detail":`...)
		b = appendText(b, p.Detail)
	}
	b = append(b, `,"code":`...)
	b = appendText(b, string(p.Code))
	b = append(b, `,"request_id":`...)
	b = appendText(b, requestID)
	return append(b, '}')
}

// wholeSeconds rounds up: trying again a moment too early is refused again.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
