package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Request is one question: is this credential good?
type Request struct {
	// Credential is the licence as received: a token in its compact form, or a
	// receipt of another gateway. Required.
	Credential string
	// Purpose and Reference are for the caller's own records: 用途, 流水号.
	Purpose, Reference string
	// MaxAge is how old the registry's word may be: nil leaves it to the
	// gateway, 0 has the registry asked now. StaleIfError is by how much it may
	// be older if the registry cannot be had.
	MaxAge, StaleIfError *time.Duration
	// Expect is what the caller believes the licence to say; the answer's Match
	// compares. It never changes the verdict.
	Expect Expectation
	// Holder is what the caller expects of the holder's proof; nil: nothing.
	Holder *Holder
	// Receipt asks for a signed receipt.
	Receipt bool
	// IdempotencyKey lets the question be put twice and answered once, for 24 h.
	// Not in batches.
	IdempotencyKey string
}

// An Expectation is compared with the licence; empty members are not.
type Expectation struct {
	Uniscid string `json:"uniscid,omitempty"`
	Entname string `json:"entname,omitempty"`
	Lerep   string `json:"lerep,omitempty"`
}

// A Holder says to whom, and in answer to which challenge, the licence's holder
// must have made the proof.
type Holder struct {
	Audience string `json:"aud,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Required bool   `json:"required,omitempty"`
}

// MarshalJSON writes the request as the gateway reads it.
func (r *Request) MarshalJSON() ([]byte, error) {
	if r.Credential == "" {
		return nil, errors.New("the credential is empty")
	}
	type freshness struct {
		MaxAge       string `json:"max_age,omitempty"`
		StaleIfError string `json:"stale_if_error,omitempty"`
	}
	out := struct {
		Credential string       `json:"credential"`
		Purpose    string       `json:"purpose,omitempty"`
		Reference  string       `json:"reference,omitempty"`
		Freshness  *freshness   `json:"freshness,omitempty"`
		Expect     *Expectation `json:"expect,omitempty"`
		Holder     *Holder      `json:"holder,omitempty"`
		Receipt    bool         `json:"receipt,omitempty"`
	}{r.Credential, r.Purpose, r.Reference, nil, nil, r.Holder, r.Receipt}
	if r.MaxAge != nil || r.StaleIfError != nil {
		out.Freshness = new(freshness)
		if r.MaxAge != nil {
			out.Freshness.MaxAge = r.MaxAge.String()
		}
		if r.StaleIfError != nil {
			out.Freshness.StaleIfError = r.StaleIfError.String()
		}
	}
	if r.Expect != (Expectation{}) {
		out.Expect = &r.Expect
	}
	return json.Marshal(out)
}

// An Outcome is what came of the whole.
type Outcome string

// The outcomes.
const (
	Valid         Outcome = "VALID"
	Invalid       Outcome = "INVALID"
	Indeterminate Outcome = "INDETERMINATE" // it could not be found out; see RetryAfter
)

// A Code says why, and is stable: see [Client.Codes] for all of them with their
// wording. New ones may come.
type Code string

// OK is the code of every VALID verdict and every good receipt.
const OK Code = "OK"

// A Verdict is the gateway's answer. Times are in UTC.
type Verdict struct {
	ID       string  `json:"id"`
	Outcome  Outcome `json:"verdict"`
	Code     Code    `json:"code"`
	Checks   []Check `json:"checks"`
	Warnings []Code  `json:"warnings"`

	// Licence and Issuer are nil unless the signature is good; Licence also
	// where the caller lacks the scope for it.
	Licence *Licence `json:"licence"`
	Issuer  *Issuer  `json:"issuer"`
	// Freshness is nil where no registry's word was used.
	Freshness *Freshness `json:"freshness"`
	// Match maps the members of Expect to match, mismatch or absent.
	Match map[string]string `json:"match"`

	CredentialDigest string    `json:"credential_digest"`
	Format           string    `json:"format"` // "" where it could not be read
	TrustListVersion int64     `json:"trust_list_version"`
	VerifiedAt       time.Time `json:"verified_at"`
	ValidUntil       time.Time `json:"valid_until"`
	// RetryAfterSeconds is when asking again may help; nil: it is not known.
	RetryAfterSeconds *int64 `json:"retry_after_seconds"`

	// Receipt is the signed statement that was asked for, "" otherwise. Where
	// the gateway signs with several algorithms, Receipts has each by name.
	Receipt  string            `json:"receipt"`
	Receipts map[string]string `json:"receipts"`

	// Raw is the whole answer, members that this package does not know included.
	Raw json.RawMessage `json:"-"`
}

// Valid reports whether the licence is good. It is the only such word here.
func (v *Verdict) Valid() bool { return v != nil && v.Outcome == Valid && v.Code == OK }

// UnmarshalJSON reads a verdict. One that is none of the three, or that no
// code goes with, is an error: a program of today cannot act on it.
func (v *Verdict) UnmarshalJSON(b []byte) error {
	type plain Verdict
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	switch {
	case p.Outcome != Valid && p.Outcome != Invalid && p.Outcome != Indeterminate:
		return errors.New("the answer holds no verdict that this client knows")
	case p.Code == "" || p.ID == "" || (p.Outcome == Valid) != (p.Code == OK):
		return errors.New("the answer's verdict, code or id is missing, or they contradict each other")
	}
	*v = Verdict(p)
	v.Raw = append(json.RawMessage(nil), b...)
	return nil
}

// A Check is one question about the credential, in the order they were put.
type Check struct {
	Name    string     `json:"check"`   // format, issuer, key, signature, …
	Outcome string     `json:"outcome"` // passed, failed, inconclusive or skipped
	Code    Code       `json:"code"`    // of one that did not pass
	Source  string     `json:"source"`  // of registry: live, cache or stale
	AsOf    *time.Time `json:"as_of"`   // likewise
}

// A Licence holds the members that the credential states (营业执照). "" is not
// stated, or hidden by its holder.
type Licence struct {
	Uniscid   string `json:"uniscid"` // 统一社会信用代码
	Entname   string `json:"entname"` // 名称
	Enttype   string `json:"enttype"`
	EnttypeCn string `json:"enttypeCn"`
	Lerep     string `json:"lerep"`  // 法定代表人
	Regcap    string `json:"regcap"` // 万元, decimal; never a float
	Regcapcur string `json:"regcapcur"`
	Estdate   string `json:"estdate"` // YYYY-MM-DD, as all dates, in Asia/Shanghai
	Opfrom    string `json:"opfrom"`
	Opto      string `json:"opto"`
	Perpetual bool   `json:"-"` // opto is null: 长期
	Dom       string `json:"dom"`
	Opscope   string `json:"opscope"`
	Regorg    string `json:"regorg"`
	RegorgCn  string `json:"regorgCn"`
	Apprdate  string `json:"apprdate"`
	Copyno    string `json:"copyno"`
}

// UnmarshalJSON tells an opto of null from one that is not there.
func (l *Licence) UnmarshalJSON(b []byte) error {
	type plain Licence
	var p plain
	var opto struct {
		Opto json.RawMessage `json:"opto"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &opto); err != nil {
		return err
	}
	*l = Licence(p)
	l.Perpetual = string(opto.Opto) == "null"
	return nil
}

