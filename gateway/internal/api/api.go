// Package api is the gateway as its users meet it (contract §6): it decodes a
// request, has it verified, and encodes the verdict. It is the only room that
// knows status codes.
package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"tongyan/gateway/internal/audit"
	"tongyan/gateway/internal/crowd"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// A Verifier answers requests for a verdict. It never fails: see package verify.
type Verifier interface {
	Verify(ctx context.Context, req *verifiers.Request) *verifiers.Response
}

// Parties tells who sent a request. An error means that nobody known did.
type Parties interface {
	Identify(r *http.Request) (*parties.Party, error)
}

// Receipts signs and checks receipts (contract §7).
type Receipts interface {
	// Issue returns the receipts of a verdict. The answer must carry the id
	// that it returns: what was said before is not signed again.
	Issue(r *verifiers.Response, id, audience string) (receipt.Issued, error)
	// JWKS is the document of /.well-known/jwks.json.
	JWKS() []byte
	// Check returns the claims beside the code OK, else nil and why not.
	Check(ctx context.Context, token []byte) (*receipt.Claims, verifiers.Code)
}

// Once keeps answers under idempotency keys. See package facts.
type Once interface {
	Answer(ctx context.Context, key [sha256.Size]byte) ([]byte, bool)
	// KeepAnswer returns the answer that counts: the first one given.
	KeepAnswer(ctx context.Context, key [sha256.Size]byte, answer []byte) []byte
}

// Audit records verdicts. An error means that the verdict must not be given.
type Audit interface {
	Append(ctx context.Context, e *audit.Entry) error
}

// Quota counts verdicts against a party's monthly quota, 0 for none. ok is
// false where it is used up, and then wait says until when.
type Quota interface {
	Take(party string, quota int64) (wait time.Duration, ok bool)
}

// A Meter counts what the API does. It must return at once.
type Meter interface {
	InFlight(delta int)
	Refused(code string) // a request that got no verdict, by fault code
}

// Options are the parts and the bounds of an API.
type Options struct {
	Verifier  Verifier
	Parties   Parties
	Provinces func() []Province // for /v1/provinces, as they are now
	Receipts  Receipts
	Gate      *crowd.Gate // who may go on when it is crowded; nil: everybody
	Quota     Quota       // nil: there are no quotas
	Once      Once        // nil: idempotency keys are not looked at
	Audit     Audit       // nil: verdicts are not recorded
	Policy    string      // names the policy in force, for the record
	// Before, where there is one, has the first word on every request for a
	// verdict: its error, a *Problem, stands in place of one.
	Before func(ctx context.Context, req *verifiers.Request) error
	// Ceiling is the configured freshness: the default, and the most that a
	// caller gets.
	Ceiling     verifiers.Bounds
	Formats     map[string]verifiers.Format // media type of a credential → its format; "" is any
	MaxBody     int64                       // bytes of a request
	MaxInFlight int64                       // verifications at once; more are 503
	Meter       Meter
	Log         *slog.Logger
}

// An API serves requests. It is safe for concurrent use.
type API struct {
	Options
	routes   map[string]route
	inFlight atomic.Int64
	batches  atomic.Int64 // of those in flight
	arriving atomic.Int64 // bytes of memory that bodies have which are not all there yet
}

// A route is one page: what it may be asked by whom. open needs nobody's name.
type route struct {
	method string
	open   bool
	scope  parties.Scope
	handle func(*call) error
	media  string // of its answers; "" is application/json
}

// New makes the handler of the public listener.
func New(o Options) *API {
	a := &API{Options: o}
	if a.Gate == nil {
		a.Gate = crowd.New(crowd.Options{})
	}
	page, policy := docsPage()
	a.routes = map[string]route{
		"/v1/verify":             {method: http.MethodPost, scope: parties.Verify, handle: a.verify},
		"/v1/verify/batch":       {method: http.MethodPost, scope: parties.Batch, handle: a.batch, media: typeLines},
		"/v1/receipts/verify":    {method: http.MethodPost, scope: parties.Verify, handle: a.checkReceipt},
		"/v1/codes":              {method: http.MethodGet, open: true, handle: a.codes},
		"/v1/whoami":             {method: http.MethodGet, handle: a.whoami},
		"/v1/provinces":          {method: http.MethodGet, scope: parties.Provinces, handle: a.provinces},
		"/.well-known/jwks.json": {method: http.MethodGet, open: true, handle: a.jwks},
		"/openapi.json":          {method: http.MethodGet, open: true, handle: fixed(typeJSON[0], Document())},
		"/docs":                  {method: http.MethodGet, open: true, handle: fixed("text/html; charset=utf-8", page, "Content-Security-Policy", policy), media: "text/html"},
	}
	return a
}

