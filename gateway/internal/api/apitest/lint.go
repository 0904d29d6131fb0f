package apitest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// open are the schemas that others close: see unevaluatedProperties.
var open = []string{"VerdictMembers"}

// Lint returns what is wrong with the document itself, a line each.
func (c *Checker) Lint() (faults []string) {
	l := &linter{checker: c, used: map[string]bool{}}
	l.references(c.root)
	l.unused()
	l.operations()
	for _, kind := range []string{"parameters", "headers", "responses", "securitySchemes"} {
		for _, name := range c.root.at("components", kind).names() {
			l.described(c.root.at("components", kind, name))
		}
	}
	for _, name := range c.root.at("components", "schemas").names() {
		l.schema(name, c.root.at("components", "schemas", name))
	}
	l.examples(c.root)
	return l.faults
}

type linter struct {
	checker *Checker
	used    map[string]bool // pointers that a $ref names
	faults  []string
}

func (l *linter) fault(at node, format string, args ...any) {
	l.faults = append(l.faults, at.pointer+": "+fmt.Sprintf(format, args...))
}

// references follows every $ref.
func (l *linter) references(n node) {
	if ref := n.at("$ref").text(); ref != "" {
		l.used[ref] = true
		if !n.resolve(l.checker.root).there() {
			l.fault(n, "leads nowhere")
		}
	}
	for _, name := range n.names() {
		l.references(n.at(name))
	}
	for _, item := range n.items() {
		l.references(item)
	}
}

func (l *linter) unused() {
	components := l.checker.root.at("components")
	for _, kind := range components.names() {
		if kind == "securitySchemes" {
			continue // named without a $ref
		}
		for _, name := range components.at(kind).names() {
			if at := components.at(kind, name); !l.used[at.pointer] {
				l.fault(at, "nothing uses it")
			}
		}
	}
}

func (l *linter) operations() {
	root, ids := l.checker.root, map[string]bool{}
	for _, path := range root.at("paths").names() {
		for _, method := range root.at("paths", path).names() {
			op := root.at("paths", path, method)
			if id := op.at("operationId").text(); id == "" || ids[id] {
				l.fault(op, "the operationId %q is empty or stands twice", id)
			} else {
				ids[id] = true
			}
			l.described(op)
			if !strings.Contains(op.at("summary").text(), " · ") {
				l.fault(op, "the summary is not in two languages")
			}
			if op.at("security").value == nil {
				l.fault(op, "it does not say who may ask")
			}
			if body := op.at("requestBody"); body.there() {
				l.described(body)
			}
			for _, status := range op.at("responses").names() {
				l.described(op.at("responses", status).resolve(root))
			}
			for _, security := range op.at("security").items() {
				for _, name := range security.names() {
					if !root.at("components", "securitySchemes", name).there() {
						l.fault(security, "%s is not a security scheme", name)
					}
				}
			}
		}
	}
	for _, tag := range root.at("tags").items() {
		l.described(tag)
	}
}

// described wants a description in Chinese, then in English.
func (l *linter) described(n node) {
	zh, en, _ := strings.Cut(n.at("description").text(), "\n\n")
	if zh == "" || en == "" {
		l.fault(n, "the description is missing, or is not in two languages")
		return
	}
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	if strings.IndexFunc(en, han) >= 0 {
		l.fault(n, "the second part of the description is not English")
	}
}

// schema wants objects closed, and every member described.
func (l *linter) schema(name string, s node) {
	l.described(s)
	closed := s.at("additionalProperties").value == false || s.at("unevaluatedProperties").value == false
	if s.at("properties").there() && !closed && !slices.Contains(open, name) {
		l.fault(s, "it takes members that it does not name")
	}
	for _, name := range s.at("required").items() {
		if !s.at("properties", name.text()).there() {
			l.fault(s, "it requires %s and does not describe it", name.text())
		}
	}
	for _, member := range s.at("properties").names() {
		m := s.at("properties", member)
		if m.at("description").there() || !m.at("$ref").there() {
			l.described(m)
		}
	}
	if _, err := l.checker.schema(s.pointer); err != nil {
		l.fault(s, "%v", err)
	}
}

// examples checks every example against the schema beside it.
func (l *linter) examples(n node) {
	schema, examples := n.at("schema"), n.at("examples")
	if schema.there() && examples.there() {
		for _, name := range examples.names() {
			e := examples.at(name).resolve(l.checker.root)
			if e.at("summary").text() == "" {
				l.fault(e, "the example has no summary")
			}
			if err := l.checker.example(n, e.at("value").value); err != nil {
				l.fault(examples.at(name), "%v", err)
			}
		}
	}
	for _, name := range n.names() {
		if name != "examples" {
			l.examples(n.at(name))
		}
	}
	for _, item := range n.items() {
		l.examples(item)
	}
}

// example checks the value of an example; of lines, each.
func (c *Checker) example(n node, value any) error {
	lines := n.at("x-line-schema")
	if text, ok := value.(string); ok && lines.there() {
		for line := range strings.Lines(text) {
			if err := c.json(lines, []byte(line)); err != nil {
				return err
			}
		}
		return nil
	}
	return c.validate(n.at("schema"), value)
}
