package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tongyan/verifiers"
	"tongyan/verifiers/licence"
	"tongyan/verifiers/registry"
)

func TestAnswers(t *testing.T) {
	registered := verifiers.Standing{Key: key, Answer: verifiers.Registered, State: "1", Entname: "上海示例有限公司",
		Apprdate: "2024-05-06", AsOf: askedAt, AskedAt: askedAt}
	but := func(change func(*verifiers.Standing)) verifiers.Standing {
		s := registered
		change(&s)
		return s
	}
	nobody := verifiers.Standing{Key: key, Answer: verifiers.NotRegistered, AsOf: askedAt, AskedAt: askedAt}
	for name, tc := range map[string]struct {
		dialect *registry.Dialect
		status  int
		body    string
		want    verifiers.Standing
	}{
		"plain, with asof": {nil, 200, plainBody, but(func(s *verifiers.Standing) {
			s.AsOf = time.Date(2026, 3, 1, 3, 59, 0, 0, time.UTC)
		})},
		"plain, least": {nil, 200, `{"uniscid":"91310000MA1FL0000X","regstate":"2"}`, but(func(s *verifiers.Standing) {
			s.State, s.Entname, s.Apprdate = licence.RegRevoked, "", ""
		})},
		"plain, other members": {nil, 200, `{"uniscid":"91310000MA1FL0000X","regstate":"9","apprdate":"2024-05-06","entname":"","x":[1,{"uniscid":7}]}`,
			but(func(s *verifiers.Standing) { s.State, s.Entname = licence.RegOther, "" })},
		"plain, unmapped state": {nil, 200, `{"uniscid":"91310000MA1FL0000X","regstate":"7"}`,
			but(func(s *verifiers.Standing) { s.State, s.Entname, s.Apprdate = "", "", "" })},
		"plain, not found":           {nil, 404, `{"code":"not_found"}`, nobody},
		"plain, not found with more": {nil, 404, `{"code":"not_found","message":"无此企业"}`, nobody},
		"second":                     {second(), 200, secondBody, registered},
		"second, empty":              {second(), 200, `{"code":"00","dataCount":0,"datas":[]}`, nobody},
		"second, 404":                {second(), 404, `{"code":"not_found"}`, nobody},
		"second, unmapped":           {second(), 200, strings.Replace(secondBody, `"K"`, `"QT"`, 1), but(func(s *verifiers.Standing) { s.State = "" })},
		"second, national code is not mapped": {second(), 200, strings.Replace(secondBody, `"K"`, `"1"`, 1),
			but(func(s *verifiers.Standing) { s.State = "" })},
		"second, state is a number": {second(), 200, strings.Replace(secondBody, `"K"`, `7`, 1),
			but(func(s *verifiers.Standing) { s.State = licence.RegRevokedCancelled })},
		"second, nulls": {second(), 200, `{"code":"00","dataCount":1,"datas":[{"uniscId":"91310000MA1FL0000X","companyName":null,"operatingStatus":"XX","appDate":"","queriedAt":null}]}`,
			but(func(s *verifiers.Standing) { s.State, s.Entname, s.Apprdate = licence.RegCancelled, "", "" })},
		"second, asof": {second(), 200, strings.Replace(secondBody, `"appDate"`, `"queriedAt":"2026-03-01 11:59:00","appDate"`, 1),
			but(func(s *verifiers.Standing) { s.AsOf = time.Date(2026, 3, 1, 3, 59, 0, 0, time.UTC) })},
		"plain words behind a header": {&registry.Dialect{Headers: map[string]string{"X-Key": "1"}}, 200, plainBody,
			but(func(s *verifiers.Standing) { s.AsOf = time.Date(2026, 3, 1, 3, 59, 0, 0, time.UTC) })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := registry.Answer(tc.dialect, tc.status, []byte(tc.body), key, askedAt)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswersRefused(t *testing.T) {
	plain := func(old, new string) string {
		if !strings.Contains(plainBody, old) {
			panic(old)
		}
		return strings.Replace(plainBody, old, new, 1)
	}
	posted := func(old, new string) string {
		if !strings.Contains(secondBody, old) {
			panic(old)
		}
		return strings.Replace(secondBody, old, new, 1)
	}
	for name, tc := range map[string]struct {
		dialect *registry.Dialect
		status  int
		body    string
		reason  registry.Reason
	}{
		"nothing":                       {nil, 200, ``, registry.ReasonMalformed},
		"HTML":                          {nil, 200, `<html></html>`, registry.ReasonMalformed},
		"no object":                     {nil, 200, `[]`, registry.ReasonMalformed},
		"null":                          {nil, 200, `null`, registry.ReasonMalformed},
		"two texts":                     {nil, 200, plainBody + plainBody, registry.ReasonMalformed},
		"duplicate member":              {nil, 200, plain(`"regstate":"1"`, `"regstate":"4","regstate":"1"`), registry.ReasonMalformed},
		"duplicate member, unread":      {nil, 200, plain(`"regstate":"1"`, `"regstate":"1","x":{"a":1,"a":1}`), registry.ReasonMalformed},
		"folded member":                 {nil, 200, plain(`regstate`, `RegState`), registry.ReasonMalformed},
		"other licence":                 {nil, 200, plain(string(code), string(other)), registry.ReasonOtherLicence},
		"same licence in small letters": {nil, 200, plain(string(code), strings.ToLower(string(code))), registry.ReasonOtherLicence},
		"licence with a blank":          {nil, 200, plain(string(code), string(code)+" "), registry.ReasonOtherLicence},
		"empty licence":                 {nil, 200, plain(string(code), ""), registry.ReasonOtherLicence},
		"no licence":                    {nil, 200, `{"regstate":"1"}`, registry.ReasonMalformed},
		"licence is no text":            {nil, 200, `{"uniscid":91310000,"regstate":"1"}`, registry.ReasonMalformed},
		"not found with 200":            {nil, 200, `{"code":"not_found"}`, registry.ReasonMalformed},
		"no state":                      {nil, 200, `{"uniscid":"91310000MA1FL0000X"}`, registry.ReasonMalformed},
		"empty state":                   {nil, 200, plain(`"regstate":"1"`, `"regstate":""`), registry.ReasonMalformed},
		"null state":                    {nil, 200, plain(`"regstate":"1"`, `"regstate":null`), registry.ReasonMalformed},
		"state is a number":             {nil, 200, plain(`"regstate":"1"`, `"regstate":1`), registry.ReasonMalformed},
		"name is a number":              {nil, 200, plain(`"上海示例有限公司"`, `1`), registry.ReasonMalformed},
		"name is null":                  {nil, 200, plain(`"上海示例有限公司"`, `null`), registry.ReasonMalformed},
		"no such day":                   {nil, 200, plain(`2024-05-06`, `2024-02-30`), registry.ReasonMalformed},
		"day with a time":               {nil, 200, plain(`2024-05-06`, `2024-05-06 00:00:00`), registry.ReasonMalformed},
		"empty day":                     {nil, 200, plain(`2024-05-06`, ``), registry.ReasonMalformed},
		"day in milliseconds":           {nil, 200, plain(`"2024-05-06"`, `1714924800000`), registry.ReasonMalformed},
		"asof without zone":             {nil, 200, plain(`2026-03-01T11:59:00+08:00`, `2026-03-01T11:59:00`), registry.ReasonMalformed},
		"asof with a short hour":        {nil, 200, plain(`2026-03-01T11:59:00+08:00`, `2026-03-01T1:59:00+08:00`), registry.ReasonMalformed},
		"asof empty":                    {nil, 200, plain(`2026-03-01T11:59:00+08:00`, ``), registry.ReasonMalformed},
		"asof null":                     {nil, 200, plain(`"2026-03-01T11:59:00+08:00"`, `null`), registry.ReasonMalformed},
		"asof is a number":              {nil, 200, plain(`"2026-03-01T11:59:00+08:00"`, `1772337540000`), registry.ReasonMalformed},
		"asof past the year 9999":       {nil, 200, plain(`2026-03-01T11:59:00+08:00`, `9999-12-31T23:59:59-08:00`), registry.ReasonMalformed},
		"404 of another kind":           {nil, 404, `{"code":"no_route"}`, registry.ReasonStatus},
		"404 without code":              {nil, 404, `{}`, registry.ReasonStatus},
		"404 with code in capitals":     {nil, 404, `{"code":"NOT_FOUND"}`, registry.ReasonStatus},
		"404 twice coded":               {nil, 404, `{"code":"x","code":"not_found"}`, registry.ReasonMalformed},
		"404 with a record":             {nil, 404, plainBody, registry.ReasonStatus},
		"204":                           {nil, 204, plainBody, registry.ReasonStatus},

		"second, not ok":                  {second(), 200, posted(`"00"`, `"99"`), registry.ReasonMalformed},
		"second, ok is a number":          {second(), 200, posted(`"00"`, `0`), registry.ReasonMalformed},
		"second, no code":                 {second(), 200, posted(`"code"`, `"kode"`), registry.ReasonMalformed},
		"second, empty but failed":        {second(), 200, `{"code":"99","dataCount":0,"datas":[]}`, registry.ReasonMalformed},
		"second, count as text":           {second(), 200, `{"code":"00","dataCount":"0","datas":[]}`, registry.ReasonMalformed},
		"second, no record":               {second(), 200, `{"code":"00","dataCount":1,"datas":[]}`, registry.ReasonMalformed},
		"second, record is no object":     {second(), 200, `{"code":"00","dataCount":1,"datas":["91310000MA1FL0000X"]}`, registry.ReasonMalformed},
		"second, other licence":           {second(), 200, posted(string(code), string(other)), registry.ReasonOtherLicence},
		"second, right licence in second": {second(), 200, posted(`[{`, `[{"uniscId":"91330000MA27X0000G","operatingStatus":"K"},{`), registry.ReasonOtherLicence},
		"second, state is true":           {second(), 200, posted(`"K"`, `true`), registry.ReasonMalformed},
		"second, state is null":           {second(), 200, posted(`"K"`, `null`), registry.ReasonMalformed},
		"second, asof":                    {second(), 200, posted(`"appDate"`, `"queriedAt":"now","appDate"`), registry.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := registry.Answer(tc.dialect, tc.status, []byte(tc.body), key, askedAt)
			if err == nil {
				t.Fatalf("taken: %+v", got)
			}
			if got != (verifiers.Standing{}) {
				t.Errorf("a standing beside an error: %+v", got)
			}
			if reason := registry.ReasonIn(err); reason != tc.reason {
				t.Errorf("reason = %s (%v), want %s", reason, err, tc.reason)
			}
		})
	}
}

// Contract §10: dates as YYYY-MM-DD, with a time behind them, or as epoch
// milliseconds, all in Asia/Shanghai.
func TestDialectDates(t *testing.T) {
	for in, want := range map[string]licence.Date{
		`"2024-05-06"`:                   "2024-05-06",
		`"2024-05-06 00:00:00"`:          "2024-05-06",
		`"2024-05-06 23:59:59"`:          "2024-05-06",
		`"2024-05-06T23:59:59"`:          "2024-05-06",
		`"2024-05-06 23:59"`:             "2024-05-06",
		`"2024-05-06 23:59:59.999"`:      "2024-05-06",
		`"2024-05-06T15:59:59Z"`:         "2024-05-06",
		`"2024-05-06T16:00:00Z"`:         "2024-05-07",
		`"2024-05-06T00:00:00+08:00"`:    "2024-05-06",
		`"2024-05-05T16:00:00.000+0000"`: "2024-05-06",
		`1714924800000`:                  "2024-05-06", // midnight in Shanghai
		`1714924799999`:                  "2024-05-05",
		`1715011199999`:                  "2024-05-06",
		`253402271999999`:                "9999-12-31",
		`1714924800`:                     "", // seconds
		`0`:                              "",
		`-1714924800000`:                 "",
		`1714924800000.5`:                "",
		`1.7149248e12`:                   "",
		`253402300799999`:                "", // year 10000 in Shanghai
		`"1714924800000"`:                "",
		`"20240506"`:                     "",
		`"2024/05/06"`:                   "",
		`"2024-5-6"`:                     "",
		`"2024-02-30 00:00:00"`:          "",
		`"2024-05-06 "`:                  "",
		`"2024-05-06T"`:                  "",
		`"2024-05-06 25:00:00"`:          "",
		`"2024-05-06 00:00:00 CST"`:      "",
		`"0000-01-01"`:                   "",
		`true`:                           "",
		`["2024-05-06"]`:                 "",
	} {
		body := fmt.Sprintf(`{"code":"00","datas":[{"uniscId":%q,"operatingStatus":"K","appDate":%s}]}`, code, in)
		got, err := registry.Answer(second(), 200, []byte(body), key, askedAt)
		if got.Apprdate != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", in, got.Apprdate, err, want)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	for name, bm := range map[string]struct {
		dialect *registry.Dialect
		body    string
	}{"plain": {nil, plainBody}, "second": {second(), secondBody}} {
		b.Run(name, func(b *testing.B) {
			body := []byte(bm.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := registry.Answer(bm.dialect, 200, body, key, askedAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
