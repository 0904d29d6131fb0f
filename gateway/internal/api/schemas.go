package api

import (
	"slices"
	"strings"
)

// schemaOf names the schema of a body, or of a line of it.
func schemaOf(content node) string {
	s := content.at("x-line-schema")
	if !s.there() {
		s = content.at("schema")
	}
	_, name, _ := strings.Cut(s.at("$ref").text, "#/components/schemas/")
	return name
}

// samples returns the first examples of a body.
func samples(root, content node, most int) (out []sample) {
	for _, e := range content.at("examples").members {
		target, _ := e.resolve(root)
		if value := target.at("value"); len(out) < most {
			out = append(out, sample{target.at("summary").text, value.pretty()})
		}
	}
	return out
}

func newSchema(root node, m member) schemaDoc {
	s := schemaDoc{Name: m.name, Link: linkOf(m.node)}
	s.Zh, s.En = m.languages()
	if s.Type = constraint(m.node); s.Type == "object" {
		s.Type = ""
	}
	var required []string
	for _, r := range m.at("required").items {
		required = append(required, r.text)
	}
	for _, p := range m.at("properties").members {
		zh, en := p.languages()
		if target, name := p.resolve(root); name != "" && zh == "" {
			zh, en = target.languages()
		}
		r := row{Name: p.name, Type: typeOf(p.node), Required: slices.Contains(required, p.name), Zh: zh, En: en}
		r.Link = linkOf(p.node)
		s.Rows = append(s.Rows, r)
	}
	return s
}

// linkOf names the schema behind a type, also of an array's items.
func linkOf(n node) string {
	for _, s := range []node{n, n.at("items"), first(n.at("anyOf")), first(n.at("allOf"))} {
		if _, name, ok := strings.Cut(s.at("$ref").text, "#/components/schemas/"); ok {
			return name
		}
	}
	return ""
}

func first(n node) node {
	if len(n.items) == 0 {
		return node{}
	}
	return n.items[0]
}

// typeOf says in a few words what a value is.
func typeOf(n node) string {
	name := linkOf(n)
	switch {
	case n.at("items").there() && name != "":
		return name + "[]"
	case n.at("anyOf").there():
		return name + " | null"
	case name != "":
		return name
	}
	return constraint(n)
}

// constraint says what a value of a schema without a name may be.
func constraint(n node) string {
	var words []string
	switch {
	case n.at("const").there():
		return n.at("const").json()
	case n.at("enum").there():
		for _, v := range n.at("enum").items {
			words = append(words, v.json())
		}
		return strings.Join(words, " | ")
	case n.at("oneOf").there():
		for _, v := range n.at("oneOf").items {
			words = append(words, typeOf(v))
		}
		return strings.Join(words, " | ")
	case n.at("items").there():
		return typeOf(n.at("items")) + "[]"
	case len(n.at("type").items) > 0:
		for _, v := range n.at("type").items {
			words = append(words, v.text)
		}
		return strings.Join(words, " | ")
	case linkOf(n) != "":
		return linkOf(n)
	}
	return n.at("type").text
}
