package apitest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A node is a place in the document. Where nothing is, its value is nil.
type node struct {
	value   any
	pointer string // JSON pointer as a URL's fragment
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// at walks down by member names.
func (n node) at(names ...string) node {
	for _, name := range names {
		members, _ := n.value.(map[string]any)
		n = node{members[name], n.pointer + "/" + escape.Replace(name)}
	}
	return n
}

func (n node) there() bool { return n.value != nil }

func (n node) text() string {
	s, _ := n.value.(string)
	return s
}

func (n node) names() []string {
	members, _ := n.value.(map[string]any)
	return slices.Sorted(maps.Keys(members))
}

func (n node) items() (all []node) {
	values, _ := n.value.([]any)
	for i, v := range values {
		all = append(all, node{v, n.pointer + "/" + strconv.Itoa(i)})
	}
	return all
}

// resolve follows a $ref.
func (n node) resolve(root node) node {
	path, ok := strings.CutPrefix(n.at("$ref").text(), "#/")
	if !ok {
		return n
	}
	return root.at(strings.Split(path, "/")...).resolve(root)
}
