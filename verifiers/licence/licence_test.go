package licence_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tongyan/strict"
	"tongyan/verifiers/licence"
)

// full states every member; its company and people are invented.
const full = `{"uniscid":"91310000132260250X","entname":"晴川（上海）科技有限公司","enttype":"1130",` +
	`"enttypeCn":"有限责任公司(自然人投资或控股)","lerep":"林知远","regcap":"1000.500000","regcapcur":"156",` +
	`"estdate":"2015-03-09","opfrom":"2015-03-09","opto":"2035-03-08",` +
	`"dom":"上海市浦东新区晴川路100号2幢301室","opscope":"许可项目：互联网信息服务。一般项目：技术服务、技术开发、技术咨询；软件销售。",` +
	`"regorg":"310115","regorgCn":"上海市浦东新区市场监督管理局","apprdate":"2024-11-20","copyno":"15000000202411200012"}`

var fullLicence = licence.Licence{
	Uniscid: "91310000132260250X", Entname: "晴川（上海）科技有限公司", Enttype: "1130",
	EnttypeCn: "有限责任公司(自然人投资或控股)", Lerep: "林知远", Regcap: "1000.500000", Regcapcur: "156",
	Estdate: "2015-03-09", Opfrom: "2015-03-09", Opto: "2035-03-08",
	Dom:     "上海市浦东新区晴川路100号2幢301室",
	Opscope: "许可项目：互联网信息服务。一般项目：技术服务、技术开发、技术咨询；软件销售。",
	Regorg:  "310115", RegorgCn: "上海市浦东新区市场监督管理局", Apprdate: "2024-11-20", Copyno: "15000000202411200012",
}

func parse(t testing.TB, s string) strict.Value {
	t.Helper()
	v, err := strict.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

// with returns the full licence with one member replaced by another JSON value,
// or left out where the value is empty.
func with(t testing.TB, member, value string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(full), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, member)
	if value != "" {
		members[member] = json.RawMessage(value)
	}
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

var inOrder = strings.Fields("uniscid entname enttype enttypeCn lerep regcap regcapcur estdate" +
	" opfrom opto dom opscope regorg regorgCn apprdate copyno")

const (
	requiredOpenly = " uniscid entname enttype lerep estdate regorg apprdate "
	requiredAlways = " uniscid regorg apprdate "
)

// check reads a licence and wants the error, by member and missing, or none
// where member is empty.
func check(t *testing.T, in string, selective bool, member string, missing bool) {
	t.Helper()
	l, err := licence.Read(parse(t, in), selective)
	if member == "" {
		if err != nil {
			t.Errorf("%v in %s", err, in)
		}
		return
	}
	var e *licence.MemberError
	if !errors.As(err, &e) || e.Member != member || e.Missing != missing {
		t.Errorf("selective %t: %v, want %s (missing: %t) in %s", selective, err, member, missing, in)
		return
	}
	if l != (licence.Licence{}) {
		t.Errorf("a licence beside the error: %+v", l)
	}
	for _, secret := range []string{"9131", "晴川", "林知远"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the licence: %v", err)
		}
	}
}

func TestRead(t *testing.T) {
	for _, selective := range []bool{false, true} {
		l, err := licence.Read(parse(t, full), selective)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fullLicence, l); diff != "" {
			t.Errorf("selective %t (-want +got):\n%s", selective, diff)
		}
		if got := string(l.AppendJSON(nil)); got != full {
			t.Errorf("shown as\n%s, want\n%s", got, full)
		}
	}
}

func TestReadMissing(t *testing.T) {
	for _, member := range inOrder {
		for selective, required := range map[bool]string{false: requiredOpenly, true: requiredAlways} {
			want := member
			if !strings.Contains(required, " "+member+" ") {
				want = ""
			}
			check(t, with(t, member, ""), selective, want, true)
		}
	}
}

func TestReadNullAndEmpty(t *testing.T) {
	for _, member := range inOrder {
		for _, selective := range []bool{false, true} {
			want := member
			if member == "opto" {
				want = ""
			}
			check(t, with(t, member, `null`), selective, want, false)

			want = member
			if strings.Contains(" enttypeCn dom opscope regorgCn copyno ", " "+member+" ") {
				want = "" // text that is not required may be empty
			}
			check(t, with(t, member, `""`), selective, want, false)
		}
	}
}

func TestReadWrongTypes(t *testing.T) {
	for _, member := range inOrder {
		for _, value := range []string{`1`, `true`, `false`, `[]`, `["1"]`, `{}`, `{"value":"1"}`, `20240101`} {
			check(t, with(t, member, value), false, member, false)
			check(t, with(t, member, value), true, member, false)
		}
	}
}

