package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one mistake and where it stands. Line and Column count from 1,
// columns in characters; both are 0 where the file could not be read at all.
// No Problem ever holds a secret: neither a password, nor a header's value, nor
// what was written where a key or its hash belongs.
type Problem struct {
	File    string
	Line    int
	Column  int
	Path    string // such as relying_parties[1].rate; empty for the file as a whole
	Message string // what is wrong, and what to write
}

// String is file:line:column: path: message, without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Message)
	return b.String()
}

// Problems are all the mistakes of one file, in the order of their places. It
// is the error of Load and Parse, and then never empty.
type Problems []Problem

// Error prints one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by place and leaves out what was said twice.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}
