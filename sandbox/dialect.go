// The second dialect: how a registry speaks that was not built for this
// protocol (contract §4, "A province whose service speaks another dialect").

package sandbox

import (
	"encoding/json"
	"strings"
)

// A Dialect makes a registry answer POST /query with {"uniscId": …} instead
// of the plain protocol. The zero value is the plain protocol.
type Dialect struct {
	Enabled bool

	// AppKey, if not empty, is what the header X-App-Key must say; requests
	// without it get 401.
	AppKey string
}

// DialectStates maps the second dialect's operatingStatus to the national
// code, as a gateway's configuration must. State 9 is sent as "QT", which
// stands in no map.
var DialectStates = map[string]string{"K": "1", "D": "2", "DX": "3", "XX": "4", "C": "5", "QX": "6"}

func operatingStatus(state string) string {
	for word, code := range DialectStates {
		if code == state {
			return word
		}
	}
	return "QT"
}

type dialectRecord struct {
	UniscID         string `json:"uniscId"`
	CompanyName     string `json:"companyName"`
	OperatingStatus string `json:"operatingStatus"`
	AppDate         string `json:"appDate"` // "2006-01-02 00:00:00", Asia/Shanghai
}

type dialectAnswer struct {
	Code      string          `json:"code"`
	DataCount int             `json:"dataCount"`
	Datas     []dialectRecord `json:"datas"`
}

// second answers in the second dialect.
func (r *Registry) second(req request) reply {
	switch {
	case req.path != "/query" || req.method != "POST":
		return reply{status: 404, contentType: "text/plain", body: []byte("no such page\n")}
	case r.dialect.AppKey != "" && req.appKey != r.dialect.AppKey:
		return reply{status: 401, contentType: "application/json", body: []byte(`{"code":"41"}`)}
	case !strings.HasPrefix(req.contentType, "application/json"):
		return reply{status: 415, contentType: "application/json", body: []byte(`{"code":"42"}`)}
	}
	var question struct {
		UniscID string `json:"uniscId"`
	}
	if err := json.Unmarshal(req.body, &question); err != nil || question.UniscID == "" {
		return reply{status: 200, contentType: "application/json", body: []byte(`{"code":"40"}`)}
	}
	rec, ok, fault := r.find(question.UniscID)
	rep := dialectReply()
	if ok {
		rep = dialectReply(rec)
	}
	rep.fault = fault
	rep.other = func() reply { return dialectReply(r.decoy) }
	return rep
}

func dialectReply(records ...Record) reply {
	answer := dialectAnswer{Code: "00", DataCount: len(records), Datas: []dialectRecord{}}
	for _, rec := range records {
		answer.Datas = append(answer.Datas, dialectRecord{
			rec.USCC, rec.EntName, operatingStatus(rec.RegState), rec.ApprDate + " 00:00:00",
		})
	}
	body, err := json.Marshal(answer)
	if err != nil { // strings and a number
		panic(err)
	}
	return reply{status: 200, contentType: "application/json;charset=UTF-8", body: body}
}