func TestReadForms(t *testing.T) {
	for _, tc := range []struct {
		member       string
		right, wrong []string
	}{
		{"uniscid", []string{"x", "91310000132260251X"}, nil}, // its rules are ParseUSCC's
		{"enttype", []string{"1130", "9500", "A1", "01"}, nil},
		{
			"regcap",
			[]string{"0", "100", "0.5", "1000.000000", "01", strings.Repeat("9", 32)},
			[]string{".5", "5.", ".", "-1", "+1", "1e3", "1E3", "1,000", "1.2.3", " 1", "1 ", "１", "0x10", "NaN", "100万", strings.Repeat("9", 33)},
		},
		{"regcapcur", []string{"156", "840", "036"}, []string{"CNY", "15", "1560", "15６", "-15"}},
		{"regorg", []string{"310115", "999999", "000000"}, []string{"31011", "3101150", "31011X", "３１０１１５", " 31011", "-31011"}},
		{"opto", []string{"2024-02-29", "9999-12-31"}, []string{"2023-02-29", "长期", "2024-13-01", "null"}},
		{"opfrom", []string{"1949-10-01"}, []string{"1949-10-1", "0000-00-00"}},
		{"estdate", []string{"2000-02-29"}, []string{"1900-02-29", "2015/03/09", "2015-03-09T00:00:00+08:00"}},
		{"apprdate", []string{"2024-12-31"}, []string{"2024-12-32", "20241231"}},
		{"copyno", []string{"1-1", "副本一"}, nil},
	} {
		for _, value := range tc.right {
			check(t, with(t, tc.member, `"`+value+`"`), false, "", false)
		}
		for _, value := range tc.wrong {
			check(t, with(t, tc.member, `"`+value+`"`), false, tc.member, false)
		}
	}
}

// Which of several faults decides does not hang on the order of the object.
func TestReadFirstFaultInTheContractsOrder(t *testing.T) {
	for _, tc := range []struct {
		in      string
		member  string
		missing bool
	}{
		{`{}`, "uniscid", true},
		{`{"apprdate":null,"uniscid":"x"}`, "entname", true},
		{`{"apprdate":null,"entname":"","uniscid":"x"}`, "entname", false},
		{`{"opto":1,"apprdate":null,"estdate":"2015-03-09","lerep":"x","enttype":"1","entname":"x","uniscid":"x"}`, "opto", false},
	} {
		check(t, tc.in, false, tc.member, tc.missing)
	}
	check(t, `{"dom":1,"entname":null}`, true, "uniscid", true)
}

func TestReadNoObject(t *testing.T) {
	for _, in := range []string{`null`, `"licence"`, `[]`, `1`, `true`} {
		check(t, in, false, "licence", false)
		check(t, in, true, "licence", false)
	}
	_, err := licence.Read(strict.Value{}, true)
	var e *licence.MemberError
	if !errors.As(err, &e) || e.Member != "licence" || !e.Missing {
		t.Errorf("Absent: %v", err)
	}
}

func TestReadPassesOverTheUnknown(t *testing.T) {
	for _, name := range []string{"note", "Uniscid", "UNISCID", "entnamE", "uniscid ", "regor\u0261", ""} {
		l, err := licence.Read(parse(t, with(t, name, `["anything"]`)), false)
		if err != nil || l != fullLicence {
			t.Errorf("%q: %+v, %v", name, l, err)
		}
	}
	// Another case of a name is another name.
	check(t, strings.Replace(full, `"uniscid"`, `"Uniscid"`, 1), false, "uniscid", true)
}

func TestReadTerm(t *testing.T) {
	for value, want := range map[string]licence.Licence{
		``:             {},
		`null`:         {Perpetual: true},
		`"2035-03-08"`: {Opto: "2035-03-08"},
	} {
		in := with(t, "opto", value)
		l, err := licence.Read(parse(t, in), false)
		if err != nil || l.Opto != want.Opto || l.Perpetual != want.Perpetual {
			t.Errorf("opto %q: %q, perpetual %t, %v", value, l.Opto, l.Perpetual, err)
		}
		if got, stated := string(l.AppendJSON(nil)), value != ""; strings.Contains(got, `"opto":`+value) != stated || strings.Contains(got, "opto") != stated {
			t.Errorf("opto %q shown in %s", value, got)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		l    licence.Licence
		want string
	}{
		"nothing stated": {licence.Licence{}, `{}`},
		"perpetual only": {licence.Licence{Perpetual: true}, `{"opto":null}`},
		"escapes":        {licence.Licence{Dom: "\"\\\n\r\t\b\x00\x1f"}, `{"dom":"\"\\\n\r\t\u0008\u0000\u001f"}`},
		"no HTML":        {licence.Licence{Dom: "<a href='/'>&\u2028\x7f"}, "{\"dom\":\"<a href='/'>&\u2028\x7f\"}"},
		"not UTF-8":      {licence.Licence{Dom: "路\xff\xfe1号\xe8"}, `{"dom":"路` + "\ufffd" + `1号` + "\ufffd" + `"}`},
		"in a name":      {licence.Licence{Entname: `{`, Lerep: `"}`}, `{"entname":"{","lerep":"\"}"}`},
		"any date":       {licence.Licence{Opto: `"x`}, `{"opto":"\"x"}`},
	} {
		if got := string(tc.l.AppendJSON([]byte("kept,"))); got != "kept,"+tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if !json.Valid(tc.l.AppendJSON(nil)) {
			t.Errorf("%s: no JSON", name)
		}
	}
}
