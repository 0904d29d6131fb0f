package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

//go:embed docs.html
var docsSource string

//go:embed docs.css
var docsStyle string

// docsPage renders GET /docs, the OpenAPI document and the table of codes for
// people. The page holds no script and fetches nothing: the policy allows its
// own style only, by its hash.
var docsPage = sync.OnceValues(func() (html []byte, policy string) {
	root, err := readNode(jsontext.NewDecoder(bytes.NewReader(Document())))
	if err != nil {
		panic("openapi.json: " + err.Error())
	}
	var b bytes.Buffer
	if err := template.Must(template.New("docs").Parse(docsSource)).Execute(&b, newDocs(root)); err != nil {
		panic("docs.html: " + err.Error())
	}
	hash := sha256.Sum256([]byte(docsStyle))
	return b.Bytes(), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

// What the template shows. Text comes in Chinese and English.
type (
	docs struct {
		Style          template.CSS
		Title, Version string
		Intro          []string // Chinese and English in turn
		Operations     []operation
		Schemas        []schemaDoc
		Headers        []row
		Groups         []codeGroup
	}
	operation struct {
		ID, Method, Path string
		TitleZh, TitleEn string
		Zh, En           string
		Open             bool
		Scope            string
		Parameters       []row
		Bodies           []body
		Samples          []sample // of requests
		Responses        []response
		Answers          []sample
	}
	// A row is one named thing and its type.
	row struct {
		Name, Type, Link string // Link: the schema that Type names, "" for none
		Required         bool
		Zh, En           string
	}
	body   struct{ Media, Schema string }
	sample struct{ Title, Text string }
	// A response is one status of an operation.
	response struct {
		Status, Code, Zh, En string
		Headers              []string
	}
	schemaDoc struct {
		Name, Type, Link, Zh, En string
		Rows                     []row
	}
	codeGroup struct {
		ID, Zh, En string
		Codes      []codeDoc
	}
	codeDoc struct {
		CodeInfo
		Status  int // of a fault
		Who     string
		Example string
	}
)

func newDocs(root node) docs {
	d := docs{Style: template.CSS(docsStyle), Title: root.at("info", "title").text, Version: root.at("info", "version").text,
		Intro: strings.Split(root.at("info", "description").text, "\n\n"), Groups: groups()}
	for _, path := range root.at("paths").members {
		for _, op := range path.members {
			d.Operations = append(d.Operations, newOperation(root, path.name, op))
		}
	}
	for _, s := range root.at("components", "schemas").members {
		d.Schemas = append(d.Schemas, newSchema(root, s))
	}
	for _, h := range root.at("components", "headers").members {
		zh, en := h.languages()
		d.Headers = append(d.Headers, row{Name: headerName(root, h.name), Type: constraint(h.at("schema")), Zh: zh, En: en})
	}
	return d
}

// headerName finds under which name a header component is sent.
func headerName(root node, component string) (name string) {
	var walk func(n node)
	walk = func(n node) {
		for _, m := range n.members {
			if m.at("$ref").text == "#/components/headers/"+component {
				name = m.name
			}
			walk(m.node)
		}
	}
	walk(root)
	return name
}

func newOperation(root node, path string, m member) operation {
	op := operation{ID: m.at("operationId").text, Method: strings.ToUpper(m.name), Path: path, Open: len(m.at("security").items) == 0}
	op.TitleZh, op.TitleEn, _ = strings.Cut(m.at("summary").text, " · ")
	op.Zh, op.En = m.languages()
	if !op.Open {
		if scopes := m.at("security").items[0].members[0].items; len(scopes) > 0 {
			op.Scope = scopes[0].text
		}
	}
	for _, p := range m.at("parameters").items {
		p, _ = p.resolve(root)
		zh, en := p.languages()
		op.Parameters = append(op.Parameters, row{Name: p.at("name").text, Type: typeOf(p.at("schema")), Zh: zh, En: en})
	}
	for _, content := range m.at("requestBody", "content").members {
		op.Bodies = append(op.Bodies, body{content.name, schemaOf(content.node)})
		op.Samples = append(op.Samples, samples(root, content.node, 3)...)
	}
	for _, r := range m.at("responses").members {
		target, code := r.resolve(root)
		zh, en := target.languages()
		out := response{Status: r.name, Code: code, Zh: zh, En: en}
		for _, h := range target.at("headers").members {
			out.Headers = append(out.Headers, h.name)
		}
		op.Responses = append(op.Responses, out)
		if r.name == "200" {
			for _, content := range target.at("content").members {
				op.Answers = append(op.Answers, samples(root, content.node, 1)...)
			}
		}
	}
	return op
}

// groups sorts the codes for reading: verdicts by the check that decides.
func groups() (out []codeGroup) {
	who := map[string]string{"holder": "持照人 holder", "hall": "大厅 hall", "province": "省份 province", "gateway": "网关 gateway"}
	for _, g := range []codeGroup{
		{ID: "verdict", Zh: "结论代码", En: "Codes of verdicts"}, {ID: "warning", Zh: "提醒代码（不影响结论）", En: "Warnings: they never change a verdict"},
		{ID: "receipt", Zh: "回执代码", En: "Codes of receipts"}, {ID: "fault", Zh: "请求错误代码", En: "Codes of faults"},
	} {
		for _, info := range codesOf(g.ID) {
			doc := codeDoc{CodeInfo: info, Who: who[info.Act], Example: indent(jsontext.Value(exampleOf(g.ID, info.Code)))}
			if g.ID == "fault" {
				doc.Status = faults[FaultCode(info.Code)].status
			}
			g.Codes = append(g.Codes, doc)
		}
		out = append(out, g)
	}
	return out
}
