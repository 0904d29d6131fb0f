package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds nesting; the deepest thing that means anything is at 6.
const maxDepth = 16

// Load reads the configuration file at path and everything that it names. Its
// error is always a Problems, with every mistake that was found.
func Load(path string) (*Config, error) {
	data, err := readRegular(path)
	if err != nil {
		return nil, Problems{{File: path, Message: fmt.Sprintf("cannot be read: %v", err)}}
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, Problems{{File: path, Message: "its folder cannot be told"}}
	}
	return Parse(data, filepath.Dir(full), path, os.LookupEnv)
}

// Parse reads data as the configuration file called file, whose relative paths
// start at dir and whose ${NAME}s env answers. Its error is always a Problems.
func Parse(data []byte, dir, file string, env func(string) (string, bool)) (*Config, error) {
	d := &decoder{file: file, dir: dir, env: env}
	root, ok := d.tree(data)
	if !ok {
		return nil, d.problems.sorted()
	}
	c := d.config(root)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	c.Warnings = d.warnings.sorted()
	return c, nil
}

// tree parses the YAML. Where it is no YAML there is one problem only, since
// nothing after it can be understood.
func (d *decoder) tree(data []byte) (root value, ok bool) {
	start := place{1, 1}
	if len(data) > maxFile {
		d.fail(start, "", "%v", errTooLarge)
		return root, false
	}
	if at, bad := invalidUTF8(data); bad {
		d.fail(at, "", "is not UTF-8")
		return root, false
	}
	f, at, err := parse(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != "" {
		d.fail(at, "", "is not YAML: %s", err)
		return root, false
	}
	var body ast.Node
	for i, doc := range f.Docs {
		if i > 0 {
			d.fail(placeOf(doc.Body, start), "", "is a second document: one file, one configuration")
			return root, false
		}
		body = doc.Body
	}
	if body == nil {
		d.fail(start, "", "is empty")
		return root, false
	}
	root = d.wrap(body, "", start).reported()
	return root, root.present()
}

// parse returns the library's tree, or where and why there is none. It repeats
// nothing of the source, which the library's own error text does: a line of
// this file may hold a password.
func parse(data []byte) (f *ast.File, at place, why string) {
	at = place{1, 1}
	defer func() {
		// The parser is known to fall over some malformed input; to the reader
		// of the file that is one more way of not being YAML.
		if recover() != nil {
			f, why = nil, "it cannot be read"
		}
	}()
	tokens := lexer.Tokenize(string(data))
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if depth > maxDepth {
			return nil, tokenPlace(t), "nested too deeply"
		}
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return f, at, ""
	}
	why = "it cannot be read"
	if syntax, ok := err.(yaml.Error); ok {
		at, why = tokenPlace(syntax.GetToken()), syntax.GetMessage()
	}
	return nil, at, why
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func invalidUTF8(data []byte) (at place, bad bool) {
	at = place{1, 1}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return at, true
		}
		at.column++
		if r == '\n' {
			at = place{at.line + 1, 1}
		}
		data = data[size:]
	}
	return at, false
}
