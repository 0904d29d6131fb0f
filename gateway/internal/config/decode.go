package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A decoder walks the parsed YAML and collects every problem; it never stops at
// the first one.
type decoder struct {
	file     string
	dir      string // where relative paths start
	env      func(string) (string, bool)
	problems Problems
	warnings Problems
}

// A place is a line and a column, both from 1.
type place struct{ line, column int }

// A value is what stands under one key, with the place to blame. It is absent
// where the key does not stand, and broken where a problem has been reported
// already: both read as the default, so that no mistake is named twice.
type value struct {
	d      *decoder
	path   string
	at     place
	keyAt  place    // where its key stands; in a list the same as at
	node   ast.Node // nil: absent, or broken
	broken bool
	null   bool // an empty value, not reported yet: only equals may be one
}

// An object is a mapping whose keys are asked for one by one. What has not been
// asked for when done is called is unknown.
type object struct {
	d       *decoder
	path    string
	at      place
	members map[string]value
	order   []string
	asked   []string
	broken  bool
}

func (d *decoder) fail(at place, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, at.line, at.column, path, fmt.Sprintf(format, args...)})
}

func (v value) fail(format string, args ...any) { v.d.fail(v.at, v.path, format, args...) }

// warn notes what deserves a look but does not stop the start.
func (v value) warn(format string, args ...any) {
	v.d.warnings = append(v.d.warnings, Problem{v.d.file, v.at.line, v.at.column, v.path, fmt.Sprintf(format, args...)})
}

// wrap turns a node into a value. Anchors, aliases, tags and merge keys are
// refused: a reader of the file should see each value where it counts.
func (d *decoder) wrap(node ast.Node, path string, keyAt place) value {
	v := value{d: d, path: path, at: placeOf(node, keyAt), keyAt: keyAt}
	switch node.(type) {
	case nil, *ast.NullNode:
		v.at, v.broken, v.null = keyAt, true, true
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		v.broken = true
		v.fail("anchors, aliases and tags are not read: write the value out")
	default:
		v.node = node
	}
	return v
}

// placeOf is where a node begins. A block mapping has no token of its own but
// the first colon, so its first key stands for it.
func placeOf(node ast.Node, fallback place) place {
	if node == nil {
		return fallback
	}
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	t := node.GetToken()
	if t == nil || t.Position == nil || t.Position.Line < 1 || t.Position.Column < 1 {
		return fallback
	}
	return place{t.Position.Line, t.Position.Column}
}

// reported says of an empty value that it is one, once.
func (v value) reported() value {
	if v.null {
		v.fail("has no value: write one, or leave it out")
		v.null = false
	}
	return v
}

func (v value) absent() bool  { return v.node == nil && !v.broken }
func (v value) present() bool { return v.node != nil }

// required reports an absent value and tells whether there is one to read.
func (v value) required() bool {
	if v.absent() {
		v.fail("is required")
	}
	return v.present()
}

func (v value) wrongType(want string) {
	v.fail("is %s; expected %s", kindOf(v.node), want)
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "something else"
}

// object reads a mapping. Of an absent or wrong value it is empty, and then
// done reports nothing.
func (v value) object() *object {
	// What is missing in a mapping is missing under its key.
	o := &object{d: v.d, path: v.path, at: v.keyAt, broken: v.broken, members: map[string]value{}}
	var entries []*ast.MappingValueNode
	switch n := v.node.(type) {
	case nil:
		return o
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		v.wrongType("a mapping")
		o.broken = true
		return o
	}
	for _, entry := range entries {
		o.add(entry)
	}
	return o
}

func (o *object) add(entry *ast.MappingValueNode) {
	at := placeOf(entry.Key, o.at)
	name, ok := keyText(entry.Key)
	if !ok {
		o.d.fail(at, o.path, "a key must be plain text")
		return
	}
	path := join(o.path, name)
	if _, twice := o.members[name]; twice {
		o.d.fail(at, path, "stands twice; the first is in line %d", o.members[name].keyAt.line)
		return
	}
	o.members[name] = o.d.wrap(entry.Value, path, at)
	o.order = append(o.order, name)
}

// keyText is a key as it is spelled, so that 310000 and "310000" are one key.
func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, k.Value != ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return k.GetToken().Value, true
	}
	return "", false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// get returns the value under key, absent where there is none.
func (o *object) get(key string) value {
	if !slices.Contains(o.asked, key) {
		o.asked = append(o.asked, key)
	}
	if v, ok := o.members[key]; ok {
		o.members[key] = v.reported()
		return o.members[key]
	}
	return value{d: o.d, path: join(o.path, key), at: o.at, keyAt: o.at, broken: o.broken}
}

// done reports the keys that nobody asked for.
func (o *object) done() {
	for _, name := range o.order {
		if !slices.Contains(o.asked, name) {
			v := o.members[name]
			o.d.fail(v.keyAt, v.path, "is not a key here; known are %s", strings.Join(o.asked, ", "))
		}
	}
}

// each returns the members of a mapping with free keys, in the file's order.
func (o *object) each(do func(key string, v value)) {
	for _, name := range o.order {
		do(name, o.members[name].reported())
	}
}

// items reads a list; nil for an absent or wrong value.
func (v value) items() []value {
	if v.node == nil {
		return nil
	}
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.wrongType("a list")
		return nil
	}
	items := make([]value, 0, len(list.Values))
	for i, node := range list.Values {
		path := fmt.Sprintf("%s[%d]", v.path, i)
		items = append(items, v.d.wrap(node, path, placeOf(node, v.at)).reported())
	}
	return items
}

// oneOrMore reads a single text or a list of at most max, for what may be
// rotated with an overlap.
func (v value) oneOrMore(max int) []value {
	if _, isList := v.node.(*ast.SequenceNode); !isList {
		if v.node == nil {
			return nil
		}
		return []value{v}
	}
	items := v.items()
	if len(items) == 0 {
		v.fail("is an empty list: name one, or leave the key out")
	}
	if len(items) > max {
		items[max].fail("is one too many: at most %d may stand side by side", max)
		items = items[:max]
	}
	return items
}
