package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
	"unicode"

	"tongyan/gateway/internal/api"
	"tongyan/verifiers"
	"tongyan/verifiers/testworld"
)

// constants returns the texts of all constants of a type in a source file.
func constants(t *testing.T, file, typ string) (all []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			s := spec.(*ast.ValueSpec)
			if name, ok := s.Type.(*ast.Ident); !ok || name.Name != typ {
				continue
			}
			for _, value := range s.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, text)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no constants of type %s in %s", typ, file)
	}
	return all
}

// SPEC: contract §5 "GET /v1/codes lists all of them with Chinese and English
// wording, the cause, who must act (holder, hall, province, gateway), and
// whether trying again helps"; §10 "verdict, warning, receipt and fault codes".
func TestCodes(t *testing.T) {
	r := newRig(t)
	w := r.do(request("GET", "/v1/codes", "", "Authorization:"))
	var page struct {
		Codes []struct {
			Code, Kind, Verdict, Check, Zh, En, Cause, Act string
			Retry                                          *bool
		}
	}
	strictlyFold(t, w.Body.Bytes(), &page)
	listed := map[string]bool{}
	kinds := map[string]string{}
	for _, c := range page.Codes {
		if listed[c.Code] {
			t.Errorf("%s stands twice", c.Code)
		}
		listed[c.Code], kinds[c.Code] = true, c.Kind
		if !slices.ContainsFunc([]rune(c.Zh), func(r rune) bool { return unicode.Is(unicode.Han, r) }) || c.En == "" || c.Cause == "" || c.Retry == nil {
			t.Errorf("%s: a wording is missing", c.Code)
		}
		acts := []string{"holder", "hall", "province", "gateway"}
		if c.Code == "OK" || c.Kind == "warning" {
			acts = []string{""}
		}
		if !slices.Contains(acts, c.Act) {
			t.Errorf("%s: %q must act", c.Code, c.Act)
		}
		if (c.Kind == "verdict") != (c.Verdict != "") || c.Kind == "verdict" && c.Code != "OK" && !slices.Contains(checkNames, c.Check) {
			t.Errorf("%s: kind %q, verdict %q, check %q", c.Code, c.Kind, c.Verdict, c.Check)
		}
	}
	have := append(constants(t, "../../../verifiers/code.go", "Code"), constants(t, "problem.go", "FaultCode")...)
	for _, code := range have {
		if !listed[code] {
			t.Errorf("%s is not listed", code)
		}
	}
	if len(have) != len(page.Codes) {
		t.Errorf("%d listed, there are %d", len(page.Codes), len(have))
	}
	for code := range api.FaultStatus() {
		if kinds[string(code)] != "fault" {
			t.Errorf("%s is a %q", code, kinds[string(code)])
		}
	}
}

// What the list says of a code is what the vectors get.
func TestCodesAreTrue(t *testing.T) {
	r := newRig(t)
	var page struct {
		Codes []struct {
			Code, Kind, Verdict, Check, Zh, En, Cause, Act string
			Retry                                          bool
		}
	}
	strictlyFold(t, r.do(request("GET", "/v1/codes", "")).Body.Bytes(), &page)
	verdict := map[string]string{}
	for _, c := range page.Codes {
		verdict[c.Code] = c.Verdict
	}
	for _, v := range testworld.Vectors(t) {
		if verdict[string(v.Code)] != v.Verdict {
			t.Errorf("%s leads to %q, and vector %s gets %s", v.Code, verdict[string(v.Code)], v.Name, v.Verdict)
		}
	}
	if verdict[string(verifiers.OK)] != "VALID" {
		t.Error("OK is not VALID")
	}
}
