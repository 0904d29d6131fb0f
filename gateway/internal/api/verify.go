package api

import (
	"strconv"
	"time"

	"tongyan/gateway/internal/parties"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// verify is POST /v1/verify.
func (a *API) verify(c *call) error {
	if err := a.enter(); err != nil {
		return err
	}
	defer a.leave()
	body, err := a.body(c)
	if err != nil {
		return err
	}
	defer give(body)
	q, err := a.read(c.r.Header, *body)
	if err != nil {
		return err
	}
	r := a.Verifier.Verify(c.r.Context(), &q.Request)
	out := answers.Get().(*[]byte)
	defer answers.Put(out)
	*out = AppendVerdict((*out)[:0], "vrf_"+string(c.id[:16]), c.party.May(parties.Licence), r)
	if r.Verdict.Proven && q.Expect != nil {
		*out = appendMatch((*out)[:len(*out)-1], q.Expect, &r.Finding.Licence)
		*out = append(*out, '}')
	}

	h := c.w.Header()
	if v := &r.Verdict; v.Source != "" {
		h["Age"] = []string{strconv.FormatInt(int64(v.Age/time.Second), 10)}
		h["Cache-Status"] = []string{cacheStatus(v, q.Bounds)}
	}
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(*out))}
	_, err = c.w.Write(*out)
	if err != nil {
		a.Meter.Refused("GONE") // the caller went away; nothing is left to answer
	}
	return nil
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
		// SPEC: RFC 9211 §2.5 a negative ttl is "the response is stale".
		return "tongyan; hit; ttl=-" + strconv.FormatInt(int64((v.Age-b.MaxAge)/time.Second), 10)
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
	if v.Proven {
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
	b = append(b, `","alg":"`...)
	b = append(b, r.Finding.Algorithm...)
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
