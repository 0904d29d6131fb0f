package api

import (
	"context"
	"errors"
	"strconv"
	"time"

	"tongyan/gateway/internal/audit"
	"tongyan/gateway/internal/crowd"
	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/receipt"
)

// verify is POST /v1/verify.
func (a *API) verify(c *call) error {
	body, err := a.body(c)
	if err != nil {
		return err
	}
	defer give(body)
	// Only now: who sends slowly would hold a place for nothing.
	if err := a.enter(); err != nil {
		return err
	}
	defer a.leave()
	once, err := a.once(c, *body)
	if err != nil {
		return err
	}
	if once.given != nil {
		return send(c, once.given)
	}
	q, err := a.read(c.r.Header, *body)
	if err != nil {
		return err
	}
	ticket, err := a.Gate.Enter(crowd.ParseLane(string(c.party.Lane)), crowd.Peek(q.Credential))
	if err != nil {
		return crowded(err)
	}
	defer ticket.Leave()
	out := answers.Get().(*[]byte)
	defer answers.Put(out)
	r, err := a.judge(crowd.With(c.r.Context(), ticket), c, q, "vrf_"+string(c.id[:16]), out)
	if err != nil {
		return err
	}
	// What follows waits for others: for the shared store, for a slow reader.
	ticket.Leave()
	h := c.w.Header()
	if v := &r.Verdict; v.Source != "" {
		h["Age"] = []string{strconv.FormatInt(int64(v.Age/time.Second), 10)}
		h["Cache-Status"] = []string{cacheStatus(v, q.Bounds)}
	}
	return send(c, once.keep(*out))
}

// crowded turns a refusal of the gate into a problem.
func crowded(err error) error {
	var refused *crowd.Refused
	if errors.As(err, &refused) {
		return problem(Overloaded, "more work than the gateway can take").after(refused.RetryAfter)
	}
	return err
}

// judge has a credential verified and writes the answer to out. The verdict is
// recorded before anybody learns of it.
func (a *API) judge(ctx context.Context, c *call, q *ask, id string, out *[]byte) (*verifiers.Response, error) {
	if a.Before != nil {
		if err := a.Before(ctx, &q.Request); err != nil {
			return nil, err
		}
	}
	if a.Quota != nil {
		if wait, ok := a.Quota.Take(c.party.ID, c.party.MonthlyQuota); !ok {
			return nil, problem(RateLimited, "the monthly quota is used up").after(wait)
		}
	}
	r := a.Verifier.Verify(ctx, &q.Request)
	id, answer, err := a.answer((*out)[:0], c, q, id, r)
	*out = answer
	if err != nil {
		return nil, err
	}
	if a.Audit == nil {
		return r, nil
	}
	defer crowd.Outside(ctx)() // a slow disk needs no core
	err = a.Audit.Append(ctx, &audit.Entry{
		ID: id, Time: r.At, Party: c.party.ID, Purpose: q.Purpose, Reference: q.Reference, Digest: r.Digest,
		Outcome: r.Verdict.Outcome, Code: r.Verdict.Code, Policy: a.Policy, TrustVersion: r.Verdict.TrustVersion,
	})
	if err != nil {
		a.Log.Error("a verdict was not given because it could not be recorded", "cause", err)
		return nil, problem(Overloaded, "verdicts cannot be recorded at the moment").after(5 * time.Second)
	}
	return r, nil
}

// answer writes the verdict with what the caller asked for besides, and returns
// the id under which it was given.
func (a *API) answer(b []byte, c *call, q *ask, id string, r *verifiers.Response) (string, []byte, error) {
	var issued receipt.Issued
	if q.Receipt {
		var err error
		if issued, err = a.Receipts.Issue(r, id, c.party.ID); err != nil {
			return id, b, err
		}
		id = issued.ID
	}
	b = AppendVerdict(b, id, c.party.May(parties.Licence), r)
	b = b[:len(b)-1] // the closing brace
	if r.Verdict.Proven && r.Finding != nil && q.Expect != nil {
		b = appendMatch(b, q.Expect, &r.Finding.Licence)
	}
	if len(issued.Tokens) > 0 {
		b = append(b, `,"receipt":"`...)
		b = append(b, issued.Tokens[0].Text...)
		b = append(b, '"')
	}
	if len(issued.Tokens) > 1 {
		// Signed twice, for readers of either algorithm: all of them by name.
		b = append(b, `,"receipts":{`...)
		for i, t := range issued.Tokens {
			b = appendMember(b, i, string(t.Algorithm))
			b = append(b, `:"`...)
			b = append(b, t.Text...)
			b = append(b, '"')
		}
		b = append(b, '}')
	}
	return id, append(b, '}'), nil
}

