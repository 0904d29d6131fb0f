package api

import (
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// checkReceipt is POST /v1/receipts/verify. A receipt that is not good is an
// answer, as a licence is that is not.
func (a *API) checkReceipt(c *call) error {
	body, err := a.body(c)
	if err != nil {
		return err
	}
	defer give(body)
	if err := a.enter(); err != nil {
		return err
	}
	defer a.leave()
	media, err := mediaType(c.r.Header)
	if err != nil {
		return err
	}
	token := *body
	switch media {
	case "application/json":
		if token, err = receiptMember(token); err != nil {
			return err
		}
	case "application/" + string(receipt.Type), "application/jwt", "text/plain":
	default:
		return problem(UnsupportedMediaType, `send the receipt as application/`+string(receipt.Type)+`, or JSON with the member receipt`)
	}
	claims, code := a.Receipts.Check(c.r.Context(), token)
	b := []byte(`{"valid":`)
	if code == verifiers.OK {
		b = append(b, "true"...)
	} else {
		b = append(b, "false"...)
	}
	b = append(b, `,"code":`...)
	b = appendText(b, string(code))
	if claims != nil {
		b = append(b, `,"receipt":`...)
		b = claims.AppendJSON(b)
	}
	return send(c, append(b, '}'))
}

// receiptMember reads {"receipt":"…"}.
func receiptMember(body []byte) ([]byte, error) {
	v, err := strict.Parse(body)
	if err != nil {
		return nil, problem(BadRequest, "the body is not acceptable JSON: "+err.Error())
	}
	var token string
	o := object{value: v, path: "the body"}
	o.text("receipt", &token)
	if err := o.finish(); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, problem(BadRequest, "receipt is missing or empty")
	}
	return []byte(token), nil
}

// jwks is GET /.well-known/jwks.json.
func (a *API) jwks(c *call) error {
	// Keys change by configuration only; a minute is how long a new one may
	// stay unknown to who asked before.
	c.w.Header()["Cache-Control"] = []string{"public, max-age=60"}
	return send(c, a.Receipts.JWKS())
}
