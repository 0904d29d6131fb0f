package config

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"tongyan/strict"
)

// A Dialect describes a registry's service: what to ask, and where in its
// answer the standing is (contract §4, §10). Pointers are JSON pointers
// (RFC 6901).
type Dialect struct {
	// Method (method) is GET or POST. Default GET.
	Method string

	// Path (path) follows the registry's url and begins with a slash. Default
	// /licences/{uniscid}. {uniscid} is replaced by the credit code, here or in
	// Body or in both; one of them must hold it.
	Path string

	// Body (body) is sent with POST, as application/json. Default none.
	Body string

	// Headers (headers) are sent along, by canonical name. A ${NAME} in a value
	// is taken from the environment at load; an unset or empty one is an error.
	Headers map[string]Secret[string]

	// OK (ok) must hold, else the answer is a fault. nil: nothing is asked of it.
	OK *Condition

	// Empty (empty) says, where it holds, that there is no such licence. nil:
	// only 404 does.
	Empty *Condition

	// Record (record) points to the standing within the answer. Default "",
	// the whole answer.
	Record string

	// Fields (fields) points to the members, within the record.
	Fields Fields

	// States (states) translates the service's registration states to the
	// national codes 1, 2, 3, 4, 5, 6 and 9; what it does not name is
	// REGISTRATION_STATE_UNKNOWN. nil without it: the service uses the national
	// codes.
	States map[string]string
}

// Fields are pointers to the members of a standing; "" where the service does
// not say. Without the section they are /uniscid, /entname and so on; with it
// only what it names, of which UniSCID and RegState are required.
type Fields struct {
	UniSCID, EntName, RegState, ApprDate, AsOf string
}

// A Condition holds where Pointer reaches a value that equals Equals, as
// [strict.Value.Equal] compares them: "0" is not 0.
type Condition struct {
	Pointer string
	Equals  strict.Value // a text, a number, true, false or null
}

const uscc = "{uniscid}"

func readDialect(v value) *Dialect {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	method, known := choose(o.get("method"), http.MethodGet, http.MethodPost)
	x := &Dialect{
		Method:  method,
		Path:    readPath(o.get("path")),
		Headers: readHeaders(o.get("headers")),
		OK:      readCondition(o.get("ok")),
		Empty:   readCondition(o.get("empty")),
		Record:  readPointer(o.get("record")),
		Fields:  readFields(o.get("fields")),
		States:  readStates(o.get("states")),
	}
	body := o.get("body")
	x.Body, _ = body.text()
	if x.Body != "" && x.Method == http.MethodGet && known {
		body.fail("needs method: POST")
	}
	checkPlaces(body, x.Body)
	if !o.broken && !strings.Contains(x.Path, uscc) && !strings.Contains(x.Body, uscc) {
		v.d.fail(v.keyAt, v.path, "asks about no licence: neither path nor body holds %s", uscc)
	}
	return x
}

// placeholder is what looks like one; JSON's own braces hold more than a word.
var placeholder = regexp.MustCompile(`\{[A-Za-z_]+\}`)

func checkPlaces(v value, text string) {
	for _, found := range placeholder.FindAllString(text, -1) {
		if found != uscc {
			v.fail("holds %s; only %s is replaced", found, uscc)
		}
	}
}

func readPath(v value) string {
	path := "/licences/" + uscc
	if v.absent() {
		return path
	}
	s, ok := v.requiredText()
	if !ok {
		return path
	}
	checkPlaces(v, s)
	plain := placeholder.ReplaceAllString(s, "0")
	u, err := url.Parse(plain)
	if err != nil || !strings.HasPrefix(s, "/") || u.Host != "" || strings.ContainsAny(plain, "#{} \"\\") {
		v.fail("must be a path that begins with /, such as /licences/%s", uscc)
		return path
	}
	return s
}

func readPointer(v value) string {
	s, _ := v.text()
	if !strict.ValidPointer(s) {
		v.fail("%s is no JSON pointer; expected one such as /data/0", show(s))
		return ""
	}
	return s
}

func readCondition(v value) *Condition {
	if v.absent() {
		return nil
	}
	o := v.object()
	defer o.done()
	pointer := o.get("pointer")
	pointer.required()
	return &Condition{Pointer: readPointer(pointer), Equals: o.literal("equals")}
}

// literal reads a required scalar as a JSON value.
func (o *object) literal(key string) strict.Value {
	if v := o.members[key]; v.null {
		v.null = false
		o.members[key] = v
		o.asked = append(o.asked, key)
		null, _ := strict.Parse([]byte("null"))
		return null
	}
	v := o.get(key)
	if !v.required() {
		return strict.Value{}
	}
	var encoded []byte
	switch n := v.node.(type) {
	case *ast.StringNode:
		// YAML's reader takes 1e3 for text where nobody quoted it; JSON does not.
		if encoded, _ = json.Marshal(n.Value); n.Token.Type == token.StringType && isJSONNumber(n.Value) {
			encoded = []byte(n.Value)
		}
	case *ast.LiteralNode:
		encoded, _ = json.Marshal(n.Value.Value)
	case *ast.BoolNode:
		encoded, _ = json.Marshal(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		encoded = []byte(n.GetToken().Value)
	default:
		v.wrongType("text, a number, true, false or null")
		return strict.Value{}
	}
	tree, err := strict.Parse(encoded)
	if err != nil {
		v.fail("is not written as JSON writes a number; in quotes it is text")
	}
	return tree
}

func isJSONNumber(s string) bool {
	tree, err := strict.Parse([]byte(s))
	return err == nil && tree.Kind() == strict.Number
}

func readFields(v value) Fields {
	if v.absent() {
		return Fields{"/uniscid", "/entname", "/regstate", "/apprdate", "/asof"}
	}
	o := v.object()
	defer o.done()
	member := func(key string, needed bool) string {
		m := o.get(key)
		if needed {
			if _, ok := m.requiredText(); !ok {
				return ""
			}
		}
		return readPointer(m)
	}
	return Fields{
		UniSCID:  member("uniscid", true),
		EntName:  member("entname", false),
		RegState: member("regstate", true),
		ApprDate: member("apprdate", false),
		AsOf:     member("asof", false),
	}
}

var nationalStates = regexp.MustCompile(`^[1-69]$`)

func readStates(v value) map[string]string {
	if v.absent() {
		return nil
	}
	states := map[string]string{}
	v.object().each(func(theirs string, entry value) {
		national, ok := entry.text()
		if ok && !nationalStates.MatchString(national) {
			entry.fail(`%s is no national state; expected "1", "2", "3", "4", "5", "6" or "9"`, show(national))
		}
		states[theirs] = national
	})
	return states
}
