package api

import (
	"slices"
	"time"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/envelope"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/receipt"
)

// Example returns what a verdict with this code looks like: of a business that
// does not exist, decided at a moment. A warning comes with VALID. ok is false
// where the code is not one of a verdict.
//
// The checks are those that [verifiers.Decide] and [receipt.Decide] would list.
func Example(code verifiers.Code, at time.Time) (r *verifiers.Response, ok bool) {
	info, ok := infoOf(string(code))
	if !ok || info.Kind == "fault" {
		return nil, false
	}
	r = &verifiers.Response{Format: envelope.Type, Digest: verifiers.DigestOf([]byte(code)), At: at}
	v := &r.Verdict
	v.Outcome, v.Code, v.TrustVersion, v.ValidUntil = verifiers.Valid, verifiers.OK, 7, at.Add(5*time.Minute)
	deciding, result := len(v.Checks), verifiers.Failed
	switch info.Kind {
	case "warning":
		v.Warnings = []verifiers.Code{code}
	case "receipt":
		r.Format = receipt.Type
		v.Outcome, v.Code, deciding = verifiers.Invalid, code, int(receiptChecks[code])
	case "verdict":
		switch info.Verdict {
		case "INVALID":
			v.Outcome, v.Code = verifiers.Invalid, code
		case "INDETERMINATE":
			v.Outcome, v.Code, result = verifiers.Indeterminate, code, verifiers.Inconclusive
		}
		for i := range v.Checks {
			if verifiers.Check(i).String() == info.Check {
				deciding = i
			}
		}
	}
	exampleChecks(v, deciding, result)
	if code == verifiers.FormatMalformed {
		r.Format = ""
	}
	if v.Outcome == verifiers.Indeterminate && info.Retry {
		r.RetryAfter = 30 * time.Second
	}
	exampleEvidence(r, code)
	return r, true
}

// receiptChecks are the checks that a receipt's own codes stand in (contract §10).
var receiptChecks = map[verifiers.Code]verifiers.Check{
	verifiers.ReceiptMalformed:           verifiers.CheckFormat,
	verifiers.ReceiptIssuerNotRecognised: verifiers.CheckIssuer,
	verifiers.ReceiptSignatureInvalid:    verifiers.CheckSignature,
	verifiers.ReceiptExpired:             verifiers.CheckValidity,
}

// exampleChecks lists the checks of a verdict that one of them decided, or none.
func exampleChecks(v *verifiers.Verdict, deciding int, result verifiers.Result) {
	for i := range v.Checks {
		switch check := verifiers.Check(i); {
		case i == deciding:
			v.Checks[i] = verifiers.Checked{Result: result, Code: v.Code}
			if result == verifiers.Failed || check < verifiers.CheckStatus {
				return // the rest is skipped
			}
		case check == verifiers.CheckHolder && !slices.Contains(v.Warnings, verifiers.WarnHolderProofUnbound):
			v.Checks[i] = verifiers.Checked{Result: verifiers.Skipped} // nobody asked for a proof
		default:
			v.Checks[i] = verifiers.Checked{Result: verifiers.Passed}
		}
	}
}

// exampleEvidence adds what is shown beside the checks.
func exampleEvidence(r *verifiers.Response, code verifiers.Code) {
	v := &r.Verdict
	if v.Checks[verifiers.CheckSignature].Result != verifiers.Passed || r.Format == receipt.Type {
		return
	}
	province := keys.Province{Code: "310000", Name: "上海市", NameEn: "Shanghai", Authority: "上海市市场监督管理局", Active: true,
		Issuers: []keys.Authority{{Issuer: "https://ebl.sh.example"}}}
	v.Proven, v.Province, v.Authority = true, &province, &province.Issuers[0]
	v.Key = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
	business := exampleLicence
	if code == verifiers.WarnTermEnded {
		business.Perpetual, business.Opto = false, "2024-02-29"
	}
	r.Finding = &verifiers.Finding{Format: r.Format, Key: v.Key, Algorithm: string(keys.ES256), Issuer: province.Issuers[0].Issuer,
		Subject: business.Uniscid, SubjectIn: true, Licence: business}
	switch registry := v.Checks[verifiers.CheckRegistry].Result; {
	case registry == verifiers.Skipped || code == verifiers.RegistryUnavailable:
	case code == verifiers.WarnStandingStale:
		v.Source, v.Age = verifiers.Stale, 20*time.Minute
	default:
		v.Source = verifiers.Live
	}
	if v.Source != "" {
		v.AsOf = r.At.Add(-v.Age)
	}
}

var exampleLicence = licence.Licence{
	Uniscid: "91310115MA1TEQ029W", Entname: "上海通验示例贸易有限公司（测试）", Enttype: "1130", EnttypeCn: "有限责任公司", Lerep: "甄示例",
	Regcap: "500.00", Regcapcur: "156", Estdate: "2016-03-01", Opfrom: "2016-03-01", Perpetual: true, Dom: "上海市浦东新区示例路1号",
	Opscope: "示例用品销售", Regorg: "310115", RegorgCn: "上海市浦东新区市场监督管理局", Apprdate: "2020-05-06",
}

// ExampleProblem returns a fault as a request meets it; ok is false where the
// code is not one of a fault.
func ExampleProblem(code FaultCode) (p *Problem, ok bool) {
	info, ok := infoOf(string(code))
	if !ok || info.Kind != "fault" {
		return nil, false
	}
	p = problem(code, info.Cause)
	switch code {
	case Internal:
		p.Detail = "" // contract §6.3: no detail
	case RateLimited, Overloaded:
		p.RetryAfter = 2 * time.Second
	}
	return p, true
}

func infoOf(code string) (CodeInfo, bool) {
	for _, info := range codeTable {
		if info.Code == code {
			return info, true
		}
	}
	return CodeInfo{}, false
}