// An Issuer is who signed the licence.
type Issuer struct {
	Issuer    string `json:"iss"`
	Province  string `json:"province"`  // six digits of GB/T 2260
	Authority string `json:"authority"` // e.g. 上海市市场监督管理局
	Key       string `json:"key"`       // RFC 7638 thumbprint
	Algorithm string `json:"alg"`       // "" where a receipt was handed in
}

// A Freshness tells how old the registry's word is.
type Freshness struct {
	Source     string    `json:"source"` // live, cache or stale
	AsOf       time.Time `json:"as_of"`
	AgeSeconds int64     `json:"age_seconds"`
}

// A ReceiptAnswer tells whether a receipt is good.
type ReceiptAnswer struct {
	Valid  bool            `json:"valid"`
	Code   Code            `json:"code"`
	Claims json.RawMessage `json:"receipt"` // what a good receipt says; nil of others
}

// UnmarshalJSON refuses an answer that contradicts itself.
func (a *ReceiptAnswer) UnmarshalJSON(b []byte) error {
	type plain ReceiptAnswer
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	if p.Code == "" || p.Valid != (p.Code == OK) || p.Valid != (len(p.Claims) > 0) {
		return errors.New("the answer about the receipt contradicts itself")
	}
	*a = ReceiptAnswer(p)
	return nil
}

// A Party is what the gateway takes the caller for.
type Party struct {
	ID     string   `json:"id"` // "": anonymous
	Scopes []string `json:"scopes"`
	Rate   *float64 `json:"rate"` // requests per second; nil: no limit of its own
	Lane   string   `json:"lane"`
}

// A CodeInfo explains one code.
type CodeInfo struct {
	Code    Code    `json:"code"`
	Kind    string  `json:"kind"`    // verdict, warning, receipt or fault
	Verdict Outcome `json:"verdict"` // that a verdict code leads to
	Check   string  `json:"check"`
	Chinese string  `json:"zh"`
	English string  `json:"en"`
	Cause   string  `json:"cause"`
	Act     string  `json:"act"`   // who must act: holder, hall, province, gateway or nobody
	Retry   bool    `json:"retry"` // whether trying again, unchanged, helps
}

// A Problem is an answer without a verdict (RFC 9457): the question was not
// taken. Codes are those of the gateway's faults, "" where something between
// here and there answered instead.
type Problem struct {
	Status     int
	Code       Code
	Title      string
	Detail     string        // what to do, in words
	RequestID  string        // by which the gateway's operator finds it
	RetryAfter time.Duration // how long to wait before asking again; 0: not said
}

func (p *Problem) Error() string {
	s := fmt.Sprintf("gateway: %d %s", p.Status, or(string(p.Code), or(p.Title, "no reason given")))
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.RequestID != "" {
		s += " (request " + p.RequestID + ")"
	}
	return s
}