// A call is one request on its way through.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	id    [32]byte // of the verdict, then of the request
	party *parties.Party
	begun bool // the answer is on its way: nothing can be refused any more
}

// Headers that stand on every answer; shared, never changed.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

// ServeHTTP answers one request, always in JSON. A panic is answered by 500
// with no detail, and logged with its place.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r}
	c.id = newIDs()
	h := w.Header()
	h["Request-Id"] = []string{string(c.id[16:])}
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			a.Log.Error("a request made the gateway panic", "request_id", string(c.id[16:]), "stack", string(debug.Stack()))
			if c.begun {
				panic(http.ErrAbortHandler)
			}
			a.refuse(c, problem(Internal, ""))
		}
	}()
	if err := a.serve(c); err != nil {
		a.refuse(c, err)
	}
}

// newIDs makes two ids of 80 random bits. Base32 has no small letters, so that no
// id ever looks like a token to who searches a log for one ("eyJ…").
func newIDs() (ids [32]byte) {
	var raw [20]byte
	rand.Read(raw[:]) // never fails: crypto/rand
	base32.StdEncoding.Encode(ids[:], raw[:])
	return ids
}

func (a *API) serve(c *call) error {
	route, ok := a.routes[c.r.URL.Path]
	switch {
	case !ok:
		return problem(NotFound, "there is no such page")
	case c.r.Method != route.method && !(c.r.Method == http.MethodHead && route.method == http.MethodGet):
		c.w.Header().Set("Allow", allowed(route.method))
		return problem(MethodNotAllowed, "this page takes "+route.method)
	case !accepts(c.r.Header, "application/json") && (route.media == "" || !accepts(c.r.Header, route.media)):
		return problem(NotAcceptable, "answers are "+cmp.Or(route.media, "application/json")+"; Accept excludes it")
	}
	if !route.open {
		if err := a.admit(c, route.scope); err != nil {
			return err
		}
	}
	return route.handle(c)
}

// allowed is what stands in Allow: whoever may GET may HEAD.
func allowed(method string) string {
	if method == http.MethodGet {
		return "GET, HEAD"
	}
	return method
}

// admit finds out who asks, whether they may, and not too often.
func (a *API) admit(c *call, scope parties.Scope) error {
	party, err := a.Parties.Identify(c.r)
	switch {
	case err != nil:
		return problem(Unauthenticated, "the key or certificate is not known here, or they belong to different parties")
	case !party.May(scope) && party.ID == "" || scope == 0 && party.ID == "" && len(party.ScopeNames()) == 0:
		return problem(Unauthenticated, "show a key (Authorization: Bearer …) or a client certificate")
	case !party.May(scope):
		return problem(Forbidden, "your scopes do not cover this page; GET /v1/whoami lists them")
	}
	if wait := party.Take(time.Now()); wait > 0 {
		return problem(RateLimited, "more requests than agreed").after(wait)
	}
	c.party = party
	return nil
}

// enter takes a place in flight. Whoever got one gives it back by leave.
func (a *API) enter() error {
	if a.inFlight.Add(1) > a.MaxInFlight {
		a.inFlight.Add(-1)
		return problem(Overloaded, "too many verifications at once").after(time.Second)
	}
	a.Meter.InFlight(1)
	return nil
}

// enterBatch takes a place for a batch, which may keep it for hours: all batches
// together get half of the places.
func (a *API) enterBatch() error {
	if a.batches.Add(1) > max(1, a.MaxInFlight/2) {
		a.batches.Add(-1)
		return problem(Overloaded, "too many batches at once").after(time.Second)
	}
	if err := a.enter(); err != nil {
		a.batches.Add(-1)
		return err
	}
	return nil
}

func (a *API) leaveBatch() {
	a.leave()
	a.batches.Add(-1)
}

func (a *API) leave() {
	a.inFlight.Add(-1)
	a.Meter.InFlight(-1)
}
