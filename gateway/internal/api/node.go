package api

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A node is a JSON value of our own document, its members in their order: the
// documentation shows them as they were written. The zero node is absent.
type node struct {
	kind    jsontext.Kind
	text    string // of a string, number or literal
	members []member
	items   []node
}

type member struct {
	name string
	node
}

// readNode reads the next value.
func readNode(d *jsontext.Decoder) (n node, err error) {
	token, err := d.ReadToken()
	if err != nil {
		return n, err
	}
	n.kind, n.text = token.Kind(), token.String()
	for (n.kind == '{' || n.kind == '[') && d.PeekKind() != '}' && d.PeekKind() != ']' {
		var name string
		if n.kind == '{' {
			token, err := d.ReadToken()
			if err != nil {
				return n, err
			}
			name = token.String()
		}
		inner, err := readNode(d)
		if err != nil {
			return n, err
		}
		if n.kind == '{' {
			n.members = append(n.members, member{name, inner})
		} else {
			n.items = append(n.items, inner)
		}
	}
	if n.kind == '{' || n.kind == '[' {
		_, err = d.ReadToken()
	}
	return n, err
}

// at walks down by member names.
func (n node) at(names ...string) node {
	for _, name := range names {
		var next node
		for _, m := range n.members {
			if m.name == name {
				next = m.node
			}
		}
		n = next
	}
	return n
}

func (n node) there() bool { return n.kind != 0 }

// resolve follows a $ref within root, and returns its last name too.
func (n node) resolve(root node) (target node, name string) {
	path := n.at("$ref").text
	if path == "" {
		return n, ""
	}
	names := strings.Split(strings.TrimPrefix(path, "#/"), "/")
	if target = root.at(names...); !target.there() {
		panic(fmt.Sprintf("openapi.json: %s leads nowhere", path))
	}
	return target, names[len(names)-1]
}

// languages splits a description into its Chinese and its English.
func (n node) languages() (zh, en string) {
	zh, en, _ = strings.Cut(n.at("description").text, "\n\n")
	return zh, en
}

// pretty writes JSON for reading; a text stands for itself.
func (n node) pretty() string {
	if n.kind == '"' {
		return n.text
	}
	return indent(jsontext.Value(n.json()))
}

func indent(v jsontext.Value) string {
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		panic("openapi.json: " + err.Error())
	}
	return string(v)
}

// json writes the value again.
func (n node) json() string {
	var parts []string
	switch n.kind {
	case '{':
		for _, m := range n.members {
			parts = append(parts, marshal(m.name)+":"+m.json())
		}
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		for _, i := range n.items {
			parts = append(parts, i.json())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case '"':
		return marshal(n.text)
	}
	return n.text
}
