package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tongyan/verifiers"
	"tongyan/verifiers/receipt"
)

// openapiSource is the document as it was written. What it says of codes is not
// written there: texts that begin with @ stand for what codeTable knows.
//
//go:embed openapi.json
var openapiSource string

// Document returns the OpenAPI 3.1 document of /openapi.json: what was written,
// and every code with its example. It does not change; do not change it.
var Document = sync.OnceValue(func() []byte {
	doc := jsontext.Value(mark.ReplaceAllStringFunc(openapiSource, func(s string) string {
		words := strings.Fields(strings.Trim(s, `"@`))
		generate, ok := generators[words[0]]
		if !ok {
			panic("openapi.json: nothing generates " + s)
		}
		return generate(words[1:])
	}))
	if err := doc.Compact(); err != nil {
		panic("openapi.json: " + err.Error())
	}
	return doc
})

var mark = regexp.MustCompile(`"@[^"]*"`)

// generators write what stands for a mark, given the words behind its first.
var generators = map[string]func(kinds []string) string{
	"codes":    generateCodes,
	"examples": generateExamples,
	"faults":   generateFaults,
	"batch":    func([]string) string { return generateBatch() },
}

// receiptCheck is the kind of what POST /v1/receipts/verify answers.
const receiptCheck = "receipt-check"

// alsoOfReceipts are the codes of verdicts that the check of a receipt ends
// with too.
var alsoOfReceipts = []verifiers.Code{verifiers.OK, verifiers.KeyRevoked, verifiers.KeysUnavailable}

// codesOf returns the codes of a kind, in the order of the table.
func codesOf(kind string) (infos []CodeInfo) {
	for _, info := range codeTable {
		if info.Kind == kind || kind == receiptCheck && (info.Kind == "receipt" || slices.Contains(alsoOfReceipts, verifiers.Code(info.Code))) {
			infos = append(infos, info)
		}
	}
	return infos
}

// generateCodes lists the codes of some kinds; of none, it makes the example
// of /v1/codes: the first code of each kind.
func generateCodes(kinds []string) string {
	codes := []string{}
	for _, kind := range kinds {
		for _, info := range codesOf(kind) {
			codes = append(codes, info.Code)
		}
	}
	if len(kinds) > 0 {
		return marshal(codes)
	}
	var firsts []CodeInfo
	for _, kind := range []string{"verdict", "warning", "receipt", "fault"} {
		firsts = append(firsts, codesOf(kind)[0])
	}
	return marshal(map[string]any{"first": map[string]any{
		"summary": "每种一个 · One of each kind", "value": map[string]any{"codes": firsts}}})
}

// generateExamples points to the examples of some kinds; of none, it makes all.
func generateExamples(kinds []string) string {
	var b strings.Builder
	write := func(name, value string) {
		fmt.Fprintf(&b, "%c%s:%s", "{,"[min(b.Len(), 1)], marshal(name), value)
	}
	for _, kind := range kinds {
		for _, info := range codesOf(kind) {
			write(info.Code, marshal(map[string]string{"$ref": "#/components/examples/" + kind + "." + info.Code}))
		}
	}
	if len(kinds) == 0 {
		for _, kind := range []string{"verdict", "warning", "receipt", receiptCheck, "fault"} {
			for _, info := range codesOf(kind) {
				write(kind+"."+info.Code, marshal(map[string]any{"summary": info.Zh + " · " + info.En, "value": exampleOf(kind, info.Code)}))
			}
		}
	}
	return b.String() + "}"
}

// The names and the moment that stand in examples.
const (
	exampleID      = "vrf_9mMfA0iTm3nQ2xXb"
	exampleRequest = "Zb3wqk0uT7pYh1Lc"
)

var exampleTime = time.Date(2026, 10, 1, 4, 0, 0, 0, time.UTC)

// exampleOf returns the answer with a code.
func exampleOf(kind, code string) json.RawMessage {
	switch kind {
	case "fault":
		p, _ := ExampleProblem(FaultCode(code))
		return p.appendJSON(nil, exampleRequest)
	case receiptCheck:
		if code != string(verifiers.OK) {
			return json.RawMessage(`{"valid":false,"code":"` + code + `"}`)
		}
		r, _ := Example(verifiers.OK, exampleTime)
		claims := receipt.State("https://gateway.example", exampleID, "hall-pudong", r)
		return append(claims.AppendJSON([]byte(`{"valid":true,"code":"OK","receipt":`)), '}')
	}
	r, _ := Example(verifiers.Code(code), exampleTime)
	return AppendVerdict(nil, exampleID, true, r)
}

func generateBatch() string {
	lines := appendSeq(nil, 0)
	lines = append(append(lines, ','), exampleOf("verdict", "OK")[1:]...)
	lines = appendSeq(append(lines, '\n'), 1)
	lines = append(append(append(lines, `,"error":`...), exampleOf("fault", string(BadRequest))...), "}\n"...)
	return marshal(map[string]any{"two": map[string]any{"summary": "一个结论，一个错误 · A verdict and a fault", "value": string(lines)}})
}

// generateFaults makes the response of every fault.
func generateFaults([]string) string {
	responses := map[string]any{}
	ref := func(kind, name string) map[string]any {
		return map[string]any{"$ref": "#/components/" + kind + "/" + name}
	}
	for _, info := range codesOf("fault") {
		headers := map[string]any{
			"Request-Id": ref("headers", "RequestId"), "Cache-Control": ref("headers", "NoStore"),
			"X-Content-Type-Options": ref("headers", "NoSniff"), "Tongyan-Demo": ref("headers", "Demo"),
		}
		switch FaultCode(info.Code) {
		case Unauthenticated:
			headers["WWW-Authenticate"] = ref("headers", "WWWAuthenticate")
		case MethodNotAllowed:
			headers["Allow"] = ref("headers", "Allow")
		case RateLimited, Overloaded:
			headers["Retry-After"] = ref("headers", "RetryAfter")
		}
		responses[info.Code] = map[string]any{
			"description": info.Zh + "。\n\n" + info.En + ". " + info.Cause,
			"headers":     headers,
			"content": map[string]any{"application/problem+json": map[string]any{
				"schema": map[string]any{"allOf": []any{ref("schemas", "Problem"), map[string]any{"properties": map[string]any{
					"code": map[string]any{"const": info.Code}, "status": map[string]any{"const": faults[FaultCode(info.Code)].status}}}}},
				"examples": map[string]any{info.Code: ref("examples", "fault."+info.Code)},
			}},
		}
	}
	return marshal(responses)
}

// marshal is json.Marshal of what cannot fail.
func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fixed answers with what stands in the program: whoever asked may keep it for
// a minute.
func fixed(media string, body []byte, headers ...string) func(*call) error {
	return func(c *call) error {
		h := c.w.Header()
		h.Set("Cache-Control", "public, max-age=60")
		h.Set("Content-Type", media)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		if c.r.Method != http.MethodHead {
			c.w.Write(body)
		}
		return nil
	}
}
