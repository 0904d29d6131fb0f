package main

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"tongyan/gateway/internal/api"
	"tongyan/gateway/internal/crowd"
	"tongyan/strict"
	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

const (
	// magicPrefix begins a credential that names the answer it wants. No
	// credential of a real format holds a colon.
	magicPrefix = "demo:"
	// slowness is how long demo:SLOW takes: longer than most clients wait for
	// by default, shorter than the gateway's own time-out.
	slowness = 5 * time.Second
	// demoGateway is the issuer of the demo's receipts.
	demoGateway = "https://gateway.demo.example"
)

// sandboxMode makes the API of "gateway demo": as any other, but that magic
// credentials get the answer that they name, and that a fault tells what was
// received. It lets integrators see every answer; nothing else may call it.
func sandboxMode(o api.Options) http.Handler {
	o.Verifier, o.Receipts, o.Before = magicVerifier{o.Verifier}, magicReceipts{o.Receipts}, magicFault
	next := api.New(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := &listened{ReadCloser: r.Body}
		answer := &demoAnswer{ResponseWriter: w, r: r, asked: asked}
		heard := *r
		heard.Body = asked
		next.ServeHTTP(answer, &heard)
		answer.finish()
	})
}

// magic returns the code that a credential names, "" where it is no magic one.
func magic(credential []byte) string {
	code, ok := bytes.CutPrefix(bytes.TrimSpace(credential), []byte(magicPrefix))
	if !ok || len(code) > 64 {
		return ""
	}
	name := string(code)
	_, verdict := api.Example(verifiers.Code(name), time.Time{})
	_, fault := api.ExampleProblem(api.FaultCode(name))
	if !verdict && !fault && name != "SLOW" {
		return ""
	}
	return name
}

// magicFault is demo:SLOW, and the credentials that name a fault.
func magicFault(ctx context.Context, req *verifiers.Request) error {
	name := magic(req.Credential)
	if name == "SLOW" {
		defer crowd.Outside(ctx)() // who waits takes no core from anybody
		wait := time.NewTimer(slowness)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		return nil
	}
	if p, ok := api.ExampleProblem(api.FaultCode(name)); ok {
		return p
	}
	return nil
}

// magicVerifier answers the credentials that name a verdict, a warning or a
// receipt's fault.
type magicVerifier struct{ api.Verifier }

func (m magicVerifier) Verify(ctx context.Context, req *verifiers.Request) *verifiers.Response {
	name := magic(req.Credential)
	if name == "SLOW" {
		name = string(verifiers.OK)
	}
	r, ok := api.Example(verifiers.Code(name), time.Now())
	if !ok {
		return m.Verifier.Verify(ctx, req)
	}
	r.Digest = verifiers.DigestOf(req.Credential)
	return r
}

// magicReceipts answers POST /v1/receipts/verify alike.
type magicReceipts struct{ api.Receipts }

func (m magicReceipts) Check(ctx context.Context, token []byte) (*receipt.Claims, verifiers.Code) {
	switch name := verifiers.Code(magic(token)); name {
	case verifiers.OK:
		r, _ := api.Example(name, time.Now())
		claims := receipt.State(demoGateway, "vrf_demodemodemodemo", "", r)
		return &claims, name
	case verifiers.ReceiptMalformed, verifiers.ReceiptIssuerNotRecognised, verifiers.ReceiptSignatureInvalid, verifiers.ReceiptExpired,
		verifiers.KeyRevoked, verifiers.KeysUnavailable:
		return nil, name
	}
	return m.Receipts.Check(ctx, token)
}

// A demoAnswer is the answer on its way out. A problem of the caller's is held
// back until the request is over, and says then what was received.
type demoAnswer struct {
	http.ResponseWriter
	r     *http.Request
	asked *listened

	begun bool
	held  int // status of a problem that is held back; 0: none
	body  bytes.Buffer
}

// Unwrap is for http.ResponseController.
func (a *demoAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *demoAnswer) WriteHeader(status int) {
	a.begun = true
	h := a.Header()
	if a.asked.magic() {
		h.Set("Tongyan-Demo", "magic")
		if status == http.StatusMethodNotAllowed {
			h.Set("Allow", http.MethodPost)
		}
	}
	if status >= 400 && status < 500 && h.Get("Content-Type") == "application/problem+json" {
		a.held = status
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *demoAnswer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.held != 0 {
		return a.body.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

// finish sends what was held back.
func (a *demoAnswer) finish() {
	if a.held == 0 {
		return
	}
	body := bytes.TrimSuffix(a.body.Bytes(), []byte("}"))
	body = append(append(body, `,"received":`...), receivedJSON(a.r, a.asked)...)
	body = append(body, '}')
	a.Header().Set("Content-Length", strconv.Itoa(len(body)))
	a.ResponseWriter.WriteHeader(a.held)
	a.ResponseWriter.Write(body)
}

// magic reports whether the body is a magic credential, or JSON that holds one.
func (l *listened) magic() bool {
	if magic(l.kept) != "" {
		return true
	}
	v, err := strict.Parse(l.kept)
	if err != nil {
		return false
	}
	for _, member := range []string{"credential", "receipt"} {
		if text, ok := v.Get(member).Text(); ok && magic([]byte(text)) != "" {
			return true
		}
	}
	return false
}
