// Package apitest holds the traffic of tests against the gateway's own OpenAPI
// document: what a gateway answers and the document does not describe is an
// error, and so is a request that it takes although the document forbids it.
package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tongyan/gateway/internal/api"
)

// An Exchange is one request and its answer. A body that is nil is not known,
// and not looked at.
type Exchange struct {
	Method, Path string // Path without a query
	Asked        http.Header
	AskedBody    []byte

	Status   int
	Answered http.Header
	Body     []byte
}

// A Checker checks exchanges. It is safe for concurrent use.
type Checker struct {
	root     node
	compiler *jsonschema.Compiler

	mu      sync.Mutex                    // guards what follows
	schemas map[string]*jsonschema.Schema // by pointer
	seen    map[string]bool               // "POST /v1/verify 200", "code KEY_REVOKED"
}

// own are the headers that HTTP itself brings.
var own = []string{"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding"}

const resource = "openapi.json"

// New reads the document of this build.
func New() (*Checker, error) { return read(api.Document()) }

func read(document []byte) (*Checker, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	c := &Checker{root: node{doc, "#"}, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	return c, c.compiler.AddResource(resource, doc)
}

// Check returns all that is wrong with an exchange, nil where nothing is.
func (c *Checker) Check(e *Exchange) error {
	method := strings.ToLower(e.Method)
	if method == "head" {
		method = "get"
	}
	path := c.root.at("paths", e.Path)
	op := path.at(method)
	responses, known := op.at("responses"), op.there()
	switch {
	case !path.there() || e.Answered.Get("Tongyan-Demo") == "magic" && e.Status == http.StatusNotFound:
		responses, known = c.root.at("x-other-paths", "responses"), false
	case !op.there():
		// Any operation of the path says how another method is refused.
		for _, other := range path.names() {
			responses, method = path.at(other, "responses"), other
		}
		if e.Status != http.StatusMethodNotAllowed {
			return fmt.Errorf("%s %s is not described, and answered by %d", e.Method, e.Path, e.Status)
		}
	}
	response := responses.at(strconv.Itoa(e.Status)).resolve(c.root)
	if !response.there() {
		return fmt.Errorf("%s %s: the status %d is not described", e.Method, e.Path, e.Status)
	}
	c.note(strings.ToUpper(method) + " " + e.Path + " " + strconv.Itoa(e.Status))
	errs := []error{c.headers(response, e.Answered), c.answer(response, e)}
	if known && e.Status < 300 {
		errs = append(errs, c.asked(op, e))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s %s %d: %w", e.Method, e.Path, e.Status, err)
	}
	return nil
}

// headers checks the headers of an answer: all described, none missing.
func (c *Checker) headers(response node, h http.Header) error {
	described := response.at("headers")
	var errs []error
	names := map[string]string{} // as HTTP spells them → as the document does
	for _, name := range described.names() {
		names[http.CanonicalHeaderKey(name)] = name
	}
	for name, values := range h {
		if slices.Contains(own, name) {
			continue
		}
		header := described.at(names[name]).resolve(c.root)
		switch {
		case !header.there():
			errs = append(errs, fmt.Errorf("the header %s is not described", name))
		case len(values) != 1:
			errs = append(errs, fmt.Errorf("the header %s stands %d times", name, len(values)))
		default:
			errs = append(errs, c.text("header "+name, header.at("schema"), values[0]))
		}
	}
	for _, name := range described.names() {
		if described.at(name).resolve(c.root).at("required").value == true && h.Get(name) == "" {
			errs = append(errs, fmt.Errorf("the header %s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// answer checks the body of an answer against its media type.
func (c *Checker) answer(response node, e *Exchange) error {
	if e.Method == http.MethodHead {
		if len(e.Body) > 0 && e.Status < 300 { // that of a problem net/http takes away
			return errors.New("HEAD was answered with a body")
		}
		return nil
	}
	return c.body(response.at("content"), e.Answered, e.Body)
}

// asked checks a request that was taken.
func (c *Checker) asked(op node, e *Exchange) error {
	var errs []error
	for _, p := range op.at("parameters").items() {
		p = p.resolve(c.root)
		for _, value := range e.Asked.Values(p.at("name").text()) {
			errs = append(errs, c.text("request header", p.at("schema"), value))
		}
	}
	if body := op.at("requestBody"); body.there() {
		if err := c.body(body.at("content"), e.Asked, e.AskedBody); err != nil {
			errs = append(errs, fmt.Errorf("the request was taken: %w", err))
		}
	}
	return errors.Join(errs...)
}

// body checks a body by what content says of its media type.
func (c *Checker) body(content node, h http.Header, body []byte) error {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("Content-Type: %w", err)
	}
	described := content.at(media)
	switch lines := described.at("x-line-schema"); {
	case !described.there():
		return fmt.Errorf("the media type %s is not described", media)
	case body == nil:
		return nil
	case lines.there():
		n := 0
		for line := range bytes.Lines(body) {
			if n++; len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if err := c.json(lines, line); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
		return nil
	case strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"):
		return c.json(described.at("schema"), body)
	default:
		return c.text("the body", described.at("schema"), string(body))
	}
}

func (c *Checker) json(schema node, body []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	c.noteCodes(v)
	return c.validate(schema, v)
}

// text checks a text that may stand for a number.
func (c *Checker) text(what string, schema node, value string) error {
	var v any = value
	if schema.at("type").text() == "integer" {
		v = json.Number(value)
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%s is no number", what)
		}
	}
	if err := c.validate(schema, v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (c *Checker) validate(schema node, v any) error {
	compiled, err := c.schema(schema.pointer)
	if err != nil {
		return err
	}
	if err := compiled.Validate(v); err != nil {
		return fmt.Errorf("%.900s", err.Error()) // it lists every code that would do
	}
	return nil
}

// schema compiles what stands at a pointer, once.
func (c *Checker) schema(pointer string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.schemas[pointer]; ok {
		return s, nil
	}
	s, err := c.compiler.Compile(resource + pointer)
	if err == nil {
		c.schemas[pointer] = s
	}
	return s, err
}

func (c *Checker) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] = true
}

// noteCodes notes the codes in an answer, its warnings too.
func (c *Checker) noteCodes(v any) {
	members, _ := v.(map[string]any)
	codes, _ := members["warnings"].([]any)
	for _, code := range append(codes, members["code"]) {
		if code, ok := code.(string); ok {
			c.note("code " + code)
		}
	}
	if inner, ok := members["error"]; ok {
		c.noteCodes(inner)
	}
}

// Unseen lists what the document describes and no exchange has shown: answers
// as "POST /v1/verify 200", codes as "code KEY_REVOKED".
func (c *Checker) Unseen() []string {
	described := map[string]bool{}
	paths := c.root.at("paths")
	for _, path := range paths.names() {
		for _, method := range paths.at(path).names() {
			for _, status := range paths.at(path, method, "responses").names() {
				described[strings.ToUpper(method)+" "+path+" "+status] = true
			}
		}
	}
	for _, name := range []string{"VerdictCode", "WarningCode", "ReceiptCode", "FaultCode"} {
		for _, code := range c.root.at("components", "schemas", name, "enum").items() {
			described["code "+code.text()] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(described, func(what string, _ bool) bool { return c.seen[what] })
	return slices.Sorted(maps.Keys(described))
}
