package verdict_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"tongyan/loadtest/internal/verdict"
)

func TestJudge(t *testing.T) {
	valid := verdict.Want{Verdict: "VALID", Code: "OK"}
	forged := verdict.Want{Verdict: "INVALID", Code: "SIGNATURE_INVALID"}
	cancelled := verdict.Want{Verdict: "INVALID", Code: "REGISTRATION_CANCELLED"}
	for _, tc := range []struct {
		name          string
		want          verdict.Want
		verdict, code string
		outcome       verdict.Outcome
	}{
		{"as expected", valid, "VALID", "OK", verdict.Correct},
		{"registry away", valid, "INDETERMINATE", "REGISTRY_UNAVAILABLE", verdict.Degraded},
		{"list expired", cancelled, "INDETERMINATE", "TRUST_LIST_EXPIRED", verdict.Degraded},
		{"registry away, would be cancelled", cancelled, "INDETERMINATE", "REGISTRY_UNAVAILABLE", verdict.Degraded},
		{"a forgery is never doubtful for the registry's sake", forged, "INDETERMINATE", "REGISTRY_UNAVAILABLE", verdict.Wrong},
		{"a forgery passes", forged, "VALID", "OK", verdict.Wrong},
		{"a forgery with expired trust", forged, "INDETERMINATE", "TRUST_LIST_EXPIRED", verdict.Degraded},
		{"good one refused", valid, "INVALID", "EXPIRED", verdict.Wrong},
		{"another code", forged, "INVALID", "EXPIRED", verdict.Wrong},
		{"an unknown state is no missing dependency", valid, "INDETERMINATE", "REGISTRATION_STATE_UNKNOWN", verdict.Wrong},
		{"nothing", valid, "", "", verdict.Wrong},
	} {
		if got := verdict.Judge(tc.want, tc.verdict, tc.code); got != tc.outcome {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.outcome)
		}
	}
}

func TestClassify(t *testing.T) {
	valid, tooLarge := verdict.Want{Verdict: "VALID", Code: "OK"}, verdict.Want{Status: 413}
	for _, tc := range []struct {
		name    string
		want    verdict.Want
		status  int
		body    string
		outcome verdict.Outcome
	}{
		{"a verdict", valid, 200, `{"verdict":"VALID","code":"OK"}`, verdict.Correct},
		{"no verdict", valid, 200, `<html>`, verdict.Malformed},
		{"too many", valid, 429, ``, verdict.Refused},
		{"overloaded", tooLarge, 503, ``, verdict.Refused},
		{"server fault", valid, 500, `{"verdict":"VALID","code":"OK"}`, verdict.Fault},
		{"refused as it must be", tooLarge, 413, ``, verdict.Correct},
		{"a verdict where there must be none", tooLarge, 200, `{"verdict":"VALID","code":"OK"}`, verdict.Wrong},
	} {
		if got, _, _ := verdict.Classify(tc.want, tc.status, []byte(tc.body)); got != tc.outcome {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.outcome)
		}
	}
}

func TestScan(t *testing.T) {
	for _, tc := range []struct{ name, body, verdict, code string }{
		{"plain", `{"id":"vrf_1","verdict":"VALID","code":"OK","checks":[{"code":"no"}]}`, "VALID", "OK"},
		{"blanks", "{ \"verdict\" : \"INVALID\" ,\n\"code\":\t\"EXPIRED\" }", "INVALID", "EXPIRED"},
		{"deeper ones first", `{"licence":{"verdict":"VALID","code":"OK"},"verdict":"INVALID","code":"EXPIRED"}`, "INVALID", "EXPIRED"},
		{"hidden in a string", `{"x":"{\"verdict\":\"VALID\"}","verdict":"INVALID","code":"EXPIRED"}`, "INVALID", "EXPIRED"},
		{"a value that reads like a name", `{"x":"verdict","y":"code","verdict":"VALID","code":"OK"}`, "VALID", "OK"},
		{"no code", `{"verdict":"VALID"}`, "", ""},
		{"numbers", `{"verdict":1,"code":2}`, "", ""},
		{"torn", `{"verdict":"VALID","code":"O`, "", ""},
		{"empty", ``, "", ""},
		{"html", `<html><body>"verdict"</body></html>`, "", ""},
	} {
		v, c, ok := verdict.Scan([]byte(tc.body))
		if string(v) != tc.verdict || string(c) != tc.code || ok != (tc.verdict != "") {
			t.Errorf("%s: %q %q %v", tc.name, v, c, ok)
		}
	}
}

// FuzzScan: where the standard reader sees a verdict, the scanner sees the
// same one, and it never reads past the end.
func FuzzScan(f *testing.F) {
	f.Add(`{"verdict":"VALID","code":"OK"}`)
	f.Add(`{"a":[{"verdict":"x"}],"code":"OK","verdict":"VALID"}`)
	f.Add(`{"a":"\\\"","verdict":"VALID","code":"OK"}`)
	f.Fuzz(func(t *testing.T, body string) {
		v, c, ok := verdict.Scan([]byte(body))
		var m map[string]any
		// Escaped and repeated names are read otherwise there; no gateway of
		// the contract writes them.
		if json.Unmarshal([]byte(body), &m) != nil || !utf8.ValidString(body) || strings.Contains(body, `\`) ||
			strings.Count(body, `"verdict"`) > 1 || strings.Count(body, `"code"`) > 1 {
			return
		}
		wantV, isV := m["verdict"].(string)
		wantC, isC := m["code"].(string)
		if ok != (isV && isC) || ok && (string(v) != wantV || string(c) != wantC) {
			t.Errorf("%q: %q %q %v", body, v, c, ok)
		}
	})
}