// cacheStatus says how the standing was come by (RFC 9211).
func cacheStatus(v *verifiers.Verdict, b verifiers.Bounds) string {
	switch v.Source {
	case verifiers.Live:
		if b.MaxAge == 0 {
			return "tongyan; fwd=request"
		}
		return "tongyan; fwd=miss"
	case verifiers.Stale:
		// SPEC: RFC 9211 §2.5 a negative ttl is "the response is stale"; 0 is not.
		return "tongyan; hit; ttl=-" + strconv.FormatInt(max(1, wholeSeconds(v.Age-b.MaxAge)), 10)
	}
	return "tongyan; hit; ttl=" + strconv.FormatInt(int64((b.MaxAge-v.Age)/time.Second), 10)
}

// AppendVerdict writes the answer of contract §6.1 under an id. licence says
// whether the reader may see what stands in the licence.
func AppendVerdict(b []byte, id string, licence bool, r *verifiers.Response) []byte {
	v := &r.Verdict
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","verdict":"`...)
	b = append(b, v.Outcome.String()...)
	b = append(b, `","code":"`...)
	b = append(b, v.Code...)
	b = append(b, `","checks":[`...)
	b = appendChecks(b, v)
	b = append(b, `],"warnings":[`...)
	for i, w := range v.Warnings {
		b = appendMember(b, i, string(w))
	}
	b = append(b, ']')
	if v.Proven && r.Finding != nil {
		if licence {
			b = append(b, `,"licence":`...)
			b = r.Finding.Licence.AppendJSON(b)
		}
		b = appendIssuer(b, r)
	}
	if v.Source != "" {
		b = append(b, `,"freshness":{"source":"`...)
		b = append(b, v.Source...)
		b = append(b, `","as_of":"`...)
		b = appendTime(b, v.AsOf)
		b = append(b, `","age_seconds":`...)
		b = strconv.AppendInt(b, int64(v.Age/time.Second), 10)
		b = append(b, '}')
	}
	b = append(b, `,"credential_digest":"`...)
	b = append(b, r.Digest.String()...)
	b = append(b, '"')
	if r.Format != "" {
		b = append(b, `,"format":"`...)
		b = append(b, r.Format...)
		b = append(b, '"')
	}
	b = append(b, `,"trust_list_version":`...)
	b = strconv.AppendInt(b, v.TrustVersion, 10)
	b = append(b, `,"verified_at":"`...)
	b = appendTime(b, r.At)
	b = append(b, `","valid_until":"`...)
	b = appendTime(b, v.ValidUntil)
	b = append(b, `","retry_after_seconds":`...)
	if r.RetryAfter > 0 && v.Outcome == verifiers.Indeterminate {
		b = strconv.AppendInt(b, wholeSeconds(r.RetryAfter), 10)
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

func appendChecks(b []byte, v *verifiers.Verdict) []byte {
	for i, checked := range v.Checks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"check":"`...)
		b = append(b, verifiers.Check(i).String()...)
		b = append(b, `","outcome":"`...)
		b = append(b, checked.Result.String()...)
		if checked.Code != "" {
			b = append(b, `","code":"`...)
			b = append(b, checked.Code...)
		}
		if verifiers.Check(i) == verifiers.CheckRegistry && v.Source != "" {
			b = append(b, `","source":"`...)
			b = append(b, v.Source...)
			b = append(b, `","as_of":"`...)
			b = appendTime(b, v.AsOf)
		}
		b = append(b, `"}`...)
	}
	return b
}

func appendIssuer(b []byte, r *verifiers.Response) []byte {
	v := &r.Verdict
	b = append(b, `,"issuer":{"iss":`...)
	b = appendText(b, string(v.Authority.Issuer))
	b = append(b, `,"province":`...)
	b = appendText(b, string(v.Province.Code))
	b = append(b, `,"authority":`...)
	b = appendText(b, v.Province.Authority)
	b = append(b, `,"key":"`...)
	b = append(b, v.Key...)
	if r.Finding.Algorithm != "" { // a receipt does not tell it
		b = append(b, `","alg":"`...)
		b = append(b, r.Finding.Algorithm...)
	}
	return append(b, `"}`...)
}

// appendMatch compares what the caller believes with what the licence says. A
// member that the licence does not state, or discloses, is absent.
func appendMatch(b []byte, e *expectation, l *licence.Licence) []byte {
	b = append(b, `,"match":{`...)
	n := 0
	for _, m := range [...]struct {
		name   string
		want   *string
		stated string
	}{{"uniscid", e.uniscid, l.Uniscid}, {"entname", e.entname, l.Entname}, {"lerep", e.lerep, l.Lerep}} {
		if m.want == nil {
			continue
		}
		b = appendMember(b, n, m.name)
		n++
		switch {
		case m.stated == "":
			b = append(b, `:"absent"`...)
		case licence.SameText(*m.want, m.stated):
			b = append(b, `:"match"`...)
		default:
			b = append(b, `:"mismatch"`...)
		}
	}
	return append(b, '}')
}
